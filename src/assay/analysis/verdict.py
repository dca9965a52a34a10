"""The verdict: a claim about the gain, an action, and a sentence that says both in plain words.

Claim and action are separate: EQUIVALENT states that the gain is too small to matter; KEEP THE
DEFAULTS is what to do whenever no gain was shown, which proves nothing about the gain.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Literal

from assay.analysis import wording
from assay.analysis.wording import Basis, Numbers
from assay.core.errors import SpecError
from assay.core.inert import shown
from assay.math.checks import not_negative
from assay.math.intervals import Interval


class Claim(StrEnum):
    """What the interval of the gain allows to say."""

    BETTER = "BETTER"
    BETTER_MAYBE_TOO_LITTLE = "BETTER, MAYBE TOO LITTLE"
    EQUIVALENT = "EQUIVALENT – KEEP DEFAULTS"
    WORSE = "WORSE"
    CANNOT_TELL = "CANNOT TELL"


class Action(StrEnum):
    """What to do."""

    USE_TUNED = "use the tuned settings"
    KEEP_DEFAULTS = "keep the defaults"


_SENTENCES = {
    Claim.BETTER: wording.better,
    Claim.BETTER_MAYBE_TOO_LITTLE: wording.maybe_too_little,
    Claim.EQUIVALENT: wording.equivalent,
    Claim.WORSE: wording.worse,
    Claim.CANNOT_TELL: wording.cannot_tell,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a study found: `print(verdict)` reads like a short paragraph.

    `claim` and `action` are None where nothing was there to compare with (no control). `gain` is
    None where no gain was measured. All gains are positive if the tuned settings are better.
    `control` and `selected` are the values of the metric itself, where known.
    """

    claim: Claim | None
    action: Action | None
    sentence: str
    gain: Interval | None
    smallest_gain: float
    metric: str
    badge: str
    look: int
    unit_text: str
    control: float | None = None
    selected: float | None = None

    def __str__(self) -> str:
        lines = [f"{self.claim or 'NO CLAIM'} [{self.badge}]", self.sentence]
        if self.action is not None:
            lines.append(f"Recommended: {self.action}.")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head, *rest = map(shown, str(self).splitlines())
        return f"<p><strong>{head}</strong></p>" + "".join(f"<p>{line}</p>" for line in rest)

    def to_json(self) -> dict[str, Any]:
        """A form of plain JSON values that `from_json` reads back."""
        return asdict(self) | {
            "claim": self.claim and self.claim.name,
            "action": self.action and self.action.name,
        }

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> Verdict:
        """The verdict that `to_json` wrote."""
        gain, claim, action = form["gain"], form["claim"], form["action"]
        return Verdict(
            **{
                **form,
                "claim": None if claim is None else Claim[claim],
                "action": None if action is None else Action[action],
                "gain": None if gain is None else Interval(**gain),
            }
        )


def claim(gain: Interval, smallest_gain: float) -> Claim:
    """The one claim that the interval of a gain allows; higher gains are better.

    In this order: EQUIVALENT if the whole interval lies strictly inside (-smallest, smallest),
    even where 0 is just outside it; WORSE if it lies below 0; BETTER if it reaches down to the
    smallest gain at most (and excludes 0); BETTER, MAYBE TOO LITTLE if it lies above 0; else
    CANNOT TELL. With a smallest gain of 0 nothing is too little, and nothing is equivalent.

    Raises:
        SpecError: the smallest gain is negative or not finite.

    >>> claim(Interval(0.126, 0.090, 0.159, 0.0176, None, "", 1274), 0.005).value
    'BETTER'
    """
    return _claim(gain.low, gain.high, not_negative(smallest_gain, "smallest_gain"))


def action_for(claim: Claim, *, accept_small: bool = False) -> Action:
    """Keep the defaults unless the gain was shown; `accept_small`: a small one is worth its cost.

    >>> action_for(Claim.CANNOT_TELL).value
    'keep the defaults'
    """
    small = claim is Claim.BETTER_MAYBE_TOO_LITTLE and accept_small
    return Action.USE_TUNED if claim is Claim.BETTER or small else Action.KEEP_DEFAULTS


def sentence(gain: Interval, smallest_gain: float, basis: Basis) -> str:
    """The fixed wording for what the interval shows, with its numbers filled in.

    >>> gain = Interval(0.004, 0.001, 0.007, 0.0015, None, "", 900)
    >>> sentence(gain, 0.005, Basis(metric="R2", n=900))[:58]
    'There is a real gain in R2 on 900 unseen rows, +0.0040 (95'
    """
    found = claim(gain, smallest_gain)
    write = wording.numbers_for(
        gain, basis.points, lambda low, high: _claim(low, high, smallest_gain) is found
    )
    said = _SENTENCES[found](gain, smallest_gain, basis, write)
    return f"{said}{_remark(basis)}"


def judge(
    gain: Interval, smallest_gain: float, basis: Basis, *, accept_small: bool = False
) -> Verdict:
    """The verdict on a measured gain.

    Args:
        gain: interval of the gain over the control, positive if the tuned settings are better.
        smallest_gain: the smallest gain worth having, in the units of the gain, >= 0.
        basis: what it was measured on.
        accept_small: a real gain that may be too little is worth its cost.

    Raises:
        SpecError: the smallest gain is negative, or a look is numbered below 1.

    >>> gain = Interval(0.012, -0.021, 0.044, 0.0166, None, "", 114)
    >>> print(judge(gain, 0.005, Basis(metric="accuracy", n=114, points=True)))
    CANNOT TELL [CONFIRMATORY]
    This test set (114 rows) can only show gains above 4.7 points in accuracy. You measured \
+1.2 points (95 % CI −2.1 to +4.4). About 840 rows would settle it.
    Recommended: keep the defaults.
    """
    found = claim(gain, smallest_gain)
    action = action_for(found, accept_small=accept_small)
    return _verdict(found, action, sentence(gain, smallest_gain, basis), gain, smallest_gain, basis)


