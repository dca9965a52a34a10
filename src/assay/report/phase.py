"""Where a study stands, from its log alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from assay.analysis.procedure import final_of
from assay.analysis.selection import shortlist
from assay.core import units
from assay.core.events import (
    CONTROL,
    Ablated,
    Attributed,
    Concluded,
    Ended,
    Exhausted,
    Opening,
    Sealed,
    Selected,
    Steered,
    Varied,
    Voided,
)
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.plan import Finish, Record, control_left, ended, plan

Phase: TypeAlias = Literal[
    "control", "search", "recheck", "confirm", "outer", "test", "finished", "stopped"
]


@dataclass(frozen=True)
class Standing:
    """What is being done, and how much of it; `total` is None where only the budget's end tells."""

    phase: Phase
    done: int
    total: int | None


def phase(spec: StudySpec, history: History) -> Phase:
    """What is being done now."""
    if history.half_open:
        return "test"
    if history.last(Concluded):
        return "finished"
    if searches_of(history) is not None:
        return "finished" if history.last(Attributed) else "search"
    if _is_stuck(spec, history):
        return "stopped"
    if _has_searched(spec, history):
        return "finished"
    selected = history.last(Selected)
    if selected:
        return _after_selection(spec, history, selected)
    if history.n_trials and history.units(CONTROL, "recheck"):
        return "recheck"
    searched = _search_is_over(spec, history)
    late = searched and control_left(spec, history)
    if spec.control is not None and (history.n_trials <= 1 or late):
        return "control"
    return "recheck" if searched else "search"


def standing(spec: StudySpec, history: History) -> Standing:
    """What is being done now, and how much of it is done."""
    now = phase(spec, history)
    if (searches := searches_of(history)) is not None:
        begun = len(searches)
        return Standing(now, begun, begun if now == "finished" else None)
    if now == "search":
        return Standing(now, over(history), spec.budget.trials if spec.budget else None)
    if now == "control":
        fixed = bool(units.deterministic(spec, history)) if history.n_trials else False
        wanted = units.control(spec, fixed=fixed) if spec.evidence else units.search(spec)
        done = len(history.units(CONTROL)) if history.n_trials else 0
        return Standing(now, min(done, len(wanted)), len(wanted))
    if now == "recheck":
        return _measured(history, now, (CONTROL, *shortlist(spec, history)), units.rechecks(spec))
    selected: Selected | None = history.last(Selected)
    arms = tuple(dict.fromkeys((CONTROL, selected.challenger))) if selected else ()
    if now == "confirm":
        return _measured(history, now, arms, units.confirms(spec))
    if now == "test":
        fixed = bool(units.deterministic(spec, history))
        opening: Opening | None = history.last(Opening)
        fits = units.refits(spec, max(history.looks, 1), fixed=fixed)
        return _measured(history, now, opening.contenders if opening else arms, fits)
    return Standing(now, over(history), over(history))


def wish(history: History, now: Phase) -> Steered | None:
    """What whoever drives the study was asked for last and has to do still: to pause, or to stop."""
    last: Steered | None = history.last(Steered)
    over = now in ("finished", "stopped")
    return None if over or last is None or last.wish == "go on" else last


def searches_of(history: History) -> list[str] | None:
    """The studies that an ablation without trials of its own began, in order; None if it is no ablation."""
    if history.n_trials or not history.last(Ablated):
        return None
    return [event.study for event in history.milestones() if isinstance(event, Varied)]


def over(history: History) -> int:
    """How many trials get no more: those that ended, and those that a scheduler stopped."""
    return history.n_ended + sum(run.state == "stopped" for run in history.runs())


def evaluations(spec: StudySpec, trials: int) -> int:
    """How many evaluations come after a search of so many trials, at most."""
    if spec.evidence is None or spec.control is None or not spec.single:
        return 0
    rechecked = min(spec.evidence.top_of(trials), max(trials - 1, 0)) + 1
    return rechecked * len(units.rechecks(spec)) + _last(spec)


def to_go(spec: StudySpec, stand: Standing) -> int | None:
    """How many evaluations are still to come, at most; None if only the budget's end tells, or none.

    The outer folds of `final="nested"` are left out: each is a study of its own.
    """
    if stand.total is None or stand.phase in ("finished", "stopped", "outer"):
        return None
    left = stand.total - stand.done
    if stand.phase == "recheck":
        return left + _last(spec)
    trials = spec.budget.trials if spec.budget else None
    if stand.phase not in ("control", "search"):
        return left
    if trials is None:
        return None
    searched = stand.done if stand.phase == "search" else 1
    further = (trials - searched) * len(units.search(spec)) + evaluations(spec, trials)
    return further if stand.phase == "search" else left + further


def _last(spec: StudySpec) -> int:
    """How many evaluations compare the chosen config with the control at the end."""
    if spec.evidence is None:
        return 0
    return 2 * (spec.evidence.refits if spec.data else spec.evidence.confirms)


def _is_by_hand(spec: StudySpec) -> bool:
    """Whether it is driven by ask and tell: then it goes on for as long as somebody asks."""
    return spec.budget is None and not spec.data


def _is_stuck(spec: StudySpec, history: History) -> bool:
    """Whether nothing more can be done, as the control or every trial failed."""
    if _is_by_hand(spec) or not (history.n_ended or ended(history)):
        return False
    if any(history.feasible(number) for number, _ in history.told()):
        return False
    return _nothing_to_search(spec, history)


def _has_searched(spec: StudySpec, history: History) -> bool:
    """Whether a study that measures nothing after its search has ended it.

    Where the log does not say so, what a scheduler paused may go on at any moment.
    """
    if (spec.evidence is not None and spec.single) or not history.n_ended or _is_by_hand(spec):
        return False
    if ended(history):
        return True
    if spec.scheduler and over(history) < history.n_trials:
        return False
    return _nothing_to_search(spec, history)


def _nothing_to_search(spec: StudySpec, history: History) -> bool:
    """Whether the plan has nothing left before a selection; who asks and tells does not end it."""
    command = plan(spec, history)
    if isinstance(command, Record):
        return isinstance(command.event, Ended)
    return isinstance(command, Finish)


def _after_selection(spec: StudySpec, history: History, selected: Selected) -> Phase:
    if not spec.data:
        return "finished" if selected.rule == "best" else "confirm"
    if final_of(spec) and not history.last(Sealed):
        return "outer"
    if not history.last(Sealed) or history.last(Voided):
        return "finished"
    return "finished" if history.looks else "test"


def _search_is_over(spec: StudySpec, history: History) -> bool:
    if spec.evidence is None or not spec.single:
        return False
    if ended(history):
        return True
    if over(history) < history.n_trials:
        return False
    limit = spec.budget.trials if spec.budget else None
    return bool(history.last(Exhausted)) or (limit is not None and history.n_trials >= limit)


def _measured(
    history: History, now: Phase, arms: tuple[int, ...], wanted: tuple[tuple[int, int, int], ...]
) -> Standing:
    """Evaluations count wherever they were made: the control's repeats serve its recheck too."""
    stage = "test" if now == "test" else None
    done = sum(len(history.units(number, stage).keys() & set(wanted)) for number in arms)
    return Standing(now, done, len(arms) * len(wanted))
