"""Strict order with real workers: processes, threads of a cluster, drivers and workers that are killed."""

from __future__ import annotations

import os
import random
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.integration import killing
from tests.integration.killing import Counts, run_to_end
from tests.integration.strict_program import objective, study

import assay
from assay.core.events import Asked
from assay.core.ordered import ordered

ME = os.getpid()
needs_dask = pytest.mark.skipif(not find_spec("distributed"), reason="Dask is not installed")
needs_ray = pytest.mark.skipif(not find_spec("ray"), reason="Ray is not installed")


def dies_at_times(trial):
    """The same values, but a process in eight is killed before it has one."""
    if os.getpid() != ME and random.SystemRandom().random() < 1 / 8:
        os.kill(os.getpid(), signal.SIGKILL)
    return objective(trial)


@pytest.fixture(scope="module")
def inline():
    """The study in this process, one trial after the other."""
    found = study(None, 1, isolation="none")
    assert {trial.state for trial in found.trials} == {"done", "failed"}
    assert found.verdict is not None
    return ordered(found.history)


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_processes_give_the_study_that_one_process_gives(inline, workers):
    found = study(None, workers, objective=dies_at_times)
    assert ordered(found.history) == inline
    assert found.verify() == []


def test_a_driver_that_is_killed_again_and_again_gives_it_too(inline, tmp_path, monkeypatch):
    monkeypatch.setattr(killing, "PROGRAM", Path(__file__).with_name("strict_program.py"))
    counts = Counts()
    run_to_end(
        tmp_path / "s.db", tmp_path, random.Random(4), counts, drivers=4, workers=2, at_once=3
    )
    assert counts.drivers >= 2
    with assay.open_study(f"sqlite:///{tmp_path}/s.db") as found:
        assert ordered(found.history) == inline
        assert found.verify() == []


@needs_dask
def test_dask_gives_it_too(inline):
    assert ordered(study(None, 2, executor="dask://local").history) == inline


@needs_ray
@pytest.mark.slow
def test_ray_gives_it_too(inline):
    assert ordered(study(None, 2, executor="ray://local").history) == inline


def test_without_it_workers_change_the_study(inline):
    found = study(None, 4, lag=None, order="asynchronous")
    configs = [event.config for event in inline if isinstance(event, Asked)]
    assert [trial.config for trial in found.trials] != configs
    assert found.verify() == [], "what it saw is in its log"
