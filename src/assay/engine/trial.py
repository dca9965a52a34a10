"""A trial as an objective sees it, and an objective as an executor runs it."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import wraps
from numbers import Integral
from pathlib import Path
from typing import Any, NoReturn, ParamSpec, TypeAlias, cast

from assay.core.errors import SpecError
from assay.core.familiar import OPEN_TRIAL, Familiar
from assay.core.jobs import Emit, Job, Step

Reports: TypeAlias = float | Mapping[str, float]
"""What is reported at a step: a number, or with several objectives one for each by name."""


P = ParamSpec("P")


def _in_order(method: Callable[P, None]) -> Callable[P, None]:
    """`report`, safe from the order of other tuners, report(value, step).

    Two whole numbers by position could be either and are refused; with a name for one of them there
    is nothing to confuse. A step that is no whole number is refused where steps are read.
    """

    @wraps(method)
    def report(trial: OpenTrial, *given: Any, **named: Any) -> None:
        if len(given) == 2 and all(isinstance(one, Integral) for one in given):
            raise SpecError(
                f"trial.report{given}: which of the two is the step? Here it comes first, in Optuna the "
                f"value does. Write trial.report(step={given[0]}, value={given[1]}), or give the value "
                "as a float."
            )
        if len(given) == 1 and not named:
            raise SpecError(
                f"trial.report({given[0]!r:.60}) lacks the step. Write trial.report(step, value), such as "
                "trial.report(epoch, loss)."
            )
        if len(given) == 1 and named.keys() == {"step"}:  # Optuna's trial.report(loss, step=epoch)
            named["value"] = given[0]
            given = ()
        method(trial, *given, **named)  # type: ignore[arg-type]

    return cast("Callable[P, None]", report)


class OpenTrial(Familiar, elsewhere=OPEN_TRIAL):
    """A trial that waits for its value.

    Attributes:
        number: its number in the study, from 0.
        config: a plain dict of the active parameters.
        seed: for whatever is random in your objective. It is the same for every trial of the
            search, so that trials share their luck and differ by their configs alone; repeats of
            the control and rechecks come with other seeds.
        from_step, to_step: for a space with a fidelity: the step that `checkpoint` holds, 0 for
            none, and the step to go to, at which what is needed to go on is saved, and the value
            there returned. None without a fidelity.
        checkpoint: a directory. At the start it holds what this trial saved at `from_step`, and at
            the end whatever is left in it is kept. None without a fidelity of kind "epochs", and
            in a loop of your own.
    """

    __slots__ = (
        "_report", "_should_stop", "checkpoint", "config", "from_step", "number", "seed", "to_step",
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        config: dict[str, Any],
        seed: int,
        report: Callable[[int, Reports], None],
        *,
        from_step: int = 0,
        to_step: int | None = None,
        checkpoint: Path | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None:
        self.number = number
        self.config = config
        self.seed = seed
        self.from_step = from_step
        self.to_step = to_step
        self.checkpoint = checkpoint
        self._report = report
        self._should_stop = should_stop

    @_in_order
    def report(self, step: int, value: Reports) -> None:
        """Record an intermediate value: the validation loss after epoch `step`, counted from 1.

        Optuna's order is report(value, step). Two whole numbers by position, which could be either,
        are refused: write report(step=3, value=7).

        With several objectives it is a value for each by name, {"loss": 0.3, "latency": 8.0}.

        Under `optimize` with a scheduler this call does not come back when the trial is cut: its
        process ends, or, with isolation="none", an exception passes through the objective.
        """
        self._report(step, value)

    def should_stop(self) -> bool:
        """Whether a trial of a study that you drive yourself is to be trained no further."""
        return self._should_stop is not None and self._should_stop()

    @property
    def steps(self) -> range:
        """The steps to go, `from_step + 1` up to `to_step`, for a loop that trains and reports.

        Raises:
            SpecError: the space has no fidelity.

        >>> OpenTrial(3, {}, 0, print, from_step=3, to_step=5).steps
        range(4, 6)
        """
        if self.to_step is None:
            raise SpecError(
                "trial.steps needs a space with a fidelity: Space(…, "
                "fidelity=Fidelity('epochs', 1, 81))."
            )
        return range(self.from_step + 1, self.to_step + 1)

    def __repr__(self) -> str:
        return f"<trial {self.number}: {self.config}>"

    def __getitem__(self, name: str) -> NoReturn:
        raise TypeError(f"A trial is no dict. Write trial.config[{name!r}].")


class Objective:
    """A user's `objective(trial)` as `evaluate(job, emit)`.

    Args:
        function: the objective.
        seeding: seed the global generators of `random` and NumPy with the trial's seed first; for
            processes of our own, whose global state belongs to nobody else.
    """

    def __init__(self, function: Callable[[OpenTrial], Any], *, seeding: bool) -> None:
        self.function = function
        self.seeding = seeding

    def __call__(self, job: Job, emit: Emit) -> Any:
        if self.seeding:
            _seed_globals(job.seeds[0])

        def report(step: int, value: Reports) -> None:
            emit(Step(step=step, value=dict(value) if isinstance(value, Mapping) else value))

        since, folder = _checkpoint(job)
        trial = OpenTrial(
            job.trial,
            job.config,
            job.seeds[0],
            report,
            from_step=since,
            to_step=job.until,
            checkpoint=folder,
        )
        return self.function(trial)


def _checkpoint(job: Job) -> tuple[int, Path | None]:
    """The step to go on from, and the directory.

    A worker that cannot see the driver's files begins anew, in an empty directory of its own.
    """
    if job.checkpoint is None:
        return 0, None
    folder = Path(job.checkpoint)
    if folder.is_dir():
        return job.since, folder
    folder = Path(tempfile.gettempdir()) / "assay-checkpoints" / folder.parent.name / folder.name
    folder.mkdir(parents=True, exist_ok=True)
    return 0, folder


def _seed_globals(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
