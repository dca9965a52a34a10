"""What the Gaussian-process sampler derives from a history, each part once.

All of it is written once, like the history itself: points by trial number, losses by the order in
which trials ended, and fits by the number of trials they saw. So it is kept with the history, serves
older and newer histories alike, and is the same however it came to be: step by step, or at once from
a study that was opened again.

Refits follow a schedule in the number n of trials that ended. At *anchors* (4, 6, 8, 12, 16, 24, ...)
each transform of the losses is fitted from the prior and the best of them is chosen; between anchors
the lengthscales are fitted again, from those of the last anchor. So a fit depends on n alone and
needs one other fit at most, not the whole chain before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from assay.core.events import Told
from assay.core.space import Space
from assay.math import transforms
from assay.math.checks import Array
from assay.math.encoding import Encoding, Indices, Mask
from assay.math.gp import Hyperparameters, Posterior, SingularError
from assay.math.gp_fit import fit, prior_start
from assay.math.transforms import Targets

if TYPE_CHECKING:
    from assay.core.history import History

MOST_LISTED = 2000  # a space of so many configs is searched by looking at all of them
MOST_FITTED = 200  # rows that a fit of lengthscales sees
MOST_ROWS = 400  # rows that the process sees
ANCHOR_STEPS, REFIT_STEPS = 30, 12
FAILURE = (
    1.0  # target of a failed trial, in sd above the mean: the worst would shut off its neighbours
)


class Fit(NamedTuple):
    """Lengthscales, noise and the transform of the losses they were fitted with."""

    hyper: Hyperparameters
    transform: str


@dataclass
class Memory:
    """The points, losses and fits of one study for one space and direction."""

    space: Space
    sign: float
    losses: list[float] = field(default_factory=list)  # by order of ending; NaN where it failed
    first_with: dict[bytes, int] = field(default_factory=dict)  # point -> first trial there
    fits: dict[int, Fit] = field(default_factory=dict)
    _points: list[Array] = field(default_factory=list)  # by trial number

    @cached_property
    def encoding(self) -> Encoding:
        return Encoding(self.space)

    @cached_property
    def listed(self) -> Array | None:
        """The points of all allowed configs of a small space; None for a larger one."""
        return self.encoding.every_point() if self.space.size <= MOST_LISTED else None

    def follow(self, history: History) -> None:
        """Take in what is new in `history`."""
        for number in range(len(self._points), history.n_trials):
            point = self.encoding.point(history.config(number))
            self.first_with.setdefault(key_of(point), number)
            self._points.append(point)
        ended = history.ended
        for position in range(len(self.losses), history.n_ended):
            outcome = history.outcome(ended[position])
            told = isinstance(outcome, Told)
            self.losses.append(self.sign * outcome.values[0] if told else math.nan)  # type: ignore[union-attr]

    def points(self, numbers: Sequence[int] | Indices) -> Array:
        """The points of trials, shape (m, size)."""
        found = [self._points[number] for number in numbers]
        return np.array(found).reshape(len(found), self.encoding.size)

    def tried(self, points: Array, history: History) -> Mask:
        """Which snapped points were tried in `history`, shape (m,)."""
        n, never = history.n_trials, history.n_trials
        return np.array([self.first_with.get(key_of(p), never) < n for p in points], bool)


def memory_of(space: Space, history: History, sign: float) -> Memory:
    """The memory kept with this history, up to date with it."""
    # by identity: equality of spaces compares their JSON. The memory holds the space, so no other
    # space can come to have its id.
    memory = history.memo(("gp", id(space), sign), lambda: Memory(space, sign))
    memory.follow(history)
    return memory


def key_of(point: Array) -> bytes:
    """Equal for points that give the same config, however they were computed."""
    return np.round(point, 9).tobytes()


# --- losses


def targets_of(losses: Array, name: str) -> tuple[Targets, Array]:
    """Transformed losses of the trials that have one, and targets of all, failures too."""
    told = np.isfinite(losses)
    targets = transforms.TRANSFORMS[name](losses[told])
    return targets, _filled(targets, told)


def _filled(targets: Targets, told: Mask) -> Array:
    filled = np.full(len(told), FAILURE)
    filled[told] = targets.t
    return filled


def thinned(targets: Array, most: int) -> Indices:
    """The numbers of at most `most` targets: the best half of them, and of the rest every so-many-th.

    >>> thinned(np.array([3.0, 0.0, 4.0, 1.0, 5.0, 2.0]), 4)
    array([1, 2, 3, 5])
    """
    n = len(targets)
    if n <= most:
        return np.arange(n)
    order = np.argsort(targets, kind="stable")
    best = most // 2
    rest = order[best:]
    spread = np.linspace(0, len(rest), most - best, endpoint=False).astype(np.intp)
    return np.sort(np.concatenate([order[:best], rest[spread]]))


# --- fits


def anchor(n: int) -> int:
    """The last of 4, 6, 8, 12, 16, 24, 32, 48, ... that is not above n, which is at least 4.

    >>> [anchor(n) for n in (4, 7, 40, 100)]
    [4, 6, 32, 96]
    """
    power = 1 << (n.bit_length() - 1)
    return power + power // 2 if n >= power + power // 2 else power


def last_refit(n: int) -> int:
    """The last number of ended trials at which lengthscales were fitted, not above n.

    >>> [last_refit(n) for n in (39, 41, 99, 1000)]
    [39, 40, 96, 992]
    """
    every = 1 << max((n // 20).bit_length() - 1, 0)
    return n - n % every


def fit_at(memory: Memory, history: History, n: int) -> Fit:
    """The fit to the first `n` trials that ended; `n` is a number that `last_refit` gives.

    Raises:
        SingularError: no lengthscales give a kernel matrix that can be inverted.
    """
    if n not in memory.fits:
        losses = np.array(memory.losses[:n])
        rows = memory.encoding.rows(memory.points(history.ended[:n]))
        owner = memory.encoding.owner
        if n == anchor(n):
            memory.fits[n] = _first_fit(rows, losses, owner, len(memory.encoding.searched))
        else:
            earlier = fit_at(memory, history, anchor(n))
            targets = targets_of(losses, earlier.transform)[1]
            memory.fits[n] = earlier._replace(
                hyper=_fitted(rows, targets, owner, earlier.hyper, REFIT_STEPS)
            )
    return memory.fits[n]


def _first_fit(rows: Array, losses: Array, owner: Indices, d: int) -> Fit:
    """The best of the transforms that the losses allow, each with its own lengthscales."""
    told = np.isfinite(losses)
    start = prior_start(d)
    if not told.any():
        return Fit(start, "plain")
    best, best_score = Fit(start, "plain"), -math.inf
    for targets in transforms.candidates(losses[told]):
        filled = _filled(targets, told)
        hyper = _fitted(rows, filled, owner, start, ANCHOR_STEPS)
        reached = _score(rows, filled, owner, hyper, targets, told)
        if reached > best_score:
            best, best_score = Fit(hyper, targets.name), reached
    return best


def _fitted(
    rows: Array, targets: Array, owner: Indices, start: Hyperparameters, steps: int
) -> Hyperparameters:
    kept = thinned(targets, MOST_FITTED)
    return fit(rows[kept], targets[kept], owner, start, iterations=steps)


def _score(
    rows: Array,
    filled: Array,
    owner: Indices,
    hyper: Hyperparameters,
    targets: Targets,
    told: Mask,
) -> float:
    kept = thinned(filled, MOST_FITTED)
    try:
        mean, variance = Posterior(rows[kept], filled[kept], owner, hyper).left_out()
    except SingularError:
        return -math.inf
    place = np.cumsum(told) - 1  # of each trial among those with a loss
    with_loss = told[kept]
    chosen = place[kept[with_loss]]
    shown = Targets(targets.name, targets.y[chosen], targets.t[chosen], targets.slope[chosen])
    return transforms.score(shown, mean[with_loss], variance[with_loss])
