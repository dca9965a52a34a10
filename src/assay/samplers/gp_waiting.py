"""The acquisition while other trials run: improvement on whatever they may turn out to be."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices
from assay.math.fantasies import Fantasies
from assay.math.gp import Hyperparameters, Posterior
from assay.samplers.gp_search import Improvement
from assay.samplers.sobol import MOST_DIMS, scrambled, sobol_point

DRAWS = 32


def while_waiting(
    known: Posterior, rows: Array, waiting: Array, owner: Indices, hyper: Hyperparameters
) -> Improvement | Fantasies:
    """The improvement while values at `waiting` (q, D) are on their way, given `known` at `rows` (n, D).

    One value is believed to be as expected, but not better than the best: else the wait for one good
    trial would stop all improvement. Several are drawn.

    Raises:
        SingularError: numerical trouble.
    """
    best = float(known.fitted().min())
    expected = known.predict(waiting)[0]
    if len(waiting) == 1:
        expected = np.maximum(expected, best)
    posterior = Posterior(
        np.concatenate([rows, waiting]),
        np.concatenate([known.targets, expected]),
        owner,
        hyper,
        np.append(known.variances, np.zeros(len(waiting))),
    )
    if len(waiting) == 1:
        return Improvement(posterior, best)
    return Fantasies(known, posterior, waiting, normals(len(waiting)))


@lru_cache(maxsize=64)
def normals(q: int) -> Array:
    """Evenly spread normal numbers, shape (DRAWS, q); 0 beyond the dimensions that Sobol has.

    A trial beyond those is believed to end as the process expects.

    >>> normals(3).shape, bool(np.abs(normals(3).mean(axis=0)).max() < 0.1)
    ((32, 3), True)
    """
    from scipy.special import ndtri

    dims = min(q, MOST_DIMS)
    scramble = scrambled(0, dims)
    points = np.array([sobol_point(index, *scramble) for index in range(DRAWS)])
    found = np.zeros((DRAWS, q))
    found[:, :dims] = ndtri(points + 2.0**-53)
    return found
