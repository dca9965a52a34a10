"""Trials on a Dask cluster on this machine."""

from __future__ import annotations

import socket

import pytest
from tests.integration.remote_kills import (
    assert_nothing_is_left,
    foreign_listeners,
    kill_alone,
    kill_with_family,
    leaves_a_mark,
    pids,
    run_with_kills,
)
from tests.integration.remote_studies import check_stop, check_study, sleeps

from assay.core.errors import StateError
from assay.core.jobs import Measurement
from assay.testing.executor_contract import job, messages_until_end, run

pytest.importorskip("distributed")

from assay.executors.dask import dask_executor
from assay.executors.dask_local import LocalCluster


def test_a_study_runs_on_a_local_cluster():
    before = pids()
    check_study("dask://local")
    assert_nothing_is_left(before)


def test_kills_reports_and_stops_on_one_cluster(tmp_path):
    before = pids()
    cluster = LocalCluster(2)
    try:
        with dask_executor(leaves_a_mark(tmp_path), cluster.address) as executor:
            assert foreign_listeners(before) == []
            count = run_with_kills(executor, tmp_path, trials=12, kills=2)
        assert count.done >= 12
        assert count.kills == 2
        assert count.lost >= 1
        _a_large_report_does_not_stay_with_the_scheduler(cluster.address)
        with dask_executor(sleeps, cluster.address) as executor:
            check_stop(executor)
        _a_task_meant_for_another_process_does_nothing(cluster.address, tmp_path)
        _slots_bound_what_runs_at_once(cluster.address)
    finally:
        cluster.close()
    assert_nothing_is_left(before)


def _a_large_report_does_not_stay_with_the_scheduler(address):
    from distributed import Client

    rows = bytes(1 << 20)

    def evaluate(job, emit):
        emit(Measurement(unit=(0, 0, 0), value=1.0, rows=rows))
        return 1.0

    with dask_executor(evaluate, address) as executor:
        [[measurement, _]] = run(executor, job(1))
        with Client(address, set_as_default=False) as client:
            events = client.get_events(executor._carrier._topic)
            kept = client.run(lambda: len(__import__("assay.executors.dask").executors.dask._KEPT))
    assert measurement.rows == rows
    assert 0 < sum(len(message) for _, message in events) < 1000
    assert set(kept.values()) == {0}


def _a_task_meant_for_another_process_does_nothing(address, folder):
    (folder / "99").unlink(missing_ok=True)
    with dask_executor(leaves_a_mark(folder), address) as executor:
        carrier = executor._carrier
        at, place = next(iter(carrier._there.items()))
        carrier._there = {at: place._replace(folder="/of/a/process/that/was/here/before")}
        executor.submit(job(99))
        [broken] = messages_until_end(executor, 99)[99]
        assert executor.free
        carrier._there = {}  # all workers went away since
        executor.submit(job(98))
        [gone] = messages_until_end(executor, 98)[98]
    assert (broken.kind, gone.kind) == ("lost", "lost")
    assert not (folder / "99").exists()


def _slots_bound_what_runs_at_once(address):
    with dask_executor(lambda job, emit: 1.0, address, slots=1) as executor:
        assert executor.free == 1
    with (
        pytest.raises(StateError, match="no workers with 2 threads"),
        dask_executor(lambda job, emit: 1.0, address, threads=2),
    ):
        pass


def test_nobody_there_is_said_so(monkeypatch):
    monkeypatch.setattr("assay.executors.dask._CONNECT_S", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StateError, match=f"No Dask scheduler answers at tcp://127.0.0.1:{port}"):
        dask_executor(lambda job, emit: 1.0, f"tcp://127.0.0.1:{port}")


@pytest.mark.slow
def test_nothing_outlives_a_driver_that_is_killed(tmp_path):
    make = """
from assay.executors.dask import dask_executor
def make(evaluate, folder):
    return dask_executor(evaluate, "local")
"""
    kill_with_family(make, tmp_path, within_s=20)


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_a_cluster_of_others_idle(tmp_path):
    cluster = LocalCluster(1)
    try:
        make = f"""
from assay.executors.dask import dask_executor
def make(evaluate, folder):
    return dask_executor(evaluate, {cluster.address!r})
"""
        kill_alone(make, tmp_path, within_s=20)
        with dask_executor(lambda job, emit: 2.0, cluster.address) as executor:
            [[done]] = run(executor, job(1))
        assert done.values == {"value": 2.0}
    finally:
        cluster.close()


@pytest.mark.slow
def test_kill_9_of_workers_loses_nothing_and_counts_nothing_twice(tmp_path):
    cluster = LocalCluster(2)
    try:
        with dask_executor(leaves_a_mark(tmp_path), cluster.address) as executor:
            count = run_with_kills(executor, tmp_path, trials=40, kills=8, seed=1)
    finally:
        cluster.close()
    assert (count.done, count.kills) == (40, 8)
