"""Configs that come from elsewhere, and whether they would have been enough. Pure.

A given config with a source, such as a published one, is a *borrowed* arm: it counts as a trial like
any other, and it is measured again beside the best, so that the two can be compared on fresh units.
"""

from __future__ import annotations

from collections.abc import Sequence

from assay.analysis.verdict import Claim, Verdict
from assay.core import units
from assay.core.events import CONTROL, Selected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.intervals import Interval


def source_of(history: History, number: int) -> str:
    """Where a borrowed trial comes from; empty for one that is not borrowed."""
    if history.origin(number) != "given":
        return ""
    return str((history.why(number) or {}).get("source", ""))


def first_borrowed(history: History, ranked: Sequence[int]) -> int | None:
    """The best borrowed trial of a ranking."""
    return next((number for number in ranked if source_of(history, number)), None)


def gains_over(spec: StudySpec, history: History, winner: int, other: int) -> list[float]:
    """How much better the winner is than another trial, on each unit fresh for both.

    Where nothing is measured again, as for a deterministic objective, on the units of the search.
    """
    ours, theirs = (units.search_values(spec, history, n) for n in (winner, other))
    for wanted in (units.rechecks(spec), units.search(spec)):
        both = [unit for unit in wanted if unit in ours and unit in theirs]
        if both:
            return [spec.signs[0] * (theirs[unit] - ours[unit]) for unit in both]
    return []


def enough(history: History, verdict: Verdict, other: int | None, gain: Interval | None) -> str:
    """That published settings were enough, if they were; else empty.

    Args:
        other: the best borrowed trial.
        gain: of the challenger over it, on fresh units; None if they were not compared.
    """
    selected: Selected | None = history.last(Selected)
    shown = verdict.claim in (Claim.BETTER, Claim.BETTER_MAYBE_TOO_LITTLE)
    if other is None or selected is None or selected.trial == CONTROL or not shown:
        return ""
    who = f"trial {other}: {_short(source_of(history, other))}"
    if source_of(history, selected.challenger):
        who = f"trial {selected.challenger}: {_short(source_of(history, selected.challenger))}"
        return f"The published settings were enough ({who}): tuning found nothing better."
    if gain is None or (gain.low > 0 and gain.estimate > verdict.smallest_gain):
        return ""
    span = f"{gain.estimate:+.3g} [{gain.low:+.3g}, {gain.high:+.3g}]"
    if gain.high < verdict.smallest_gain:
        what = f"less than the {verdict.smallest_gain:.3g} that matter"
    else:
        what = "nothing measurable"
    return (
        f"The published settings were enough ({who}): on fresh splits tuning added {what} to them, "
        f"{span} {verdict.metric}."
    )


def _short(source: str) -> str:
    return source if len(source) <= 90 else f"{source[:90].rsplit(' ', 1)[0].rstrip(',;:')} …"
