"""Which trial is kept, by the rule of the plan: as a rule the best on fresh units, behind a guard. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assay.analysis.borrowed import first_borrowed
from assay.analysis.effects import (
    by_noise,
    control_noise,
    differences,
    fresh_interval,
    has_control,
    ratio,
)
from assay.analysis.outcomes import losses, numbers_of_ended
from assay.analysis.rules import GUARDED, changed, hurdle, one_se, posterior_mean, shrunk
from assay.core import units
from assay.core.constraints import broken, numbers_of
from assay.core.errors import StateError
from assay.core.events import CONTROL, Concluded, Failed, Opened, Selected, Told
from assay.core.history import History
from assay.core.spec import Evidence, StudySpec
from assay.math.encoding import Encoding
from assay.math.intervals import Interval
from assay.math.pareto import violation

_ROUNDING = 1e-9
"""A gain below this share of its standard error is what is left of additions."""


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
    """The trials that are measured again beside the control, best first, and the best borrowed.

    The best of the search; by a rule that looks at the search alone, its choice (where that is the
    control, the best other trial, for what is said of the gain).
    """
    rules = spec.evidence or Evidence()
    best = [number for number in ranked(spec, history) if number != CONTROL]
    top = best[: rules.top_of(history.n_trials)]
    if best and rules.select not in GUARDED and has_control(history):
        top = [_challenger(spec, history)]
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
    """The trial that is kept, by the rule of the plan; with no noise, or no control, by the search.

    The challenger, which the verdict is about, is the rule's choice among the other trials. The control
    is kept where the rule prefers it.
    """
    best = ranked(spec, history)
    if not has_control(history):
        reason = f"{_why_no_control(spec, history)}: the best value of the search"
        return Selected(best[0], best[0], "best", reason, [])
    if units.deterministic(spec, history) and not spec.data:
        challenger = next((n for n in best if n != CONTROL), CONTROL)
        kept = best[0]
        reason = "the objective is deterministic: the best value of the search"
        return Selected(kept, challenger, "best", reason, [])
    rules = spec.evidence or Evidence()
    found = candidates(spec, history)
    if not found:
        return Selected(CONTROL, CONTROL, rules.select, "no trial could be measured again", [])
    table = [_row(c) for c in found]
    if rules.select not in GUARDED:
        choice, why = _by_search(spec, history)
        measured = {candidate.trial for candidate in found}
        other = _challenger(spec, history)
        challenger = other if other in measured else found[0].trial
        kept = choice if choice in (CONTROL, challenger) else CONTROL
        return Selected(kept, challenger, rules.select, why, table)
    challenger, gain, why = _by_fresh(rules.select, found)
    needed = hurdle(rules.select, gain.se, guard=rules.guard, smallest_gain=spec.smallest_gain)
    beats = gain.estimate > max(needed, 0.0)
    words = _against(rules.select, gain, needed, rules.guard, beats=beats)
    kept = challenger if beats else CONTROL
    return Selected(kept, challenger, rules.select, f"{why}, {words}", table)


def members(history: History) -> tuple[int, ...]:
    """The trials whose predictions are averaged; empty by any other rule than the ensemble's."""
    selected: Selected | None = history.last(Selected)
    if selected is None or selected.rule != "ensemble_topk":
        return ()
    return tuple(int(row["trial"]) for row in selected.table)


def _by_fresh(rule: str, found: Sequence[Candidate]) -> tuple[int, Interval, str]:
    """The choice among trials with fresh gains, best first: its number, its gain, and why."""
    top = found[0]
    if rule == "shrink":
        gains, se = (
            np.array([getattr(c.fresh, what) for c in found]) for what in ("estimate", "se")
        )
        drawn = shrunk(gains, se)
        i = int(drawn.argmax())
        top = found[i]
        less = _moved(top.fresh, float(drawn[i]))
        return top.trial, less, f"{_gained(top)}, drawn to {less.estimate:+.4g} among {len(found)}"
    if rule == "ensemble_topk":
        mean = float(np.mean([c.fresh.estimate for c in found]))
        error = float(np.mean([c.fresh.se for c in found]))  # no less than that of the mean
        numbers = ", ".join(str(c.trial) for c in found)
        gain = _moved(top.fresh, mean, error)
        return top.trial, gain, f"trials {numbers} gain {mean:+.4g} on average, one by one"
    return top.trial, top.fresh, _gained(top)


