"""LightGBM reports to a trial; its only home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports, kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "model.txt"


class Callback:
    """See `assay.callbacks.lightgbm`."""

    order = 40  # after LightGBM's own early stopping
    before_iteration = False

    def __init__(
        self, trial: OpenTrial, metric: str | None, *, data: str | None, every: int
    ) -> None:
        self._reports = Reports(trial, metric, data, every)
        self._file = kept_file(trial, _FILE)
        self.model = left_file(trial, _FILE)

    def __call__(self, env: Any) -> None:
        step = env.iteration + 1
        evaluated = env.evaluation_result_list or []
        found = {(data, metric): value for data, metric, value, *_ in evaluated}
        over = self._reports.tell(step, found)
        if self._reports.is_last(step) and self._file is not None:
            env.model.save_model(self._file)
        if over and step < env.end_iteration:
            from lightgbm.callback import EarlyStopException

            raise EarlyStopException(env.iteration, evaluated)
