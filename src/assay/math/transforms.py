"""Losses as a Gaussian process likes them: mean 0, sd 1, no long tail; and the choice among such forms.

    y   losses, lower is better         T   an increasing transform
    t   T(y), mean 0 and sd 1           T'  its slope

`plain` only scales. `soft tail` keeps the better half as it is and takes the logarithm of how much
worse the others are, so that the worst cannot outweigh the better half. `log` is for positive losses
over several powers of ten. Which is right depends on the study, so it is chosen: each is scored by
how well the process that was fitted with it predicts each of the better half of the losses from all
others, as a density of the loss itself, so that scores are comparable.

Source: leaving the better half alone and taming the worse is the idea of the half-rank warping of
Song et al. 2024, arXiv:2408.11527, section 4; that uses ranks, which forget by how much a loss is
worse. Choice: leave-one-out predictive density, Rasmussen and Williams 2006, eq. 5.11, with the slope
of T by change of variables; ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices

LOG_FROM_RATIO = 10.0


@dataclass(frozen=True)
class Targets:
    """Transformed losses.

    Attributes:
        name: of the transform.
        y: the losses, shape (n,).
        t: the targets, mean 0 and sd 1; all 0 if the losses are constant.
        slope: T' at each loss.
    """

    name: str
    y: Array
    t: Array
    slope: Array

    def at(self, numbers: Indices) -> Targets:
        """Those with these numbers."""
        return Targets(self.name, self.y[numbers], self.t[numbers], self.slope[numbers])

    def loss(self, t: Array) -> Array:
        """The losses at targets `t`: between data by straight lines, outside as at the end.

        >>> plain(np.array([1.0, 2.0, 3.0])).loss(np.array([0.0, -2.0])).round(3)
        array([2.   , 0.367])
        """
        order = np.argsort(self.t, kind="stable")
        knots, losses = self.t[order], self.y[order]
        inside = np.interp(t, knots, losses)
        below = np.minimum(np.asarray(t) - knots[0], 0.0) / self.slope[order[0]]
        return np.asarray(inside + below)


def plain(y: Array) -> Targets:
    """The losses, scaled.

    >>> plain(np.array([1.0, 2.0, 3.0])).t.round(3)
    array([-1.225,  0.   ,  1.225])
    """
    return _scaled("plain", y, y, np.ones_like(y))


def soft_tail(y: Array) -> Targets:
    """The better half scaled; of the worse half the logarithm of how much worse, in spreads.

    With M the median and s the root mean square distance of the better half to it, y above M becomes
    M + s ln(1 + (y - M)/s). Where more than half of the losses are equal and best, s is 0, and the
    losses are left as they are.

    >>> soft_tail(np.array([1.0, 2.0, 3.0, 4.0, 1e6])).t.round(2)
    array([-0.69, -0.56, -0.42, -0.32,  1.98])
    """
    median = float(np.median(y))
    better = y <= median
    largest = float(np.abs(y).max()) or 1.0
    spread = largest * float(np.sqrt(np.mean(((y[better] - median) / largest) ** 2)))
    if not spread > 0:
        return plain(y)
    beyond = np.maximum(y - median, 0.0) / spread
    softened = np.where(better, y, median + spread * np.log1p(beyond))
    return _scaled("soft tail", y, softened, 1.0 / (1.0 + beyond))


def log(y: Array) -> Targets:
    """The logarithms, scaled; a soft tail if a loss is not positive.

    >>> log(np.array([1.0, 10.0, 100.0])).t.round(3)
    array([-1.225,  0.   ,  1.225])
    """
    if y.min() <= 0:
        return soft_tail(y)
    return _scaled("log", y, np.log(y), 1.0 / y)


def about_zero(y: Array) -> Targets:
    """Numbers that must not exceed 0: by the logarithm of how far they are from it, on either side.

    With s the median distance from 0, y becomes sign(y) ln(1 + |y|/s), over the root mean square of
    these: 0 stays 0, and what is near it is told apart best.

    Source: the bilog transformation of Eriksson and Poloczek 2021, arXiv:2002.08526, section 3.

    >>> about_zero(np.array([-1.0, 0.0, 2.0, 1e6])).t.round(2)
    array([-0.08,  0.  ,  0.13,  1.99])
    """
    distance = np.abs(y)
    middle = float(np.median(distance)) or float(distance.max()) or 1.0
    far = np.log1p(distance / middle)
    size = float(np.sqrt(np.mean(far**2))) or 1.0
    return Targets("about zero", y, np.sign(y) * far / size, 1.0 / (size * (middle + distance)))


TRANSFORMS = {"plain": plain, "soft tail": soft_tail, "log": log, "about zero": about_zero}


def candidates(y: Array) -> list[Targets]:
    """The transforms that these losses allow."""
    found = [soft_tail(y), plain(y)]
    if y.min() > 0 and y.max() > LOG_FROM_RATIO * y.min():
        found.append(log(y))
    return found


def score(targets: Targets, mean: Array, variance: Array) -> float:
    """How well the better half is predicted when left out: mean log density, in nats.

    Args:
        targets: of all losses.
        mean, variance: leave-one-out predictions of the targets, shape (n,).
    """
    better = targets.y <= np.median(targets.y)
    error = targets.t[better] - mean[better]
    density = -0.5 * (np.log(2 * np.pi * variance[better]) + error**2 / variance[better])
    return float(np.mean(density + np.log(targets.slope[better])))


def _scaled(name: str, y: Array, raw: Array, slope: Array) -> Targets:
    largest = float(np.abs(raw).max()) or 1.0
    shares = raw / largest  # squares of 1e200 would overflow
    sd = float(shares.std())
    if not sd > 1e-12 * float(np.abs(shares).max()):
        return Targets(name, y, np.zeros_like(raw), slope / largest)
    return Targets(name, y, (shares - shares.mean()) / sd, slope / (sd * largest))
