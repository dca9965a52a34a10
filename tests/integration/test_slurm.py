"""Trials by submitit, in its local mode: pilots are processes of this machine."""

from __future__ import annotations

import time

import pytest
from tests.integration.remote_kills import (
    assert_nothing_is_left,
    kill_alone,
    leaves_a_mark,
    pids,
    places,
    run_with_kills,
)
from tests.integration.remote_studies import begin, check_study, sleeps

from assay.core.errors import SpecError, StateError
from assay.executors.slurm import slurm_executor
from assay.executors.slurm_pilot import Growing, Pulse, append, beat
from assay.testing.executor_contract import messages_until_end

pytest.importorskip("submitit")


def at_work(executor):
    while not executor.free:
        assert executor.poll(0.05) == []
    return executor


def test_a_study_runs_in_pilots(tmp_path):
    before = pids()
    check_study(f"slurm://?cluster=local&folder={tmp_path}&timeout_min=5")
    assert_nothing_is_left(before)
    assert not list(tmp_path.glob("assay-*"))


def test_kill_9_of_pilots_is_counted_and_they_are_replaced(tmp_path):
    marks, folder = tmp_path / "marks", tmp_path / "shared"
    marks.mkdir()
    with at_work(
        slurm_executor(leaves_a_mark(marks), folder=str(folder), cluster="local")
    ) as executor:
        count = run_with_kills(executor, marks, trials=4, kills=1)
    assert (count.done, count.kills, count.lost) == (4, 1, 1)


def test_a_silent_pilot_is_lost_and_does_not_come_back(tmp_path):
    with at_work(
        slurm_executor(sleeps, folder=str(tmp_path), cluster="local", silent_s=3)
    ) as executor:
        begin(executor)
        while not (there := places()):
            time.sleep(0.05)
        [pilot] = there
        pilot.suspend()
        [broken] = messages_until_end(executor, 1)[1]
        pilot.resume()
        pilot.wait(timeout=30)  # it finds that it was dismissed
        assert broken.kind == "lost"
        assert "silent for 3 s" in broken.reason
        assert executor.poll(0) == []


def test_settings_that_submitit_does_not_know_are_refused(tmp_path):
    with pytest.raises(SpecError, match="Slurm cannot be used here"):
        slurm_executor(
            lambda job, emit: 1.0, folder=str(tmp_path), cluster="local", settings={"tme": 1}
        )


def test_a_machine_without_slurm_is_told_so(tmp_path):
    with pytest.raises(SpecError, match="Slurm cannot be used here"):
        slurm_executor(lambda job, emit: 1.0, folder=str(tmp_path))


@pytest.mark.slow
def test_pilots_that_never_begin_stop_the_study_with_what_they_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    (tmp_path / "broken" / "assay").mkdir(parents=True)
    (tmp_path / "broken" / "assay" / "__init__.py").write_text("raise ImportError('no assay here')")
    executor = slurm_executor(lambda job, emit: 1.0, folder=str(tmp_path / "s"), cluster="local")
    with executor, pytest.raises(StateError, match=r"(?s)3 Slurm jobs ended .*no assay here"):
        while True:
            executor.poll(1.0)


def test_a_growing_file_gives_whole_frames_only(tmp_path):
    file = tmp_path / "file"
    growing = Growing(file)
    assert growing.new() == []
    append(file, b"one")
    append(file, b"two")
    whole = file.read_bytes()
    file.write_bytes(whole[:-2])
    assert growing.new() == [b"one"]
    file.write_bytes(whole)
    assert growing.new() == [b"two"]


def test_a_pulse_is_seen_without_comparing_clocks(tmp_path):
    pulse = Pulse(tmp_path / "beat")
    quiet = pulse.silent_s()
    beat(tmp_path / "beat")
    assert pulse.silent_s() < 1.0
    seen = [pulse.silent_s() for _ in range(3)]
    assert quiet <= 1.0
    assert seen == sorted(seen)  # it only grows until the next beat


@pytest.mark.slow
def test_a_driver_that_is_killed_leaves_no_child_running(tmp_path):
    make = """
from assay.executors.slurm import slurm_executor
def make(evaluate, folder):
    return slurm_executor(evaluate, folder=folder, cluster="local", silent_s=4)
"""
    kill_alone(make, tmp_path, within_s=30)


@pytest.mark.slow
def test_kill_9_of_pilots_loses_nothing_and_counts_nothing_twice(tmp_path):
    marks, folder = tmp_path / "marks", tmp_path / "shared"
    marks.mkdir()
    with at_work(
        slurm_executor(leaves_a_mark(marks), folder=str(folder), cluster="local", workers=2)
    ) as executor:
        count = run_with_kills(executor, marks, trials=40, kills=15, seed=1)
    assert (count.done, count.kills) == (40, 15)
