"""Which units each stage of a study evaluates. Pure.

A unit is (repeat, fold, seed index). The search uses repeat 0 and seed 0 for every trial, so that
trials are compared on the same folds. Everything that counts as evidence uses units that the
search never saw: on data higher repeats (fresh splits), without data higher seeds.
"""

from __future__ import annotations

import math

from assay.core.events import CONTROL, Selected, Told
from assay.core.history import History
from assay.core.jobs import Unit
from assay.core.rng import derived_seed
from assay.core.spec import Evidence, StudySpec

SHADOW = "shadow"
"""The stage in which an incumbent is scored on rows that the search never uses."""
_CONFIRM = 1000
"""First seed index of the confirmation, unless a control or a recheck uses as many."""


def folds(spec: StudySpec) -> int:
    """How many folds a repeat of the splits has; 1 for a study without data."""
    return int(spec.data["folds"]) if spec.data else 1


def seed_of(spec: StudySpec, unit: Unit) -> int:
    """The random seed of a unit: the same for every trial, so that luck is shared in comparisons."""
    return derived_seed(spec.seed, "unit", unit[2])


def search(spec: StudySpec) -> tuple[Unit, ...]:
    """The units on which every trial is evaluated."""
    return tuple((r, fold, 0) for r in range(repeats(spec)) for fold in range(folds(spec)))


def repeats(spec: StudySpec) -> int:
    """How many repeats of the splits the search uses; higher ones are fresh."""
    return int(spec.data.get("repeats", 1)) if spec.data else 1


def probe(trial: int = CONTROL) -> tuple[Unit, Unit]:
    """Is the model deterministic? The control: the same seed again, and another one.

    A challenger takes two other seeds: coarse values agree by luck, and defaults that have no noise
    say nothing of other configs.
    """
    return ((0, 0, 0), (0, 0, 1)) if trial == CONTROL else ((0, 0, 1), (0, 0, 2))


def deterministic(spec: StudySpec, history: History) -> bool | None:
    """Whether every trial that was probed gave its first value again; None: not known yet."""
    control = _steady(spec, history, CONTROL)
    if not control:
        return control
    if not spec.data:  # few trials have single units: the control and the challenger at the end
        return all(_steady(spec, history, trial) is not False for trial in history.measured)
    selected = history.last(Selected)
    return not selected or _steady(spec, history, selected.challenger) is not False


def _steady(spec: StudySpec, history: History, trial: int) -> bool | None:
    again = history.units(trial, "probe")
    first = search_values(spec, history, trial).get((0, 0, 0))
    if first is None or not set(probe(trial)) <= again.keys():
        return None
    return all(event.value == first for event in again.values())


def search_values(spec: StudySpec, history: History, trial: int) -> dict[Unit, float]:
    """Every value measured of a trial outside probe and test, by unit, in the user's direction."""
    values = {unit: event.value for unit, event in history.units(trial).items()}
    if not spec.data and trial >= 0 and isinstance(told := history.outcome(trial), Told):
        values[(0, 0, 0)] = told.values[0]
    return values


def rechecks(spec: StudySpec) -> tuple[Unit, ...]:
    """The fresh units on which the best trials and the control are compared."""
    rules = spec.evidence or Evidence()
    if not spec.data:
        return tuple((0, 0, seed) for seed in range(1, (rules.rechecks or 3) + 1))
    k, first = folds(spec), repeats(spec)
    count = max(math.ceil((rules.rechecks or 10) / k), 2 if k > 1 else 1)
    return tuple((r, fold, 0) for r in range(first, first + count) for fold in range(k))


def control(spec: StudySpec, *, fixed: bool) -> tuple[Unit, ...]:
    """The units on which the control is measured before the search, its search units included.

    `fixed`: the model is deterministic, so repeating a seed or trying another tells nothing.
    """
    rules = spec.evidence or Evidence()
    if not spec.data:
        return search(spec) if fixed else tuple((0, 0, s) for s in range(rules.repeats))
    seeds = 1 if fixed else rules.seeds
    count = max(rules.repeats, repeats(spec))
    if folds(spec) == 1:
        count = max(count, rules.rechecks or 10)
    return tuple((r, f, s) for r in range(count) for s in range(seeds) for f in range(folds(spec)))


def may_lack_control(spec: StudySpec) -> bool:
    """Whether the search goes on, and the study ends without a verdict, if the control fails."""
    return bool(spec.data and spec.data.get("control") == "may fail")


def shadow(spec: StudySpec) -> tuple[Unit, ...]:
    """The one fit of each incumbent that is scored on the shadow set; none without one."""
    return ((0, 0, 0),) if spec.data and spec.data.get("shadow") else ()


def confirms(spec: StudySpec) -> tuple[Unit, ...]:
    """The last fresh units of a study without data, used by no choice before."""
    rules = spec.evidence or Evidence()
    first = max(_CONFIRM, rules.repeats, len(rechecks(spec)) + 1)
    return tuple((0, 0, first + i) for i in range(rules.confirms))


def refits(spec: StudySpec, look: int, *, fixed: bool) -> tuple[Unit, ...]:
    """The fits of each contender for a look at the sealed test set."""
    rules = spec.evidence or Evidence()
    return tuple((look - 1, 0, s) for s in range(1 if fixed else rules.refits))
