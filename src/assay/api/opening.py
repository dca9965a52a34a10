"""Opening the sealed test set: once by the plan, again only for a reason, and for ever marked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.conclusion import conclude
from assay.analysis.final import final_results
from assay.analysis.floor import floor_warning
from assay.analysis.second_opinion import second_opinion
from assay.api.prepare import Prepared
from assay.api.sealing import count_look, sealed_rows
from assay.api.session import run_plan
from assay.api.study import Study
from assay.core.errors import SealError, StateError
from assay.core.events import (
    CONTROL,
    Concluded,
    Created,
    Event,
    Frozen,
    Measured,
    Opened,
    Opening,
    Sealed,
    Told,
)
from assay.core.history import History
from assay.core.protocols import Executor
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.engine.plan import Command, Finish, missing_test, opening
from assay.engine.run import Watch
from assay.inputs import Table


def open_test(
    study: Study,
    prepared: Prepared,
    executor: Callable[[Any], Executor],
    *,
    reason: str = "",
    trial: int | None = None,
    watch: Watch | None = None,
) -> bool:
    """Open the sealed test set, or finish an opening that was interrupted; then conclude.

    Args:
        executor: makes the executor for an evaluator.
        reason: needed for every look after the first, and for rows that were a test set before.
        trial: the trial to compare with the control; None: the frozen challenger.

    Returns:
        Whether it was opened: False when the user interrupted it.

    Raises:
        SealError: the test set was opened before, or its rows were, and no reason is given; or the
            first look is asked for a trial that was not named when the study was frozen.
        StateError: nothing is frozen, or the trial has no value.
        TamperError: the rows in the vault are not those that were sealed.
    """
    history = study.history
    sealed = check_may_open(history, reason)
    test = sealed_rows(study.store, sealed)  # before the intent: rows that are lost cost no look
    if not history.half_open:
        contenders = _contenders(history, trial)
        study.ledger.decide(lambda now: [opening(now, reason, contenders)])
    intent: Opening = study.ledger.history.last(Opening)
    count_look(sealed.seal, intent.look)
    finish = run_plan(
        study,
        partial(executor, prepared.final_evaluator(test, history)),
        watch=watch,
        decide=partial(_until_measured, forgiven=len(history.breakages())),
    )
    if finish.reason == "interrupted":
        return False
    study.ledger.decide(lambda now: _result(study, prepared, now, test))
    return True


def check_may_open(history: History, reason: str) -> Sealed:
    """The seal, if it may be opened now.

    Raises:
        StateError: nothing is sealed or frozen.
        SealError: a look that needs a reason; the message has the earlier result.
    """
    sealed: Sealed | None = history.last(Sealed)
    if sealed is None:
        raise StateError("This study has no sealed test set, so there is nothing to open.")
    if history.last(Frozen) is None:
        raise StateError(
            "The search has not ended: run `assay resume` first, then open the test set."
        )
    if history.half_open or reason.strip():
        return sealed
    if history.looks:
        concluded: Concluded | None = history.last(Concluded)
        sentence = concluded.verdict.get("sentence", "") if concluded else ""
        spec = StudySpec.from_json(history.last(Created).spec)
        earlier = sentence.removesuffix(floor_warning(spec, history)).rstrip()
        raise SealError(
            f"The test set was opened before (look {history.looks}). It said: {earlier} Another look "
            "is no longer a test: give a reason (reason=…, --reason …) and the result is marked "
            "post-hoc for ever, or collect new rows."
        )
    if sealed.note:
        raise SealError(
            f"{sealed.note} Opening it again is no longer a test: give a reason (reason=…, "
            "--reason …) and the result is marked post-hoc for ever, or seal other rows."
        )
    return sealed


def _contenders(history: History, trial: int | None) -> tuple[int, ...]:
    """The control and the trial to compare with it; empty for those that were frozen."""
    if trial is None:
        return ()
    known = CONTROL < trial < history.n_trials
    if not known or not isinstance(history.outcome(trial), Told):
        raise StateError(
            f"There is no trial {trial} with a value to compare with the control; "
            "`assay trials` lists those that there are."
        )
    named = history.last(Frozen).contenders
    if not history.looks and trial not in named:
        raise SealError(
            f"The first look is for the trials that were named before it: {list(named)}. Open it for "
            f"them; trial {trial} may follow as a second look, with a reason."
        )
    return CONTROL, trial


def _until_measured(
    spec: Any, history: History, *, busy: Any, stopping: bool, forgiven: int, **_: Any
) -> Command:
    """The next fit of this opening; what broke in an earlier sitting is tried once more."""
    if stopping:
        return Finish("interrupted")
    return missing_test(spec, history, busy, forgiven=forgiven) or Finish("complete")


def _result(study: Study, prepared: Prepared, history: History, test: Table) -> list[Event]:
    spec = study.spec
    intent: Opening = history.last(Opening)
    n = len(test)
    arms = {number: _stored(study, history, number, intent.look, n) for number in intent.contenders}
    lost = [number for number, values in arms.items() if not len(values)]
    if lost:
        reasons = [b.reason for b in history.breakages() if b.stage == "test"]
        raise StateError(
            f"Trial {lost[0]} could not be fitted for the test: {reasons[-1] if reasons else ''} "
            "The opening stays unfinished; mend the cause and run `assay unseal` again."
        )
    y = prepared.codes(test.y)
    rows = prepared.drawn(test)
    rng = stream(spec.seed, "final", intent.look)
    results = final_results(prepared.judge(), y, arms, rows, rng, alpha=spec.alpha / intent.look)
    metric = prepared.recipe.metric
    second = second_opinion(
        y,
        arms[CONTROL],
        arms[results["gain"]["challenger"]],
        rows,
        stream(spec.seed, "second", intent.look),
        metric=metric.name,
        decomposable=metric.decomposable,
        horizon=prepared.horizon,
    )
    opened = Opened(intent.look, results | ({"second": second} if second else {}))
    return [opened, conclude(spec, history, opened)]


def _stored(study: Study, history: History, number: int, look: int, n: int) -> NDArray[np.float64]:
    """Per-row values of each refit of this look, shape (refits, n) or (refits, n, classes)."""
    found: list[Measured] = [
        event
        for unit, event in sorted(history.units(number, "test").items())
        if unit[0] == look - 1 and event.rows
    ]
    fits = [np.frombuffer(study.store.blob(event.rows or ""), "<f4") for event in found]
    shaped = [fit if len(fit) == n else fit.reshape(n, -1) for fit in fits]
    return np.array(shaped, dtype=np.float64)
