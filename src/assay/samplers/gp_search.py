"""Where the acquisition is highest: candidates, then climbing from the best of them.

Spaces are mixed, so climbing takes turns: a batched gradient search over the continuous coordinates
of all starts at once, and exchanges of one gridded coordinate at a time (as SMAC and BoTorch do).
Nothing is ever scored between the cells of a grid: there the acquisition has maxima that no config
has. All functions take snapped points and give snapped points.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from assay.math.acquisition import log_ei, log_ei_with_gradient
from assay.math.checks import Array
from assay.math.encoding import Encoding, Indices
from assay.math.gp import Posterior
from assay.math.lbfgs import minimise

if TYPE_CHECKING:
    from numpy.random import Generator

MOST_CANDIDATES, FEWER_CANDIDATES = 512, 256  # half spread, half near the best
MANY_ROWS = 200  # with more rows in the process a candidate costs more
ELITE, MATES = 5, 10
BEST_STARTS, DRAWN_STARTS, LEVEL_STARTS = 2, 3, 6
SWEEPS = 3
GRADIENT_STEPS = 20
FEW_CELLS = 16
MOST_NEIGHBOURS = 600
MORE_TRIES = 20  # rounds of spread candidates where clauses forbid most


class Term(Protocol):
    """A summand of the acquisition: the logarithm of a factor, over rows (m, D)."""

    def value(self, rows: Array) -> Array:
        """Shape (m,)."""
        ...

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same, and its gradient by the columns of the rows, shape (m, D)."""
        ...


@dataclass(frozen=True)
class Improvement:
    """Log expected improvement on `best`."""

    posterior: Posterior
    best: float

    def value(self, rows: Array) -> Array:
        return log_ei(*self.posterior.predict(rows), self.best)

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        return log_ei_with_gradient(*self.posterior.predict_with_gradient(rows), self.best)


