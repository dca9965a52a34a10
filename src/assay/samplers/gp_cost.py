"""Cheaper configs first, while there is time: what a config is expected to take, as a summand.

    a(x) = log EI(x) - w ln c(x)        c(x) expected cost, w = 1 - spent / budget

At the start that is the expected improvement per second; as the budget goes, cost counts for less, so
that an optimum which is expensive is still found (Lee et al. 2020, arXiv:2003.10870, cost cooling).
Only where the study has a budget of time, and where costs are shown to depend on the config: 12 trials,
whose costs differ, and of whose variance the model explains 30 % when each is left out in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.events import Created, Deviated, Told
from assay.math.checks import Array
from assay.math.cost_model import CostModel

if TYPE_CHECKING:
    from assay.core.history import History
    from assay.samplers.gp_history import Memory

FEWEST = 12
EXPLAINED = 0.3  # of the variance of ln c, each trial left out in turn
VARIED = 0.3  # the least standard deviation of ln c
CAP = 10.0  # a config counts as no more than so many times cheaper or dearer than the median
NEWEST = 200

_LIMITS = (
    ("cpu_seconds", "cpu_s", 1.0),
    ("cpu_hours", "cpu_s", 3600.0),
    ("seconds", "wall_s", 1.0),
)
"""Limits of time, the cost that they bound, and its seconds."""


@dataclass(frozen=True)
class Cheap:
    """- w ln c at rows, in nats; `typical` is the median cost."""

    model: CostModel
    weight: float
    typical: float

    def value(self, rows: Array) -> Array:
        """Shape (m,)."""
        return -self.weight * np.clip(self._relative(rows), -np.log(CAP), np.log(CAP))

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same, and its gradient by the columns of the rows, shape (m, D)."""
        inside = np.abs(self._relative(rows)) < np.log(CAP)
        return self.value(rows), -self.weight * inside[:, None] * self.model.slopes

    def said(self, row: Array) -> dict[str, Any]:
        """The expected seconds at a row (1, D), and how much they count."""
        cost = self.typical * float(np.exp(self._relative(row)[0]))
        return {"cost_s": float(f"{cost:.4g}"), "cost_weight": float(f"{self.weight:.3g}")}

    def _relative(self, rows: Array) -> Array:
        return np.asarray(self.model.logarithms(rows) - np.log(self.typical))


def cheapness(memory: Memory, history: History) -> list[Cheap]:
    """The summand, if the study has a budget of time and the model of costs has earned its say."""
    limit = _time_limit(history)
    if limit is None:
        return []
    column, seconds = limit
    ended = [(n, history.outcome(n)) for n in history.ended]
    told = [(n, getattr(o, column)) for n, o in ended if isinstance(o, Told)]
    spent = sum(getattr(o, column) for _, o in ended if o is not None)
    weight = 1 - spent / seconds
    numbers, costs = [n for n, _ in told][-NEWEST:], np.array([c for _, c in told][-NEWEST:])
    if weight <= 0 or len(costs) < FEWEST or costs.min() <= 0 or np.log(costs).std() <= VARIED:
        return []
    model = CostModel.of(memory.encoding.rows(memory.points(numbers)), costs)
    if model.explained <= EXPLAINED:
        return []
    return [Cheap(model, weight, float(np.median(costs)))]


def _time_limit(history: History) -> tuple[str, float] | None:
    """Which cost the limit of time that the study has now bounds, and its seconds."""
    created: Created | None = history.last(Created)
    budget: Mapping[str, Any] = (created.spec.get("budget") if created else None) or {}
    for event in history.milestones():
        if isinstance(event, Deviated) and event.what == "budget":
            budget = event.after or {}
    for name, column, unit in _LIMITS:
        if budget.get(name) is not None:
            return column, unit * float(budget[name])
    return None
