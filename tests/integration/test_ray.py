"""Trials on a Ray cluster on this machine. It takes eight seconds to start, so it is started once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from tests.integration.remote_kills import (
    assert_nothing_is_left,
    foreign_listeners,
    kill_with_family,
    leaves_a_mark,
    pids,
    run_with_kills,
)
from tests.integration.remote_studies import check_stop, check_study, sleeps

from assay.executors.ray import ray_executor
from assay.executors.ray_local import demand_token, local_ray

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    demand_token()
    before = pids()
    leave = local_ray(pytest.importorskip("ray"), 2)
    yield before
    leave()
    assert_nothing_is_left(before)


def test_it_listens_on_loopback_only_and_asks_for_a_token(cluster):
    assert foreign_listeners(cluster) == []
    address = pytest.importorskip("ray").get_runtime_context().gcs_address
    stranger = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, ray._raylet as r; r.GcsClient(address=sys.argv[1])",
            address,
        ],
        env={**os.environ, "RAY_AUTH_TOKEN": "0" * 64, "RAY_gcs_rpc_server_connect_timeout_s": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert stranger.returncode != 0
    assert "InvalidAuthToken" in stranger.stderr


def test_a_study_runs_on_it(cluster):
    check_study("ray://auto?slots=1")


def test_kill_9_of_actors_is_counted(cluster, tmp_path):
    with ray_executor(leaves_a_mark(tmp_path), "auto") as executor:
        count = run_with_kills(executor, tmp_path, trials=8, kills=2)
    assert (count.done, count.kills) == (8, 2)
    assert count.lost >= 1


def test_a_stop_is_confirmed_by_the_place(cluster):
    with ray_executor(sleeps, "auto") as executor:
        check_stop(executor)


def test_the_cluster_of_somebody_else_is_left_running(cluster):
    with ray_executor(lambda job, emit: 1.0, "auto") as executor:
        assert executor.free == 2
    assert pytest.importorskip("ray").is_initialized()


def test_nothing_outlives_a_driver_that_is_killed(tmp_path):
    make = """
from assay.executors.ray import ray_executor
def make(evaluate, folder):
    return ray_executor(evaluate, "local")
"""
    kill_with_family(make, tmp_path, within_s=30)


def test_a_local_cluster_of_a_study_ends_with_it(tmp_path):
    program = """
import psutil
from assay import Budget, Float, Space, optimize
study = optimize(lambda t: t.config["x"] ** 2, Space(x=Float(-1, 1, default=0.9)),
                 budget=Budget(trials=6), executor="ray://local", workers=2)
psutil.wait_procs(psutil.Process().children(recursive=True), timeout=10)
left = [p.cmdline() for p in psutil.Process().children(recursive=True) if p.status() != "zombie"]
print(len(study.trials) >= 6, left)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=200
    )
    assert done.stdout.splitlines()[-1:] == ["True []"], done.stdout + done.stderr


def test_kill_9_of_actors_loses_nothing_and_counts_nothing_twice(cluster, tmp_path):
    with ray_executor(leaves_a_mark(tmp_path), "auto") as executor:
        count = run_with_kills(executor, tmp_path, trials=120, kills=40, seed=1)
    assert (count.done, count.kills) == (120, 40)
