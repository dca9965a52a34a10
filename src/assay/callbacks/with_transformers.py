"""A Trainer of Hugging Face reports to a trial; its only home."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.callbacks.reports import Reports
from assay.core.fidelity import Fidelity
from assay.core.parameters import Float, Ordinal, Parameter
from assay.core.space import Space

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_VALIDATION = "validation"

RANGES: Mapping[str, Parameter] = {
    "learning_rate": Float(1e-6, 1e-4, log=True),
    "per_device_train_batch_size": Ordinal([4, 8, 16, 32, 64]),
    "weight_decay": Ordinal([0.0, 0.01, 0.1]),
    "warmup_steps": Ordinal([0.0, 0.06, 0.1]),
}
"""By the names of `TrainingArguments`.

Sources: learning rate and batch size as in `default_hp_space_optuna` of the transformers library itself
(Apache-2.0), which also searches the seed, and that we do not: a lucky seed is no better setting. Weight
decay: 0 is the library's default, 0.01 is BERT's (Devlin et al. 2019, arXiv:1810.04805, A.2), 0.1
RoBERTa's (Liu et al. 2019, arXiv:1907.11692, table 10). Warm-up as a share of the steps: 0 is the
default, 0.06 RoBERTa's, 0.1 ELECTRA's (Clark et al. 2020, arXiv:2003.10555, table 7).
"""

_KINDS: Mapping[str, type] = {
    **dict.fromkeys(RANGES, float),  # 0 steps are 0.0 here
    "per_device_train_batch_size": int,
}


def callback(trial: OpenTrial, metric: str) -> Any:
    """See `assay.callbacks.transformers`."""
    from transformers import TrainerCallback

    return type("Callback", (_Reporting, TrainerCallback), {})(trial, metric)


def space(arguments: Any, epochs: int) -> Space:
    """See `assay.callbacks.transformers_space`."""
    own = {
        name: replace(parameter, default=parameter.settle(_KINDS[name](getattr(arguments, name))))
        for name, parameter in RANGES.items()
    }
    return Space(own, fidelity=Fidelity("epochs", 1, epochs))


class _Reporting:
    """What is added to the library's own class."""

    def __init__(self, trial: OpenTrial, metric: str) -> None:
        super().__init__()
        self._reports = Reports(trial, metric)
        self._keeps = trial.checkpoint is not None
        self.folder = str(trial.checkpoint or tempfile.mkdtemp(prefix="assay-trainer-"))
        left = sorted(Path(self.folder).glob("checkpoint-*")) if trial.from_step else []
        self.model = str(left[-1]) if left else None

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **_: Any) -> Any:
        """Report after each epoch; save and end the training when it is over."""
        step = round(state.epoch)
        found = {
            (_VALIDATION, name): float(value)
            for name, value in metrics.items()
            if isinstance(value, int | float)
        }
        if self._reports.tell(step, found):
            control.should_training_stop = True
        control.should_save = self._keeps and self._reports.is_last(step)
        return control

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Keep the newest checkpoint alone."""
        for old in Path(self.folder).glob("checkpoint-*"):
            if old.name != f"checkpoint-{state.global_step}":
                shutil.rmtree(old)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave nothing behind that no trial goes on from."""
        if not self._keeps:
            shutil.rmtree(self.folder, ignore_errors=True)
