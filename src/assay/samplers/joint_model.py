"""One Gaussian process over configs and steps, made of what trials had at some steps on their way.

A row is a config and r = ln(s / s_0) / ln(s_K / s_0) for a step s of the rungs s_0 < ... < s_K, with a
lengthscale of its own: how far a value on the way tells that in full is learned like all else. Losses
of different rungs are first put on one scale, see `carried`. Predictions are made at r = 1, the full
fidelity. A config has at most four rows. The scales of numbers may bend, as in the full process.

A fit of lengthscales depends on what the log held when a certain trial was asked, so that it can be
made again from the log alone; between fits only the data grow.

Source: a kernel over configs and fidelity as in Klein et al. 2017, arXiv:1605.07079, and Swersky et
al. 2014, arXiv:1406.3896 (freeze-thaw). Differs: one Matern kernel of the joint distance, and rungs
are matched beforehand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.core.events import Told
from assay.core.runs import Run
from assay.math import transforms
from assay.math.acquisition import log_ei, log_ei_with_gradient
from assay.math.checks import Array
from assay.math.encoding import Indices
from assay.math.gp import Posterior, SingularError
from assay.math.gp_fit import fit, prior_start, thinned
from assay.samplers.at_fidelity import at_rungs
from assay.samplers.gp_history import (
    ANCHOR_STEPS,
    FAILURE,
    MOST_FITTED,
    MOST_ROWS,
    Fit,
    Memory,
    bent,
)

if TYPE_CHECKING:
    from assay.core.history import History

ROWS_EACH = 4
SCALE_WEIGHT = 3.0
"""What the belief that rungs spread alike counts for, in trials."""
MOST_SCALE = 10.0


def carried(table: Array) -> Array:
    """The losses of a table (trials, rungs), NaN where there is none, on the scale of the last rung.

    From the last rung down, each is matched to the one above by the trials that have both: the spread
    of these becomes the same, and their median difference 0. Who went on is chosen by its loss, so
    regression lines would be drawn to the mean; equal spreads are not.

    >>> carried(np.array([[3.0, 1.0], [5.0, 2.0], [7.0, np.nan]])).round(2)
    array([[0.66, 1.  ],
           [2.34, 2.  ],
           [4.02,  nan]])
    """
    found = table.copy()
    for rung in reversed(range(table.shape[1] - 1)):
        both = np.isfinite(table[:, rung]) & np.isfinite(table[:, rung + 1])
        lower, upper = table[both, rung], found[both, rung + 1]
        scale = _scale(lower, upper)
        shift = float(np.median(upper - scale * lower)) if len(lower) else 0.0
        found[:, rung] = shift + scale * table[:, rung]
    return found


def _scale(lower: Array, upper: Array) -> float:
    if len(lower) < 2 or not lower.std() > 0 or not upper.std() > 0:
        return 1.0
    ratio = float(np.clip(upper.std() / lower.std(), 1 / MOST_SCALE, MOST_SCALE))
    share = (len(lower) - 1) / (len(lower) - 1 + SCALE_WEIGHT)
    return float(ratio**share)


@dataclass(frozen=True)
class Data:
    """Rows (m, D + 1) with their losses on one scale (m,), and the full rows of failed trials.

    `trials` is how many trials the rows are of.
    """

    rows: Array
    losses: Array
    failed: Array
    trials: int

    @classmethod
    def of(cls, memory: Memory, history: History, steps: Sequence[int]) -> Data:
        runs = history.runs()
        table = carried(table_of(history, runs, steps, memory.sign))
        log = np.log(np.asarray(steps, float))
        places = (log - log[0]) / (log[-1] - log[0])
        configs = memory.encoding.rows(memory.points(range(len(runs))))
        kept = [(i, k) for i, losses in enumerate(table) for k in _some(np.isfinite(losses))]
        numbers = np.array(kept, np.intp).reshape(len(kept), 2)
        rows = np.column_stack([configs[numbers[:, 0]], places[numbers[:, 1]]])
        failed = [run.trial for run in runs if run.state == "failed"]
        trials = int(np.isfinite(table).any(axis=1).sum())
        return cls(rows, table[numbers[:, 0], numbers[:, 1]], in_full(configs[failed]), trials)

    def seen_as(self, transform: str) -> tuple[Array, Array, transforms.Targets]:
        """Rows and targets, failed trials included, and the transform of the losses."""
        targets = transforms.TRANSFORMS[transform](self.losses)
        rows = np.concatenate([self.rows, self.failed])
        return rows, np.append(targets.t, np.full(len(self.failed), FAILURE)), targets


def table_of(history: History, runs: Sequence[Run], steps: Sequence[int], sign: float) -> Array:
    """The losses of trials at steps, shape (trials, rungs); NaN where there is none."""
    table = np.full((len(runs), len(steps)), np.nan)
    for run in runs:
        found = at_rungs(sign, run, steps)
        if run.state == "done" and found[-1] is None:  # it did not report on the way
            outcome = history.outcome(run.trial)
            found[-1] = sign * outcome.values[0] if isinstance(outcome, Told) else None
        table[run.trial] = [math.nan if loss is None else loss for loss in found]
    return table


def _some(there: Array) -> list[int]:
    """The rungs that count, evenly drawn from those that a trial has: always the first and the last."""
    rungs = np.flatnonzero(there)
    if len(rungs) > ROWS_EACH:
        rungs = rungs[np.linspace(0, len(rungs) - 1, ROWS_EACH).round().astype(int)]
    return [int(rung) for rung in rungs]


def in_full(rows: Array) -> Array:
    """Rows of configs (m, D) at the full fidelity, shape (m, D + 1)."""
    return np.column_stack([rows, np.ones(len(rows))])


# --- fits


def last_fit(trials: int) -> int:
    """The number of trials before which lengthscales were fitted last.

    >>> [last_fit(n) for n in (7, 17, 33, 100)]
    [7, 16, 32, 96]
    """
    every = 1 << max((trials // 8).bit_length() - 1, 0)
    return trials - trials % every


def fit_at(memory: Memory, history: History, steps: Sequence[int], trial: int) -> Fit:
    """The lengthscales and the transform that suit what the log held when `trial` was asked."""
    fits: dict[int, Fit] = history.memo(
        ("joint", id(memory.space), memory.sign, tuple(steps)), dict
    )
    if trial not in fits:
        then = history.at(history.asked_at(trial))
        fits[trial] = _fitted(memory, Data.of(memory, then, steps))
    return fits[trial]


def _fitted(memory: Memory, data: Data) -> Fit:
    owner = owner_of(memory)
    start = prior_start(int(owner[-1]) + 1)
    best, best_score = Fit(start, "plain"), -math.inf
    for form in transforms.candidates(data.losses) if len(data.losses) > 1 else ():
        rows, t, targets = data.seen_as(form.name)
        kept = thinned(t, MOST_FITTED)
        hyper = fit(rows[kept], t[kept], owner, start, iterations=ANCHOR_STEPS)
        try:
            mean, variance = Posterior(rows[kept], t[kept], owner, hyper).left_out()
        except SingularError:
            continue
        told = kept < len(targets.t)
        score = transforms.score(targets.at(kept[told]), mean[told], variance[told])
        if score > best_score:
            best, best_score, seen = Fit(hyper, form.name), score, (rows[kept], t[kept])
    if best_score == -math.inf:
        return best
    return best._replace(hyper=bent(data.trials, memory.encoding.numbers, *seen, owner, best.hyper))


def owner_of(memory: Memory) -> Indices:
    """The lengthscale of each column of a row: one more than the space has, for the step."""
    owner = memory.encoding.owner
    return np.append(owner, owner.max(initial=-1) + 1)


# --- what is believed


@dataclass(frozen=True)
class Belief:
    """What is expected of every trial and of any config in full.

    Attributes:
        posterior: of the process, trials that run included as they are expected to end.
        means, variances: of the trials in full, by number, in units of the targets.
        best: the least mean among trials that were evaluated in full; among all while none was.
        complete: whether one was.
        targets: the transform of the losses.
    """

    posterior: Posterior
    means: Array
    variances: Array
    best: float
    complete: bool
    targets: transforms.Targets


def belief(
    memory: Memory, history: History, steps: Sequence[int], *, apart: int | None = None
) -> Belief:
    """What the log tells; `apart` is a running trial of which nothing more is taken for granted.

    Raises:
        SingularError: numerical trouble.
    """
    fitted = fit_at(memory, history, steps, last_fit(history.n_trials - 1))
    owner, runs = owner_of(memory), history.runs()
    rows, t, targets = Data.of(memory, history, steps).seen_as(fitted.transform)
    kept = thinned(t, MOST_ROWS)
    rows, t = rows[kept], t[kept]
    posterior = Posterior(rows, t, owner, fitted.hyper)
    full = in_full(memory.encoding.rows(memory.points(range(len(runs)))))
    means, variances = posterior.predict(full)
    done = np.array([run.state == "done" for run in runs], bool)
    best = float(means[done].min() if done.any() else means.min())
    running = [r.trial for r in runs if r.state == "running" and r.trial != apart]
    if running:  # believed to end as expected, but not better than the best
        expected = np.append(t, np.maximum(means[running], best))
        with_them = np.concatenate([rows, full[running]])
        posterior = Posterior(with_them, expected, owner, fitted.hyper)
    return Belief(posterior, means, variances, best, bool(done.any()), targets)


@dataclass(frozen=True)
class InFull:
    """The log expected improvement of configs at the full fidelity; a `Term` of the acquisition."""

    posterior: Posterior
    best: float

    def value(self, rows: Array) -> Array:
        return log_ei(*self.posterior.predict(in_full(rows)), self.best)

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        seen = self.posterior.predict_with_gradient(in_full(rows))
        value, gradient = log_ei_with_gradient(*seen, self.best)
        return value, gradient[:, :-1]
