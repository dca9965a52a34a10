"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.errors import SpecError
from assay.core.protocols import ExhaustedError, Proposal
from assay.core.space import Space
from assay.math.checks import Array
from assay.math.encoding import Mask
from assay.math.fantasies import Fantasies
from assay.math.gp import Posterior, SingularError
from assay.math.gp_fit import thinned
from assay.math.threads import one_thread
from assay.math.transforms import Targets
from assay.samplers.constraints import Limit, limits_of
from assay.samplers.gp_beliefs import Beliefs
from assay.samplers.gp_cost import cheapness
from assay.samplers.gp_failures import success, worth_a_model
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
from assay.samplers.gp_knowledge import Known, knowledge, known_start
from assay.samplers.gp_search import Found, Improvement, Surface, Term, search
from assay.samplers.gp_several import Several, several
from assay.samplers.gp_waiting import while_waiting
from assay.samplers.sobol import Sobol
from assay.samplers.unique import Unique

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

STARTS = 5  # trials that end before the process proposes
TOO_NEAR = 1e-4  # a correlation above 1 - this says that the value there is known
FIRST_LOOK = 8  # one of the best few is nearly always new
NOISY = 1e-3  # with more noise than this another look at a known place is worth something


@dataclass(frozen=True)
class Gp:
    """Where a Gaussian process expects the largest improvement, after a few evenly spread configs.

    For any space: numbers, choices and conditional parameters share one distance. The form in which
    it sees the losses is chosen for each study, and from 16 trials on the scales of numbers may bend.

    A trial that still runs is believed to end as expected, but not better than the best; several are
    averaged over: each of 32 draws is a way in which all may end. Failed trials count as a loss one
    sd above the mean; where at least 5 and a tenth fail, as a mean loss, and a second process says
    how likely a config is to succeed. A loss with a standard error counts for less: "se" among the
    numbers that an objective returns.

    A finite space is never repeated. Numerical trouble gives a quasi-random config, and `why` says so.

    Args:
        seed: chooses the spread configs at the start.
        signs: for each objective 1 to minimise it, -1 to maximise it.
        constraints: bounds as a study gives them, see `assay.samplers.constraints`.
        beliefs: names, values and strengths, see `assay.samplers.gp_beliefs`.
        costs: under a budget of time, weigh what a config is expected to take; see
            `assay.samplers.gp_cost`.

    Several objectives and constraints: see `assay.samplers.gp_several`.

    Raises:
        SpecError: signs are not each 1.0 or -1.0, or constraints have another form.

    Sources: see `assay.math.gp_fit`, `gp`, `acquisition`, `fantasies`, `bends`, `transforms`,
    `encoding` and `assay.samplers.gp_failures`; the improvement
    is on the least posterior mean, not on the least loss, as losses may be noisy.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Gp().ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).why
    {'sampler': 'gp', 'index': 0, 'design': 'sobol'}
    """

    seed: int = 0
    signs: tuple[float, ...] = (1.0,)
    constraints: tuple[Limit, ...] = ()
    beliefs: Beliefs = ()
    costs: bool = False

    def __post_init__(self) -> None:
        signs: Any = self.signs
        given = tuple(signs) if isinstance(signs, list | tuple) else ()
        if not given or not set(given) <= {1.0, -1.0}:
            raise SpecError(
                "Gp needs for each objective 1.0 to minimise it or -1.0 to maximise it, as in "
                f"signs=(1.0, -1.0), got {signs!r}."
            )
        object.__setattr__(self, "signs", tuple(map(float, given)))
        object.__setattr__(self, "constraints", limits_of(self.constraints))
        object.__setattr__(self, "beliefs", tuple((n, v, s) for n, v, s in self.beliefs))

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: every config of the space was tried.
            SpaceError: the clauses allow next to nothing.
        """
        memory = memory_of(space, history, self.signs[0])
        if history.n_ended < STARTS or _told(memory, history) < 2:
            with one_thread(), np.errstate(all="ignore"):
                start = known_start(memory, history, self.beliefs, self.seed)
            return start or self._spread(space, history, rng, {"design": "sobol"})
        try:
            # what is not finite is caught where it matters
            with one_thread(), np.errstate(all="ignore"):
                left = _left(memory, history)  # first: where nothing is left, nothing can be fitted
                known = knowledge(memory, history, self.beliefs)
                known += cheapness(memory, history) if self.costs else []
                model = self._model(memory, history, rng)
                proposal = _from_model(memory, history, rng, model, known, left)
        except SingularError as error:
            return self._spread(space, history, rng, {"fallback": "sobol", "reason": str(error)})
        why = {"fallback": "sobol", "reason": "nothing new was found"}
        return proposal or self._spread(space, history, rng, why)

    def _model(self, memory: Memory, history: History, rng: Generator) -> _Model | Several:
        if len(self.signs) == 1 and not self.constraints:
            return model_of(memory, history)
        return several(memory.space, history, rng, self.signs, self.constraints)

    def _spread(
        self, space: Space, history: History, rng: Generator, said: dict[str, Any]
    ) -> Proposal:
        config, why = Unique(Sobol(self.seed)).ask(space, history, rng)
        return Proposal(config, {**(why or {}), **said, "sampler": "gp"})


def _told(memory: Memory, history: History) -> int:
    return int(np.isfinite(memory.losses[: history.n_ended]).sum())


@dataclass(frozen=True)
class _Model:
    """The process and what it was made of."""

    surface: Surface
    posterior: Posterior
    targets: Targets
    points: Array  # of the trials it saw, best first
    refit: bool

    @property
    def posteriors(self) -> list[Posterior]:
        return [self.posterior]


def _from_model(
    memory: Memory,
    history: History,
    rng: Generator,
    model: _Model | Several,
    known: Sequence[Known],
    left: Array | None,
) -> Proposal | None:
    """The config with the highest acquisition that is new; None if there is none.

    Args:
        known: what else counts besides the model's own acquisition.
        left: the points to choose from; None: all of the space.

    Raises:
        SingularError: numerical trouble.
    """
    surface = model.surface.plus(known)
    if left is None:
        found = search(surface, model.points, rng)
    else:
        found = Found(left, surface.score(left)).best_first()
    chosen = _first_new(memory, history, model, found)
    if chosen is None:
        return None
    point = found.points[chosen]
    row = memory.encoding.rows(point[None])
    if isinstance(model, Several):
        why = _why_several(memory, history, model, point)
    else:
        score = float(found.scores[chosen] - sum(term.value(row)[0] for term in known))
        why = _why(memory, history, model, point, score)
    for term in known:
        why |= term.said(row)
    return Proposal(memory.encoding.config(point), why)


def model_of(memory: Memory, history: History) -> _Model:
    """The process behind a proposal for one objective without constraints."""
    encoding, n = memory.encoding, history.n_ended
    refit_at = last_refit(n)
    fitted = fit_at(memory, history, refit_at)
    targets, t = targets_of(np.array(memory.losses[:n]), fitted.transform)
    kept = thinned(t, MOST_ROWS)
    points = memory.points(np.asarray(history.ended)[kept])
    rows = encoding.rows(points)
    told = np.isfinite(memory.losses[:n])
    variances = variances_of(targets, told, np.array(memory.errors[:n]))[kept]
    posterior = Posterior(rows, t[kept], encoding.owner, fitted.hyper, variances)
    means = posterior.fitted()
    improvement: Improvement | Fantasies = Improvement(posterior, float(means.min()))
    if running := history.running():
        waiting = encoding.rows(memory.points(running))
        improvement = while_waiting(posterior, rows, waiting, encoding.owner, fitted.hyper)
        posterior = improvement.posterior
    terms: list[Term] = [improvement]
    if worth_a_model(told) and 0 < told[kept].sum() < len(kept):
        terms.append(
            success(rows, told[kept], encoding.owner, failing_at(memory, history, refit_at))
        )
    ranked = points[np.argsort(means, kind="stable")]
    surface = Surface(encoding, terms, posterior.scale, len(kept))
    return _Model(surface, posterior, targets, ranked, refit_at == n)


def _left(memory: Memory, history: History) -> Array | None:
    """The points of a small space that were not tried; None for a larger space.

    Raises:
        ExhaustedError: there are none.
    """
    if memory.listed is None:
        return None
    left = memory.listed[~memory.tried(memory.listed, history)]
    if not len(left):
        raise ExhaustedError(f"all {len(memory.listed):,} configs of the space were tried")
    return left


def _first_new(
    memory: Memory, history: History, model: _Model | Several, found: Found
) -> int | None:
    """The number of the best point that is worth a trial; None if there is none."""
    finite = np.isfinite(found.scores)
    if len(finite) and not finite.any():
        raise SingularError("The acquisition is not finite anywhere.")
    for part in (slice(0, FIRST_LOOK), slice(FIRST_LOOK, None)):
        points = found.points[part]
        new = finite[part] & ~memory.tried(points, history) & ~_known(model, points)
        if new.any():
            return int(np.argmax(new)) + (part.start or 0)
    return None


def _known(model: _Model | Several, points: Array) -> Mask:
    """Which points are so near to a trial that their values are known to four digits.

    Only where they can be arbitrarily near: neighbours on a grid are different configs.
    """
    encoding, noise = model.surface.encoding, max(p.noise for p in model.posteriors)
    if noise > NOISY or not len(encoding.continuous):
        return np.zeros(len(points), bool)
    rows = encoding.rows(points)
    nearest = [p.correlations(rows).max(axis=1) for p in model.posteriors]
    return np.asarray(np.min(nearest, axis=0) >= 1 - TOO_NEAR)


def _why(
    memory: Memory, history: History, model: _Model, point: Array, score: float
) -> dict[str, Any]:
    """What the process says of a point, in the units of the objective where that is possible."""
    targets = model.targets
    row = memory.encoding.rows(point[None])
    mean, variance = (float(x[0]) for x in model.posterior.predict(row))
    sd = math.sqrt(variance)
    low, middle, high = targets.loss(np.array([mean - sd, mean, mean + sd])).tolist()
    slope = float(targets.slope[np.argmin(targets.y)])
    nearest, distance = _nearest(memory, history, model.posterior, row)
    numbers = {
        "improvement": math.exp(min(score, 50.0)) / slope,
        "mean": memory.sign * middle,
        "sd": (high - low) / 2,
        "distance": distance,
    }
    if len(model.surface.terms) > 1:
        numbers["success"] = math.exp(float(model.surface.terms[1].value(row)[0]))
    return {
        "sampler": "gp",
        "acquisition": "logEI",
        **{k: float(f"{value:.6g}") for k, value in numbers.items() if math.isfinite(value)},
        "nearest": nearest,
        "refit": model.refit,
        "transform": targets.name,
        "n": history.n_ended,
    }


def _why_several(memory: Memory, history: History, model: Several, point: Array) -> dict[str, Any]:
    row = memory.encoding.rows(point[None])
    nearest, distance = _nearest(memory, history, model.posteriors[0], row)
    return {
        "sampler": "gp",
        **model.why(point),
        "distance": float(f"{distance:.6g}"),
        "nearest": nearest,
        "refit": model.refit,
        "n": history.n_ended,
    }


def _nearest(
    memory: Memory, history: History, posterior: Posterior, row: Array
) -> tuple[int, float]:
    """The trial nearest to a row, and how many lengthscales away it is."""
    rows = memory.encoding.rows(memory.points(range(history.n_trials)))
    gaps = posterior.place(rows) - posterior.place(row)
    squared = np.einsum("ij,ij->i", gaps, gaps)
    nearest = int(np.argmin(squared))
    return nearest, math.sqrt(float(squared[nearest]))
