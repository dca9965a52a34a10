"""A study that is killed at any moment goes on as if nothing had happened."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.integration.killing import Counts, run_to_end, start
from tests.integration.story import events_of, outcomes, story

import assay


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The storage of a study that nobody killed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    out, err = start(folder / "s.db", folder).communicate(timeout=120)
    assert "trial" in out or out, err
    return folder / "s.db"


def test_a_killed_driver_leaves_no_trace_in_the_log(undisturbed: Path, tmp_path: Path) -> None:
    counts = Counts()
    run_to_end(tmp_path / "s.db", tmp_path, random.Random(1), counts, drivers=6, workers=0)
    assert counts.drivers >= 3
    assert story(events_of(tmp_path / "s.db")) == story(events_of(undisturbed))


def test_killed_workers_change_no_outcome(undisturbed: Path, tmp_path: Path) -> None:
    counts = Counts()
    run_to_end(tmp_path / "s.db", tmp_path, random.Random(2), counts, drivers=1, workers=3)
    assert counts.workers >= 1
    assert outcomes(events_of(tmp_path / "s.db")) == outcomes(events_of(undisturbed))


def test_the_log_of_a_killed_study_verifies(tmp_path: Path) -> None:
    run_to_end(tmp_path / "s.db", tmp_path, random.Random(3), Counts(), drivers=3, workers=1)
    with assay.open_study(f"sqlite:///{tmp_path}/s.db") as study:
        assert study.verify() == []
        assert len(study.trials) == 25
        assert study.verdict is not None


def test_a_finished_study_is_not_run_again(undisturbed: Path) -> None:
    before = events_of(undisturbed)
    out, err = start(undisturbed, undisturbed.parent).communicate(timeout=60)
    assert out, err
    assert events_of(undisturbed) == before


def test_two_workers_lose_nothing(tmp_path: Path) -> None:
    for seconds in (0.7, 1.0):
        process = start(tmp_path / "s.db", tmp_path, workers=2)
        try:
            process.communicate(timeout=seconds)
        except Exception:
            process.kill()
            process.communicate()
    out, err = start(tmp_path / "s.db", tmp_path, workers=2).communicate(timeout=120)
    assert out, err
    with assay.open_study(f"sqlite:///{tmp_path}/s.db") as study:
        assert study.verify() == []
        assert [trial.state for trial in study.trials] == ["done"] * 25
