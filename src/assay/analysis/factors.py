"""Main effects, interactions and shares, from a factorial or a fraction of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import factorial

import numpy as np

from assay.analysis.ablation import Search, Searches
from assay.analysis.effects import ratio
from assay.core.components import Component, Variant
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.checks import Array
from assay.math.simultaneous import Adjusted, benjamini_hochberg, one_t, simultaneous

_ROUNDING = 1e-12
"""Differences smaller than this share of the scores are rounding, which must not pass for an effect."""


@dataclass(frozen=True)
class Factors:
    """What a factorial says, all of it re-tuned; positive helps.

    `main` holds the mean gain from turning a component on, over all other combinations, with
    simultaneous intervals. `interactions` holds how much more two bring together than each for
    itself, with p values adjusted for the share of false findings (they are only explored).
    `shapley` divides the gain from nothing to everything among the components; None for a fraction.
    """

    main: dict[str, Adjusted]
    interactions: tuple[tuple[str, str, float, float], ...]
    shapley: dict[str, float] | None


def factors(spec: StudySpec, components: Sequence[Component], searches: Searches) -> Factors | None:
    """Main effects by least squares over the variants measured; None if some have no fresh values.

    Interactions are given where the design can tell all of them apart.

    Source of the shares: Shapley 1953, A value for n-person games.
    """
    variants = list(searches)
    scores: dict[Variant, Array] = {}
    for variant in variants:
        score = _scores(spec, searches[variant])
        if score is None:
            return None
        scores[variant] = score
    names = [c.name for c in components]
    on = np.array([[1.0 if n in v else -1.0 for n in names] for v in variants])
    y = np.stack([scores[v] for v in variants])
    pairs = list(combinations(range(len(names)), 2))
    design = np.column_stack([np.ones(len(on)), on])
    both = np.column_stack([design, *(on[:, i] * on[:, j] for i, j in pairs)])
    told = np.linalg.matrix_rank(both) == both.shape[1] and len(variants) >= both.shape[1]
    used = both if told else design
    effects = 2 * np.tensordot(np.linalg.pinv(used), y, axes=1)[1:]
    effects[np.abs(effects) < _ROUNDING * np.abs(y).max()] = 0.0
    level = 1 - spec.alpha
    rng = stream(spec.seed, "ablation", "factors")
    main = simultaneous(effects[: len(names)], ratio(spec), rng, level)
    # what two bring beyond each is a difference of differences: twice the effect of their product
    found = _interactions(spec, names, pairs, 2 * effects[len(names) :]) if told else ()
    everything = {frozenset(c) for k in range(len(names) + 1) for c in combinations(names, k)}
    complete = everything == set(variants)
    means = {v: float(s.mean()) for v, s in scores.items()}
    return Factors(
        dict(zip(names, main, strict=True)), found, _shapley(names, means) if complete else None
    )


def _scores(spec: StudySpec, searches: Sequence[Search]) -> Array | None:
    """Scores (higher is better) by search and fresh unit."""
    rows = [[-spec.signs[0] * s.tuned[u] for u in sorted(s.tuned)] for s in searches]
    if not rows or len({len(row) for row in rows}) != 1 or len(rows[0]) < 2:
        return None
    return np.array(rows)


def _interactions(
    spec: StudySpec, names: Sequence[str], pairs: Sequence[tuple[int, int]], effects: Array
) -> tuple[tuple[str, str, float, float], ...]:
    if not pairs:
        return ()
    each = [
        simultaneous(effects[k : k + 1], ratio(spec), stream(spec.seed, "pair", k))[0].interval
        for k in range(len(pairs))
    ]
    p = benjamini_hochberg([one_t(i.estimate, i.se, i.df or 1.0) for i in each])
    return tuple(
        (names[a], names[b], interval.estimate, q)
        for (a, b), interval, q in zip(pairs, each, p, strict=True)
    )


def _shapley(names: Sequence[str], score: Mapping[Variant, float]) -> dict[str, float]:
    k = len(names)
    shares = {}
    for name in names:
        others = [n for n in names if n != name]
        shares[name] = sum(
            factorial(size) * factorial(k - size - 1) / factorial(k)
            * (score[frozenset({*some, name})] - score[frozenset(some)])
            for size in range(k)
            for some in combinations(others, size)
        )  # fmt: skip
    return shares
