"""Hyperparameters in KerasTuner's words: `hp.Int("units", 32, 512, step=32)`, learnt while a model is built."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from assay.core.errors import SpecError
from assay.optuna.running import RunTrial


class HyperParameters:
    """What a function `build(hp)` of KerasTuner asks, answered by a trial.

    `hp.Int`, `Float`, `Choice`, `Boolean` and `Fixed` give a value for a name, and the same value
    each time; `hp.conditional_scope` is honoured: outside of its values a parameter is inactive and is
    None, as there. `hp.values` are the values so far. A `default` is taken, and has no say here.

    Args:
        trial: of `assay.optuna.run`, or Optuna's own.

    >>> from assay.optuna import run
    >>> def loss(hp):
    ...     width = hp.Int("width", 8, 64, step=8)
    ...     rate = hp.Float("rate", 1e-4, 1e-1, sampling="log")
    ...     return abs(width - 32) / 32 + abs(rate - 0.01)
    >>> study = run(lambda trial: loss(HyperParameters(trial)), n_trials=20)
    >>> sorted(study.best.config)
    ['rate', 'width']
    """

    def __init__(self, trial: RunTrial | Any) -> None:
        self._trial = trial
        self._inactive = 0
        self.values: dict[str, Any] = {}

    def Int(  # noqa: N802 - KerasTuner's name
        self,
        name: str,
        min_value: int,
        max_value: int,
        step: int | None = None,
        sampling: str | None = None,
        default: int | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> int | None:
        """A whole number; with `sampling="log"` each step multiplies."""

        def ask() -> Any:
            if _log(sampling) and step is not None:
                return self._trial.suggest_categorical(name, _powers(min_value, max_value, step))
            return self._trial.suggest_int(
                name, min_value, max_value, step=step or 1, log=_log(sampling)
            )

        found = self._value(name, ask, parent_name, parent_values)
        return None if found is None else int(found)

    def Float(  # noqa: N802
        self,
        name: str,
        min_value: float,
        max_value: float,
        step: float | None = None,
        sampling: str | None = None,
        default: float | None = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> float | None:
        """A number; with `sampling="log"` each step multiplies."""

        def ask() -> Any:
            if _log(sampling) and step is not None:
                return self._trial.suggest_categorical(name, _powers(min_value, max_value, step))
            return self._trial.suggest_float(
                name, min_value, max_value, step=step, log=_log(sampling)
            )

        found = self._value(name, ask, parent_name, parent_values)
        return None if found is None else float(found)

    def Choice(  # noqa: N802
        self,
        name: str,
        values: Sequence[Any],
        ordered: bool | None = None,
        default: Any = None,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> Any:
        """One of the values; their order is not used."""

        def ask() -> Any:
            return self._trial.suggest_categorical(name, list(values))

        return self._value(name, ask, parent_name, parent_values)

    def Boolean(  # noqa: N802
        self,
        name: str,
        default: bool = False,
        parent_name: str | None = None,
        parent_values: Any = None,
    ) -> bool | None:
        """True or False."""
        found = self.Choice(
            name, [False, True], parent_name=parent_name, parent_values=parent_values
        )
        return None if found is None else bool(found)

    def Fixed(  # noqa: N802
        self, name: str, value: Any, parent_name: str | None = None, parent_values: Any = None
    ) -> Any:
        """The value as it is; it is not searched."""
        return self._value(name, lambda: value, parent_name, parent_values)

    @contextmanager
    def conditional_scope(self, parent_name: str, parent_values: Any) -> Iterator[None]:
        """Parameters in it are active where the parent has one of these values."""
        off = not self._holds(parent_name, parent_values)
        self._inactive += off
        try:
            yield
        finally:
            self._inactive -= off

    def get(self, name: str) -> Any:
        """The value of a parameter that was asked for.

        Raises:
            KeyError: it was not.
        """
        return self.values[name]

    def _value(self, name: str, ask: Callable[[], Any], parent: str | None, of: Any) -> Any:
        if self._inactive or (parent is not None and not self._holds(parent, of)):
            return None
        if name not in self.values:
            self.values[name] = ask()
        return self.values[name]

    def _holds(self, parent: str, of: Any) -> bool:
        wanted = list(of) if isinstance(of, list | tuple | set) else [of]
        return parent in self.values and self.values[parent] in wanted


def _log(sampling: str | None) -> bool:
    if sampling == "reverse_log":
        raise SpecError(
            "sampling='reverse_log' is not known here. Ask for 1 - x, or another range, with 'log'."
        )
    return sampling == "log"


def _powers(low: float, high: float, step: float) -> list[float]:
    """low, low × step, low × step², … up to high."""
    if step <= 1:
        raise SpecError(f"With sampling='log' a step multiplies: it needs to be > 1, got {step!r}.")
    many = math.floor(math.log(high / low) / math.log(step) + 1e-9)
    return [low * step**i for i in range(many + 1)]
