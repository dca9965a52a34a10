"""scikit-learn's models that can be trained further, step by step; duck-typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.callbacks.kept import Kept
from assay.core.errors import SpecError

if TYPE_CHECKING:
    from assay.engine.trial import OpenTrial

_SIZES = ("n_estimators", "max_iter")


def train(
    trial: OpenTrial,
    model: Any,
    training: tuple[Any, Any],
    validation: tuple[Any, Any],
    *,
    value: Callable[[Any, Any, Any], float],
    size: str | None,
) -> float:
    """See `assay.callbacks.sklearn`."""
    step_of = _grown(model, size) if size or not hasattr(model, "partial_fit") else _passed
    kept = Kept(trial, lambda: model)
    found: float | None = None
    for step in kept.steps:
        step_of(kept.value, step, *training)
        found = float(value(kept.value, *validation))
        trial.report(step, found)
        if trial.should_stop():
            break
    return float(value(kept.value, *validation)) if found is None else found


def _passed(model: Any, step: int, X: Any, y: Any) -> None:
    """One pass over the training rows."""
    classes = {"classes": np.unique(y)} if _classifies(model) else {}
    model.partial_fit(X, y, **classes)


def _classifies(model: Any) -> bool:
    tags = getattr(model, "__sklearn_tags__", None)
    kind = tags().estimator_type if tags else getattr(model, "_estimator_type", None)
    return kind == "classifier"


def _grown(model: Any, size: str | None) -> Callable[[Any, int, Any, Any], None]:
    """Fits on, with one part more at each step."""
    params = model.get_params()
    name = size or next((known for known in _SIZES if known in params), None)
    if name is None or not {"warm_start", name} <= params.keys():
        raise SpecError(
            f"{type(model).__name__} has no partial_fit, and no warm_start with a number of parts "
            f"{name or 'such as n_estimators'!r}. Train it in a loop over `trial.steps`."
        )

    def fit(model: Any, step: int, X: Any, y: Any) -> None:
        model.set_params(warm_start=True, **{name: step}).fit(X, y)

    return fit
