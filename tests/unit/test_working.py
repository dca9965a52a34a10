"""When a worker goes home, and what it finishes before."""

from __future__ import annotations

import pytest

import assay
from assay.api.working import work
from assay.core.events import Concluded
from assay.stores.sqlite import SqliteStore


def objective(trial):
    return (trial.config["x"] - 0.3) ** 2


@pytest.fixture
def unsaid(tmp_path):
    """A study whose driver died after its last result and before its verdict."""
    space = assay.Space(x=assay.Float(-1, 1, default=0.9))
    whole = assay.optimize(objective, space, budget=4, isolation="none")
    events = list(whole.store.read(whole.name))
    assert isinstance(events[-1], Concluded)
    store = SqliteStore(tmp_path / "lab.db")
    store.append("study", events[:-1], after=0)
    store.close()
    return str(tmp_path / "lab.db")


def test_a_worker_that_may_drive_says_the_verdict_that_a_dead_driver_did_not(unsaid):
    assert work(objective, storage=unsaid, wait_s=0, drive=True) == "it was driven from here"
    with assay.open_study(unsaid) as study:
        assert study.verdict is not None
        assert study.verify() == []
    assert work(objective, storage=unsaid, wait_s=0, drive=True) == "complete"


def test_a_worker_that_may_not_drive_has_nothing_to_do_there(unsaid):
    assert work(objective, storage=unsaid, wait_s=0) == "complete"
    with assay.open_study(unsaid) as study:
        assert study.verdict is None
