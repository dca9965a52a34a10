"""What a user believes, as a factor of the acquisition that fades, and as some of the first configs.

    c, s    the place of the believed value in [0, 1], and how far good values lie from it
    e       share of the belief that is spread evenly over the range: what if it is wrong?
    p(u)    e + (1 - e) N(u; c, s) cut to [0, 1] and scaled to mean 1; for a choice of K values
            e + (1 - e) K where it has the believed value, else e; 1 where it is not active
    n       trials that ended

    log acquisition = log EI + (B / n) sum of log p(u_i) over the parameters with a belief

Source: Hvarfner et al. 2022, arXiv:2204.11051, eq. 6. Differs: the even share, so that no value is
out of reach however wrong a belief is; B does not depend on the budget, which a sampler does not know;
beliefs that the trials speak against do not count.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from assay.core.parameters import UNSET
from assay.core.protocols import Proposal
from assay.core.space import Space
from assay.math.agreement import kendall
from assay.math.checks import Array
from assay.math.encoding import Encoding
from assay.math.intervals import normal_quantile
from assay.samplers.gp_history import trials_seen
from assay.samplers.sequence import proposal
from assay.samplers.sobol import Sobol

if TYPE_CHECKING:
    from assay.core.history import History
    from assay.samplers.gp_history import Memory

Beliefs: TypeAlias = tuple[tuple[str, Any, str], ...]
"""Name, value and strength of each; values as the space stores them."""

SPREADS = {"weak": 0.25, "strong": 0.1}
EVEN_SHARES = {"weak": 0.5, "strong": 0.2}
WEIGHT = 10.0  # B
DOUBT = 1.0  # sd by which tau must be above 0
FEW_CELLS = 50
HOT = 0.05  # so narrow that the column of a choice is at its peak or nowhere


class _Factor(NamedTuple):
    """p of one parameter: even + peak exp(-((z - centre) / spread)^2 / 2) at column z of a row.

    For a choice z is the column of the believed value, which is sqrt(1/2) or 0.
    """

    coordinate: int
    column: int
    centre: float
    spread: float
    peak: float
    even: float


class Density:
    """The product of p over all parameters that a user has a belief about.

    >>> from assay.core.parameters import Float
    >>> density = Density(Encoding(Space(x=Float(0, 1))), (("x", 0.5, "strong"),))
    >>> density.log(np.array([[0.5], [0.9]])).round(2)
    array([ 1.22, -1.6 ])
    """

    def __init__(self, encoding: Encoding, beliefs: Beliefs) -> None:
        self.encoding = encoding
        nodes = encoding.space.nodes
        self._conditional = any(nodes[name].conditions for name, _, _ in beliefs)
        self._factors = [f for belief in beliefs for f in _factors(encoding, *belief)]
        self._coordinates, self._columns = (
            np.array([f[i] for f in self._factors], np.intp) for i in (0, 1)
        )
        self._centres, self._spreads, self._peaks, self._evens = (
            np.array([f[i] for f in self._factors]) for i in (2, 3, 4, 5)
        )

    def log(self, rows: Array) -> Array:
        """The logarithm of p at rows (m, D), shape (m,)."""
        return self.log_with_gradient(rows)[0]

    def log_with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same, and its gradient by the columns of the rows, shape (m, D)."""
        z = (rows[:, self._columns] - self._centres) / self._spreads
        near = self._peaks * np.exp(-0.5 * z**2)
        p = self._evens + near
        logs, slopes = np.log(p), -near / p * z / self._spreads
        if self._conditional:
            active = self.encoding.active(self.encoding.points_of(rows))[:, self._coordinates]
            logs, slopes = logs * active, slopes * active
        gradient = np.zeros_like(rows)
        gradient[:, self._columns] = slopes
        return logs.sum(axis=1), gradient

    def moved(self, point: Array) -> Array:
        """A point of the even cube moved to where the beliefs are, their even shares left out."""
        found = point.copy()
        for f in self._factors:
            if f.coordinate in self.encoding.categories:
                level = np.flatnonzero(self.encoding.columns(f.coordinate) == f.column)
                found[f.coordinate] = self.encoding.levels(f.coordinate)[level[0]]
            else:
                below, above = _ends(f.centre, f.spread)
                share = below + found[f.coordinate] * (above - below)
                found[f.coordinate] = f.centre + f.spread * normal_quantile(share)
        return found


