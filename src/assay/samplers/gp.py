"""Bayesian optimisation with a Gaussian process."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.errors import SpecError
from assay.core.protocols import ExhaustedError, Proposal
from assay.core.space import Space
from assay.math.checks import Array
from assay.math.encoding import Mask
from assay.math.gp import Posterior, SingularError
from assay.math.threads import one_thread
from assay.math.transforms import Targets
from assay.samplers.gp_history import (
    MOST_ROWS,
    Memory,
    fit_at,
    last_refit,
    memory_of,
    targets_of,
    thinned,
)
from assay.samplers.gp_search import Found, Improvement, Surface, search
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
    it sees the losses is chosen for each study; failed trials count as a loss one sd above the mean; running ones
    as what the process expects of them, but not as better than the best. A finite space is never
    repeated. Numerical trouble gives a quasi-random config, and `why` says so.

    Args:
        seed: chooses the spread configs at the start.
        signs: for each objective 1 to minimise it, -1 to maximise it; one objective for now.

    Raises:
        SpecError: signs are not one 1.0 or -1.0.

    Sources: see `assay.math.gp_fit`, `gp`, `acquisition`, `transforms`, `encoding`; the improvement
    is on the least posterior mean, not on the least loss, as losses may be noisy.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Gp().ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).why
    {'sampler': 'gp', 'index': 0, 'design': 'sobol'}
    """

    seed: int = 0
    signs: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        signs: Any = self.signs
        given = tuple(signs) if isinstance(signs, list | tuple) else signs
        if given not in ((1.0,), (-1.0,)):
            raise SpecError(
                f"Gp needs signs=(1.0,) to minimise or (-1.0,) to maximise, got {signs!r}. "
                "It takes one objective."
            )
        object.__setattr__(self, "signs", (float(given[0]),))

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: every config of the space was tried.
            SpaceError: the clauses allow next to nothing.
        """
        memory = memory_of(space, history, self.signs[0])
        if history.n_ended < STARTS or _told(memory, history) < 2:
            return self._spread(space, history, rng, {"design": "sobol"})
        try:
            # what is not finite is caught where it matters
            with one_thread(), np.errstate(all="ignore"):
                proposal = _from_model(memory, history, rng)
        except SingularError as error:
            return self._spread(space, history, rng, {"fallback": "sobol", "reason": str(error)})
        why = {"fallback": "sobol", "reason": "nothing new was found"}
        return proposal or self._spread(space, history, rng, why)

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


def _from_model(memory: Memory, history: History, rng: Generator) -> Proposal | None:
    """The config with the highest acquisition that is new; None if there is none.

    Raises:
        SingularError: numerical trouble.
    """
    left = _left(memory, history)
    model = _model(memory, history)
    if left is None:
        found = search(model.surface, model.points, rng)
    else:
        found = Found(left, model.surface.score(left)).best_first()
    chosen = _first_new(memory, history, model, found)
    if chosen is None:
        return None
    point, score = found.points[chosen], float(found.scores[chosen])
    return Proposal(memory.encoding.config(point), _why(memory, history, model, point, score))


def _model(memory: Memory, history: History) -> _Model:
    encoding, n = memory.encoding, history.n_ended
    refit_at = last_refit(n)
    fitted = fit_at(memory, history, refit_at)
    targets, t = targets_of(np.array(memory.losses[:n]), fitted.transform)
    kept = thinned(t, MOST_ROWS)
    points = memory.points(np.asarray(history.ended)[kept])
    rows = encoding.rows(points)
    posterior = Posterior(rows, t[kept], encoding.owner, fitted.hyper)
    means = posterior.fitted()
    best = float(means.min())
    if running := history.running():
        waiting = encoding.rows(memory.points(running))
        # no better than the best: else the wait for one good trial would stop all improvement
        believed = np.maximum(posterior.predict(waiting)[0], best)
        posterior = Posterior(
            np.concatenate([rows, waiting]),
            np.concatenate([t[kept], believed]),
            encoding.owner,
            fitted.hyper,
        )
    ranked = points[np.argsort(means, kind="stable")]
    surface = Surface(encoding, [Improvement(posterior, best)], posterior.scale, len(kept))
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


def _first_new(memory: Memory, history: History, model: _Model, found: Found) -> int | None:
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


def _known(model: _Model, points: Array) -> Mask:
    """Which points are so near to a trial that their value is known to four digits.

    Only where they can be arbitrarily near: neighbours on a grid are different configs.
    """
    posterior, encoding = model.posterior, model.surface.encoding
    if posterior.noise > NOISY or not len(encoding.continuous):
        return np.zeros(len(points), bool)
    correlations = posterior.correlations(encoding.rows(points))
    return np.asarray(correlations.max(axis=1) >= 1 - TOO_NEAR)


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
    return {
        "sampler": "gp",
        "acquisition": "logEI",
        **{k: float(f"{value:.6g}") for k, value in numbers.items() if math.isfinite(value)},
        "nearest": nearest,
        "refit": model.refit,
        "transform": targets.name,
        "n": history.n_ended,
    }


def _nearest(
    memory: Memory, history: History, posterior: Posterior, row: Array
) -> tuple[int, float]:
    """The trial nearest to a row, and how many lengthscales away it is."""
    rows = memory.encoding.rows(memory.points(range(history.n_trials)))
    gaps = (rows - row) * posterior.scale
    squared = np.einsum("ij,ij->i", gaps, gaps)
    nearest = int(np.argmin(squared))
    return nearest, math.sqrt(float(squared[nearest]))
