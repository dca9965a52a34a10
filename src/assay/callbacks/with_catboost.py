"""CatBoost reports to a trial; the package itself is not needed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports, kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "model.cbm"


class Callback:
    """See `assay.callbacks.catboost`."""

    def __init__(
        self, trial: OpenTrial, metric: str | None, *, data: str | None, every: int
    ) -> None:
        self._reports = Reports(trial, metric, data, every)
        self._file = kept_file(trial, _FILE)
        self._saved = left_file(trial, _FILE)
        self._before = 0

    @property
    def model(self) -> str | None:
        """The file to give as `init_model`; None: the trial begins anew."""
        if self._saved is not None:
            self._before = self._reports.trial.from_step  # CatBoost counts the new trees only
        return self._saved

    def after_iteration(self, info: Any) -> bool:
        """Report; false ends the training."""
        found = {
            (data, metric): values[-1]
            for data, metrics in info.metrics.items()
            for metric, values in metrics.items()
        }
        return not self._reports.tell(self._before + info.iteration, found)

    def keep(self, model: Any) -> None:
        """Keep a fitted model, to go on from: CatBoost does not show it to callbacks."""
        if self._file is not None:
            model.save_model(str(self._file))
