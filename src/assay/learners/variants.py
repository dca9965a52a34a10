"""An estimator with some of its parts taken out or replaced, as an ablation wants it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sklearn.base import clone

from assay.core.errors import SpecError, did_you_mean


def step_of(estimator: Any, step: str) -> str:
    """The parameter that holds a step: by its name, or by the end of it where that is unique.

    Raises:
        SpecError: there is none, or there are several.

    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> step_of(make_pipeline(StandardScaler(), "passthrough"), "standardscaler")
    'standardscaler'
    """
    steps = _steps(estimator)
    if step in steps:
        return step
    ends = [name for name in steps if name.endswith(f"__{step}")]
    if len(ends) == 1:
        return ends[0]
    known = ends or steps
    if not known:
        raise SpecError(
            f"{type(estimator).__name__} has no steps, so {step!r} cannot be taken out of it. Give "
            "a pipeline, or components with features=[…]."
        )
    what = f"There are {len(ends)} steps {step!r}." if ends else f"There is no step {step!r}."
    raise SpecError(
        f"{what} {did_you_mean(step, known) if not ends else 'Known: ' + ', '.join(ends)}"
    )


def with_parts(estimator: Any, parts: Mapping[str, Any]) -> Any:
    """A copy with these parts in place of its own, by the name of the parameter that holds each."""
    return clone(estimator).set_params(
        **{name: clone(p) if hasattr(p, "get_params") else p for name, p in parts.items()}
    )


def off_part(step: str, given: Any) -> Any:
    """What stands in a step that is off: what was given, else nothing that changes the data."""
    if given is None:
        return None if step.rpartition("__")[2] == "transformer" else "passthrough"
    return named(given) if isinstance(given, str) else given


def named(text: str) -> Any:
    """An estimator by the path of its class in scikit-learn; "passthrough" and "drop" as they are.

    Raises:
        SpecError: there is none of this name.

    >>> named("sklearn.preprocessing.RobustScaler")
    RobustScaler()
    """
    if text in ("passthrough", "drop"):
        return text
    module, _, kind = text.rpartition(".")
    if module.partition(".")[0] != "sklearn":
        raise SpecError(
            f"A step is 'passthrough', 'drop', or a class of scikit-learn such as "
            f"'sklearn.preprocessing.RobustScaler', got {text!r}."
        )
    try:
        return getattr(import_module(module), kind)()
    except (ImportError, AttributeError, TypeError) as error:
        raise SpecError(
            f"There is no estimator {text!r} to be made without arguments: {error}."
        ) from None


def _steps(estimator: Any) -> list[str]:
    """The names of the parameters that hold a part which may be replaced."""
    values = estimator.get_params(deep=True)
    return sorted(
        name
        for name, value in values.items()
        if (hasattr(value, "get_params") and not isinstance(value, type)) or value == "passthrough"
    )
