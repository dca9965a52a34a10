"""Configs that a search tries first: portfolios built on other tables, in the units of the data at hand.

A rate of 0.1 means the same on all data; the width of a kernel or a penalty on the size of errors do
not. Such figures are stored as multiples of

    kernel      1 / (features * variance of the features): what scikit-learn calls gamma="scale"
    target      the standard deviation of the target

and become numbers when the data are known. Built by `benchmarks/portfolio/tables.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from assay.learners.known import Known


@cache
def lists() -> dict[str, dict[str, Any]]:
    """Each list by the name of its model: configs, for what they are, and what is known of them."""
    text = files("assay.learners").joinpath("starts.json").read_text("utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


@cache
def starts() -> tuple[Known, ...]:
    """All configs to be tried first, for each kind of estimator by how much they add to those before."""
    return tuple(
        Known(
            name=f"start-{model}-{place}",
            model=model,
            estimators=tuple(one["estimators"]),
            config=config,
            source=f"portfolio for {model}, number {place}, by benchmarks/portfolio",
            link="https://scikit-learn.org/stable/datasets.html",
            licence="ours",
            data=f"{len(set(one['tables']))} tables: scikit-learn, statsmodels, linearmodels, river, drawn",
            fixed=one["fixed"],
            units=one["units"],
        )
        for model, one in lists().items()
        for place, config in enumerate(one["configs"], 1)
    )


def listed(estimator: Any) -> tuple[Known, ...]:
    """Those of the kinds of an estimator and of its parts."""
    parts = [estimator, *estimator.get_params(deep=True).values()]
    kinds = {kind.__name__ for part in parts for kind in type(part).__mro__}
    return tuple(one for one in starts() if kinds & set(one.estimators))


def units_of(X: Any, y: Any, *, standardised: bool) -> dict[str, float]:
    """What the units of figures are on some data; those that cannot be told are left out.

    Args:
        X: (n, features), or anything else.
        y: (n,) target, or anything else.
        standardised: whether the model sees features of variance 1, whatever they are in X.

    >>> units_of(np.ones((4, 5)), np.array([0.0, 2.0, 0.0, 2.0]), standardised=True)
    {'kernel': 0.2, 'target': 1.0}
    """
    found = {}
    features, target = _numbers(X, 2), _numbers(y, 1)
    if features is not None:
        variance = 1.0 if standardised else float(np.var(features))
        found["kernel"] = features.shape[1] * variance
        found = {"kernel": 1 / found["kernel"]} if 0 < found["kernel"] < np.inf else {}
    if target is not None and 0 < (spread := float(np.std(target))) < np.inf:
        found["target"] = spread
    return found


def measured(one: Known, units: Mapping[str, float]) -> Known | None:
    """The same with its figures in these units; None where one of them is not known.

    >>> known = next(one for one in starts() if one.units)
    >>> measured(known, {}) is None
    True
    """
    if not set(one.units.values()) <= units.keys():
        return None
    numbers = {
        name: float(f"{one.config[name] * units[unit]:.4g}") for name, unit in one.units.items()
    }
    return replace(one, config={**one.config, **numbers}, units={})


def _numbers(data: Any, dims: int) -> np.ndarray[Any, np.dtype[np.float64]] | None:
    """An array of finite numbers; None if the data are something else."""
    try:
        found = np.asarray(data, float)
    except (TypeError, ValueError):
        return None
    return found if found.ndim == dims and found.size and np.isfinite(found).all() else None
