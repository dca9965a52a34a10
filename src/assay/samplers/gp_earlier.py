"""What earlier studies found, as first configs and as a factor of the acquisition that fades.

    mu_j    what the process of source j expects of a config, in normal scores of its own losses
    tau_j   Kendall's tau between mu_j and the losses of the trials here
    sd      of tau between two orders that have nothing to do with each other
    w_j     tau_j - 1.28 sd, not below 0, over the sum of these: chance alone passes one time in ten
    n       trials that ended here

    log acquisition = log EI - (B / n) sum_j w_j mu_j

Source: processes of earlier tasks that are weighted by how well they rank the trials of this one are
those of Feurer et al. 2018, arXiv:1802.02219; normal scores, to be rid of scales, as in Salinas et al.
2020, arXiv:1909.13595. Differs: they shape the acquisition, as a prior does in Hvarfner et al. 2022,
arXiv:2204.11051, and leave the process of this study alone; weights are in closed form, from ranks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.events import Learned
from assay.core.protocols import Proposal
from assay.math.agreement import kendall
from assay.math.checks import Array
from assay.math.encoding import Encoding, Indices
from assay.math.gp import Posterior, SingularError
from assay.math.gp_fit import fit, prior_start
from assay.samplers.gp_history import trials_seen

if TYPE_CHECKING:
    from assay.core.history import History
    from assay.samplers.gp_history import Memory

MOST_STARTS = 3
APART = 0.1  # distance of rows below which two configs are one start
SURE = 1.28
MOST_SOURCES = 2  # that count at once: each costs time in every ask
WEIGHT = 10.0  # B


class Source:
    """An earlier study as a process over those columns of a row in which its configs differ.

    Raises:
        SingularError: no process can be made of it.
    """

    def __init__(self, encoding: Encoding, event: Learned) -> None:
        self.name = event.study
        self.points = np.array([encoding.point(config) for config in event.configs])
        self.losses = np.array(event.losses)
        rows = encoding.rows(self.points)
        self.width = rows.shape[1]
        self.columns: Indices = np.flatnonzero(np.ptp(rows, axis=0) > 0)
        self._mean, self._sd = float(self.losses.mean()), float(self.losses.std())
        if not len(self.columns) or not self._sd > 0:
            raise SingularError("The configs or losses of an earlier study are all alike.")
        owners, owner = np.unique(encoding.owner[self.columns], return_inverse=True)
        known, targets = rows[:, self.columns], (self.losses - self._mean) / self._sd
        hyper = fit(known, targets, owner, prior_start(len(owners)))
        self._process = Posterior(known, targets, owner, hyper)

    def expects(self, rows: Array) -> Array:
        """What it expects at rows (m, D), shape (m,)."""
        process = self._process
        k = process.correlations(rows[:, self.columns])
        return np.asarray(self._mean + self._sd * (process.mean + k @ process.weights))

    def expects_with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same, and its gradient by the columns of the rows, shape (m, D)."""
        mean, _, slope, _ = self._process.predict_with_gradient(rows[:, self.columns])
        gradient = np.zeros((len(rows), self.width))
        gradient[:, self.columns] = self._sd * slope
        return self._mean + self._sd * mean, gradient


@dataclass
class Earlier:
    """The sources of a study, the configs that they offer, and what they expect of its trials."""

    sources: list[Source]
    offers: list[tuple[str, Array]]  # which source, and the point
    _expected: list[Array] = field(default_factory=list)  # by trial number, shape (sources,)

    def follow(self, memory: Memory, history: History) -> None:
        """Take in the configs that are new in `history`."""
        done = len(self._expected)
        if history.n_trials > done:
            rows = memory.encoding.rows(memory.points(range(done, history.n_trials)))
            self._expected += list(np.transpose([s.expects(rows) for s in self.sources]))

    def weights(self, memory: Memory, history: History) -> Array:
        """How much each source counts, shape (sources,): of sum 1, or all 0 where none agrees."""
        losses = np.array(memory.losses[: history.n_ended])
        told = np.isfinite(losses)
        expected = np.array([self._expected[number] for number in history.ended])[told]
        agree = np.zeros(len(self.sources))
        for j in range(len(agree)):
            tau, sd = kendall(expected[:, j], losses[told])
            agree[j] = max(tau - SURE * sd, 0.0)
        agree[np.argsort(-agree, kind="stable")[MOST_SOURCES:]] = 0.0
        return agree / (agree.sum() or 1.0)


