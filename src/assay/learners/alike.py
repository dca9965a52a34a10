"""Which config of a list comes next: what was good on tables that behave like the one at hand. Pure.

    L[t, c]   log of the loss of config c on table t over that of the model as it comes
    S[t, c]   the loss from 0 for the best on that table to 1 for the model as it comes, and what is worse
    s[c]      its seconds over those of the model as it comes
    F[t, i]   what is known of a table before any config, see `facts_of`
    g(x)      asinh(x / 0.02) / asinh(50): even below 2 %, logarithmic above, 1 at a factor of e
    w[t]      exp(-d[t] / 2), d[t] = sum over the configs that were tried of ((g(l[c]) - g(L[t, c])) / 0.2)^2
              + sum over what is known of ((f[i] - F[t, i]) / h[i])^2; scaled to sum 1, and 2 % spread evenly
    b[t]      the least sqrt S[t, c] of those that were tried, at most 1

Next is the config with the most of  sum over t of w[t] max(0, b[t] - sqrt S[t, c]), divided by 1 + s[c].

Source: the greedy portfolio of Feurer et al. 2022 (Auto-sklearn 2.0, JMLR 23(261)). Differs: tables count
by how they agree with what was seen, as in the mixture of Wistuba et al. 2018 (Machine Learning 107, eq. 13),
and gains are by the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from assay.learners.starts import lists
from assay.math.checks import Array

SMALL = 0.02
WIDTH = 0.2
FACT_WIDTHS = np.array([0.4, 2.0, 2.0])
EVEN = 0.02  # however unlike the tables are


@dataclass(frozen=True)
class Seen:
    """What was measured on T other tables.

    Attributes:
        tables: their names, once for each loss.
        logs: L, shape (T, C).
        shares: S, shape (T, C).
        seconds: s, shape (C,).
        facts: F, shape (T, 3).
    """

    tables: tuple[str, ...]
    logs: Array
    shares: Array
    seconds: Array
    facts: Array

    def weights(self, tried: Mapping[int, float], facts: Array) -> Array:
        """w, shape (T,).

        Args:
            tried: l of configs by their place; NaN for one that tells nothing.
            facts: f, shape (3,); NaN for what is not known.
        """
        known = np.isfinite(facts)
        gaps = (self.facts[:, known] - facts[known]) / FACT_WIDTHS[known]
        distance = (gaps**2).sum(axis=1)
        for place, value in tried.items():
            if np.isfinite(value):
                gap = (squashed(self.logs[:, place]) - squashed(value)) / WIDTH
                distance += gap**2
        likely: Array = np.exp(-0.5 * (distance - distance.min()))
        return np.asarray((1 - EVEN) * likely / likely.sum() + EVEN / len(likely))

    def next(self, tried: Mapping[int, float], facts: Array, free: list[int]) -> int:
        """The place of the next config, of those that are free, at least one."""
        roots = np.sqrt(self.shares)
        best = roots[:, list(tried)].min(axis=1, initial=1.0)
        gains = self.weights(tried, facts) @ np.maximum(0, best[:, None] - roots[:, free])
        return free[int(np.argmax(gains / (1 + self.seconds[free])))]


def squashed(x: Array | float) -> Array:
    """G."""
    return np.asarray(np.arcsinh(x / SMALL) / np.arcsinh(1 / SMALL))


def facts_of(rows: int, features: int, own: float, floor: float) -> Array:
    """G of the log loss of the model as it comes over that of no features, and logs of rows and features.

    >>> facts_of(1000, 10, own=0.5, floor=1.0).round(2)
    array([-0.92,  6.91,  2.3 ])
    """
    ratio = np.log(own / floor) if own > 0 and floor > 0 else np.nan
    return np.array([squashed(ratio), np.log(max(rows, 1)), np.log(max(features, 1))])


@cache
def seen(model: str) -> Seen:
    """What was measured for one of the lists of `assay.learners.starts`, by the name of its model."""
    found = lists()[model]
    logs = np.array(found["logs"]) / 1000
    best = np.exp(np.array(found["best"]) / 1000)[:, None]
    return Seen(
        tuple(found["tables"]),
        logs,
        np.clip((np.exp(logs) - best) / (1 - best), 0, 1),
        np.array(found["seconds"]),
        np.array(found["facts"]),
    )
