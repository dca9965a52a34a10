"""The change audit of a study: which of the winner's changes did the work, and which can be left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from assay.analysis.audit import WINNER, Measured, audited, changed
from assay.analysis.effects import has_control
from assay.api.parts import executor_of, slots_for
from assay.api.session import driving, run_plan, same_call, say_how_to_resume
from assay.api.study import Study
from assay.core import units
from assay.core.errors import StateError
from assay.core.events import CONTROL, Audited, Enqueued, Selected
from assay.core.jobs import Evaluate
from assay.core.rng import derived_seed
from assay.core.spec import StudySpec
from assay.engine.audit import plan_audit
from assay.executors.slots import Slots
from assay.report.phase import searches_of

if TYPE_CHECKING:
    from assay.api.prepare import Prepared

_FRESH = 10


@dataclass(frozen=True)
class Audit:
    """What a change audit found.

    Attributes:
        study: the study, whose log has the result.
        result: all of it, in JSON: `forward` and `backward` (the paths), `alone` (what each change is
            worth beside all others), `smallest` (the fewest changes that do it).
    """

    study: Study
    result: Mapping[str, Any]

    @property
    def config(self) -> dict[str, Any]:
        """The config with the fewest changes that does nearly what the winner does."""
        return dict(self.result["smallest"]["config"])

    def __str__(self) -> str:
        from assay.report.audit import audit_text, audit_view

        return audit_text(audit_view(self.result))


def audit_study(
    study: Study,
    *,
    fresh: int = _FRESH,
    workers: int | str = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> Audit:
    """The audit of a study that `tune` or `optimize` made in this process.

    The path from the control to the winner and back is measured on splits (or seeds) that no choice
    was made on, in a study of its own; the result is in the log and the report of this one. Asked
    again, it gives what it found. An audit that was interrupted goes on.

    Args:
        fresh: evaluations behind each number, at least.
        workers, isolation, progress: as for `tune`.

    Raises:
        StateError: there is no winner to audit, or the study was opened from a storage, so its data or
            objective is not at hand: see `assay changes`.
    """
    if (known := stored_audit(study)) is not None:
        return Audit(study, known)
    _see_that_there_is_a_winner(study)
    if study.system is None:
        raise StateError(
            f"Study {study.name!r} was opened from its storage, which holds neither the data nor the "
            "objective. Use `assay changes`, or make the same call of tune or optimize again."
        )
    system = study.system
    slots = slots_for(workers, isolation=isolation, limits=study.spec.limits)
    return run_audit(
        study,
        lambda spec: system.seeded(spec.seed).arm((), frozenset()).evaluate(),
        fresh=fresh,
        slots=slots,
        isolation=isolation,
        progress=progress,
    )


def audit_prepared(
    study: Study,
    prepared: Prepared,
    *,
    fresh: int = _FRESH,
    slots: int | Slots,
    progress: bool | None,
) -> Audit:
    """The audit of a stored study whose data was loaded again."""
    return run_audit(
        study,
        lambda spec: replace(prepared, spec=spec).evaluator(),
        fresh=fresh,
        slots=slots,
        progress=progress,
    )


def stored_audit(study: Study) -> Mapping[str, Any] | None:
    """The audit of the present winner, if the log has it."""
    winner = _winner(study)
    for event in study.history.milestones():
        if isinstance(event, Audited) and event.trial == winner:
            return event.result
    return None


def why_no_audit(study: Study) -> str:
    """Why there is nothing to audit; empty if there is."""
    if searches_of(study.history) is not None:
        return "It is an ablation: `assay best` says what each component contributes."
    winner = _winner(study)
    if winner is None:
        return _why_no_winner(study.spec)
    if winner == CONTROL or not has_control(study.history):
        return "No trial stands against the control, so there is no change to look at."
    control, config = study.history.config(CONTROL), study.history.config(winner)
    if not changed(study.spec.space, control, config):
        return "The winner changes nothing that could be changed by itself."
    return ""


def _why_no_winner(spec: StudySpec) -> str:
    if not spec.single:
        return "With several objectives there is no one winner; see `front`."
    if spec.evidence is None:
        return (
            "Its plan has evidence=None, so no winner was chosen and measured beside the control."
        )
    return "Its search has not ended, so there is no winner yet."


def _see_that_there_is_a_winner(study: Study) -> None:
    if why := why_no_audit(study):
        raise StateError(f"Study {study.name!r} has nothing to audit. {why}")


def run_audit(
    study: Study,
    evaluate: Callable[[StudySpec], Evaluate],
    *,
    fresh: int,
    slots: int | Slots = 1,
    isolation: str = "process",
    progress: bool | None = None,
) -> Audit:
    """Run or go on with the audit; all that it measures is in a study of its own.

    Raises:
        StateError: there is nothing to audit, or one of the ends of the path fails now.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    from assay.progress import showing

    _see_that_there_is_a_winner(study)
    winner = _winner(study)
    assert winner is not None
    spec, count = _spec(study, fresh)
    first = [Enqueued(study.history.config(winner), WINNER, f"trial {winner} of {study.name}")]
    child = Study.of(spec, study.store, f"{study.name}/changes {winner}", first)
    with driving(child), showing(spec, wanted=progress) as watch:
        finish = run_plan(
            child,
            lambda: executor_of(
                evaluate(spec), workers=slots, isolation=isolation, limits=spec.limits
            ),
            watch=watch,
            decide=plan_audit,
            options={"fresh": count},
        )
    if finish.reason == "interrupted":
        say_how_to_resume(same_call(study))
        raise KeyboardInterrupt
    result = audited(Measured(spec, child.history, count), winner)
    study.ledger.add(Audited(winner, child.name, result))
    return Audit(study, result)


def _winner(study: Study) -> int | None:
    selected: Selected | None = study.history.last(Selected)
    return selected.challenger if selected else None


def _spec(study: Study, fresh: int) -> tuple[StudySpec, int]:
    """The plan of the audit's own study, and on how many units each config is measured.

    Another seed: other splits and other seeds of the model than any choice was made on.
    """
    spec = study.spec
    seed = derived_seed(spec.seed, "audit")
    known = not spec.data and units.deterministic(spec, study.history)
    count = 1 if known else fresh
    data = {**spec.data, "repeats": _repeats(spec, fresh)} if spec.data else None
    plan = replace(
        spec, seed=seed, data=data, budget=None, evidence=None, scheduler=None, order=None,
        sampler={"name": "random"}, beliefs={}, control=study.history.config(CONTROL),
    )  # fmt: skip
    return plan, count


def _repeats(spec: StudySpec, fresh: int) -> int:
    """How often a trial is evaluated when it is asked; forward splits are measured apart, and later."""
    assert spec.data is not None
    if spec.data["splits"]["kind"] == "forward":
        return 1
    return max(-(-fresh // units.folds(spec)), 1)
