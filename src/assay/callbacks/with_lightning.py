"""Lightning reports to a trial; its only home."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports, kept_file, left_file

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_FILE = "last.ckpt"
_VALIDATION = "validation"


def callback(trial: OpenTrial, metric: str) -> Any:
    """See `assay.callbacks.lightning`."""
    from lightning.pytorch.callbacks import Callback as LightningCallback

    return type("Callback", (_Reporting, LightningCallback), {})(trial, metric)


class _Reporting:
    """What is added to the library's own class."""

    def __init__(self, trial: OpenTrial, metric: str) -> None:
        super().__init__()
        self._metric = metric
        self._reports = Reports(trial, metric)
        self._file = kept_file(trial, _FILE)
        self.model = left_file(trial, _FILE)
        self._over = False

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Report what the module has logged."""
        if trainer.sanity_checking:
            return
        logged = trainer.callback_metrics
        found = {(_VALIDATION, name): float(value) for name, value in logged.items()}
        self._over = self._reports.tell(trainer.current_epoch + 1, found)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """Keep what is needed to go on, and end the training."""
        if self._reports.is_last(trainer.current_epoch + 1) and self._file is not None:
            trainer.save_checkpoint(self._file)
        trainer.should_stop = trainer.should_stop or self._over