def _gained(one: Candidate) -> str:
    """What a trial gained, in words; what is left by rounding is no gain."""
    gain = 0.0 if abs(one.fresh.estimate) < _ROUNDING * one.fresh.se else one.fresh.estimate
    return f"trial {one.trial} gains {gain:+.4g} on {one.fresh.n} fresh evaluations"


def _against(rule: str, gain: Interval, needed: float, guard: float, *, beats: bool) -> str:
    """The gain beside what it has to exceed, in words."""
    words = "exceeds" if beats else "does not exceed"
    if rule == "recheck":
        return f"which {words} that of the control"
    errors = f"{guard:g} standard error{'' if guard == 1 else 's'}"
    if rule == "strict" and needed > guard * gain.se:
        return f"which {words} the smallest gain worth having ({needed:.4g})"
    return f"which {words} {errors} ({needed:.4g})"


def _by_search(spec: StudySpec, history: History) -> tuple[int, str]:
    """The choice of a rule that looks at the search alone, the control among the trials."""
    rule = (spec.evidence or Evidence()).select
    best = ranked(spec, history)
    if rule == "argbest":
        return best[0], f"trial {best[0]} has the best value of the search"
    if rule == "one_se":
        return _one_se(spec, history, best)
    return _posterior_mean(spec, history, best)


def _challenger(spec: StudySpec, history: History) -> int:
    choice, _ = _by_search(spec, history)
    return choice or next(n for n in ranked(spec, history) if n != CONTROL)


def _one_se(spec: StudySpec, history: History, best: Sequence[int]) -> tuple[int, str]:
    """Near the best, the config that changes the fewest of the defaults."""
    wanted = units.search(spec)
    gains = {
        n: differences(spec, history, n, wanted) if n != CONTROL else dict.fromkeys(wanted, 0.0)
        for n in best
    }
    whole = [n for n in best if len(gains[n]) == len(wanted)]
    control = history.config(CONTROL)
    found = np.array([[gains[n][unit] for unit in wanted] for n in whole])
    moved = [changed(control, history.config(n)) for n in whole]
    choice = whole[one_se(found, moved, ratio(spec), control_noise(spec, history).floor)]
    many = moved[whole.index(choice)]
    return choice, (
        f"of the trials within one standard error of the best (trial {whole[0]}), trial {choice} changes "
        f"the fewest defaults: {many}"
    )


def _posterior_mean(spec: StudySpec, history: History, best: Sequence[int]) -> tuple[int, str]:
    """The trial that a model of all trials thinks best."""
    encoding = Encoding(spec.space)
    rows = encoding.rows(np.array([encoding.point(history.config(n)) for n in best]))
    losses = np.array([spec.signs[0] * history.outcome(n).values[0] for n in best])  # type: ignore[union-attr]
    mean = posterior_mean(rows, losses, encoding.owner, len(encoding.searched))
    if mean is None:
        return best[0], f"trial {best[0]} has the best value; a model of the trials says no more"
    choice = best[int(mean.argmin())]
    value = spec.signs[0] * float(mean.min())
    return choice, f"trial {choice} is the best by a model of all trials, which expects {value:.4g}"


def _why_no_control(spec: StudySpec, history: History) -> str:
    if spec.control is None:
        return "no defaults to compare with"
    if isinstance(history.outcome(CONTROL), Failed):
        return "the defaults failed"
    return "the defaults do not meet the constraints"


def _moved(interval: Interval, estimate: float, se: float | None = None) -> Interval:
    shift = estimate - interval.estimate
    low, high = interval.low + shift, interval.high + shift
    return replace(
        interval, estimate=estimate, low=low, high=high, se=interval.se if se is None else se
    )


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
