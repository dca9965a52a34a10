"""How much the next config will take, from what others took.

    z, y        places around their mean, shape (n, d), and logarithms of costs around theirs
    w           slopes, a priori N(0, 1) each           sd      of the noise of y
    S           (z'z / sd^2 + I)^-1, the covariance of w given y; its mean is S z'y / sd^2
    g           trace(z S z') / sd^2, how many slopes the trials determine: between 0 and d
    sd^2        squares of what is left / (n - 1 - g), with S in turns

A new y at place x is spread around x'w by its noise, the error of the mean that was taken off and that of
the slopes: variances sd^2, sd^2 / n and x'S x. As sd is estimated, the quantile of the first two is that
of Student's t with n - 1 - g degrees of freedom; the slopes' is the normal one.

Source: Bishop 2006, Pattern Recognition and Machine Learning, eq. 3.53, 3.59 and 3.95. Differs: the
precision of the prior is fixed, and n - 1 stands for n, as the mean is estimated as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array, finite
from assay.math.intervals import normal_quantile, t_quantile

_PRIOR = 1.0
_UPPER = 0.9
_LEAST = 1e-6
_LEAST_SD = 0.02
_LEAST_FREE = 1.0
FEWEST = 3


@dataclass(frozen=True)
class CostModel:
    """The logarithm of a cost as a line over the unit cube: costs multiply, as with more trees.

    Ridge regression with a prior of standard deviation 1 on each slope, which few trials hardly move.
    `explained` is the share of the variance that it explains when each trial is left out in turn,
    `inverse` is S, `n` how many trials it has seen, and `free` the degrees of freedom of `sd`.
    """

    centre: Array
    mean: float
    slopes: Array
    inverse: Array
    sd: float
    explained: float
    n: int
    free: float

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
        prior = np.eye(x.shape[1]) / _PRIOR**2
        for _ in range(5):  # the noise that the line leaves, in turns with the line
            inverse = np.linalg.inv(z.T @ z / noise**2 + prior)
            slopes = inverse @ (z.T @ (y - mean)) / noise**2
            left = y - mean - z @ slopes
            leverage = np.einsum("ij,jk,ik->i", z, inverse, z) / noise**2
            free = max(len(y) - 1 - float(leverage.sum()), _LEAST_FREE)
            noise = max(sqrt(float(left @ left) / free), _LEAST_SD)
        inverse = np.linalg.inv(z.T @ z / noise**2 + prior)
        explained = _explained(y - mean, left, leverage)
        return CostModel(centre, mean, slopes, inverse, noise, explained, len(y), free)

    def logarithms(self, points: Array) -> Array:
        """The logarithm of the median cost at points, shape (m,)."""
        return np.asarray(self.mean + (points - self.centre) @ self.slopes)

    def predicted(self, point: npt.ArrayLike, *, upper: bool = False) -> float:
        """The median of the cost at a point; with `upper` what it stays below with a chance of 90 %."""
        z = finite(point, "point", ndim=1) - self.centre
        value = self.mean + float(z @ self.slopes)
        if upper:
            noise = t_quantile(_UPPER, self.free) ** 2 * self.sd**2 * (1 + 1 / self.n)
            slopes = normal_quantile(_UPPER) ** 2 * float(z @ self.inverse @ z)
            value += sqrt(noise + slopes)
        return exp(min(value, log(1e300)))


def _explained(y: Array, left: Array, leverage: Array) -> float:
    """1 - squares of what is left / squares around the mean, each trial left out of both."""
    n = len(y)
    alone = left / np.maximum(1 - 1 / n - leverage, 1e-3)
    whole = float(np.sum((y * n / (n - 1)) ** 2))
    return 1 - float(alone @ alone) / whole if whole > 0 else 0.0
