"""What a search tries first: what the user gives, then what did well for such a model on other tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline

from assay.core.events import Enqueued
from assay.learners.known import arms_for
from assay.learners.starts import measured, starts, units_of
from assay.sklearn.candidates import Candidates

MOST = 6
"""As many as the lists were judged with (`benchmarks/results/starts.md`)."""


def first(
    found: Candidates,
    estimator: Any,
    X: Any,
    y: Any,
    given: Iterable[Mapping[str, Any]],
    *,
    more: bool,
) -> list[Enqueued]:
    """The candidates to try before the sampler's, each once.

    Args:
        given: parameters that the user wants to be tried.
        more: whether those of `assay.learners.starts` follow.

    Raises:
        SpaceError: the space has no config for what is given.
    """
    queue = [Enqueued(found.config(params)) for params in given]
    if more and all(ours == name for ours, name in found.names.items()):
        tried = [found.control, *(one.config for one in queue)]
        queue += [one for one in _portfolio(found, estimator, X, y) if one.config not in tried]
    return queue


def _portfolio(found: Candidates, estimator: Any, X: Any, y: Any) -> list[Enqueued]:
    units = _units(estimator, X, y)
    known = [one for one in (measured(one, units) for one in starts()) if one is not None]
    arms = arms_for(known, estimator, found.space, found.base())
    return [Enqueued(**arm.given()) for arm in arms[:MOST]]


def _units(estimator: Any, X: Any, y: Any) -> Mapping[str, float]:
    """A pipeline is taken to scale its features; a transformed target has a scale that is not known."""
    units = units_of(X, y, standardised=isinstance(estimator, Pipeline))
    parts = [estimator, *estimator.get_params(deep=True).values()]
    if any(isinstance(part, TransformedTargetRegressor) for part in parts):
        units.pop("target", None)
    return units
