"""What programs that tune without a person may do with a study: plain JSON in, plain JSON out.

Nothing here opens a sealed test set, and no answer holds rows or labels of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assay.api.exporting import trial_rows
from assay.api.opened import open_study
from assay.api.parts import store_at
from assay.api.programs import space_of
from assay.api.stored import chosen_study, existing
from assay.api.study import Study
from assay.core.errors import SpecError, StateError, StoreError
from assay.core.events import Attributed, Created, Sealed, Selected
from assay.core.history import History
from assay.engine.trial import Reports
from assay.report.phase import Phase, over, standing, wish

JSON = dict[str, Any]


def create(
    storage: str, study: str, space: JSON, direction: Any = "minimize", **given: Any
) -> JSON:
    """Begin a study that is driven by `ask` and `tell`.

    Args:
        space: as in a study file: words such as "1e-4..1 log default=0.1", or tables.
        direction: "minimize" or "maximize", or one for each objective by name.
        given: `seed`, `sampler`, `constraints`, as for `assay.Study`.

    Raises:
        SpaceError, SpecError: the plan is wrong, or the name is taken by another plan.
    """
    if not isinstance(space, Mapping) or not space:
        raise SpecError(
            "space needs the parameters to search, by name, such as "
            f'{{"lr": "1e-4..1 log default=0.1", "kind": "tree|linear"}}; got {space!r:.100}.'
        )
    with Study(
        space_of(space), direction=direction, storage=store_at(storage), name=study, **given
    ) as made:
        return {"study": made.name, "plan": made.spec.plan, "control": made.spec.control}


def ask(storage: str, study: str | None = None) -> JSON:
    """The next trial: its number, config and seed.

    Raises:
        SpecError: there is no such study, or it is driven by a plan of its own.
        StateError: every config of the space was tried.
    """
    with _driven_by_hand(storage, study) as found:
        trial = found.ask()
        return {
            "study": found.name,
            "trial": trial.number,
            "config": trial.config,
            "seed": trial.seed,
            "origin": found.history.origin(trial.number),
        }


def tell(
    storage: str,
    study: str | None = None,
    *,
    trial: int,
    value: Any = None,
    failed: str | None = None,
) -> JSON:
    """End a trial with a number, numbers by name, or as failed.

    Raises:
        SpecError: not such a number.
        StateError: there is no such trial, or it has ended.
    """
    with _driven_by_hand(storage, study) as found:
        found.tell(trial, value, failed=failed)
        ended = found.history.trial(trial)
        why = {"failure": ended.failure.reason} if ended.failure else {}
        said = {"study": found.name, "trial": trial, "state": ended.state}
        return {**said, **why, "best": _best(found)}


def report(
    storage: str, study: str | None = None, *, trial: int, step: int, value: Reports
) -> JSON:
    """Record an intermediate value of a trial that runs, or values by name."""
    with _driven_by_hand(storage, study) as found:
        found.report_step(trial, step, value)
        return {"study": found.name, "trial": trial, "step": step}


def status(storage: str, study: str | None = None) -> JSON:
    """Where the studies of a storage stand, or one."""
    store = existing(storage, readonly=True)
    names = [chosen_study(store, study)] if study else list(store.studies())
    found = []
    for name in names:
        one = open_study(store, name, readonly=True)
        history = one.history
        now = standing(one.spec, history)
        found.append(
            {
                "study": name,
                "phase": now.phase,
                "steered": _steered(history, now.phase),
                "objectives": dict(one.spec.directions),
                **_counts(history),
                "test_set": _test_set(one),
                "best": _best(one),
            }
        )
    store.close()
    return {"studies": found}


def trials(storage: str, study: str | None = None, limit: int | None = None) -> JSON:
    """The trials, the newest `limit` of them.

    Raises:
        SpecError: there is no such study, or the limit is no whole number from 1.
    """
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise SpecError(f"limit needs a whole number >= 1, got {limit!r}.")
    with open_study(storage, study, readonly=True) as found:
        first = max(len(found.trials) - limit, 0) if limit else 0
        rows = trial_rows(found, range(first, len(found.trials)))
        return {"study": found.name, "trials": rows}


def verdict(storage: str, study: str | None = None) -> JSON:
    """What the study concluded; null while it has not."""
    with open_study(storage, study, readonly=True) as found:
        return result(found)


def result(study: Study) -> JSON:
    """A study in one JSON object: where it stands, what to use, and the verdict."""
    history, said = study.history, study.verdict
    selected: Selected | None = history.last(Selected)
    created: Created = history.last(Created)
    now = standing(study.spec, history).phase
    return {
        "study": study.name,
        "plan": created.plan,
        "phase": now,
        "steered": _steered(history, now),
        "objectives": dict(study.spec.directions),
        **_counts(history),
        "control": dict(study.spec.control) if study.spec.control is not None else None,
        "best": _best(study),
        "challenger": selected.challenger if selected else None,
        "test_set": _test_set(study),
        "verdict": None if said is None else said.to_json(),
        "ablations": [e.result for e in history.milestones() if isinstance(e, Attributed)],
    }


def no_study(storage: str) -> bool:
    """Whether there is no study to speak of; False where the storage cannot be read."""
    try:
        store = existing(storage)
        found = bool(store.studies())
        store.close()
    except SpecError:
        return True
    except StoreError:
        return False
    return not found


def _steered(history: History, now: Phase) -> JSON | None:
    asked = wish(history, now)
    return {"wish": asked.wish, "reason": asked.reason} if asked else None


def _counts(history: History) -> JSON:
    ended = over(history)
    return {
        "trials": history.n_trials,
        "ended": ended,
        "failed": len(history.failed),
        "stopped": ended - history.n_ended,
    }


def _best(study: Study) -> Any:
    try:
        numbers = [study.best.number] if study.spec.single else [t.number for t in study.front]
    except StateError:
        return None
    rows = [
        {"trial": t.number, "config": dict(t.config), "values": list(t.values or ())}
        for t in (study.history.trial(number) for number in numbers)
    ]
    return rows[0] if study.spec.single else rows


def _test_set(study: Study) -> str:
    if study.history.last(Sealed) is None:
        return "none"
    return "opened" if study.history.looks else "sealed"


def _driven_by_hand(storage: str, name: str | None) -> Study:
    study = open_study(storage, name)
    if study.spec.data or study.spec.budget is not None:
        study.close()
        raise SpecError(
            f"Study {study.name!r} runs by its own plan: ask and tell are for a study that was made "
            "with `assay create` or assay.Study. See `assay resume`."
        )
    return study
