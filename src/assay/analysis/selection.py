"""Which trial is kept: the best are measured again on fresh units, and the control has a guard. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from assay.analysis.borrowed import first_borrowed
from assay.analysis.effects import (
    by_noise,
    control_noise,
    differences,
    fresh_interval,
    has_control,
)
from assay.analysis.outcomes import losses, numbers_of_ended
from assay.core import units
from assay.core.constraints import broken, numbers_of
from assay.core.errors import StateError
from assay.core.events import CONTROL, Concluded, Opened, Selected, Told
from assay.core.history import History
from assay.core.spec import Evidence, StudySpec
from assay.math.intervals import Interval
from assay.math.pareto import violation


@dataclass(frozen=True)
class Candidate:
    """A rechecked trial: its gain over the control on fresh units, and what the search had shown."""

    trial: int
    fresh: Interval
    search: float


def ranked(spec: StudySpec, history: History) -> list[int]:
    """Feasible trials, best first; the earlier one first when equal."""
    loss, numbers = losses(spec, history), numbers_of_ended(history)
    order = np.lexsort((numbers, loss))  # NaN comes last
    found: list[int] = numbers[order[: np.count_nonzero(~np.isnan(loss))]].tolist()
    return found


def best_by_value(spec: StudySpec, history: History) -> int | None:
    """The first of `ranked`; None if no trial is feasible."""
    loss = losses(spec, history)
    if np.isnan(loss).all():
        return None
    return int(numbers_of_ended(history)[loss == np.nanmin(loss)].min())


def best_trial(spec: StudySpec, history: History) -> int:
    """The trial to use: what the verdict recommends; before it the selected one, or the best value.

    Raises:
        StateError: no trial has a value yet, or none is feasible.
    """
    concluded, selected = history.last(Concluded), history.last(Selected)
    if concluded and selected and concluded.verdict["action"] is not None:
        opened = history.last(Opened)  # a later look may have been at another trial
        tuned = opened.results["gain"]["challenger"] if opened else selected.challenger
        return CONTROL if concluded.verdict["action"] == "KEEP_DEFAULTS" else int(tuned)
    if selected:
        return int(selected.trial)
    best = best_by_value(spec, history)
    if best is None:
        raise StateError(none_feasible(spec, history) or "No trial has a value yet.")
    return best


def nearest_to_feasible(spec: StudySpec, history: History) -> list[int]:
    """Trials with a value, the nearest to meeting the constraints first; the feasible ones lead."""
    numbers = [number for number, _ in history.told()]
    excess = [
        [constraint.excess(found.get(constraint.name, math.nan)) for constraint in spec.bounds]
        for found in (numbers_of(told, spec.objectives) for _, told in history.told())
    ]
    far = violation(np.array(excess).reshape(len(numbers), len(spec.bounds)))
    met = np.array([history.feasible(number) for number in numbers], bool)
    far = np.where(met, 0.0, np.maximum(far, 1e-12))  # at a strict bound the excess is 0
    return [numbers[i] for i in np.argsort(far, kind="stable")]


def none_feasible(spec: StudySpec, history: History) -> str:
    """That no trial with a value is feasible, and how near the nearest is; empty if it is not so."""
    near = nearest_to_feasible(spec, history)[:1]
    if not near or history.feasible(near[0]):
        return ""
    told = history.outcome(near[0])
    assert isinstance(told, Told)
    found = numbers_of(told, spec.objectives)
    said = ", ".join(
        f"{c.name} = {found[c.name]:.6g} where {c} is wanted"
        if c.name in found
        else f"{c.name} not finite where {c} is wanted"
        for c in broken(spec.bounds, found)
    )
    return f"None of {history.n_ended} trials met the constraints; trial {near[0]} comes nearest: {said}."


def shortlist(spec: StudySpec, history: History) -> list[int]:
    """The best trials that are measured again beside the control, best first, and the best borrowed."""
    rules = spec.evidence or Evidence()
    best = [number for number in ranked(spec, history) if number != CONTROL]
    top = best[: rules.top_of(history.n_trials)]
    borrowed = first_borrowed(history, best)
    return top if borrowed is None or borrowed in top else [*top, borrowed]


def candidates(spec: StudySpec, history: History) -> list[Candidate]:
    """The shortlist with fresh gains, best first.

    Left out are trials without a fresh value, or with one alone while the noise is not known.
    """
    found = []
    spread = control_noise(spec, history).spread
    for number in shortlist(spec, history):
        fresh = list(differences(spec, history, number, units.rechecks(spec)).values())
        if not fresh or (len(fresh) == 1 and spread is None):
            continue
        search = list(differences(spec, history, number, units.search(spec)).values())
        interval = (
            fresh_interval(spec, fresh) if len(fresh) > 1 else by_noise(fresh[0], spread or 0.0)
        )
        found.append(Candidate(number, interval, sum(search) / len(search)))
    return sorted(found, key=lambda c: (-c.fresh.estimate, c.trial))


def select(spec: StudySpec, history: History) -> Selected:
    """The trial that is kept, by the rule "recheck + guard"; with no noise, or no control, by the search.

    The challenger is the best of the shortlist on fresh units alone. The control is kept unless the
    challenger's fresh gain exceeds `guard` corrected standard errors.
    """
    best = ranked(spec, history)
    if not has_control(history):
        reason = f"{_why_no_control(spec)}: the best value of the search"
        return Selected(best[0], best[0], "best", reason, [])
    if units.deterministic(spec, history) and not spec.data:
        challenger = next((n for n in best if n != CONTROL), CONTROL)
        kept = best[0]
        reason = "the objective is deterministic: the best value of the search"
        return Selected(kept, challenger, "best", reason, [])
    found = candidates(spec, history)
    if not found:
        return Selected(CONTROL, CONTROL, "recheck+guard", "no trial could be measured again", [])
    top, guard = found[0], (spec.evidence or Evidence()).guard
    needed = guard * top.fresh.se
    beats = top.fresh.estimate > max(needed, 0.0)
    words = "exceeds" if beats else "does not exceed"
    reason = (
        f"trial {top.trial} gains {top.fresh.estimate:+.4g} on {top.fresh.n} fresh evaluations, which "
        f"{words} {guard:g} standard error{'' if guard == 1 else 's'} ({needed:.4g})"
    )
    kept = top.trial if beats else CONTROL
    return Selected(kept, top.trial, "recheck+guard", reason, [_row(c) for c in found])


def _why_no_control(spec: StudySpec) -> str:
    if spec.control is None:
        return "no defaults to compare with"
    return "the defaults do not meet the constraints"


def _row(candidate: Candidate) -> dict[str, Any]:
    fresh = candidate.fresh
    return {
        "trial": candidate.trial,
        "search_gain": candidate.search,
        "fresh_gain": fresh.estimate,
        "low": fresh.low,
        "high": fresh.high,
        "se": fresh.se,
        "n": fresh.n,
    }
