"""Sobol's indices: the share of a function's variance that each input explains.

    A, B    two independent tables of points, shape (n, d)
    A_i     A with column i from B
    V       the variance of f

    alone   S_i = V[E(f | x_i)] / V: the input by itself
    total   T_i = E[V(f | all but x_i)] / V: the input with all its interactions

Source: Saltelli et al. 2010, Comput. Phys. Commun. 181, 259-270, table 2: (b) for S and (f),
Jansen's, for T. Differs: f is centred first, which costs nothing and steadies (b).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from assay.math.checks import Array


class Indices(NamedTuple):
    """Shares of each input for each function, shape (inputs, functions), within [0, 1]."""

    alone: Array
    total: Array


def indices(function: Callable[[Array], Array], a: Array, b: Array) -> Indices:
    """The indices of all inputs.

    Args:
        function: takes points (n, d), gives values (n, functions), none of them constant.
        a, b: independent tables of points, shape (n, d); the better spread, the better.

    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.random((2, 4096, 2))
    >>> found = indices(lambda x: x[:, :1] + 2 * x[:, 1:], a, b)
    >>> found.alone.round(1).ravel(), found.total.round(1).ravel()
    (array([0.2, 0.8]), array([0.2, 0.8]))
    """
    at_a, at_b = function(a), function(b)
    both = np.concatenate([at_a, at_b])
    centre, variance = both.mean(axis=0), both.var(axis=0)
    alone, total = [], []
    for i in range(a.shape[1]):
        mixed = a.copy()
        mixed[:, i] = b[:, i]
        moved = function(mixed) - at_a
        alone.append(np.mean((at_b - centre) * moved, axis=0) / variance)
        total.append(np.mean(moved**2, axis=0) / (2 * variance))
    return Indices(np.clip(alone, 0.0, 1.0), np.clip(total, 0.0, 1.0))
