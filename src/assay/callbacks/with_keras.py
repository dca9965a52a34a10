"""Keras reports to a trial, whatever its backend; its only home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports, kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "model.keras"
_VALIDATION = "validation"


def callback(trial: OpenTrial, metric: str) -> Any:
    """See `assay.callbacks.keras`."""
    from keras.callbacks import Callback as KerasCallback

    return type("Callback", (_Reporting, KerasCallback), {})(trial, metric)


class _Reporting:
    """What is added to the library's own class."""

    model: Any  # which Keras sets

    def __init__(self, trial: OpenTrial, metric: str) -> None:
        super().__init__()
        self._reports = Reports(trial, metric)
        self._file = kept_file(trial, _FILE)
        self.saved = left_file(trial, _FILE)  # `model` is Keras' own word

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Report; end the training when it is over."""
        step = epoch + 1
        found = {(_VALIDATION, name): float(value) for name, value in (logs or {}).items()}
        over = self._reports.tell(step, found)
        if self._reports.is_last(step) and self._file is not None:
            self.model.save(self._file)
        if over:
            self.model.stop_training = True