@dataclass(frozen=True)
class Surface:
    """The acquisition over the points of a space: a sum of terms.

    Args:
        encoding: of the space.
        terms: what is added up.
        scale: one over the lengthscale of each column, shape (D,): steps are taken in lengthscales.
        seen: how many rows the models have; with many, a candidate costs more.
    """

    encoding: Encoding
    terms: Sequence[Term]
    scale: Array
    seen: int

    def plus(self, terms: Sequence[Term]) -> Surface:
        """The same with further terms."""
        return replace(self, terms=[*self.terms, *terms])

    def score(self, points: Array) -> Array:
        """The acquisition at snapped points, shape (m,); higher is better."""
        rows = self.encoding.rows(points)
        return np.asarray(np.sum([term.value(rows) for term in self.terms], axis=0))

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same at rows (m, D), and its gradient by their columns."""
        values, gradients = zip(*(term.with_gradient(rows) for term in self.terms), strict=True)
        return np.sum(values, axis=0), np.sum(gradients, axis=0)


@dataclass(frozen=True)
class Found:
    """Snapped points with their scores."""

    points: Array
    scores: Array

    def best_first(self) -> Found:
        return self.at(np.argsort(-self.scores, kind="stable"))

    def at(self, numbers: Indices) -> Found:
        """Those with these numbers."""
        return Found(self.points[numbers], self.scores[numbers])

    def put(self, numbers: Indices, others: Found) -> Found:
        """The same with others in the place of those with these numbers."""
        points, scores = self.points.copy(), self.scores.copy()
        points[numbers], scores[numbers] = others.points, others.scores
        return Found(points, scores)

    def __add__(self, other: Found) -> Found:
        return Found(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.scores, other.scores]),
        )


def search(surface: Surface, ranked: Array, rng: Generator) -> Found:
    """Points with a high acquisition, best first: the tops that climbing reached, then candidates.

    Args:
        surface: what to maximise.
        ranked: the points of the data, best first, shape (n, size).
        rng: chooses candidates and starts.
    """
    count = FEWER_CANDIDATES if surface.seen > MANY_ROWS else MOST_CANDIDATES
    points = candidates(surface.encoding, ranked, count, rng)
    if not len(points):
        return Found(points, np.zeros(0))
    pool = Found(points, surface.score(points))
    chosen = starts(surface.encoding, pool, rng)
    first = Found(
        np.concatenate([pool.points[chosen], ranked[:1]]),
        np.append(pool.scores[chosen], -np.inf),  # the incumbent is a place to leave from
    )
    return climb(surface, first, rng) + pool.best_first()


# --- candidates


def candidates(encoding: Encoding, ranked: Array, count: int, rng: Generator) -> Array:
    """About `count` allowed points: half spread over the space, half near the best of the data."""
    half = count // 2
    found = np.concatenate(
        [_spread(encoding, half, rng), _local(encoding, ranked, count - half, rng)]
    )
    kept = found[encoding.allowed(found)]
    for _ in range(MORE_TRIES):
        if len(kept) >= half:
            break
        more = _spread(encoding, half, rng)
        kept = np.concatenate([kept, more[encoding.allowed(more)]])
    return kept


def _spread(encoding: Encoding, m: int, rng: Generator) -> Array:
    return encoding.snap(rng.random((m, encoding.size)))


def _local(encoding: Encoding, ranked: Array, m: int, rng: Generator) -> Array:
    """Some coordinates of one of the best points changed a little, or taken from another good one.

    How many coordinates change, and by how much, is drawn anew for each: from one to all, from half
    a per cent of the range to 40 per cent.
    """
    size = encoding.size
    parents = ranked[np.minimum(rng.geometric(0.4, m), min(ELITE, len(ranked))) - 1]
    rate = rng.choice([1.5, 4.0, float(size)], m)[:, None] / size
    changed = rng.random((m, size)) < rate
    changed[np.arange(m), rng.choice(encoding.searched, m)] = True
    width = 10 ** rng.uniform(-2.3, -0.4, (m, 1))
    moved = _reflected(parents + width * rng.normal(size=(m, size)))
    drawn = rng.random((m, size))
    choices = encoding.categories
    moved[:, choices] = drawn[:, choices]
    mates = ranked[rng.integers(min(len(ranked), MATES), size=m)]
    crossed = (rng.random((m, 1)) < 0.2) & (rng.random((m, size)) < 0.5)
    moved = np.where(crossed, mates, moved)
    return encoding.snap(np.where(changed, moved, parents))


def _reflected(points: Array) -> Array:
    inside = np.abs(points)
    return np.clip(np.where(inside > 1, 2 - inside, inside), 0.0, 1.0)


def starts(encoding: Encoding, pool: Found, rng: Generator) -> Indices:
    """Numbers of the candidates to climb from.

    The best, some drawn by their expected improvement, and the best with each level of one choice,
    which is drawn: else a branch that looked bad once might never be looked at again.
    """
    order = np.argsort(-pool.scores, kind="stable")
    chosen = order[:BEST_STARTS].tolist()
    share = np.exp(np.clip(pool.scores - pool.scores.max(), -50.0, 0.0))
    share[chosen] = 0.0
    several = min(DRAWN_STARTS, int(np.count_nonzero(share)))
    if several:
        drawn = rng.choice(len(share), several, replace=False, p=share / share.sum())
        chosen += drawn.tolist()
    if len(encoding.categories):
        level = pool.points[order, rng.choice(encoding.categories)]
        first_of_each = np.sort(np.unique(level, return_index=True)[1])
        chosen += order[first_of_each[:LEVEL_STARTS]].tolist()
    return np.unique(chosen)


# --- climbing


def climb(surface: Surface, start: Found, rng: Generator) -> Found:
    """The tops above the starts, best first.

    All starts slide, then exchange. Where an exchange moved one of the best two, these go once more.
    """
    slid = slide(surface, start)
    found = exchange(surface, slid, rng)
    moved = (found.points != slid.points).any(axis=1)
    again = np.argsort(-found.scores, kind="stable")[:BEST_STARTS]
    again = again[moved[again]]
    if len(again) and len(surface.encoding.continuous):
        found = found.put(again, exchange(surface, slide(surface, found.at(again)), rng))
    return found.best_first()


def slide(surface: Surface, start: Found) -> Found:
    """Along the gradient in the continuous coordinates that are active.

    In lengthscales rather than ranges: then one step suits all coordinates.
    """
    encoding = surface.encoding
    coordinates, columns = encoding.continuous, encoding.continuous_columns
    if not len(coordinates):
        return start
    lengths = 1.0 / surface.scale[columns]
    rows = encoding.rows(start.points)
    active = encoding.active(start.points)[:, coordinates]

    def function(scaled: Array, which: Indices) -> tuple[Array, Array]:
        at = rows[which]
        at[:, columns] = scaled * lengths
        value, gradient = surface.with_gradient(at)
        return -value, -gradient[:, columns] * lengths * active[which]

    begin = start.points[:, coordinates] / lengths
    end, value = minimise(
        function, begin, lower=0.0, upper=1.0 / lengths, iterations=GRADIENT_STEPS
    )
    moved = start.points.copy()
    moved[:, coordinates] = np.clip(end * lengths, 0.0, 1.0)
    return _better(surface, start, Found(moved, -value))


def _better(surface: Surface, old: Found, new: Found) -> Found:
    up = np.isfinite(new.scores) & (new.scores > old.scores)
    up[up] = surface.encoding.allowed(new.points[up])
    points = np.where(up[:, None], new.points, old.points)
    return Found(points, np.where(up, new.scores, old.scores))


def exchange(surface: Surface, start: Found, rng: Generator) -> Found:
    """To the best neighbour that differs in one gridded coordinate, while that is better."""
    found = start
    going = np.arange(len(start.points))
    for _ in range(SWEEPS if len(surface.encoding.gridded) else 0):
        here = found.at(going)
        there = _better(surface, here, _best_neighbours(surface, here, rng))
        found = found.put(going, there)
        going = going[there.scores > here.scores + 1e-9]
        if not len(going):
            break
    return found


def _best_neighbours(surface: Surface, here: Found, rng: Generator) -> Found:
    points, owners = neighbours(surface.encoding, here.points, rng)
    scores = surface.score(points)
    order = np.argsort(scores, kind="stable")
    best = np.zeros(len(here.points), np.intp)
    best[owners[order]] = order  # the last one written is the best of each
    return Found(points, scores).at(best)


def neighbours(encoding: Encoding, points: Array, rng: Generator) -> tuple[Array, Indices]:
    """Points that differ from one of `points` in one gridded coordinate, and the number of that one.

    All levels of coordinates with few cells; of others the next ones and some near and far. Where
    that is too many, a part of the coordinates, drawn anew each time.
    """
    found, owners = [], []
    per_point = MOST_NEIGHBOURS // len(points)
    numbers = np.arange(len(points))
    for i in rng.permutation(encoding.gridded):
        if per_point <= 0:
            break
        values = _values(encoding, int(i), points[:, i], rng)
        per_point -= values.shape[1]
        changed = np.repeat(points, values.shape[1], axis=0)
        changed[:, i] = values.ravel()
        found.append(changed)
        owners.append(np.repeat(numbers, values.shape[1]))
    return encoding.snap(np.concatenate(found)), np.concatenate(owners)


def _values(encoding: Encoding, i: int, now: Array, rng: Generator) -> Array:
    """Places to try in coordinate `i` for each point, shape (points, tries)."""
    cells = encoding.cells[i]
    if cells <= FEW_CELLS:
        levels = encoding.levels(i)
        return np.broadcast_to(levels, (len(now), len(levels)))
    if i in encoding.categories:
        return rng.random((len(now), FEW_CELLS))
    steps = now[:, None] + np.array([-3.0, -1.0, 1.0, 3.0]) / cells
    near = now[:, None] + 0.1 * rng.normal(size=(len(now), 4))
    far = rng.random((len(now), 4))
    return np.asarray(np.clip(np.concatenate([steps, near, far], axis=1), 0.0, 1.0))
