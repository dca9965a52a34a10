"""From the finished past to the verdict. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from assay.analysis import wording
from assay.analysis.borrowed import enough, first_borrowed, gains_over
from assay.analysis.effects import (
    control_noise,
    differences,
    fresh_interval,
    has_control,
    ratio,
)
from assay.analysis.floor import floor_warning
from assay.analysis.procedure import gain_in
from assay.analysis.selection import ranked, shortlist
from assay.analysis.verdict import (
    Action,
    Claim,
    Verdict,
    blind,
    claim,
    judge,
    no_control,
    no_gain_shown,
    nothing_compared,
)
from assay.analysis.wording import Basis
from assay.core import units
from assay.core.events import (
    CONTROL,
    Concluded,
    Estimated,
    Failed,
    Opened,
    Sealed,
    Selected,
    Told,
)
from assay.core.history import History
from assay.core.spec import RULES, StudySpec
from assay.math.intervals import Interval
from assay.math.power import smallest_detectable_gain

_SHARES = ("accuracy", "balanced_accuracy")
_GUARD_HELD = " On fresh splits the gain did not exceed the noise, so by its plan the study keeps the defaults."
_RULE_HELD = " By the rule of its plan ({}) the study keeps the defaults all the same."


def conclude(
    spec: StudySpec,
    history: History,
    opened: Opened | None = None,
    *,
    estimated: Estimated | None = None,
    refused: str = "",
) -> Concluded:
    """The verdict of a study whose plan is complete.

    Args:
        opened: what the sealed test set has just said, if it is not in `history` yet.
        estimated: what stands in for a test set, if it is not in `history` yet.
        refused: why the sealed test set was not opened.
    """
    estimated = estimated or history.last(Estimated)
    verdict = _verdict(spec, history, opened or history.last(Opened), estimated)
    closed = f"The test set stays closed: {refused}" if refused else ""
    lent = _published(spec, history, verdict)
    said = (verdict.sentence, lent, closed, floor_warning(spec, history))
    return Concluded(replace(verdict, sentence=" ".join(filter(None, said))).to_json())


def _published(spec: StudySpec, history: History, verdict: Verdict) -> str:
    """Whether published settings that were tried would have been enough."""
    selected: Selected | None = history.last(Selected)
    if selected is None or not spec.single:
        return ""
    other = first_borrowed(history, ranked(spec, history))
    gains = gains_over(spec, history, selected.challenger, other) if other is not None else []
    return enough(history, verdict, other, fresh_interval(spec, gains) if gains else None)


def _verdict(
    spec: StudySpec, history: History, opened: Opened | None, estimated: Estimated | None
) -> Verdict:
    selected: Selected = history.last(Selected)
    if not has_control(history):
        basis = _basis(spec, history, ranked(spec, history)[0], source="search")
        return no_control(spec.smallest_gain, basis, missing_control(spec))
    if opened is not None:
        return _by_test(spec, history, opened, selected)
    challenger = selected.challenger
    if estimated is not None and challenger != CONTROL:
        return _by_procedure(spec, history, estimated, selected)
    if challenger == CONTROL:
        source: Any = "exact" if selected.rule == "best" else "recheck" if spec.data else "seeds"
        basis = _basis(spec, history, CONTROL, source=source)
        return nothing_compared(_why_nothing(spec, history), spec.smallest_gain, basis)
    if selected.rule == "best":
        (gain,) = differences(spec, history, challenger, units.search(spec)).values()
        point = Interval(gain, gain, gain, 0.0, None, "deterministic", 1)
        return judge(
            point, spec.smallest_gain, _basis(spec, history, challenger, source="exact", n=1)
        )
    fresh = units.rechecks(spec) if spec.data else units.confirms(spec)
    gains = list(differences(spec, history, challenger, fresh).values())
    source = "recheck" if spec.data else "seeds"
    n = int(spec.data["rows"]) if spec.data else len(gains)
    basis = _basis(spec, history, challenger, source=source, n=n)
    if len(gains) < 2 or (spec.data and selected.trial == CONTROL):
        return no_gain_shown(
            "guard" if len(gains) > 1 else "unmeasured",
            spec.smallest_gain,
            basis,
            detectable=detectable(spec, history),
        )
    return _with_guard(judge(fresh_interval(spec, gains), spec.smallest_gain, basis), selected)


def _by_test(spec: StudySpec, history: History, opened: Opened, selected: Selected) -> Verdict:
    found = opened.results
    challenger = int(found["gain"]["challenger"])
    if challenger == CONTROL:
        basis = _basis(spec, history, CONTROL, n=found["rows"], look=_look(history, opened))
        return nothing_compared(_why_nothing(spec, history), spec.smallest_gain, basis)
    fields = ("estimate", "low", "high", "se", "df", "method", "n", "level")
    gain = Interval(**{name: found["gain"][name] for name in fields})
    scores = found["contenders"]
    basis = _basis(
        spec,
        history,
        challenger,
        n=found["rows"],
        control=scores[str(CONTROL)]["score"],
        selected=scores[str(challenger)]["score"],
        se_seeds=found["gain"]["se_seeds"],
        look=_look(history, opened),
    )
    return _with_guard(_judged(spec, found, gain, basis), selected)


def _by_procedure(
    spec: StudySpec, history: History, estimated: Estimated, selected: Selected
) -> Verdict:
    """The verdict on the procedure, from rows that had no part in a choice."""
    found = estimated.results
    gain, kept = gain_in(found), found.get("kept_defaults")
    source: Any = estimated.final
    basis = _basis(
        spec,
        history,
        selected.challenger,
        source=source,
        n=found["rows"],
        control=found["control"],
        selected=found["score"]["score"],
    )
    if kept is not None and kept == len(found["folds"]):  # a gain of exactly nothing, by rule
        return no_gain_shown("guard", spec.smallest_gain, basis)
    return _with_guard(_judged(spec, found, gain, basis), selected)


def _judged(spec: StudySpec, found: Mapping[str, Any], gain: Interval, basis: Basis) -> Verdict:
    """The verdict on a gain; of rows in which the metric sees nothing, that they show no equality."""
    if found.get("blind") and claim(gain, spec.smallest_gain) is Claim.EQUIVALENT:
        return blind(gain, spec.smallest_gain, basis)
    return judge(gain, spec.smallest_gain, basis)


def _why_nothing(spec: StudySpec, history: History) -> str:
    """Why no trial could be compared with the control."""
    if shortlist(spec, history):
        broken = [event.reason for event in history.breakages() if event.stage == "recheck"]
        last = f", the last with: {_first_line(broken[-1])}" if broken else ""
        return f"None of the best settings found could be measured again{last}."
    ends = [history.outcome(number) for number in range(1, history.n_trials)]
    reasons = [end.reason for end in ends if isinstance(end, Failed)]
    return wording.none_tried(len(ends), len(reasons), _first_line(reasons[-1]) if reasons else "")


def _first_line(reason: str) -> str:
    return reason.strip().partition("\n")[0][:200].rstrip(".")


def missing_control(spec: StudySpec) -> str:
    """Why there is no control to compare with."""
    return wording.NO_CONTROL if spec.control is None else wording.INFEASIBLE_CONTROL


def _look(history: History, opened: Opened) -> int:
    """The number of the look; rows that were an earlier study's test set count as seen before."""
    sealed: Sealed | None = history.last(Sealed)
    return max(opened.look, 2 if sealed and sealed.note else 1)


