"""The distribution of CMA-ES and its update; equations of Hansen 2016, arXiv:1604.00772."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from numpy.random import Generator

Array: TypeAlias = npt.NDArray[np.float64]

_SMALLEST = 1e-12  # share of a range that a float can still tell
_MOST_CONDITION = 1e14


class Rates(NamedTuple):
    """Weights by rank and learning rates for d dimensions and a population; table 1."""

    weights: Array
    mu_eff: float
    c_sigma: float
    d_sigma: float
    c_c: float
    c_1: float
    c_mu: float
    expected: float


@lru_cache(maxsize=64)
def rates(d: int, population: int) -> Rates:
    """The defaults of table 1, eq. 49 to 58."""
    raw = np.log((population + 1) / 2) - np.log(np.arange(1, population + 1))
    up, down = raw[: population // 2], raw[population // 2 :]
    mu_eff = float(up.sum() ** 2 / (up**2).sum())
    mu_bad = float(down.sum() ** 2 / (down**2).sum())
    c_1 = 2 / ((d + 1.3) ** 2 + mu_eff)
    c_mu = min(1 - c_1, 2 * (0.25 + mu_eff + 1 / mu_eff - 2) / ((d + 2) ** 2 + mu_eff))
    most = min(1 + c_1 / c_mu, 1 + 2 * mu_bad / (mu_eff + 2), (1 - c_1 - c_mu) / (d * c_mu))
    weights = np.where(raw >= 0, raw / up.sum(), raw * most / -raw[raw < 0].sum())
    c_sigma = (mu_eff + 2) / (d + mu_eff + 5)
    d_sigma = 1 + 2 * max(0.0, np.sqrt((mu_eff - 1) / (d + 1)) - 1) + c_sigma
    c_c = (4 + mu_eff / d) / (d + 4 + 2 * mu_eff / d)
    expected = float(np.sqrt(d) * (1 - 1 / (4 * d) + 1 / (21 * d**2)))
    return Rates(weights, mu_eff, c_sigma, float(d_sigma), c_c, c_1, c_mu, expected)


@dataclass(frozen=True, eq=False)
class State:
    """A normal distribution N(mean, sigma² cov) in the unit cube, and its paths.

    Args:
        mean, path_sigma, path_c: shape (d,).
        cov: shape (d, d).
        sigma: step size.
        population: results that make a generation.
        generation, restarts: counted from 0.
        since: the generation in which this run began.
        bests: the best loss of each of the last generations of this run.
    """

    mean: Array
    sigma: float
    cov: Array
    path_sigma: Array
    path_c: Array
    population: int
    generation: int = 0
    restarts: int = 0
    since: int = 0
    bests: tuple[float, ...] = ()

    @cached_property
    def axes(self) -> tuple[Array, Array]:
        """Square roots of the eigenvalues of `cov`, shape (d,), and its eigenvectors (d, d)."""
        values, vectors = np.linalg.eigh(self.cov)
        return np.sqrt(np.maximum(values, 1e-40)), vectors

    @property
    def spread(self) -> Array:
        """The standard deviation of each coordinate, shape (d,)."""
        return np.asarray(self.sigma * np.sqrt(np.diag(self.cov)))

    def draws(self, rng: Generator, count: int) -> Array:
        """Deviations from the mean, shape (count, d); eq. 39 and 40."""
        lengths, vectors = self.axes
        normal = rng.standard_normal((count, len(lengths)))
        return np.asarray(self.sigma * (normal * lengths) @ vectors.T)

    def whitened(self, steps: Array) -> Array:
        """`steps` of shape (n, d) times cov^(-1/2)."""
        lengths, vectors = self.axes
        return np.asarray((steps @ vectors / lengths) @ vectors.T)

    @property
    def converged(self) -> bool:
        """Whether nothing more can be gained: too small, too thin, or flat for long; section B.3."""
        lengths, _ = self.axes
        patience = 10 + int(np.ceil(30 * len(self.mean) / self.population))
        flat = len(self.bests) == patience and max(self.bests) == min(self.bests)
        small = self.sigma * lengths.max() < _SMALLEST
        thin = lengths.max() ** 2 > _MOST_CONDITION * lengths.min() ** 2
        return bool(flat or small or thin)


def started(mean: Array, sigma: float) -> State:
    """A round distribution around `mean`; the population is eq. 48."""
    d = len(mean)
    zero = np.zeros(d)
    return State(mean, sigma, np.eye(d), zero, zero, 4 + int(3 * np.log(d)))


def restarted(state: State, mean: Array, sigma: float) -> State:
    """A new run with twice the population; Auger and Hansen 2005."""
    return replace(
        started(mean, sigma),
        population=2 * state.population,
        generation=state.generation,
        since=state.generation,
        restarts=state.restarts + 1,
    )


def warm_started(best: Array) -> State:
    """The normal distribution around the best earlier points, shape (n, d).

    Source: Nomura et al. 2021, arXiv:2012.06932, section 4: the points as a mixture of normals of
    standard deviation 0.1, replaced by the one normal nearest to it.
    """
    mean = best.mean(axis=0)
    steps = best - mean
    cov = 0.1**2 * np.eye(len(mean)) + steps.T @ steps / len(best)
    sigma = float(np.exp(np.linalg.slogdet(cov)[1] / (2 * len(mean))))
    return replace(started(mean, sigma), cov=cov / sigma**2)


def updated(state: State, points: Array, losses: Array, stretch: Array | float = 1.0) -> State:
    """The state after a generation.

    Args:
        state: that the points were drawn from.
        points: shape (population, d).
        losses: shape (population,), lower is better; infinity for failures.
        stretch: by how much each coordinate was drawn wider than `state` says.
    """
    d = len(state.mean)
    r = rates(d, state.population)
    order = np.argsort(losses, kind="stable")
    steps = (points[order] - state.mean) / (state.sigma * stretch)
    best = r.weights[: state.population // 2] @ steps[: state.population // 2]  # eq. 41
    path_sigma, small = _path_sigma(state, r, best)
    path_c = (1 - r.c_c) * state.path_c  # eq. 45
    path_c = path_c + small * np.sqrt(r.c_c * (2 - r.c_c) * r.mu_eff) * best
    growth = r.c_sigma / r.d_sigma * (np.linalg.norm(path_sigma) / r.expected - 1)  # eq. 44
    patience = 10 + int(np.ceil(30 * d / state.population))
    return replace(
        state,
        mean=np.clip(state.mean + state.sigma * stretch * best, 0, 1),  # eq. 42
        sigma=min(float(state.sigma * np.exp(growth)), 1.0),
        cov=_cov(state, r, steps, path_c, small),
        path_sigma=path_sigma,
        path_c=path_c,
        generation=state.generation + 1,
        bests=(*state.bests, float(losses.min()))[-patience:],
    )


def _path_sigma(state: State, r: Rates, best: Array) -> tuple[Array, bool]:
    """The path of eq. 43, and whether it is short enough to trust the other one (h_sigma)."""
    push = np.sqrt(r.c_sigma * (2 - r.c_sigma) * r.mu_eff)
    path = (1 - r.c_sigma) * state.path_sigma + push * state.whitened(best[None])[0]
    age = state.generation - state.since + 1
    length = np.linalg.norm(path) / np.sqrt(1 - (1 - r.c_sigma) ** (2 * age))
    return path, bool(length < (1.4 + 2 / (len(path) + 1)) * r.expected)


def _cov(state: State, r: Rates, steps: Array, path_c: Array, small: bool) -> Array:
    """Eq. 46 and 47; steps are sorted, best first."""
    lengths = (state.whitened(steps) ** 2).sum(axis=1)
    shrink = np.where(r.weights >= 0, 1.0, len(path_c) / np.maximum(lengths, 1e-12))
    kept = 1 - r.c_1 - r.c_mu * r.weights.sum() + (not small) * r.c_1 * r.c_c * (2 - r.c_c)
    cov = kept * state.cov + r.c_1 * np.outer(path_c, path_c)
    cov = cov + r.c_mu * (steps.T * (r.weights * shrink)) @ steps
    return np.asarray((cov + cov.T) / 2)
