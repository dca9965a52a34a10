"""How much search a component needs, and how it moves the best value of a parameter. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.analysis.ablation import INDEPENDENT, Search
from assay.core.parameters import Float, Int, Ordinal, Parameter
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.checks import Array
from assay.math.expected_best import band, expected_best

_BINS = 8
_FEWEST = 20
_DRAWS = 400
_EDGE = 0.02


@dataclass(frozen=True)
class Curve:
    """The best value to expect of the first n trials, n = 1, 2, …; in the user's direction.

    `kind` is "expected" where the trials were drawn independently, with a band, and "traces" for
    the mean best so far of the searches, where a model proposed them. `honest` is the same (best, low,
    high) on rows that did not choose: each draw of the rows chooses in its bag and scores out of it. It
    may bend down. Or in words why there is none.
    """

    kind: str
    best: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    honest: tuple[tuple[float, ...], ...] | str


def curve(spec: StudySpec, searches: Sequence[Search], name: str) -> Curve | None:
    """The curve of a variant; None while a search has no value.

    Independent trials of all searches are pooled. The given configs come first in each search and
    are no draws: they are left out of it.
    """
    sign = spec.signs[0]
    drawn = [[-sign * v for v in _sampled(s) if v is not None] for s in searches]
    if not all(drawn):
        return None
    if spec.sampler["name"] in INDEPENDENT:
        most = min(map(len, drawn))
        pooled = np.concatenate([np.array(d) for d in drawn])
        best = expected_best(pooled)[:most]
        low, high = (b[:most] for b in band(pooled, stream(spec.seed, "curve", name)))
        kind = "expected"
    else:
        most = min(len([v for v in s.values if v is not None]) for s in searches)
        traces = np.array([_trace(s, sign)[:most] for s in searches])
        kind, best, low, high = "traces", traces.mean(0), traces.min(0), traces.max(0)
    mean, worse, better = (tuple(float(-sign * x) for x in b) for b in (best, low, high))
    return Curve(kind, mean, worse, better, _honest(spec, searches, most))


def _honest(
    spec: StudySpec, searches: Sequence[Search], most: int
) -> tuple[tuple[float, ...], ...] | str:
    """The mean over all searches; the band is where the draws of a single one lie."""
    drawn = []
    for search in searches:
        if isinstance(search.fresh_rows, str):
            return search.fresh_rows
        drawn.append(search.fresh_rows)
    size = min(most, *(d.shape[1] for d in drawn))
    pooled = np.concatenate([d[:, :size] for d in drawn])
    tails = np.quantile(pooled, [spec.alpha / 2, 1 - spec.alpha / 2], axis=0)
    if spec.signs[0] > 0:
        tails = tails[::-1]
    return tuple(tuple(map(float, end)) for end in (pooled.mean(axis=0), *tails))


def _sampled(search: Search) -> list[float | None]:
    return [v for v, o in zip(search.values, search.origins, strict=True) if o == "sampler"]


def _trace(search: Search, sign: float) -> Array:
    known = np.array([-sign * v for v in search.values if v is not None])
    return np.maximum.accumulate(known)


@dataclass(frozen=True)
class Shift:
    """Where the best tenth of the trials have a parameter, with a component and without it.

    `moved` is the difference of the medians, without minus with, in the unit scale of the parameter
    (0 to 1), with a percentile interval. `shares` says how the variance of the ranks of all values
    divides among the component, the parameter and both together; the rest is other parameters and
    noise. `with_curve` and `without_curve` hold (value of the parameter, median score).
    """

    component: str
    parameter: str
    with_best: Any
    without_best: Any
    moved: float
    low: float
    high: float
    shares: tuple[float, float, float]
    with_curve: tuple[tuple[Any, float], ...]
    without_curve: tuple[tuple[Any, float], ...]


def shifts(
    spec: StudySpec,
    component: str,
    more: tuple[Mapping[str, Parameter], Sequence[Search]],
    less: tuple[Mapping[str, Parameter], Sequence[Search]],
) -> list[Shift]:
    """The shift of each parameter that both variants search on the same scale, largest first."""
    found = []
    for name, parameter in more[0].items():
        same = less[0].get(name) == parameter and isinstance(parameter, Float | Int | Ordinal)
        if not same or parameter.size < 3:
            continue
        points = [_points(spec, searches, name, parameter) for _, searches in (more, less)]
        if min(len(u) for u, _ in points) >= _FEWEST:
            found.append(_shift(spec, component, name, parameter, *points))
    return sorted(found, key=lambda s: -abs(s.moved))


def _points(
    spec: StudySpec, searches: Sequence[Search], name: str, parameter: Parameter
) -> tuple[Array, Array]:
    """Unit values of the parameter and scores (higher is better) of the trials that have it."""
    sign = spec.signs[0]
    pairs = [
        (parameter.to_unit(c[name]), -sign * v)
        for s in searches
        for c, v in zip(s.configs, s.values, strict=True)
        if v is not None and name in c
    ]
    table = np.array(pairs, dtype=float).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _shift(
    spec: StudySpec,
    component: str,
    name: str,
    parameter: Parameter,
    more: tuple[Array, Array],
    less: tuple[Array, Array],
) -> Shift:
    rng = stream(spec.seed, "shift", component, name)
    at = [_best_place(u, v) for u, v in (more, less)]
    moved = [_resampled(less, rng) - _resampled(more, rng) for _ in range(_DRAWS)]
    low, high = np.quantile(moved, [spec.alpha / 2, 1 - spec.alpha / 2])
    with_curve, without_curve = (
        _response(parameter, *points, -spec.signs[0]) for points in (more, less)
    )
    with_best, without_best = (parameter.from_unit(min(float(u), 1 - 1e-12)) for u in at)
    return Shift(
        component,
        name,
        with_best,
        without_best,
        float(at[1] - at[0]),
        float(low),
        float(high),
        _shares(more, less),
        with_curve,
        without_curve,
    )


def _best_place(u: Array, v: Array) -> float:
    count = max(3, -(-len(v) // 10))
    return float(np.median(u[np.argsort(-v, kind="stable")[:count]]))


def _resampled(points: tuple[Array, Array], rng: np.random.Generator) -> float:
    drawn = rng.integers(len(points[0]), size=len(points[0]))
    return _best_place(points[0][drawn], points[1][drawn])


def _response(
    parameter: Parameter, u: Array, v: Array, sign: float
) -> tuple[tuple[Any, float], ...]:
    """The median score in each part of the parameter's range."""
    part = np.minimum((u * _BINS).astype(int), _BINS - 1)
    return tuple(
        (parameter.from_unit((b + 0.5) / _BINS), float(sign * np.median(v[part == b])))
        for b in range(_BINS)
        if (part == b).any()
    )


