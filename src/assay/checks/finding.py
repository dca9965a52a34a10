"""What a check found, and what all of them together advise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any, Literal, TypeAlias

Level: TypeAlias = Literal["ok", "note", "care", "fix", "skipped"]
Verdict: TypeAlias = Literal["TUNE", "TUNE WITH CARE", "FIX FIRST"]

TITLES = {
    "PF01": "Rows that stand on both sides of a split",
    "PF02": "Equal features, different targets",
    "PF03": "Several rows of one unit",
    "PF04": "One feature that knows the target",
    "PF05": "Missing values or row order that know the target",
    "PF06": "The future among the training rows",
    "PF07": "Features without use",
    "PF08": "Missing values",
    "PF09": "Wrong labels",
    "PF10": "Rare classes and the metric",
    "PF11": "The smallest gain that can be seen",
    "PF12": "Validation rows unlike the training rows",
    "PF13": "The same again",
    "PF14": "Would more rows help?",
    "PF15": "The wrong kind of model",
    "PF16": "Is there anything to tune?",
    "PF17": "A score on shuffled targets",
    "PF18": "Prepared before it was divided",
}
"""The checks by code, in the order in which they are shown."""
QUICK = (
    "PF01", "PF02", "PF03", "PF04", "PF05", "PF06", "PF07", "PF08", "PF10", "PF12", "PF18",
)  # fmt: skip
"""The checks that need no fit of the user's model; `tune` makes them."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        code: its number, such as "PF03".
        level: "fix": tuning on this would deceive; "care": know it before you trust a result;
            "note": worth knowing; "ok": nothing found; "skipped": it does not apply, and `text` says why.
        text: what was found, a sentence or two with its numbers.
        advice: what to do; empty if there is nothing to do.
        numbers: what was measured, by name.
    """

    code: str
    level: Level
    text: str
    advice: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """What the check looks for."""
        return TITLES.get(self.code, self.code)

    def to_json(self) -> dict[str, Any]:
        """A form of plain JSON values that `from_json` reads back."""
        numbers = {name: float(x) for name, x in self.numbers.items() if isfinite(x)}
        return asdict(self) | {"numbers": numbers}

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> Finding:
        """The finding that `to_json` wrote."""
        return Finding(**form)


def verdict_of(findings: Sequence[Finding]) -> Verdict:
    """What the findings together advise.

    >>> verdict_of([Finding("PF01", "ok", "none"), Finding("PF09", "care", "some labels")])
    'TUNE WITH CARE'
    """
    levels = {finding.level for finding in findings}
    if "fix" in levels:
        return "FIX FIRST"
    return "TUNE WITH CARE" if "care" in levels else "TUNE"


def by_weight(findings: Sequence[Finding]) -> list[Finding]:
    """What matters most first."""
    order = ("fix", "care", "note", "ok", "skipped")
    return sorted(findings, key=lambda finding: (order.index(finding.level), finding.code))
