"""Many small bounded minimisations at once, sharing each call of the function.

    B   minimisations, each of `size` variables     x, g   points and gradients, shape (B, size)
    s, y   the last steps and changes of gradient   rho    1 / s'y, or 0 where that is not positive

Source: Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.4 (two loops over the last
steps) and section 16.7 (projection on the box). Differs: variables at a bound whose gradient points
outwards are held for one iteration; at most two backtracks, shared by all that need them: a start
that does not get lower after them is done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices, Mask

Function: TypeAlias = Callable[[Array, Indices], tuple[Array, Array]]

MEMORY = 6
BACKTRACKS = 2
SHRINK = 0.25
ENOUGH = 1e-4  # share of the decrease that the gradient promises (Armijo's condition)


def minimise(
    function: Function,
    start: Array,
    *,
    lower: Array | float,
    upper: Array | float,
    iterations: int = 20,
    tolerance: float = 1e-3,
    small: float = 1e-6,
    first_step: float = 0.1,
) -> tuple[Array, Array]:
    """The lowest points found from each start, and their values.

    Args:
        function: gives values (b,) and gradients (b, size) at points (b, size) of the starts whose
            numbers (b,) are its second argument; those that are done are left out.
        start: shape (B, size), within the bounds.
        lower, upper: bounds, broadcast to (size,).
        iterations: at most so many steps.
        tolerance: done when no free component of the gradient is larger.
        small: done when a step gains less.
        first_step: length of the first step.

    >>> def bowl(x, which):
    ...     return ((x - 0.3) ** 2).sum(1), 2 * (x - 0.3)
    >>> minimise(bowl, np.array([[0.9, 0.1], [0.5, 0.5]]), lower=0.0, upper=1.0)[0].round(3)
    array([[0.3, 0.3],
           [0.3, 0.3]])
    """
    x = np.array(start, float)
    which = np.arange(len(x))
    f, g = function(x, which)
    f, g = f.copy(), g.copy()
    past = _Past()
    for _ in range(iterations):
        free = _free(x[which], g[which], lower, upper)
        moving = np.abs(np.where(free, g[which], 0.0)).max(axis=1, initial=0.0) > tolerance
        which, free = which[moving], free[moving]
        past.keep(moving)
        if not len(which):
            break
        direction = past.direction(np.where(free, g[which], 0.0), free, first_step)
        new = _line_search(function, x, f, g, which, direction, lower, upper)
        lower_now = new.f < f[which]
        gained = np.where(lower_now, f[which] - new.f, 0.0)
        past.add(new.x - x[which], new.g - g[which], lower_now)
        done = which[lower_now]
        x[done], f[done], g[done] = new.x[lower_now], new.f[lower_now], new.g[lower_now]
        going = gained > small
        which = which[going]
        past.keep(going)
    return x, f


def _free(x: Array, g: Array, lower: Array | float, upper: Array | float) -> Mask:
    return ~(((x <= lower) & (g > 0)) | ((x >= upper) & (g < 0)))


@dataclass
class _Trial:
    """Points that were looked at, with their values and gradients."""

    x: Array
    f: Array
    g: Array


def _line_search(
    function: Function,
    x: Array,
    f: Array,
    g: Array,
    which: Indices,
    direction: Array,
    lower: Array | float,
    upper: Array | float,
) -> _Trial:
    """The full step, or a quarter or a sixteenth of it where that is not low enough."""
    length = np.ones(len(which))
    place = np.clip(x[which] + direction, lower, upper)
    new = _Trial(place, *function(place, which))
    for _ in range(BACKTRACKS):
        promised = _dots(g[which], new.x - x[which])
        short = np.flatnonzero(~(new.f <= f[which] + ENOUGH * promised))
        if not len(short):
            break
        length[short] *= SHRINK
        step = length[short, None] * direction[short]
        new.x[short] = np.clip(x[which[short]] + step, lower, upper)
        new.f[short], new.g[short] = function(new.x[short], which[short])
    return new


@dataclass
class _Past:
    """The last steps of all minimisations, and what they tell of the curvature."""

    steps: list[Array] = field(default_factory=list)
    changes: list[Array] = field(default_factory=list)
    rhos: list[Array] = field(default_factory=list)

    def keep(self, rows: Mask) -> None:
        if not rows.all():
            for kept in (self.steps, self.changes, self.rhos):
                kept[:] = [values[rows] for values in kept]

    def add(self, step: Array, change: Array, good: Mask) -> None:
        curvature = np.where(good, _dots(step, change), 0.0)
        curved = curvature > 1e-10
        self.steps.append(step * curved[:, None])
        self.changes.append(change * curved[:, None])
        self.rhos.append(np.where(curved, 1.0 / np.where(curved, curvature, 1.0), 0.0))
        for kept in (self.steps, self.changes, self.rhos):
            del kept[:-MEMORY]

    def direction(self, gradient: Array, free: Mask, first_step: float) -> Array:
        """Where to go: down, shaped by the last steps; straight down where that is not down."""
        straight = gradient * (first_step / np.maximum(_norms(gradient), 1e-12))[:, None]
        shaped = np.where(free, self._two_loops(gradient, straight), 0.0)
        down = _dots(shaped, gradient) > 0
        return -np.where(down[:, None], shaped, straight)

    def _two_loops(self, gradient: Array, straight: Array) -> Array:
        q, alphas = gradient.copy(), []
        for s, y, rho in self._newest_first():
            alphas.append(rho * _dots(s, q))
            q -= alphas[-1][:, None] * y
        q = self._scaled(q, straight, gradient)
        for (s, y, rho), alpha in zip(
            reversed(self._newest_first()), reversed(alphas), strict=True
        ):
            q += (alpha - rho * _dots(y, q))[:, None] * s
        return q

    def _scaled(self, q: Array, straight: Array, gradient: Array) -> Array:
        plain = _norms(straight) / np.maximum(_norms(gradient), 1e-12)
        if not self.rhos:
            return np.asarray(q * plain[:, None])
        yy = _dots(self.changes[-1], self.changes[-1])
        known = self.rhos[-1] > 0
        factor = np.where(known, 1.0 / np.where(known, self.rhos[-1] * yy, 1.0), plain)
        return np.asarray(q * factor[:, None])

    def _newest_first(self) -> list[tuple[Array, Array, Array]]:
        return list(zip(self.steps, self.changes, self.rhos, strict=True))[::-1]


def _dots(a: Array, b: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", a, b))


def _norms(a: Array) -> Array:
    return np.sqrt(_dots(a, a))
