"""How far two lists of numbers put the same things in the same order."""

from __future__ import annotations

import math

import numpy as np

from assay.math.checks import Array


def kendall(a: Array, b: Array) -> tuple[float, float]:
    """Kendall's tau, and its standard deviation between orders that have nothing to do with each other.

    Args:
        a, b: shape (n,). Pairs that are equal in either count as neither agreeing nor disagreeing.

    Returns:
        tau in [-1, 1], 0 for less than two numbers; and the standard deviation, 1 for less than two.

    Source: Kendall 1938, Biometrika 30, 81-93 (tau a); the variance is 2 (2n + 5) / (9 n (n - 1)).

    >>> tau, sd = kendall(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 20.0, 40.0, 30.0]))
    >>> round(tau, 3), round(sd, 3)
    (0.667, 0.491)
    """
    n = len(a)
    if n < 2:
        return 0.0, 1.0
    agree = np.sign(a[:, None] - a) * np.sign(b[:, None] - b)
    pairs = n * (n - 1)
    return float(agree.sum()) / pairs, math.sqrt(2 * (2 * n + 5) / (9 * pairs))


def normal_scores(values: Array) -> Array:
    """What the ranks of the values would be if they were normal: mean 0, sd below 1; ties share theirs.

    Source: Blom 1958, "Statistical Estimates and Transformed Beta-Variables": (rank - 3/8) / (n + 1/4).

    >>> normal_scores(np.array([3.0, 1e9, -2.0])).round(2)
    array([ 0.  ,  0.87, -0.87])
    """
    from scipy.special import ndtri

    ordered = np.sort(values)
    low, high = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    rank = (low + high + 1) / 2
    return np.asarray(ndtri((rank - 0.375) / (len(values) + 0.25)))
