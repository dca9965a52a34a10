"""The budget of a stored study: the one thing in its plan that may change."""

from __future__ import annotations

from typing import Any

from assay.core.changes import changes, plan_in_words
from assay.core.errors import SpecError, StateError
from assay.core.events import Created, Deviated, Event, Selected
from assay.core.history import History
from assay.core.spec import Budget, StudySpec


def budget_now(history: History, spec: StudySpec) -> Budget | None:
    """The budget after all logged deviations."""
    for event in reversed(history.milestones()):
        if isinstance(event, Deviated) and event.what == "budget":
            return Budget(**event.after)
    stored = history.last(Created).spec["budget"]
    return Budget(**stored) if stored else spec.budget


def changed_budget(history: History, spec: StudySpec) -> list[Event]:
    """Nothing for the same plan; a logged deviation for another budget; an error for the rest.

    The budget may grow or shrink: below what was spent it ends the search. The plan as it was first
    made goes on with the latest budget.

    Raises:
        StateError: another budget after the selection, which it could not change any more.
        SpecError: anything else differs.
    """
    created: Created = history.last(Created)
    now = budget_now(history, spec)
    before = {**created.spec, "budget": _json(now)}
    after = spec.to_json()
    found = changes(before, after)
    if not found or created.plan == spec.plan:
        return []
    if all(path.startswith("budget") for path, _, _ in found) and spec.budget:
        if history.last(Selected):
            raise StateError(
                "This study is complete: its selection is made, so another budget changes nothing. "
                "Start a new study under another name."
            )
        reason = "resumed with another budget"
        return [Deviated("budget", before["budget"], after["budget"], reason)]
    raise SpecError(
        f"A study of this name exists with another plan: {plan_in_words(found)}. "
        "Use another name (--study NAME, in Python name=…), or the same plan to go on with it."
    )


def _json(budget: Budget | None) -> dict[str, Any] | None:
    return budget.to_json() if budget else None
