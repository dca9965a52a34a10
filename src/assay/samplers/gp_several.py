"""Several numbers at once: objectives that pull apart, and constraints; one process for each.

    1 or 2 objectives   the expected growth of the dominated hypervolume, in the units in which the
                        processes see the losses; with one objective that is expected improvement
    more                the expected improvement along one direction from the worst values so far,
                        which is drawn anew for each proposal
    constraints         the probability that each is met, as a factor; while no place is thought
                        feasible, nothing else counts

What is to be improved on are posterior means at trials that are more likely feasible than not, as
numbers may be noisy. A running trial is believed to end as the processes expect, and so belongs to
the front already: else its neighbours would be proposed again.

Source: see `assay.math.expected_volume`, `scalarised`, `assay.samplers.gp_constraints`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices, Mask
from assay.math.expected_volume import MOST_LOSSES, Boxes, boxes, log_ehvi, log_ehvi_with_slopes
from assay.math.gp import Posterior
from assay.math.gp_fit import thinned
from assay.math.pareto import feasible_first, front_ranks, violation
from assay.math.scalarised import Scale, log_ei_of_worst, log_ei_of_worst_with_slopes
from assay.math.transforms import Targets
from assay.samplers.constraints import Limit
from assay.samplers.gp_constraints import likely_met, within
from assay.samplers.gp_failures import Success, success, worth_a_model
from assay.samplers.gp_history import (
    MOST_ROWS,
    Memory,
    failing_at,
    fit_at,
    last_refit,
    memory_of,
    targets_of,
    variances_of,
)
from assay.samplers.gp_search import Surface, Term

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History
    from assay.core.space import Space

MARGIN = 0.1  # in sd, of the reference beyond the worst feasible trial: nearer, corners count for nothing


@dataclass(frozen=True)
class Seen:
    """One of the numbers, as its process sees it; `known` was told, `posterior` also believes."""

    memory: Memory
    targets: Targets
    known: Posterior
    posterior: Posterior


@dataclass(frozen=True)
class Several:
    """The processes of a study and the acquisition that they make."""

    surface: Surface
    objectives: list[Seen]
    limits: list[Seen]
    ending: Success | None  # where trials do not fail, if many do
    points: Array  # of the trials they saw, best first
    refit: bool
    acquisition: str

    @property
    def posteriors(self) -> list[Posterior]:
        return [seen.posterior for seen in (*self.objectives, *self.limits)]

    def why(self, point: Array) -> dict[str, Any]:
        """What the processes say of a point, in the units of the numbers."""
        row = self.surface.encoding.rows(point[None])
        said: dict[str, Any] = {"mean": [], "sd": []}
        for seen in self.objectives:
            mean, variance = (float(x[0]) for x in seen.posterior.predict(row))
            spread = math.sqrt(variance) * np.array([-1.0, 0.0, 1.0])
            low, middle, high = seen.targets.loss(mean + spread).tolist()
            said["mean"].append(_short(seen.memory.sign * middle))
            said["sd"].append(_short((high - low) / 2))
        if self.limits:
            chances = (float(within(seen.posterior).value(row)[0]) for seen in self.limits)
            said["feasible"] = _short(math.exp(sum(chances)))
        if self.ending:
            said["success"] = _short(math.exp(float(self.ending.value(row)[0])))
        transforms = [seen.targets.name for seen in self.objectives]
        return {"acquisition": self.acquisition, **said, "transform": transforms}


def _short(number: float) -> float | None:
    return float(f"{number:.6g}") if math.isfinite(number) else None


def several(
    space: Space,
    history: History,
    rng: Generator,
    signs: Sequence[float],
    constraints: Sequence[Limit],
) -> Several:
    """The processes for all objectives and constraints of a study, and their acquisition.

    Raises:
        SingularError: numerical trouble.
    """
    linear = len(signs) > 1
    goals = [memory_of(space, history, sign, i, linear=linear) for i, sign in enumerate(signs)]
    bounds = [memory_of(space, history, sign, which, bound) for which, sign, bound in constraints]
    bounds = [memory for memory in bounds if np.isfinite(memory.losses[: history.n_ended]).any()]
    data = _Data.of(goals, bounds, history)
    objectives, limits = ([_seen(memory, data) for memory in some] for some in (goals, bounds))
    past = _past(objectives, limits, data)
    keeping: list[Term] = [within(seen.posterior) for seen in limits]
    gaining: list[Term] = []
    if len(past.front):
        gaining = [_gain([seen.posterior for seen in objectives], past, rng)]
    ending = _ending(goals[0], data)
    scale = np.max([seen.posterior.scale for seen in (*objectives, *limits)], axis=0)
    terms = [*keeping, *gaining, *([ending] if ending else [])]
    surface = Surface(goals[0].encoding, terms, scale, len(data.kept))
    ranked = data.points[np.lexsort((rng.random(len(data.points)), past.ranks))]
    name = ("logEI", "logEHVI")[linear] if len(signs) <= MOST_LOSSES else "logEI worst"
    said = name if gaining else "log feasible"
    refit = last_refit(data.n) == data.n
    return Several(surface, objectives, limits, ending, ranked, refit, said)


@dataclass(frozen=True)
class _Data:
    """The trials that the processes see."""

    n: int
    history: History
    told: Mask  # of all n trials that ended, those with values
    kept: Indices  # those that are seen
    points: Array
    rows: Array
    waiting: Array  # rows of running trials

    @classmethod
    def of(cls, goals: list[Memory], bounds: list[Memory], history: History) -> _Data:
        n, first = history.n_ended, goals[0]
        told = np.isfinite(first.losses[:n])
        kept = thinned(_order_of_merit(goals, bounds, n), MOST_ROWS)
        points = first.points(np.asarray(history.ended)[kept])
        rows, waiting = map(first.encoding.rows, (points, first.points(history.running())))
        return cls(n, history, told, kept, points, rows, waiting)


@dataclass(frozen=True)
class _Past:
    """What the processes think of the trials that they see.

    Attributes:
        ranks: the front of each, infeasible ones after feasible ones, failed ones at the end.
        front: objectives of what is to be improved on: likely feasible, running ones too.
        seen: objectives of all that are likely feasible.
    """

    ranks: Indices
    front: Array
    seen: Array


def _past(objectives: list[Seen], limits: list[Seen], data: _Data) -> _Past:
    means = np.stack([seen.known.fitted() for seen in objectives], axis=1)
    excess = np.stack([np.zeros(len(means)), *(seen.known.fitted() for seen in limits)], axis=1)
    far = np.where(data.told[data.kept], violation(excess), np.inf)
    ranks = front_ranks(feasible_first(means, far))
    expected = np.stack([seen.known.predict(data.waiting)[0] for seen in objectives], axis=1)
    expected = expected[likely_met([seen.known for seen in limits], data.waiting)]
    front = means[(far == 0) & (ranks == 0)]
    return _Past(
        ranks,
        np.concatenate([front, expected]),
        np.concatenate([means[far == 0], expected]),
    )


def _ending(memory: Memory, data: _Data) -> Success | None:
    """Where trials do not fail; None if few do."""
    told = data.told[data.kept]
    if not worth_a_model(data.told) or not 0 < told.sum() < len(told):
        return None
    fails = failing_at(memory, data.history, last_refit(data.n))
    return success(data.rows, told, memory.encoding.owner, fails)


def _order_of_merit(goals: list[Memory], bounds: list[Memory], n: int) -> Array:
    """A number for each ended trial, lower for better ones; failed ones count as the worst."""
    losses = np.array([memory.losses[:n] for memory in goals]).T
    told = np.isfinite(losses).all(axis=1)
    excess = np.array([memory.losses[:n] for memory in bounds]).reshape(len(bounds), n).T
    order = np.full(n, np.inf)
    if n <= MOST_ROWS or not told.any():
        return order
    better = feasible_first(losses[told], violation(excess[told]))
    order[told] = front_ranks(better, least=MOST_ROWS // 2)
    return order


def _seen(memory: Memory, data: _Data) -> Seen:
    owner = memory.encoding.owner
    fitted = fit_at(memory, data.history, last_refit(data.n))
    losses, errors = np.array(memory.losses[: data.n]), np.array(memory.errors[: data.n])
    targets, t = targets_of(losses, fitted.transform)
    t, variances = t[data.kept], variances_of(targets, np.isfinite(losses), errors)[data.kept]
    known = posterior = Posterior(data.rows, t, owner, fitted.hyper, variances)
    if len(data.waiting):
        posterior = Posterior(
            np.concatenate([data.rows, data.waiting]),
            np.concatenate([t, known.predict(data.waiting)[0]]),
            owner,
            fitted.hyper,
            np.append(variances, np.zeros(len(data.waiting))),
        )
    return Seen(memory, targets, known, posterior)


# --- what a trial adds


def _gain(posteriors: list[Posterior], past: _Past, rng: Generator) -> Term:
    """The term for the objectives."""
    if len(posteriors) <= MOST_LOSSES:
        return Volume(posteriors, boxes(past.front, past.seen.max(axis=0) + MARGIN))
    direction = np.abs(rng.normal(size=len(posteriors)))
    return Worst(posteriors, Scale.of(past.seen, direction / np.linalg.norm(direction)))


@dataclass(frozen=True)
class Volume:
    """Log expected hypervolume improvement, as a term of the acquisition."""

    posteriors: list[Posterior]
    cover: Boxes

    def value(self, rows: Array) -> Array:
        """At `rows` (m, D), shape (m,)."""
        return log_ehvi(*predicted(self.posteriors, rows), self.cover)

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same and its gradient, shape (m, D)."""
        means, variances, *slopes = predicted_with_gradient(self.posteriors, rows)
        value, *by = log_ehvi_with_slopes(means, variances, self.cover)
        return value, _chained(by, slopes)


