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

from assay.core.events import Failed, Told
from assay.core.space import Space
from assay.math import transforms
from assay.math.checks import Array
from assay.math.encoding import Encoding, Indices, Mask
from assay.math.gp import Hyperparameters, Posterior, SingularError
from assay.math.gp_fit import bent_fit, fit, prior_start, thinned
from assay.math.transforms import Targets
from assay.samplers.constraints import number_of
from assay.samplers.gp_failures import labels_of, worth_a_model

if TYPE_CHECKING:
    from assay.core.history import History

MOST_LISTED = 2000  # a space of so many configs is searched by looking at all of them
MOST_FITTED = 200  # rows that a fit of lengthscales sees
MOST_ROWS = 400  # rows that the process sees
BENT_FROM = 16  # trials; with fewer, scales are as declared
STANDARD_ERROR = "se"  # the name under which an objective may tell it
MOST_VARIANCE = 100.0
ANCHOR_STEPS, REFIT_STEPS = 30, 12
FAILURE = 1.0  # target of a failed trial, in sd above the mean: as the worst, it would shut off good places
MODELLED_FAILURE = 0.0  # the same where failures have a model of their own


class Fit(NamedTuple):
    """Lengthscales, noise and the transform of the losses they were fitted with."""

    hyper: Hyperparameters
    transform: str


@dataclass
class Memory:
    """The points, losses and fits of one study, for one space and one of the numbers that it returns.

    Args:
        space: of the configs.
        sign: 1 if the number is to be low, -1 if it is to be high.
        which: an objective by its place, or another number by its name.
        bound: what sign * number must not exceed: losses are its excess. None for an objective.
        linear: not to see losses by their logarithms, where volumes of several of them are compared.
    """

    space: Space
    sign: float
    which: int | str = 0
    bound: float | None = None
    linear: bool = False
    losses: list[float] = field(default_factory=list)  # by order of ending; NaN where it failed
    errors: list[float] = field(default_factory=list)  # standard errors of the losses; 0: not known
    first_with: dict[bytes, int] = field(default_factory=dict)  # point -> first trial there
    fits: dict[int, Fit] = field(default_factory=dict)
    failing: dict[int, Hyperparameters] = field(default_factory=dict)  # fits of what fails
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
            self.losses.append(self._loss(outcome) if isinstance(outcome, Told) else math.nan)
            main = self.which == 0 and self.bound is None
            self.errors.append(error_of(outcome) if main else 0.0)

    def _loss(self, told: Told) -> float:
        return self.sign * number_of(told, self.which) - (self.bound or 0.0)

    def forms(self, losses: Array) -> list[Targets]:
        """The forms in which losses may be seen; NaN is left out."""
        told = losses[np.isfinite(losses)]
        if not len(told):
            return []
        if self.bound is not None:
            return [transforms.about_zero(told)]
        found = transforms.candidates(told)
        return [form for form in found if form.name != "log"] if self.linear else found

    def points(self, numbers: Sequence[int] | Indices) -> Array:
        """The points of trials, shape (m, size)."""
        found = [self._points[number] for number in numbers]
        return np.array(found).reshape(len(found), self.encoding.size)

    def tried(self, points: Array, history: History) -> Mask:
        """Which snapped points were tried in `history`, shape (m,)."""
        n, never = history.n_trials, history.n_trials
        return np.array([self.first_with.get(key_of(p), never) < n for p in points], bool)


def memory_of(
    space: Space,
    history: History,
    sign: float,
    which: int | str = 0,
    bound: float | None = None,
    *,
    linear: bool = False,
) -> Memory:
    """The memory kept with this history, up to date with it; arguments as for `Memory`."""
    # by identity: equality of spaces compares their JSON. The memory holds the space, so no other
    # space can come to have its id.
    number = (sign, which, bound, linear)
    memory = history.memo(("gp", id(space), *number), lambda: Memory(space, *number))
    memory.follow(history)
    return memory


def trials_seen(history: History) -> int:
    """How many trials have told something, in full or on their way; at least 1.

    Under a scheduler few end in full, and what was believed before must fade all the same.
    """
    return max(history.n_ended, sum(bool(run.curve) for run in history.runs()), 1)


def key_of(point: Array) -> bytes:
    """Equal for points that give the same config, however they were computed."""
    return np.round(point, 9).tobytes()


# --- losses


def error_of(outcome: Told | Failed | None) -> float:
    """The standard error of a trial's loss that the objective told; 0 where it told none.

    The spread of a loss over folds is none: all trials have the same folds, near configs err alike
    on them, and measuring there again would not make their error smaller.
    """
    said = outcome.extra or {} if isinstance(outcome, Told) else {}
    return abs(said.get(STANDARD_ERROR, 0.0))


def targets_of(losses: Array, name: str) -> tuple[Targets, Array]:
    """Transformed losses of the trials that have one, and targets of all, failures too."""
    told = np.isfinite(losses)
    targets = transforms.TRANSFORMS[name](losses[told])
    return targets, _filled(targets, told)


def variances_of(targets: Targets, told: Mask, errors: Array) -> Array:
    """The variances that standard errors of the losses, 0 where not known, give to the targets."""
    variances = np.zeros(len(told))
    variances[told] = np.minimum((errors[told] * targets.slope) ** 2, MOST_VARIANCE)
    return variances


