"""The checks before the first trial, as the page shows them: each with its light, numbers and threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.checks.about import ABOUT, About
from assay.checks.finding import TITLES, Finding, by_weight
from assay.core.events import Deviated, Inspected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.plots.form import Plot
from assay.report.plots.learning import learning_curve

_LIGHTS = {
    "fix": ("bad", "fix first"),
    "care": ("care", "with care"),
    "note": ("note", "note"),
    "ok": ("good", "ok"),
    "skipped": ("off", "not for this study"),
}
_SCOPES = {
    "quick": "The checks that need no fit of the model.",
    "full": "All checks, those with fits of the model too.",
}
_NEVER = About("A check of another version.", "not known here.", "See its documentation.")


@dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        light: the class of its traffic light; `level` says the same in words.
        numbers: what was measured, by name.
        threshold: from where on it speaks.
        override: the reason for which it was passed over; empty: it was not.
    """

    code: str
    title: str
    light: str
    level: str
    text: str
    advice: str
    numbers: str
    threshold: str
    override: str
    about: About


@dataclass(frozen=True)
class PreflightView:
    """What was found before the first trial; `checks` the worst first."""

    verdict: str
    scope: str
    checks: tuple[Check, ...]
    learning: Plot | None

    @property
    def light(self) -> str:
        """The class of the light of all of them together."""
        return {"FIX FIRST": "bad", "TUNE WITH CARE": "care"}.get(self.verdict, "good")


def preflight(spec: StudySpec, history: History) -> PreflightView | None:
    """The checks in a log; None where nothing was looked at."""
    event: Inspected | None = history.last(Inspected)
    if event is None:
        return None
    overrides = {
        e.what.removeprefix("check "): e.reason
        for e in history.milestones()
        if isinstance(e, Deviated) and e.what.startswith("check ")
    }
    found = by_weight([_finding(form) for form in event.findings])
    curve = next((f for f in found if f.code == "PF14"), None)
    return PreflightView(
        words.name(event.verdict, 40),
        _SCOPES.get(event.scope, words.name(event.scope, 60)),
        tuple(_check(f, overrides) for f in found),
        learning_curve(spec, curve.numbers) if curve else None,
    )


def _finding(form: Mapping[str, object]) -> Finding:
    """A finding as the log holds it, which may be of another version."""
    known = {"text": "", **{k: form[k] for k in ("code", "text", "advice", "numbers") if k in form}}
    level = form.get("level")
    return Finding(level=level if level in _LIGHTS else "note", **known)  # type: ignore[arg-type]


def _check(finding: Finding, overrides: Mapping[str, str]) -> Check:
    light, level = _LIGHTS[finding.level]
    about = ABOUT.get(finding.code, _NEVER)
    reason = overrides.get(finding.code, "")
    return Check(
        words.name(finding.code, 20),
        TITLES.get(finding.code, words.name(finding.code, 20)),
        light,
        level,
        words.name(finding.text, 1000) if finding.text else "",
        words.name(finding.advice, 600) if finding.advice else "",
        ", ".join(
            f"{words.name(n, 30).replace('_', ' ')} {words.number(x)}"
            for n, x in finding.numbers.items()
            if not n[-1:].isdigit()  # points of a curve, which is drawn
        ),
        about.levels,
        words.name(reason, 600) if reason else "",
        about,
    )
