"""How much the next config will take, from what others took."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array, finite

_PRIOR = 1.0
_UPPER = 1.2815515655446004  # the 90 % quantile of the normal distribution
_LEAST = 1e-6
FEWEST = 3


@dataclass(frozen=True)
class CostModel:
    """The logarithm of a cost as a line over the unit cube: costs multiply, as with more trees.

    Ridge regression with a prior of standard deviation 1 on each slope, which few trials hardly move.
    `explained` is the share of the variance that it explains when each trial is left out in turn.
    """

    centre: Array
    mean: float
    slopes: Array
    inverse: Array
    sd: float
    explained: float

    @staticmethod
    def of(points: npt.ArrayLike, costs: npt.ArrayLike) -> CostModel:
        """The model of costs at points of the unit cube.

        Args:
            points: shape (n, d), n >= 3; a parameter that is not active counts as 0.5.
            costs: shape (n,), in any unit, not negative.

        Raises:
            DataError: shapes or numbers that do not fit.

        >>> model = CostModel.of([[0.0], [0.5], [1.0], [0.25]], [1.0, 10.0, 100.0, 3.2])
        >>> model.predicted([0.9]) > model.predicted([0.1])
        True
        """
        x = finite(points, "points", ndim=2, least=FEWEST)
        y = np.log(np.maximum(finite(costs, "costs", ndim=1, least=FEWEST), _LEAST))
        centre, mean = x.mean(axis=0), float(y.mean())
        z = x - centre
        spread = float(y.std(ddof=1))
        noise = max(spread * 0.5, 0.05)
        left = y - mean
        inverse = np.eye(x.shape[1])
        for _ in range(5):  # the noise that the line leaves, in turns with the line
            inverse = np.linalg.inv(z.T @ z / noise**2 + np.eye(x.shape[1]) / _PRIOR**2)
            slopes = inverse @ (z.T @ (y - mean)) / noise**2
            left = y - mean - z @ slopes
            noise = max(sqrt(float(left @ left) / max(len(y) - 2, 1)), 0.02)
        explained = _explained(y - mean, left, np.einsum("ij,jk,ik->i", z, inverse, z) / noise**2)
        return CostModel(centre, mean, slopes, inverse, noise, explained)

    def logarithms(self, points: Array) -> Array:
        """The logarithm of the median cost at points, shape (m,)."""
        return np.asarray(self.mean + (points - self.centre) @ self.slopes)

    def predicted(self, point: npt.ArrayLike, *, upper: bool = False) -> float:
        """The median of the cost at a point; with `upper` what it stays below with a chance of 90 %."""
        z = finite(point, "point", ndim=1) - self.centre
        value = self.mean + float(z @ self.slopes)
        if upper:
            n = 1.0 + float(z @ self.inverse @ z) / self.sd**2 * self.sd**2
            value += _UPPER * self.sd * sqrt(n)
        return exp(min(value, log(1e300)))


def _explained(y: Array, left: Array, leverage: Array) -> float:
    """1 - squares of what is left / squares around the mean, each trial left out of both."""
    n = len(y)
    alone = left / np.maximum(1 - 1 / n - leverage, 1e-3)
    whole = float(np.sum((y * n / (n - 1)) ** 2))
    return 1 - float(alone @ alone) / whole if whole > 0 else 0.0