def _filled(targets: Targets, told: Mask) -> Array:
    filled = np.full(len(told), MODELLED_FAILURE if worth_a_model(told) else FAILURE)
    filled[told] = targets.t
    return filled


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
        data = Data.of(memory, history, n)
        if n == anchor(n):
            memory.fits[n] = _first_fit(data, prior_start(len(memory.encoding.searched)))
        else:
            earlier = fit_at(memory, history, anchor(n))
            view = data.seen_as(transforms.TRANSFORMS[earlier.transform](data.told_losses))
            memory.fits[n] = earlier._replace(hyper=view.fitted(earlier.hyper, REFIT_STEPS))
    return memory.fits[n]


def failing_at(memory: Memory, history: History, n: int) -> Hyperparameters:
    """The fit to which of the first `n` trials that ended failed; `n` as for `fit_at`.

    Raises:
        SingularError: no lengthscales give a kernel matrix that can be inverted.
    """
    if n not in memory.failing:
        told = np.isfinite(memory.losses[:n])
        start, steps = prior_start(len(memory.encoding.searched)), ANCHOR_STEPS
        if told.all() or not told.any():
            return start
        if n != anchor(n):
            start, steps = failing_at(memory, history, anchor(n)), REFIT_STEPS
        rows = memory.encoding.rows(memory.points(history.ended[:n]))
        labels, kept = labels_of(told), thinned(-labels_of(told), MOST_FITTED)
        owner = memory.encoding.owner
        memory.failing[n] = fit(rows[kept], labels[kept], owner, start, iterations=steps)
    return memory.failing[n]


@dataclass(frozen=True)
class Data:
    """The first trials that ended: rows, losses (NaN: failed), their standard errors and their forms."""

    encoding: Encoding
    rows: Array
    losses: Array
    errors: Array
    forms: list[Targets]

    @classmethod
    def of(cls, memory: Memory, history: History, n: int) -> Data:
        rows = memory.encoding.rows(memory.points(history.ended[:n]))
        losses, errors = np.array(memory.losses[:n]), np.array(memory.errors[:n])
        return cls(memory.encoding, rows, losses, errors, memory.forms(losses))

    @property
    def told(self) -> Mask:
        return np.isfinite(self.losses)

    @property
    def told_losses(self) -> Array:
        return self.losses[self.told]

    def seen_as(self, targets: Targets) -> View:
        """What a fit sees through one of the transforms."""
        filled = _filled(targets, self.told)
        kept = thinned(filled, MOST_FITTED)
        variances = variances_of(targets, self.told, self.errors)
        return View(self, targets, kept, filled[kept], variances[kept])


@dataclass(frozen=True)
class View:
    """The rows that a fit sees, by number, with their targets and known variances."""

    data: Data
    targets: Targets
    kept: Indices
    filled: Array
    variances: Array

    def fitted(self, start: Hyperparameters, steps: int) -> Hyperparameters:
        return fit(
            self.data.rows[self.kept],
            self.filled,
            self.data.encoding.owner,
            start,
            iterations=steps,
            variances=self.variances,
        )

    def bent(self, straight: Hyperparameters) -> Hyperparameters:
        """Lengthscales and bent scales, or `straight` lengthscales if these do nearly as well."""
        data, rows = self.data, self.data.rows[self.kept]
        numbers, owner = data.encoding.numbers, data.encoding.owner
        return bent(len(data.losses), numbers, rows, self.filled, owner, straight, self.variances)

    def score(self, hyper: Hyperparameters) -> float:
        """How well the better half of the losses is predicted when left out."""
        data, kept = self.data, self.kept
        rows, owner = data.rows[kept], data.encoding.owner
        try:
            mean, variance = Posterior(rows, self.filled, owner, hyper, self.variances).left_out()
        except SingularError:
            return -math.inf
        place = np.cumsum(data.told) - 1  # of each trial among those with a loss
        with_loss = data.told[kept]
        shown = self.targets.at(place[kept[with_loss]])
        return transforms.score(shown, mean[with_loss], variance[with_loss])


def bent(
    trials: int,
    numbers: Indices,
    rows: Array,
    targets: Array,
    owner: Indices,
    straight: Hyperparameters,
    variances: Array | None = None,
) -> Hyperparameters:
    """`bent_fit`, once there are trials enough and columns that can be bent; else `straight`."""
    if trials < BENT_FROM or not len(numbers):
        return straight
    return bent_fit(
        rows, targets, owner, straight, numbers, iterations=ANCHOR_STEPS, variances=variances
    )


def _first_fit(data: Data, start: Hyperparameters) -> Fit:
    """The best of the transforms that the losses allow, each with its own lengthscales."""
    best, best_score = Fit(start, "plain"), -math.inf
    if not data.told.any():
        return best
    for targets in data.forms:
        view = data.seen_as(targets)
        hyper = view.fitted(start, ANCHOR_STEPS)
        reached = view.score(hyper)
        if reached > best_score:
            best, best_score, chosen = Fit(hyper, targets.name), reached, view
    return best._replace(hyper=chosen.bent(best.hyper)) if best_score > -math.inf else best
