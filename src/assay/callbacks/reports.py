"""What every callback does: find the value that judges, report it, and say when training is over."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from assay.core.errors import SpecError

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

Found: TypeAlias = Mapping[tuple[str, str], float]
"""Values by (data, metric), as a library names them."""

TRAINING = ("train", "training", "learn")
"""What libraries call the rows that a model was fitted on: they never judge it."""


class Reports:
    """Reports to a trial, step by step.

    Args:
        trial: to report to.
        metric: which metric judges; None: the only one there is.
        data: on which rows; None: the only ones that are not the training rows.
        every: reports are made at each so many steps, and at the last.

    Raises:
        SpecError: `every` is not a whole number >= 1.
    """

    def __init__(
        self, trial: OpenTrial, metric: str | None, data: str | None = None, every: int = 1
    ) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise SpecError(f"every needs a whole number >= 1, got {every!r}.")
        self.trial, self._metric, self._data, self._every = trial, metric, data, every

    def tell(self, step: int, found: Found) -> bool:
        """Report what was found after a step; whether training is over.

        Raises:
            SpecError: it is not clear which value judges.
        """
        last = self.is_last(step)
        if last or step % self._every == 0:
            self.trial.report(step, float(found[self._chosen(found)]))
        return last or self.trial.should_stop()

    def is_last(self, step: int) -> bool:
        """Whether a trial goes no further now."""
        return self.trial.to_step is not None and step >= self.trial.to_step

    def _chosen(self, found: Found) -> tuple[str, str]:
        fit = [
            (data, metric)
            for data, metric in found
            if self._metric in (None, metric)
            and (data == self._data if self._data else data not in TRAINING)
        ]
        if len(fit) == 1:
            return fit[0]
        there = ", ".join(f"{metric!r} on {data!r}" for data, metric in found) or "nothing"
        asked = f"metric={self._metric!r}, data={self._data!r}"
        raise SpecError(
            f"Which value judges the trial? {asked} fits {len(fit)} of those that were measured: "
            f"{there}. Name the metric and the data; training rows do not judge a model."
        )


def kept_file(trial: OpenTrial, name: str) -> Path | None:
    """Where a trial keeps a file to go on from; None where nothing is kept."""
    return None if trial.checkpoint is None else trial.checkpoint / name


def left_file(trial: OpenTrial, name: str) -> str | None:
    """The file from which a trial goes on; None: it begins anew."""
    file = kept_file(trial, name)
    there = file is not None and trial.from_step > 0 and file.is_file()
    return str(file) if there else None