def _shares(more: tuple[Array, Array], less: tuple[Array, Array]) -> tuple[float, float, float]:
    """Two-way analysis of variance of ranks, component by part of the range; cells count equally."""
    u, v = (np.concatenate([more[i], less[i]]) for i in (0, 1))
    on = np.repeat([0, 1], [len(more[0]), len(less[0])])
    rank = np.argsort(np.argsort(v, kind="stable"), kind="stable").astype(float)
    part = np.minimum((u * 5).astype(int), 4)
    kept = [b for b in range(5) if all(((part == b) & (on == c)).any() for c in (0, 1))]
    if len(kept) < 2:
        return 0.0, 0.0, 0.0
    inside = np.isin(part, kept)
    cells = np.array([[rank[(part == b) & (on == c)].mean() for b in kept] for c in (0, 1)])
    within = np.mean([rank[(part == b) & (on == c)].var() for b in kept for c in (0, 1)])
    total = cells.var() + within
    if not inside.any() or total == 0:
        return 0.0, 0.0, 0.0
    by_component, by_parameter = cells.mean(1), cells.mean(0)
    both = cells - by_component[:, None] - by_parameter[None, :] + cells.mean()
    return (
        float(by_component.var() / total),
        float(by_parameter.var() / total),
        float(both.var() / total),
    )


def at_edge(parameters: Mapping[str, Parameter], config: Mapping[str, Any]) -> list[str]:
    """The numbers of a config that lie at an end of their range: the best may be beyond it."""
    return [
        name
        for name, value in config.items()
        if isinstance(p := parameters.get(name), Float | Int)
        and p.size > 8
        and not _EDGE <= p.to_unit(value) <= 1 - _EDGE
    ]
