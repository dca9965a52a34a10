"""Any sampler under a scheduler: what cut trials would have come to stands for a result.

A value after 3 epochs is not one after 81. But where trials have both, the one tells the other: from
rung to rung

    loss at rung k + 1  =  a_k + b_k * loss at rung k + e_k

is fitted to the trials that came to both, and the chain of these lines carries every trial from the
highest rung that it reached to the full fidelity, with a standard error that grows on the way.

Source: Kennedy and O'Hagan 2000, doi:10.1093/biomet/87.1.1 (autoregression over fidelities). Differs:
the lines are fitted by themselves, not together with the sampler's model, so every sampler can use it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from assay.core.events import Asked, Created, Enqueued, Event, Failed, Told
from assay.core.fidelity import Fidelity
from assay.core.history import History, fold
from assay.core.protocols import Proposal, Sampler
from assay.core.runs import Run

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.space import Space

SLOPE_WEIGHT = 3.0
"""What the belief that a rung's differences are kept on the next counts for, in trials."""
LEAST_SLOPE = 0.1
NO_PAIRS = 0.5
"""The error of a step that no trial has made yet, in standard deviations of the values below it."""


class Line(NamedTuple):
    """From the losses of one rung to those of the next: start, slope, variance of the error."""

    start: float
    slope: float
    variance: float


@dataclass(frozen=True)
class AtFidelity:
    """Asks `inner` with every trial at the full fidelity, measured there or expected.

    Args:
        inner: any sampler of one objective.
        sign: 1 if values are minimised, -1 if they are maximised.
        eta: between the rungs at which curves are read.
    """

    inner: Sampler
    sign: float = 1.0
    eta: int = 3

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """What `inner` proposes; `why` also says how many results were expected ones."""
        fidelity = history.fidelity
        if fidelity is None or not any(run.curve for run in history.runs()):
            return self.inner.ask(space, history, rng)
        runs = history.runs()
        seen, expected = view(
            history, runs, estimates(fidelity, self.sign, runs, self.eta), self.sign
        )
        config, why = self.inner.ask(space, seen, rng)
        return Proposal(config, {**(why or {}), "expected": expected} if expected else why)


def view(
    history: History, runs: Sequence[Run], found: Sequence[tuple[float, float] | None], sign: float
) -> tuple[History, int]:
    """The history in which cut trials have ended with what is expected of them, and how many have."""
    created = history.last(Created)
    events: list[Event] = [created, *history.learned]
    ends: list[Event] = []
    expected = 0
    for run, estimate in zip(runs, found, strict=True):
        config, origin = history.config(run.trial), history.origin(run.trial)
        if origin == "given":
            events.append(Enqueued(config))
        events.append(Asked(run.trial, config, 0, origin))
        outcome = history.outcome(run.trial)
        if isinstance(outcome, Told):
            ends.append(Told(run.trial, outcome.values, outcome.extra))
        elif isinstance(outcome, Failed):
            ends.append(Failed(run.trial, outcome.kind, ""))
        elif estimate is not None:
            loss, error = estimate
            ends.append(Told(run.trial, (sign * loss,), {"se": error}))
            expected += 1
    return fold([*events, *ends]), expected


def estimates(
    fidelity: Fidelity, sign: float, runs: Sequence[Run], eta: int = 3
) -> list[tuple[float, float] | None]:
    """The loss expected of each trial at the full fidelity, and its standard error; None: nothing known.

    >>> runs = [Run(0, "done", 9, 9, ((1, 0.5), (9, 0.2))), Run(1, "stopped", 9, 1, ((1, 0.9),))]
    >>> [round(loss, 3) for loss, _ in estimates(Fidelity("epochs", 1, 9), 1.0, runs)]
    [0.2, 0.6]
    """
    steps = fidelity.rungs(eta) if fidelity.kind != "folds" else range(1, fidelity.most + 1)
    tables = [_at_rungs(fidelity, sign, run, steps) for run in runs]
    lines = [_line(tables, k) for k in range(len(steps) - 1)]
    found: list[tuple[float, float] | None] = []
    for table in tables:
        reached = [k for k, loss in enumerate(table) if loss is not None]
        if not reached:
            found.append(None)
            continue
        loss, variance = table[reached[-1]], 0.0
        assert loss is not None
        for line in lines[reached[-1] :]:
            loss = line.start + line.slope * loss
            variance = line.slope**2 * variance + line.variance
        found.append((loss, math.sqrt(variance)))
    return found


def _at_rungs(
    fidelity: Fidelity, sign: float, run: Run, steps: Sequence[int]
) -> list[float | None]:
    """The loss of a run at each rung: its first report there or later, but before the next rung."""
    if fidelity.kind == "folds":
        values = [sign * value for _, value in run.curve]
        return [sum(values[:k]) / k if k <= len(values) else None for k in steps]
    found: list[float | None] = [None] * len(steps)
    for step, value in reversed(run.curve):
        rung = max((k for k, at in enumerate(steps) if at <= step), default=None)
        if rung is not None:
            found[rung] = sign * value
    return found


def _line(tables: Sequence[Sequence[float | None]], rung: int) -> Line:
    """The line from a rung to the next, by the trials that came to both."""
    below = [t[rung] for t in tables if t[rung] is not None]
    pairs = [
        (t[rung], t[rung + 1]) for t in tables if t[rung] is not None and t[rung + 1] is not None
    ]
    spread = _variance([value for value in below if value is not None])
    if not pairs:
        return Line(0.0, 1.0, NO_PAIRS**2 * spread)
    n = len(pairs)
    mean_u, mean_v = (sum(column) / n for column in zip(*pairs, strict=True))
    left = [(u - mean_u, v - mean_v) for u, v in pairs if u is not None and v is not None]
    own = sum(u * u for u, _ in left)
    prior = SLOPE_WEIGHT * (own / n if own else spread)
    weight = own + prior
    slope = (sum(u * v for u, v in left) + prior) / weight if weight else 1.0
    slope = max(slope, LEAST_SLOPE)
    residual = sum((v - slope * u) ** 2 for u, v in left)
    variance = (residual + NO_PAIRS**2 * spread) / (n + 1)
    return Line(mean_v - slope * mean_u, slope, variance)


def _variance(values: Sequence[float]) -> float:
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return sum((value - mean) ** 2 for value in values) / (len(values) - 1)
