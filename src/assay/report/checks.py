"""The checks before a study, as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from assay.report import words


class _Finding(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def advice(self) -> str: ...


class _Step(Protocol):
    @property
    def what(self) -> str: ...
    @property
    def gain(self) -> float | None: ...
    @property
    def why(self) -> str: ...


MARKS = {"fix": "FIX FIRST", "care": "with care", "note": "note", "ok": "ok", "skipped": "–"}
_ORDER = ("fix", "care", "note", "ok", "skipped")


def preflight_text(
    findings: Sequence[_Finding], steps: Sequence[_Step], against: str, metric: str
) -> str:
    """The findings, the worst first; those without anything to say on one line."""
    levels = {f.level for f in findings}
    verdict = "FIX FIRST" if "fix" in levels else "TUNE WITH CARE" if "care" in levels else "TUNE"
    lines = [f"Verdict: {verdict}"]
    ordered = sorted(findings, key=lambda f: (_ORDER.index(f.level), f.code))
    for finding in ordered:
        if finding.level in ("fix", "care", "note"):
            lines += ["", f"{finding.code} {MARKS[finding.level]}: {finding.title}"]
            lines.append(f"  {finding.text}")
            if finding.advice:
                lines.append(f"  {finding.advice}")
    fine = [f.code for f in ordered if f.level == "ok"]
    left = [f.code for f in ordered if f.level == "skipped"]
    lines.append("")
    if fine:
        lines.append(f"Nothing found by {', '.join(fine)}.")
    if left:
        lines.append(f"Not for this study: {', '.join(left)}.")
    if steps:
        lines += ["", "What to do first, and what it is expected to bring:"]
        for number, step in enumerate(steps, 1):
            gain = "" if step.gain is None else f" ≈ {words.signed(step.gain, 2)} {metric}"
            lines.append(f"  {number}. {step.what.rstrip('.')}{gain} ({step.why})")
    if against:
        lines += ["", f"Tuning may not be worth its cost: {against}."]
    return "\n".join(lines)
