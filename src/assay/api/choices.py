"""A plan in words: a line for each choice that was made for a study, with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from assay.core.space import Space
from assay.core.spec import RULES, Budget, StudySpec
from assay.evaluation.splits import Splits
from assay.inputs import Table


@dataclass(frozen=True)
class Chosen:
    """One line of the plan as it is printed: what, its value, why, and the option that changes it."""

    what: str
    value: str
    why: str
    option: str


def model_line(name: str, estimator: Any) -> Chosen:
    """The model."""
    auto = isinstance(estimator, str) and estimator == "auto"
    why = "the usual first choice for tables" if auto else "you chose it"
    return Chosen("model", name, why, "--model")


def space_line(space: Space, *, own: bool) -> Chosen:
    """What is searched; `own`: the user gave it."""
    size = "" if math.isinf(space.size) else f", {space.size:,.0f} configs"
    why = "you gave it" if own else "built in, sources in docs/models.md"
    return Chosen("space", f"{len(space)} parameters{size}", why, "--space")


def splits_line(splits: Splits, folds: int, why: str) -> Chosen:
    """How the rows of the search are divided."""
    times = f", {splits.repeats} times" if splits.repeats > 1 else ""
    value = f"{splits.kind}, {folds} fold{'s' if folds > 1 else ''}{times}"
    return Chosen("splits", value, why, "--splits")


def shadow_line(dev: Table, shadow: Table | None) -> tuple[Chosen, ...]:
    """The shadow set, if there is one."""
    if shadow is None:
        return ()
    value = f"{len(shadow):,} rows, {len(dev):,} to search on"
    why = "only the best so far are scored on it"
    if len(shadow) > len(dev):
        why = f"more than the search has; 0.1 to 0.15 is usual; {why}"
    return (Chosen("shadow set", value, why, "--shadow"),)


def search_lines(spec: StudySpec, *, own_budget: bool) -> tuple[Chosen, ...]:
    """Who proposes, what may be spent, and what else was chosen for the search."""
    return (
        _sampler_line(spec),
        _budget_line(spec, own=own_budget),
        *_order_line(spec),
        *_scheduler_line(spec),
        *_rule_line(spec),
    )


def _sampler_line(spec: StudySpec) -> Chosen:
    """Who proposes."""
    name = str(spec.sampler["name"])
    why = "a model of the trials so far proposes the next" if name == "auto" else "you chose it"
    if name == "grid":
        from assay.samplers.grid import Grid

        points = {k: v for k, v in spec.sampler.items() if k != "name"}
        name = f"grid of {Grid(**points).size(spec.space):,} configs"
    return Chosen("sampler", name, why, "--sampler")


def _budget_line(spec: StudySpec, *, own: bool) -> Chosen:
    """What may be spent; `own`: the user said it."""
    assert spec.budget is not None
    why = "" if own else "the usual start"
    return Chosen("budget", _budget_in_words(spec.budget), why, "--trials")


def _order_line(spec: StudySpec) -> tuple[Chosen, ...]:
    """Strict order, if that was asked for."""
    if spec.lag is None:
        return ()
    why = f"the same trials for any number of workers; up to {spec.lag + 1} run at once"
    return (Chosen("order", f"strict, lag {spec.lag}", why, "--order, --lag"),)


def _scheduler_line(spec: StudySpec) -> tuple[Chosen, ...]:
    """What cuts trials short, if anything does."""
    if spec.scheduler is None:
        return ()
    why = "a trial that can hardly become the best is not evaluated on the folds that are left"
    return (Chosen("scheduler", str(spec.scheduler["name"]), why, "--scheduler"),)


def _rule_line(spec: StudySpec) -> tuple[Chosen, ...]:
    """The rule of selection, if it is not the usual one."""
    if spec.evidence is None:
        return (Chosen("evidence", "none", "a search only: no verdict", "--evidence"),)
    rule = spec.evidence.select
    return () if rule == RULES[0] else (Chosen("selection", rule, "you chose it", "--select"),)


def _budget_in_words(budget: Budget) -> str:
    limits = {
        "trials": budget.trials,
        "looks": budget.looks,
        "seconds": budget.seconds,
        "CPU seconds": budget.cpu_seconds,
        **{name.replace("_", " "): limit for name, limit in budget.totals.items()},
    }
    return ", ".join(f"{limit:g} {name}" for name, limit in limits.items() if limit is not None)