def _with_guard(verdict: Verdict, selected: Selected) -> Verdict:
    if selected.trial != CONTROL or verdict.action is not Action.USE_TUNED:
        return verdict
    held = _GUARD_HELD if selected.rule == RULES[0] else _RULE_HELD.format(selected.rule)
    return replace(verdict, action=Action.KEEP_DEFAULTS, sentence=f"{verdict.sentence}{held}")


def detectable(spec: StudySpec, history: History) -> float | None:
    """The smallest gain that the recheck could have shown, in units of the objective."""
    noise = control_noise(spec, history)
    if not noise.spread:
        return None
    fresh = len(units.rechecks(spec))
    if fresh < 2:
        return None
    return smallest_detectable_gain(noise.spread, fresh, ratio(spec), level=1 - spec.alpha)


def _basis(spec: StudySpec, history: History, challenger: int, **known: Any) -> Basis:
    (metric,) = spec.objectives
    searched = list(differences(spec, history, challenger, units.search(spec)).values())
    told = history.outcome(challenger)
    values = {
        "n": 1,
        "source": "test",
        "selected": told.values[0] if isinstance(told, Told) else None,
    }
    if has_control(history) and "control" not in known:
        values["selected"] = None  # values of the search must not be printed as performance
    return Basis(
        **{
            "metric": metric,
            "points": metric in _SHARES,
            "lower_is_better": spec.directions[metric] == "minimize",
            "searched": sum(searched) / len(searched) if searched else None,
            **values,
            **known,
        }
    )
