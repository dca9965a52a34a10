"""Bent scales: a number whose scale was declared badly, such as a learning rate without logarithm.

    w(x) = 1 - (1 - x^a)^b,  x in [0, 1]: a < 1 stretches the low end, b < 1 the high end; a = b = 1
    leaves x as it is.

Source: Kumaraswamy's distribution function in the place of the beta distribution of Snoek et al. 2014,
arXiv:1402.0929; it and its slopes need powers and logarithms only.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from assay.math.checks import Array

EDGE = 1e-6
SD = math.sqrt(0.75)  # of ln a and of ln b, a priori
LIMIT = math.log(8.0)


class Bent(NamedTuple):
    """w(x), and its derivatives by x, ln a and ln b; shape (n, columns) each."""

    value: Array
    by_x: Array
    by_a: Array
    by_b: Array


def bend(x: Array, powers: Array) -> Array:
    """w(x) of each column; `powers` are ln a and ln b, shape (2, columns).

    >>> bend(np.array([[0.0, 0.5], [1.0, 0.25]]), np.log([[1.0, 0.5], [1.0, 1.0]])).round(3)
    array([[0.   , 0.707],
           [1.   , 0.5  ]])
    """
    a, b = np.exp(powers)
    return np.asarray(1.0 - (1.0 - _inside(x) ** a) ** b)


def bend_with_slopes(x: Array, powers: Array) -> Bent:
    """The same and its slopes."""
    a, b = np.exp(powers)
    x = _inside(x)
    log_x = np.log(x)
    low = np.exp(a * log_x)  # x^a
    high = 1.0 - low
    log_high = np.log(high)
    rest = np.exp(b * log_high)  # (1 - x^a)^b
    by_low = b * rest / high
    return Bent(1.0 - rest, by_low * a * low / x, by_low * a * low * log_x, -b * rest * log_high)


def _inside(x: Array) -> Array:
    return np.clip(x, EDGE, 1.0 - EDGE)
