"""What can be said and set about any scikit-learn estimator, however deeply nested."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import sklearn
from sklearn.base import clone
from sklearn.dummy import DummyClassifier, DummyRegressor

from assay.learners.scoring import Metric, positive_class

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LISTS = ("steps", "transformers", "transformer_list", "estimators")  # told by their parts
_MEDIAN_METRICS = ("mae", "mape", "median_absolute_error")


def build(estimator: Any, params: dict[str, Any], seed: int) -> Any:
    """A fresh, unfitted copy with `params`, with every `random_state` derived from `seed`.

    Every `n_jobs` that is not set becomes 1: the study decides how many processors are used.
    """
    model = clone(estimator)
    values = model.get_params(deep=True)
    own = {name: 1 for name, value in values.items() if _is(name, "n_jobs") and value is None}
    model.set_params(**own, **params)
    names = sorted(name for name in model.get_params(deep=True) if _is(name, "random_state"))
    states = np.random.SeedSequence(seed).generate_state(len(names))
    seeds = {name: int(state % 2**31) for name, state in zip(names, states, strict=True)}
    return model.set_params(**seeds) if seeds else model


def deterministic(estimator: Any) -> bool:
    """Whether the estimator has no `random_state` at all: equal data then give an equal model."""
    return not any(_is(name, "random_state") for name in estimator.get_params(deep=True))


def dummy(task: str, metric: Metric, y: Any) -> Any:
    """The model that looks at no feature: the floor that any other must beat.

    The positive class where the metric is about it alone (its F1 is 0 with any other, and the most
    frequent one may be another in each fold), else the most frequent class; the class shares where
    probabilities count; the mean, or the median for absolute errors.
    """
    if task == "classification":
        positive = positive_class(metric.name, np.unique(y).tolist(), metric.function)
        if positive is not None:
            return DummyClassifier(strategy="constant", constant=positive)
        return DummyClassifier(strategy="most_frequent" if metric.needs == "predict" else "prior")
    return DummyRegressor(strategy="median" if metric.name in _MEDIAN_METRICS else "mean")


def describe(estimator: Any) -> dict[str, Any]:
    """Class, parameters and library versions, as JSON for the plan of a study."""
    values = estimator.get_params(deep=True)
    parts = {name: value for name, value in values.items() if _is_estimator(value)}
    plain = {
        name: _text(value)
        for name, value in values.items()
        if name not in parts and not any(_is(name, last) for last in _LISTS)
    }
    package = type(estimator).__module__.partition(".")[0]
    versions = {"scikit-learn": sklearn.__version__, "numpy": np.__version__}
    if package not in ("sklearn", "__main__"):
        versions |= _version(package)
    return {
        "class": _path(estimator),
        "parts": {name: _path(part) for name, part in sorted(parts.items())},
        "params": dict(sorted(plain.items())),
        "versions": versions,
    }


def _is(name: str, last: str) -> bool:
    return name.rpartition("__")[2] == last


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _path(part: Any) -> str:
    return f"{type(part).__module__}.{type(part).__qualname__}"


def _text(value: Any) -> Any:
    """JSON values as they are (no NaN), everything else as printed, without memory addresses."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float) and np.isfinite(value):
        return float(value)
    return _ADDRESS.sub("", repr(value))


def _version(package: str) -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return {package: version(package)}
    except PackageNotFoundError:
        return {}