@dataclass(frozen=True)
class Worst:
    """Log expected improvement of the worst weighted objective, as a term of the acquisition."""

    posteriors: list[Posterior]
    scale: Scale

    def value(self, rows: Array) -> Array:
        """At `rows` (m, D), shape (m,)."""
        return log_ei_of_worst(*predicted(self.posteriors, rows), self.scale)

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same and its gradient, shape (m, D)."""
        means, variances, *slopes = predicted_with_gradient(self.posteriors, rows)
        value, *by = log_ei_of_worst_with_slopes(means, variances, self.scale)
        return value, _chained(by, slopes)


def predicted(posteriors: list[Posterior], rows: Array) -> tuple[Array, Array]:
    """Means and variances of all, shape (m, objectives) each."""
    means, variances = zip(*(posterior.predict(rows) for posterior in posteriors), strict=True)
    return np.stack(means, axis=1), np.stack(variances, axis=1)


def predicted_with_gradient(posteriors: list[Posterior], rows: Array) -> list[Array]:
    """The same, and the gradients of both, shape (m, objectives, D)."""
    found = (posterior.predict_with_gradient(rows) for posterior in posteriors)
    return [np.stack(parts, axis=1) for parts in zip(*found, strict=True)]


def _chained(by: list[Array], slopes: list[Array]) -> Array:
    """The gradient by rows from the derivatives by means and variances, and their gradients."""
    return np.asarray(sum(np.einsum("ij,ijk->ik", *pair) for pair in zip(by, slopes, strict=True)))
