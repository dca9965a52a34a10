"""One sitting of a study: take the driver's seat, run the plan, give the seat back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, TypeAlias
from urllib.parse import quote

from assay.api.metering import metering
from assay.api.study import Study
from assay.core.errors import StateError
from assay.core.events import Environment, Event, Steered, decode
from assay.core.history import History
from assay.core.protocols import Executor, Store
from assay.engine.plan import Command, Finish, plan
from assay.engine.run import Loop, Watch
from assay.stores.checkpoints import Checkpoints
from assay.stores.envelope import by_way_of, now

_NO_DRIVING = tuple(
    b'{"type":"%b"' % tag for tag in (b"noted", b"steered", b"enqueued", b"deviated")
)

_Span: TypeAlias = tuple[datetime, datetime]


@contextmanager
def driving(study: Study) -> Iterator[None]:
    """Be the one driver of the study; the environment is recorded when it differs from the last.

    Where time is limited, rows say in which sitting they were written: one process may have several,
    with hours between them.

    Raises:
        StateError: another process drives it.
    """
    store = study.store
    store.acquire(study.name)
    try:
        with by_way_of(f"sitting {now()[:19]}") if _timed(study) else nullcontext():
            study.ledger.refresh()
            record_environment(study)
            go_on(study)
            yield
    finally:
        store.release(study.name)


def record_environment(study: Study) -> None:
    """Append where the study runs, if that was not recorded or has changed."""
    from assay.stores.environment import changed, environment

    facts = environment()
    last = study.ledger.history.last(Environment)
    if last is None or changed(last.facts, facts):
        study.ledger.add(Environment(facts))


def go_on(study: Study) -> None:
    """Say that the study goes on, if it was paused or stopped: whoever drives it means that."""

    def anew(history: History) -> Sequence[Event]:
        steered = history.last(Steered)
        again = steered is not None and steered.wish != "go on"
        return [Steered("go on", "driven again")] if again else []

    study.ledger.decide(anew)


def run_plan(
    study: Study,
    executor: Callable[[], Executor],
    *,
    watch: Watch | None = None,
    decide: Callable[..., Command] = plan,
    options: Mapping[str, Any] | None = None,
) -> Finish:
    """Run the study's plan with an executor of this sitting, which is closed at the end.

    Raises:
        StateError: the plan cannot go on, for example because the control fails; the log is kept.
    """
    pool, checkpoints = executor(), checkpoints_of(study)
    try:
        with metering(study, watch) as watched:
            loop = Loop(
                study.spec,
                study.ledger,
                study.sampler,
                pool,
                clock=search_clock(study.store, study.name, needed=_timed(study)),
                watch=watched,
                decide=decide,
                options=options,
                scheduler=study.scheduler,
                checkpoints=checkpoints,
            )
            finish = loop.run()
    finally:
        pool.close()
        if checkpoints:
            checkpoints.close()
    if finish.failed:
        reason, _, where = finish.reason.partition("\n")
        stopped = f"Study {study.name!r} stopped: {reason.rstrip('.')}. {_way_out(study, finish)}"
        raise StateError(f"{stopped}\n{where}" if where else stopped)
    return finish


def checkpoints_of(study: Study) -> Checkpoints | None:
    """Where trials of this study leave what they go on from; None without epochs or the like.

    Without a scheduler, too, so that an objective need not know whether there is one. Beside the
    study's file, "lab.db-checkpoints/study"; for a study in memory in a temporary directory.
    """
    fidelity = study.spec.space.fidelity
    if fidelity is None or fidelity.kind != "epochs":
        return None
    path = getattr(study.store, "path", None)
    folder = Path(path).with_name(f"{Path(path).name}-checkpoints") if path else None
    return Checkpoints(folder / quote(study.name, safe="") if folder else None)


def search_clock(store: Store, study: str, *, needed: bool) -> Callable[[], float]:
    """Seconds of driving so far: earlier sittings from the times of their rows, and this one."""
    before = seconds_before(store, study) if needed else 0.0
    start = monotonic()
    return lambda: before + monotonic() - start


def seconds_before(store: Store, study: str) -> float:
    """Wall-clock time of earlier sittings: from the first to the last row that each wrote.

    What people add from elsewhere, such as notes and another budget, is no driving, and neither is
    the time for which they had it paused.
    """
    spans: dict[str, _Span] = {}
    wishes: list[tuple[datetime, Steered]] = []
    for row in store.rows(study):
        at = datetime.fromisoformat(row.time)
        if row.body.startswith(_NO_DRIVING):
            event = decode(row.body)
            wishes += [(at, event)] if isinstance(event, Steered) else []
            continue
        first, last = spans.get(row.actor, (at, at))
        spans[row.actor] = (min(first, at), max(last, at))
    driven = sum((last - first).total_seconds() for first, last in spans.values())
    pauses = _pauses(wishes)
    paused = sum(_common_s(span, pause) for span in spans.values() for pause in pauses)
    return driven - paused


def _pauses(wishes: Sequence[tuple[datetime, Steered]]) -> list[_Span]:
    """From each wish to pause to the next that is another; the last may have no end yet."""
    ends = [at for at, _ in wishes[1:]] + [datetime.max.replace(tzinfo=UTC)]
    return [
        (at, end) for (at, asked), end in zip(wishes, ends, strict=False) if asked.wish == "pause"
    ]


def _common_s(one: _Span, other: _Span) -> float:
    """How long both last at once."""
    return max(0.0, (min(one[1], other[1]) - max(one[0], other[0])).total_seconds())


def say_how_to_resume(how: str) -> None:
    """Tell a person who pressed Ctrl-C how to go on."""
    sys.stderr.write(f"Stopped; nothing is lost. To go on: {how}\n")


def same_call(study: Study) -> str:
    """How to go on with a study that a Python program made."""
    from assay.stores.memory import MemoryStore

    if isinstance(study.store, MemoryStore):
        return "this study lives in memory; give storage='sqlite:///study.db' to be able to resume."
    return f"make the same call again (study {study.name!r} in its storage)."


def _timed(study: Study) -> bool:
    return bool(study.spec.budget and study.spec.budget.seconds)


_WORDS = (
    "A column holds words or dates, and this model takes numbers alone: put an encoder before it in a pipeline "
    "(sklearn.preprocessing.OrdinalEncoder, skrub.tabular_pipeline), or give the name of a built-in model "
    "(`assay models`), which encodes them by itself. "
)


def _way_out(study: Study, finish: Finish) -> str:
    if "the control failed" not in finish.reason:
        reasons = [trial.failure.reason for trial in study.trials if trial.failure]
        last = reasons[-1].partition("\n")[0].rstrip(".") if reasons else "there was none"
        return f"The last trial: {last}. Mend the cause, and start a new study under another name."
    if study.spec.data:
        words = _WORDS if "could not convert string to float" in finish.reason else ""
        return words + (
            "The model must work with its own settings before others can be compared with them. Mend "
            "the cause, or choose another model or other limits, and start a new study under "
            "another name."
        )
    return (
        "Mend the objective, or give settings that work as the control (default=… of each --param, in "
        "Python control={…}), and start a new study under another name."
    )