def _factors(encoding: Encoding, name: str, value: Any, strength: str) -> Iterator[_Factor]:
    """The factor of a belief; none for a parameter with one value."""
    coordinate = encoding.names.index(name)
    columns = encoding.columns(coordinate)
    place, even = encoding.space[name].to_unit(value), EVEN_SHARES[strength]
    if not len(columns):
        return
    if coordinate in encoding.categories:
        levels = encoding.levels(coordinate)
        column = columns[np.argmin(np.abs(levels - place))]
        yield _Factor(coordinate, column, math.sqrt(0.5), HOT, (1 - even) * len(levels), even)
    else:
        spread = SPREADS[strength]
        mean = _mean(encoding, coordinate, place, spread)
        yield _Factor(coordinate, columns[0], place, spread, (1 - even) / mean, even)


def _mean(encoding: Encoding, coordinate: int, centre: float, spread: float) -> float:
    """The mean of exp(-((u - centre) / spread)^2 / 2) over the range; over its cells where they are few."""
    if encoding.cells[coordinate] <= FEW_CELLS:
        z = (encoding.levels(coordinate) - centre) / spread
        return float(np.exp(-0.5 * z**2).mean())
    below, above = _ends(centre, spread)
    return (above - below) * spread * math.sqrt(2 * math.pi)


def _ends(centre: float, spread: float) -> tuple[float, float]:
    """The mass of a normal density below 0 and below 1."""
    below, above = (math.erf((end - centre) / spread / math.sqrt(2)) for end in (0.0, 1.0))
    return (1 + below) / 2, (1 + above) / 2


@dataclass(frozen=True)
class Believed:
    """The beliefs as a summand of the log acquisition: log p, `weight` times."""

    density: Density
    weight: float

    def value(self, rows: Array) -> Array:
        return self.weight * self.density.log(rows)

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        value, gradient = self.density.log_with_gradient(rows)
        return self.weight * value, self.weight * gradient

    def said(self, row: Array) -> dict[str, Any]:
        """How many nats the beliefs add at a row (1, D)."""
        return {"belief": float(f"{self.value(row)[0]:.4g}")}


def believed(memory: Memory, history: History, beliefs: Beliefs) -> Believed | None:
    """The beliefs at their present weight; None where the trials speak against them.

    They do when p and the losses rise together: Kendall's tau between them is more than one standard
    deviation above 0. Trials that end later may acquit a belief again.
    """
    if not beliefs:
        return None
    density = Density(memory.encoding, beliefs)
    losses = np.array(memory.losses[: history.n_ended])
    told = np.isfinite(losses)
    rows = memory.encoding.rows(memory.points(np.asarray(history.ended)[told]))
    tau, sd = kendall(density.log(rows), losses[told])
    return Believed(density, WEIGHT / trials_seen(history)) if tau <= DOUBT * sd else None


# --- the first configs


def believed_start(
    memory: Memory, history: History, beliefs: Beliefs, seed: int
) -> Proposal | None:
    """A new first config from what is believed, for every other proposal; None for the others.

    The very first has the believed values, and defaults where nothing is believed. Later ones are
    draws: the points of the even sequence that they replace, moved to where the beliefs are.
    """
    space, index = memory.space, history.n_sampled
    if not beliefs or index % 2:
        return None
    point = Sobol(seed).point(index, len(space))
    if index == 0:
        own = _own(space, beliefs, point)
        if space.allowed(own) and history.find(own) is None:
            return Proposal(own, {"design": "belief"})
    moved = Density(memory.encoding, beliefs).moved(point)
    found = proposal(space, moved, name="sobol", seed=seed, index=index)
    if history.find(found.config) is not None:
        return None
    return Proposal(found.config, {"design": "belief", "index": index})


def _own(space: Space, beliefs: Beliefs, point: Array) -> dict[str, Any]:
    """The believed values, then defaults, then what the point says."""
    values = {name: value for name, value, _ in beliefs}
    places = {name: float(u) for name, u in zip(sorted(space.names), point, strict=True)}
    config: dict[str, Any] = {}
    for name, node in space.nodes.items():
        if node.active(config):
            value = values.get(name, node.parameter.default)
            config[name] = (
                node.parameter.from_unit(places[name])
                if value is UNSET
                else node.parameter.settle(value)  # a copy: configs share nothing
            )
    return config
