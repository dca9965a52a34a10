"""The driver's side of a study with workers elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from assay.api.study import Study
from assay.core.events import Environment, Joined
from assay.core.history import History
from assay.core.jobs import Job
from assay.core.protocols import Executor, Member

_MOST = 40
_ELSEWHERE = ("host", "user", "platform", "cores", "usable_cores", "memory_mb", "sqlite")
"""What differs between machines without a meaning for the results."""
_NUMERIC = (
    "numpy", "scipy", "scikit-learn", "pandas", "torch", "tensorflow", "jax", "xgboost", "lightgbm",
    "catboost",
)  # fmt: skip


def with_workers(study: Study, local: Executor) -> Executor:
    """The driver's own executor, and whoever joins the study while it runs.

    A study in memory can be joined by nobody, and one that runs in this process waits for nobody.
    """
    from assay.executors.fleet import FleetExecutor
    from assay.executors.inline import InlineExecutor
    from assay.stores.memory import MemoryStore

    if isinstance(study.store, MemoryStore) or isinstance(local, InlineExecutor):
        return local
    board = study.store.board(study.name)
    history = study.ledger.history
    board.settle([task.number for task in board.tasks() if _is_over(history, task.job)])
    return FleetExecutor(local, board, died=_died, welcome=lambda member: _welcome(study, member))


def _is_over(history: History, job: Job) -> bool:
    """Whether what an earlier driver's job was to find out is in the log."""
    if job.stage == "search":
        return job.trial not in history.running()
    return set(job.units) <= history.units(job.trial, job.stage).keys()


def _died(member: Member) -> bool:
    """Whether a worker was a process of this machine that does not live any more."""
    from assay.stores.lease import birth, place

    return member.place == place() and birth(member.pid) != member.birth


def _welcome(study: Study, member: Member) -> None:
    """Note a worker whose environment differs, once for each machine."""
    ledger = study.ledger
    noted = {(e.host, e.differs) for e in ledger.history.milestones() if isinstance(e, Joined)}
    if not member.differs or (member.host, member.differs) in noted:
        return
    ledger.stage([Joined(member.worker, member.host, member.differs)])
    numeric = [what for what in member.differs if what.partition(":")[0] in _NUMERIC]
    if numeric:
        warnings.warn(
            f"A worker joined from {member.host} with other versions than this study began with: "
            f"{', '.join(numeric)}. Its values may differ; the log notes it.",
            stacklevel=2,
        )


def differences(study: Study) -> tuple[str, ...]:
    """How the environment of this process differs from the one in the log, in words."""
    from assay.stores.environment import changed, environment

    recorded = study.history.last(Environment)
    if recorded is None:
        return ()
    found = changed(_shared(recorded.facts), _shared(environment()))
    found.sort(key=lambda what: what.partition(":")[0] not in _NUMERIC)
    more = [f"and {len(found) - _MOST} more"] if len(found) > _MOST else []
    return (*found[:_MOST], *more)


def _shared(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: fact for name, fact in facts.items() if name not in _ELSEWHERE}
