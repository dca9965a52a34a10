"""The plan as it is printed before anything runs: what was chosen, why, and what changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.cli.commands import default_storage
from assay.cli.printing import columns, paragraph, width
from assay.core.events import Created, Sealed
from assay.report.phase import evaluations, over
from assay.report.words import count, name
from assay.stores.postgres.address import shown

if TYPE_CHECKING:
    from assay.api.choices import Chosen
    from assay.api.study import Study
    from assay.checks.finding import Finding

_WIDE = 100
_CLOSED = "It is opened only with --reason, and the result is then marked post-hoc."


def plan_text(chosen: tuple[Chosen, ...], study: Study, storage: str) -> str:
    """The plan as a table, with what was noticed about the data."""
    wide = width()
    where = "" if storage == default_storage() else f" in {name(shown(storage))}"
    parts = [
        f"Study {name(study.name)}{where}{_begun(study)}",
        _choices(chosen, wide),
        _evidence(study),
        *(paragraph(f"{f.code}: {f.text} {f.advice}", wide) for f in _careful(study)),
        *(paragraph(f"Note: {note}", wide) for note in (study.spec.data or {}).get("notes", ())),
    ]
    sealed = study.history.last(Sealed)
    if sealed and sealed.note:
        parts.append(paragraph(f"Test set: {sealed.note} {_CLOSED}", wide))
    return "\n".join(part for part in parts if part)


def _careful(study: Study) -> list[Finding]:
    """What the checks say to know first; the page of the report has all of them."""
    found = study.preflight()
    return [f for f in found.findings if f.level in ("care", "fix")] if found else []


def _choices(chosen: tuple[Chosen, ...], wide: int) -> str:
    """What, chosen, why and option side by side; on a narrow terminal the reason below the choice."""
    if wide >= _WIDE:
        rows = [("what", "chosen", "why", "change with")]
        rows += [(line.what, line.value, line.why, line.option) for line in chosen]
        third = (wide - 36) // 2
        return columns(rows, (13, third, third), wide)
    short = [("what", "chosen, and why", "change with")]
    for line in chosen:
        short.append((line.what, line.value, line.option))
        short += [("", f"  {line.why}", "")] if line.why else []
    return columns(short, (13, wide - 36), wide)


def _begun(study: Study) -> str:
    ended = over(study.history)
    return f" goes on after {count(ended, 'trial')}" if ended else ""


def _evidence(study: Study) -> str:
    budget = study.spec.budget
    after = evaluations(study.spec, budget.trials) if budget and budget.trials else 0
    created: Created = study.history.last(Created)
    plan = f"Plan {created.plan[:12]}."
    if not after:
        return plan
    return f"After the search up to {count(after, 'evaluation')} to check the winner. {plan}"
