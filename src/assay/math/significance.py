"""Exact tests of "no difference" for paired results. They answer whether, never how much."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array, at_least, finite

_CHUNK_CELLS = 1_000_000  # signs held in memory at once


def mcnemar_exact(b: int, c: int) -> float:
    """The exact two-sided p value that b and c disagreements are equally likely.

    On one fit per config this compares two fitted models, not two configs: refit with several
    seeds before you conclude anything about a config.

    Args:
        b: rows that only the control got right.
        c: rows that only the selected config got right.

    Raises:
        SpecError: a count is negative or not whole.

    Source: McNemar 1947, Psychometrika 12, 153-157, in its exact binomial form.

    >>> mcnemar_exact(0, 5)
    0.0625
    """
    from scipy.special import bdtr

    b, c = at_least(b, 0, "b"), at_least(c, 0, "c")
    return min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def sign_flip(differences: npt.ArrayLike, rng: np.random.Generator, draws: int = 9999) -> float:
    """The two-sided p value that independent paired differences are symmetric around zero.

    Compares the mean with those after flipping signs at random. All 2^n patterns are used when
    they number at most `draws`; otherwise the observed one counts among the draws, so p > 0.

    Raises:
        DataError: no differences, or one that is not finite.
        SpecError: draws < 1.

    Source: Fisher 1935, The Design of Experiments, section 21.

    >>> sign_flip([1.0, 2.0, 3.0], np.random.default_rng(0))
    0.25
    """
    d = finite(differences, "differences", ndim=1)
    draws = at_least(draws, 1, "draws")
    # Sums of the same numbers in another order differ in the last bits; count them as equal.
    bar = abs(d.sum()) - 1e-9 * float(np.abs(d).sum())
    if 2**d.size <= draws:
        return float(np.mean(np.abs(_every_sign(d.size) @ d) >= bar))
    rows = max(1, _CHUNK_CELLS // d.size)
    hits = 0
    for start in range(0, draws, rows):
        shape = (min(rows, draws - start), d.size)
        signs = 2.0 * rng.integers(0, 2, size=shape, dtype=np.int8) - 1.0
        hits += int(np.count_nonzero(np.abs(signs @ d) >= bar))
    return (hits + 1) / (draws + 1)


def _every_sign(n: int) -> Array:
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.asarray(2 * bits - 1, dtype=np.float64)
