"""XGBoost reports to a trial; its only home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports, kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "model.ubj"


def callback(trial: OpenTrial, metric: str | None, *, data: str | None, every: int) -> Any:
    """See `assay.callbacks.xgboost`."""
    from xgboost.callback import TrainingCallback

    return type("Callback", (_Reporting, TrainingCallback), {})(
        trial, metric, data=data, every=every
    )


class _Reporting:
    """What is added to the library's own class."""

    def __init__(
        self, trial: OpenTrial, metric: str | None, *, data: str | None, every: int
    ) -> None:
        super().__init__()
        self._reports = Reports(trial, metric, data, every)
        self._file = kept_file(trial, _FILE)
        self.model = left_file(trial, _FILE)

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        """Report; true ends the training."""
        step = model.num_boosted_rounds()  # `epoch` begins anew with every call of `train`
        found = {
            (data, metric): values[-1]
            for data, metrics in evals_log.items()
            for metric, values in metrics.items()
        }
        over = self._reports.tell(step, found)
        if self._reports.is_last(step) and self._file is not None:
            model.save_model(self._file)
        return over