def no_gain_shown(
    why: Literal["guard", "luck", "unmeasured"],
    smallest_gain: float,
    basis: Basis,
    *,
    detectable: float | None = None,
) -> Verdict:
    """The verdict where the defaults were kept before any gain was measured: CANNOT TELL.

    Args:
        why: "guard" if on fresh splits the best config did not beat the control by more than
            noise; "luck" if the best trial stayed under the luck line; "unmeasured" if it could
            not be measured again.
        smallest_gain: the smallest gain worth having.
        basis: what the comparison used.
        detectable: the smallest gain that this comparison could have shown, if known.

    >>> verdict = no_gain_shown("guard", 0.005, Basis(metric="accuracy", n=300), detectable=0.018)
    >>> verdict.claim.value, verdict.action.value
    ('CANNOT TELL', 'keep the defaults')
    """
    reason = {
        "guard": "On fresh splits the best settings found did not beat the defaults by more than "
        "the noise.",
        "luck": "The best trial looks no better than luck alone would make the best of so many.",
        "unmeasured": "The best settings found could not be measured again.",
    }[why]
    said = f"{reason} {wording.NO_GAIN_SHOWN}"
    if detectable is not None:
        shown = Numbers(wording.decimals_of(detectable, basis.points), basis.points)
        said += f" The smallest gain this data could have shown: {shown.size(detectable)}."
    return _verdict(
        Claim.CANNOT_TELL, Action.KEEP_DEFAULTS, f"Keep the defaults. {said}", None,
        smallest_gain, basis,
    )  # fmt: skip


def blind(gain: Interval, smallest_gain: float, basis: Basis) -> Verdict:
    """The verdict where no rows could have told the two apart, so that no noise is no evidence.

    >>> gain = Interval(0.0, 0.0, 0.0, 0.0, None, "", 75)
    >>> blind(gain, 0.005, Basis(metric="f1", n=75, control=0.0, selected=0.0)).claim.value
    'CANNOT TELL'
    """
    said = f"Keep the defaults. {wording.blind(basis)} {wording.NO_GAIN_SHOWN}{_remark(basis)}"
    return _verdict(
        Claim.CANNOT_TELL, Action.KEEP_DEFAULTS, said, gain, smallest_gain, basis
    )  # fmt: skip


def nothing_compared(reason: str, smallest_gain: float, basis: Basis) -> Verdict:
    """The verdict where no other settings have a value to compare with the control's.

    >>> nothing_compared("No other settings were tried.", 0.0, Basis(metric="loss", n=1)).sentence
    'Keep the defaults: there is nothing to compare them with. No other settings were tried.'
    """
    said = f"{wording.NOTHING_COMPARED} {reason}"
    return _verdict(Claim.CANNOT_TELL, Action.KEEP_DEFAULTS, said, None, smallest_gain, basis)


def no_control(smallest_gain: float, basis: Basis, why: str = wording.NO_CONTROL) -> Verdict:
    """The verdict of a study without defaults, or with infeasible ones: no claim, no action.

    >>> no_control(0.0, Basis(metric="loss", n=10, source="seeds")).sentence
    'No defaults were given, so no gain over them can be stated.'
    """
    said = f"{why}{_scored(basis)}"
    return _verdict(None, None, said + _remark(basis), None, smallest_gain, basis)


def no_test_set(smallest_gain: float, basis: Basis) -> Verdict:
    """The verdict where neither a test set nor a corrected estimate measured the gain.

    >>> no_test_set(0.01, Basis(metric="accuracy", n=0, source="none")).badge
    'NO TEST SET'
    """
    said = f"{wording.NO_TEST_SET} {wording.NO_GAIN_SHOWN}"
    return _verdict(Claim.CANNOT_TELL, Action.KEEP_DEFAULTS, said, None, smallest_gain, basis)


def _claim(low: float, high: float, smallest: float) -> Claim:
    if -smallest < low and high < smallest:
        return Claim.EQUIVALENT
    if high < 0:
        return Claim.WORSE
    if low >= smallest and low > 0:  # the second for a smallest gain of 0
        return Claim.BETTER
    return Claim.BETTER_MAYBE_TOO_LITTLE if low > 0 else Claim.CANNOT_TELL


def _scored(basis: Basis) -> str:
    if basis.selected is None:
        return ""
    decimals = wording.decimals_of(basis.selected, basis.points, digits=4)
    value = Numbers(decimals, basis.points).score(basis.selected)
    return f" The best settings found reach {value} {basis.metric} on {basis.unit_text}."


def _remark(basis: Basis) -> str:
    if basis.source == "recheck":
        return f" {wording.RECHECK_ONLY}"
    if basis.source in ("bbc", "nested"):
        return f" {wording.PROCEDURE_ONLY}"
    return f" {wording.second_look(basis)}" if basis.source == "test" and basis.look > 1 else ""


def _verdict(
    found: Claim | None,
    action: Action | None,
    said: str,
    gain: Interval | None,
    smallest_gain: float,
    basis: Basis,
) -> Verdict:
    if basis.look < 1:
        raise SpecError(f"Looks at a test set are counted from 1, got {basis.look}.")
    return Verdict(
        claim=found,
        action=action,
        sentence=said,
        gain=gain,
        smallest_gain=not_negative(smallest_gain, "smallest_gain"),
        metric=basis.metric,
        badge=basis.badge,
        look=basis.look,
        unit_text=basis.unit_text,
        control=basis.control,
        selected=basis.selected,
    )
