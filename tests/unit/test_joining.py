"""What a driver notes of the workers that join its study, and what it takes over from another driver."""

from __future__ import annotations

import os
import warnings
from contextlib import closing

import pytest

from assay import Budget, Float, Space
from assay.api.fleet import differences, with_workers
from assay.api.session import record_environment
from assay.api.study import Study
from assay.core.events import Asked, Environment, Joined, Told
from assay.core.jobs import Job
from assay.core.protocols import Member
from assay.core.spec import StudySpec
from assay.executors.fleet import FleetExecutor
from assay.executors.inline import InlineExecutor
from assay.executors.local import LocalExecutor
from assay.stores.lease import birth, place
from assay.stores.sqlite import SqliteStore


@pytest.fixture
def study(tmp_path):
    spec = StudySpec(Space(x=Float(0, 1)), {"value": "minimize"}, budget=Budget(trials=9))
    with closing(SqliteStore(tmp_path / "lab.db")) as store:
        yield Study.of(spec, store, "study")


def member(name, *differs, host="node-7", pid=7, born="1", at="elsewhere"):
    return Member(name, host, at, pid, born, 1, differs)


def noted(study):
    return [event for event in study.store.read("study") if isinstance(event, Joined)]


def meet(study, *members):
    """The driver begins when these have joined; who is in the crew then."""
    board = study.store.board("study")
    for one in members:
        board.join(one)
    with (
        LocalExecutor(lambda job, emit: 1.0) as local,
        warnings.catch_warnings(record=True) as said,
    ):
        warnings.simplefilter("always")
        with with_workers(study, local):
            study.ledger.flush()
    return [one.worker for one in board.crew()], [str(one.message) for one in said]


def test_a_worker_that_differs_is_noted_once_for_each_machine(study):
    other = ("git: none → abc",)
    _, said = meet(study, member("a", *other), member("b", *other), member("c", host="node-8"))
    assert [(event.worker, event.host, event.differs) for event in noted(study)] == [
        ("a", "node-7", other)
    ]
    assert said == []


def test_another_numerical_library_is_warned_of(study):
    _, said = meet(study, member("a", "numpy: 2.4.5 → 2.4.6"))
    assert len(said) == 1
    assert "node-7 with other versions" in said[0]
    assert "numpy: 2.4.5 → 2.4.6" in said[0]


def test_a_process_of_this_machine_that_is_dead_is_dismissed_at_once(study):
    me = os.getpid()
    here = member("alive", pid=me, born=birth(me), at=place())
    crew, _ = meet(
        study,
        here,
        here._replace(worker="reused", birth="1"),  # the number is that of another process now
        here._replace(worker="gone", pid=2**22 + 1),
        member("elsewhere", pid=2**22 + 1),
    )
    assert crew == ["alive", "elsewhere"]


def test_tasks_whose_result_is_in_the_log_are_not_taken_over(study):
    board = study.store.board("study")
    told = [Asked(n, {"x": 0.5}, 1) for n in (0, 1)] + [Told(0, (1.0,))]
    study.ledger.decide(lambda now: told)
    jobs = [Job(id=n, trial=n, stage="search", config={"x": 0.5}) for n in (0, 1)]
    done, running = board.post(jobs)
    with LocalExecutor(lambda job, emit: 1.0) as local, with_workers(study, local):
        assert [task.number for task in board.tasks()] == [running]
    assert done != running


def test_nobody_joins_what_runs_in_this_process_or_lies_in_memory(study):
    with InlineExecutor(lambda job, emit: 1.0) as inline:
        assert with_workers(study, inline) is inline
    spec = study.spec
    from assay.stores.memory import MemoryStore

    own = Study.of(spec, MemoryStore(), "study")
    with LocalExecutor(lambda job, emit: 1.0) as local:
        assert with_workers(own, local) is local
        with with_workers(study, local) as fleet:
            assert isinstance(fleet, FleetExecutor)


def test_differences_name_numerical_libraries_first_and_leave_the_machine_out(study):
    assert differences(study) == ()
    record_environment(study)
    assert differences(study) == ()
    facts = dict(study.history.last(Environment).facts)
    facts["packages"] = {**facts["packages"], "numpy": "1.0", "click": "1.0"}
    facts["host"] = "another"
    study.ledger.decide(lambda now: [Environment(facts)])
    first, second = differences(study)
    assert first.startswith("numpy: 1.0 → ")
    assert second.startswith("click: 1.0 → ")