def earlier_of(memory: Memory, history: History) -> Earlier | None:
    """What the study learnt from, kept with its history; None if that is nothing."""
    learned = history.learned
    if not learned:
        return None
    # by identity, as the memory itself: it holds the space
    key = ("earlier", id(memory.space))
    earlier = history.memo(key, lambda: _made(memory.encoding, learned))
    if not earlier.sources:
        return None
    earlier.follow(memory, history)
    return earlier


def _made(encoding: Encoding, learned: Sequence[Learned]) -> Earlier:
    sources = []
    for event in learned:
        try:
            sources.append(Source(encoding, event))
        except SingularError:
            continue
    return Earlier(sources, _offers(encoding, sources))


def _offers(encoding: Encoding, sources: Sequence[Source]) -> list[tuple[str, Array]]:
    """The best config of each source in turn, then the second best, ...; none near another."""
    ranked = [np.argsort(source.losses, kind="stable") for source in sources]
    offers: list[tuple[str, Array]] = []
    for place in range(max(map(len, ranked), default=0)):
        for source, order in zip(sources, ranked, strict=True):
            if len(offers) == MOST_STARTS:
                return offers
            if place < len(order) and _is_new(encoding, source.points[order[place]], offers):
                offers.append((source.name, source.points[order[place]]))
    return offers


def _is_new(encoding: Encoding, point: Array, offers: Sequence[tuple[str, Array]]) -> bool:
    row = encoding.rows(point[None])
    near = any(np.linalg.norm(encoding.rows(p[None]) - row) < APART for _, p in offers)
    return not near and bool(encoding.allowed(point[None])[0])


# --- in the acquisition


@dataclass(frozen=True)
class Expected:
    """What the sources expect together, as a summand of the log acquisition."""

    sources: Sequence[Source]
    weights: Sequence[float]

    def value(self, rows: Array) -> Array:
        each = [-w * s.expects(rows) for s, w in zip(self.sources, self.weights, strict=True)]
        return np.asarray(np.sum(each, axis=0))

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        value, gradient = np.zeros(len(rows)), np.zeros(rows.shape)
        for source, weight in zip(self.sources, self.weights, strict=True):
            mean, slope = source.expects_with_gradient(rows)
            value -= weight * mean
            gradient -= weight * slope
        return value, gradient

    def said(self, row: Array) -> dict[str, Any]:
        """How many nats the sources add at a row (1, D), and their names."""
        names = [source.name for source in self.sources]
        return {"earlier": float(f"{self.value(row)[0]:.4g}"), "sources": names}


def expected(memory: Memory, history: History) -> Expected | None:
    """What those sources expect that agree with the trials so far; None if none does."""
    earlier = earlier_of(memory, history)
    if earlier is None:
        return None
    weights = earlier.weights(memory, history)
    chosen = np.flatnonzero(weights)
    if not len(chosen):
        return None
    now = WEIGHT / trials_seen(history) * weights[chosen]
    return Expected([earlier.sources[j] for j in chosen], now.tolist())


# --- the first configs


def earlier_start(memory: Memory, history: History, after: int = 0) -> Proposal | None:
    """One of the best configs of the sources, for every other proposal; None for the others.

    After the first, only while the best trial here is one of theirs: a source that does not fit costs
    one trial.

    Args:
        after: how many proposals come before the first.
    """
    earlier = earlier_of(memory, history)
    turn, odd = divmod(history.n_sampled - after, 2)
    if earlier is None or odd or turn >= len(earlier.offers):
        return None
    configs = [memory.encoding.config(point) for _, point in earlier.offers]
    tried = [history.find(config) for config in configs]
    if tried[turn] is not None:
        return None
    if turn and _best(memory, history) not in (None, *tried[:turn]):
        return None
    return Proposal(configs[turn], {"design": "earlier", "source": earlier.offers[turn][0]})


def _best(memory: Memory, history: History) -> int | None:
    """The number of the trial with the lowest loss; None while there is none."""
    losses = np.array(memory.losses[: history.n_ended])
    return history.ended[int(np.nanargmin(losses))] if np.isfinite(losses).any() else None
