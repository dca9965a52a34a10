"""What a study has spent of everything, and whether the next trial is still within its budget. Pure.

All of it comes from the log, so it is global over workers and sittings, and counts what failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from assay.analysis.outcomes import costs
from assay.core import units
from assay.core.events import CONTROL, FLOOR, Metered
from assay.core.history import History
from assay.core.rates import MODEL_ERROR, Rates
from assay.core.spec import Budget, Evidence, StudySpec
from assay.math.cost_model import FEWEST, CostModel

_STAGE_OF = {"floor": "control", "probe": "control"}
_FIT_TO = 300
"""Trials behind the cost model: the newest ones."""


@dataclass(frozen=True)
class Spending:
    """What was spent, of everything that may have a limit.

    `measured_kwh` is the part that meters counted, `kwh` all of it; `kgco2e` and `money` are
    None without a region or a price.
    """

    evaluations: int
    cpu_s: float
    wall_s: float
    gpu_hours: float
    kwh: float
    measured_kwh: float
    kgco2e: float | None
    money: float | None
    currency: str

    @property
    def error(self) -> float | None:
        """The relative error of the energy as far as it is estimated; None if all was measured."""
        estimated = self.kwh - self.measured_kwh
        return MODEL_ERROR * estimated / self.kwh if self.kwh and estimated > 0 else None

    def of(self, limit: str) -> float | None:
        """What was spent of the thing that a limit of `Budget` bounds."""
        return {
            "cpu_hours": self.cpu_s / 3600,
            "gpu_hours": self.gpu_hours,
            "kwh": self.kwh,
            "kgco2e": self.kgco2e,
            "money": self.money,
        }[limit]


def rates_of(spec: StudySpec) -> Rates:
    """The rates of a study; those of everybody where it has none."""
    return spec.rates or Rates()


def entries(history: History) -> Iterator[tuple[str, int, float, float]]:
    """(stage, evaluations, CPU s, wall s) of all that was measured, broken or ended.

    Trials of which no single units were measured come together.
    """
    single = history.measured
    control = CONTROL if history.n_trials and _is_control(history, CONTROL) else FLOOR
    yield "search", *costs(history, {control, *single})
    for number in sorted({control, *single}):
        measured = [
            *history.units(number).values(),
            *history.units(number, "probe").values(),
            *history.units(number, units.SHADOW).values(),
            *history.units(number, "test").values(),
        ]
        for event in measured:
            stage = _STAGE_OF.get(event.stage, event.stage)
            if stage == "search" and _is_control(history, number):
                stage = "control"
            yield stage, 1, event.cpu_s, event.wall_s
        outcome = history.outcome(number) if number >= 0 else None
        if outcome:
            looks = [event for event in measured if event.stage == "search"]
            stage = "control" if _is_control(history, number) else "search"
            cpu_s, wall_s = sum(e.cpu_s for e in looks), sum(e.wall_s for e in looks)
            rest = max(outcome.cpu_s - cpu_s, 0.0), max(outcome.wall_s - wall_s, 0.0)
            yield stage, 0 if looks else 1, *rest
    for broken in history.breakages():
        stage = _STAGE_OF.get(broken.stage, broken.stage)
        yield stage, len(broken.units), broken.cpu_s, broken.wall_s


def _is_control(history: History, number: int) -> bool:
    return number == CONTROL and history.origin(number) == "control"


def spending(spec: StudySpec, history: History) -> Spending:
    """All that the log says was spent, by all workers in all sittings."""
    evaluations, cpu_s, wall_s = 0, 0.0, 0.0
    for _, n, cpu, wall in entries(history):
        evaluations, cpu_s, wall_s = evaluations + n, cpu_s + cpu, wall_s + wall
    return _spent(rates_of(spec), history, evaluations, cpu_s, wall_s)


def _spent(
    rates: Rates, history: History, evaluations: int, cpu_s: float, wall_s: float
) -> Spending:
    metered = [e for e in history.milestones() if isinstance(e, Metered)]
    measured = sum(e.kwh for e in metered)
    covered = min(sum(e.cpu_s for e in metered), cpu_s)
    left = 1.0 - covered / cpu_s if cpu_s else 1.0
    kwh = measured + rates.kwh(cpu_s, wall_s) * left
    g = rates.g_per_kwh
    return Spending(
        evaluations,
        cpu_s,
        wall_s,
        rates.gpus * wall_s / 3600,
        kwh,
        measured,
        None if g is None else kwh * g / 1000,
        rates.money(kwh, cpu_s, wall_s) if rates.priced else None,
        rates.currency,
    )


@dataclass(frozen=True)
class Searched:
    """What the search has used, failed trials included."""

    trials: int
    looks: int
    cpu_seconds: float


def searched(spec: StudySpec, history: History) -> Searched:
    """What the search has used so far."""
    looks, cpu = history.used
    for number in history.running() if spec.data else ():  # others are measured when they end
        found = history.units(number, "search")
        looks += len(found)
        cpu += sum(event.cpu_s for event in found.values())
    return Searched(history.n_trials, looks, cpu)


@dataclass(frozen=True)
class Limit:
    """A limit of a budget: its name, what was used of it, and the most."""

    name: str
    used: float
    most: float


def limits(
    spec: StudySpec, budget: Budget | None, history: History, seconds: float = 0.0
) -> tuple[Limit, ...]:
    """Each limit that is set, with what was used of it.

    Args:
        budget: as it is now; see `assay.api.budgets.budget_now`.
        seconds: wall-clock time of the search, which the log does not tell.
    """
    if budget is None:
        return ()
    whole, search = spending(spec, history), searched(spec, history)
    used = {**asdict(search), "seconds": seconds}
    used |= {name: whole.of(name) or 0.0 for name in budget.totals}
    if budget.steps is not None:
        used["steps"] = sum(run.worked for run in history.runs())
    return tuple(
        Limit(name, float(used[name]), float(most))
        for name, most in asdict(budget).items()
        if most is not None and name != "reserve"
    )


def refusal(spec: StudySpec, history: History, config: Mapping[str, Any]) -> str:
    """Why a trial with this config would cross a limit of the whole study; empty if it would not.

    What counts: all that was spent, what the running trials and this one will take (with a chance of
    90 % no more), and what the evidence after the search needs, or its reserved share if that is more.
    """
    totals = spec.budget.totals if spec.budget else {}
    if not totals or not history.n_ended:
        return ""
    now = spending(spec, history)
    ahead = _ahead(spec, history, config)
    after = _evidence(spec, history, now)
    for name, limit in totals.items():
        used = now.of(name)
        if used is None:
            continue
        trial, later = (_in(name, spec, cost) for cost in (ahead, after))
        reserve = max(later, (spec.budget.reserve if spec.budget else 0.0) * limit)
        if spec.evidence is None:
            reserve = 0.0
        if used + trial + reserve > limit:
            return (
                f"the budget of {limit:g} {name}: {used:.3g} is spent, the next trial would take up to "
                f"{trial:.3g}, and {reserve:.3g} is kept for the evidence after the search"
            )
    return ""


def _ahead(spec: StudySpec, history: History, config: Mapping[str, Any]) -> tuple[float, float]:
    """CPU and wall-clock seconds of this config and of the trials that run, cautiously."""
    ended = list(history.ended)[-_FIT_TO:]
    outcomes = [history.outcome(n) for n in ended]
    costs = np.array([[o.cpu_s, o.wall_s] for o in outcomes if o is not None], dtype=float)
    coming = [config, *(history.config(n) for n in history.running())]
    costs *= 1 + len(units.shadow(spec)) / len(units.search(spec))  # it may become the incumbent
    if len(costs) < FEWEST:
        most = costs.max(axis=0) * 1.5 * len(coming)
        return float(most[0]), float(most[1])
    points = [_point(spec, history.config(n)) for n in ended]
    found = []
    for column in costs.T:
        model = CostModel.of(points, column)
        found.append(sum(model.predicted(_point(spec, c), upper=True) for c in coming))
    return found[0], found[1]


def _point(spec: StudySpec, config: Mapping[str, Any]) -> list[float]:
    return [0.5 if u is None else float(u) for u in spec.space.to_unit(config)]


def _evidence(spec: StudySpec, history: History, now: Spending) -> tuple[float, float]:
    """What the evaluations after the search will take, if they are like those so far."""
    if spec.evidence is None or spec.control is None or not now.evaluations:
        return 0.0, 0.0
    rules: Evidence = spec.evidence
    top = rules.top_of(history.n_trials + 1)
    last = rules.refits if spec.data else rules.confirms
    n = (top + 1) * len(units.rechecks(spec)) + 2 * last
    return n * now.cpu_s / now.evaluations, n * now.wall_s / now.evaluations


def _in(name: str, spec: StudySpec, cost: tuple[float, float]) -> float:
    """CPU and wall-clock seconds in the unit of a limit."""
    rates = rates_of(spec)
    cpu_s, wall_s = cost
    kwh = rates.kwh(cpu_s, wall_s)
    return {
        "cpu_hours": cpu_s / 3600,
        "gpu_hours": rates.gpus * wall_s / 3600,
        "kwh": kwh,
        "kgco2e": kwh * (rates.g_per_kwh or 0.0) / 1000,
        "money": rates.money(kwh, cpu_s, wall_s),
    }[name]
