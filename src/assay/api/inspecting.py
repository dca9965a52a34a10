"""The checks at the start of a study: kept in its log, and a refusal where tuning would deceive."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.checks.finding import TITLES, Finding, by_weight
from assay.core.errors import DataError, SpecError, did_you_mean
from assay.core.events import Deviated, Event, Inspected
from assay.core.history import History

if TYPE_CHECKING:
    from assay.api.preflight import Preflight
    from assay.api.prepare import Prepared


def inspected(
    prepared: Prepared, overrides: Mapping[str, str], checks: bool | str = True
) -> list[Event]:
    """What the checks say, and each override as a deviation.

    Raises:
        SpecError: another word for the checks than "full".
        DataError: a check says to fix the data first, and is not overridden.
    """
    from assay.api.preflight import preflight_of, quick_preflight

    if not checks:
        return []
    if checks not in (True, "full"):
        raise SpecError(f'checks is True, False or "full", got {checks!r:.80}.')
    scope = "full" if checks == "full" else "quick"
    found = preflight_of(prepared) if scope == "full" else quick_preflight(prepared)
    faults = [f for f in found.findings if f.level == "fix"]
    if left := [f for f in faults if f.code not in overrides]:
        raise DataError(refusal(left))
    forms = tuple(f.to_json() for f in found.findings)
    went_on = [
        Deviated(f"check {f.code}", "FIX FIRST", "overridden", str(overrides[f.code]))
        for f in faults
    ]
    return [Inspected(scope, found.verdict, forms), *went_on]


def refusal(faults: list[Finding]) -> str:
    """Why the study is not begun, what to do, and how to begin it all the same."""
    said = "\n".join(f"{f.code} {f.title}: {f.text} {f.advice}" for f in faults)
    code = faults[0].code
    return (
        f"Fix the data first; tuning on it would deceive.\n{said}\nIf you know better, say why: "
        f'overrides={{{code!r}: "…"}}, or --override {code} --reason "…". '
        f"See docs/checks/{code}.md."
    )


def stored_preflight(history: History) -> Preflight | None:
    """What was found before the first trial; None where nothing was looked at."""
    from assay.api.preflight import Preflight

    event: Inspected | None = history.last(Inspected)
    if event is None:
        return None
    return Preflight(tuple(Finding.from_json(form) for form in event.findings))


def check_overrides(overrides: Mapping[str, str]) -> None:
    """See that each override names a check and gives a reason.

    Raises:
        SpecError: it does not.
    """
    for code, reason in overrides.items():
        if code not in TITLES:
            raise SpecError(f"No check {code!r}. {did_you_mean(code, TITLES)}")
        if not str(reason).strip():
            raise SpecError(f"Overriding {code} needs a reason: it is kept with the study.")


def worst(preflight: Preflight) -> list[Any]:
    """The findings that matter, the worst first."""
    return [f for f in by_weight(preflight.findings) if f.level in ("fix", "care")]
