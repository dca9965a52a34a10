"""A study is paused, goes on and is stopped by events, from wherever they come."""

from __future__ import annotations

import io
import threading
import time
from pathlib import Path

import pytest

import assay
from assay.api import agents
from assay.api.session import seconds_before
from assay.cli.status import status_text
from assay.core.errors import SpecError
from assay.core.events import Noted, Steered
from assay.progress import Progress
from assay.report.log import in_words
from assay.stores.envelope import actor, by_way_of
from assay.stores.sqlite import SqliteStore

SPACE = assay.Space(x=assay.Float(0, 1, default=0.5))


def slow(trial):
    time.sleep(0.02)
    return trial.config["x"]


def run(store, trials=2_000):
    return assay.optimize(
        slow, SPACE, budget=trials, evidence=None, sampler="random", storage=store,
        name="lab", isolation="none",
    )  # fmt: skip


@pytest.fixture
def store(tmp_path):
    with_file = SqliteStore(Path(tmp_path, "lab.db"))
    yield with_file
    with_file.close()


@pytest.fixture
def running(store, tmp_path):
    """A study that is driven by a thread, and a second look at its file."""
    ended = []
    thread = threading.Thread(target=lambda: ended.append(run(store)))
    thread.start()
    wait_for(lambda: len(store.read("lab")) > 5)
    other = assay.open_study(str(tmp_path / "lab.db"), "lab")
    yield other, thread
    if thread.is_alive():
        other.steer("stop")
        thread.join(120)
    other.close()


def wait_for(happens, seconds=120.0):
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.02)


def still(study):
    """Whether nothing was added to the log for longer than the driver looks away."""
    before = study.history.length
    time.sleep(1.6)
    return study.history.length == before


def test_pause_and_go_on_and_stop(running):
    other, thread = running
    other.steer("pause", "the machine is needed")
    wait_for(lambda: still(other))
    assert thread.is_alive()
    paused_at = other.history.n_trials
    other.steer("go on")
    wait_for(lambda: other.history.n_trials > paused_at + 5)
    other.steer("stop")
    thread.join(120)
    assert not thread.is_alive()
    assert not other.history.running()
    assert other.history.n_trials < 2_000


def test_a_stopped_study_goes_on_when_it_is_driven_again(running, store):
    other, thread = running
    other.steer("stop")
    thread.join(120)
    done = other.history.n_ended
    again = run(store, trials=done + 3)
    assert again.history.n_ended == done + 3
    wishes = [e.wish for e in again.history.milestones() if isinstance(e, Steered)]
    assert wishes == ["stop", "go on"]


def test_a_queued_config_comes_next_while_the_study_runs(running):
    other, _ = running
    other.enqueue({"x": 0.123})
    wait_for(lambda: other.history.find({"x": 0.123}) is not None)
    assert other.history.origin(other.history.find({"x": 0.123})) == "given"


def test_only_known_wishes_are_taken():
    study = assay.Study(SPACE)
    with pytest.raises(SpecError, match="'pause', 'go on' or 'stop'"):
        study.steer("halt")
    study.steer("pause", "lunch")
    assert in_words(study.history.last(Steered)) == "asked to pause: lunch"


def test_a_pause_is_shown_wherever_one_looks(store, tmp_path):
    db, shown = str(tmp_path / "lab.db"), io.StringIO()
    study = assay.Study(SPACE, storage=store, name="lab")
    study.tell(study.ask(), 1.0)
    assert agents.result(study)["steered"] is None
    progress = Progress(study.spec, stream=shown)
    progress(study.history)
    study.steer("pause", "Lunch at NOON")
    asked = {"wish": "pause", "reason": "Lunch at NOON"}
    assert agents.result(study)["steered"] == asked
    assert agents.status(db)["studies"][0]["steered"] == asked
    assert "paused" in status_text(db, None).replace("Asked to pause", "").split()
    assert "Asked to pause: Lunch at NOON." in status_text(db, "lab")
    progress._next = 0.0  # a tenth of a second later
    progress(study.history)
    assert "asked to pause: Lunch at NOON" in shown.getvalue()
    study.steer("go on")
    assert agents.result(study)["steered"] is None
    assert "paus" not in status_text(db, "lab")


def test_what_people_add_is_no_driving(store, monkeypatch):
    study = assay.Study(SPACE, storage=store, name="lab")
    clock = iter(range(100, 10_000, 50))
    monkeypatch.setattr(
        "assay.stores.sqlite.now", lambda: f"2026-01-01T00:{next(clock) // 60:02d}:00.000000Z"
    )
    for event in (Noted("a"), Steered("pause"), Noted("b")):
        study.ledger.decide(lambda _, e=event: [e])
    assert seconds_before(store, "lab") == 0


def test_a_pause_uses_up_no_seconds_of_the_search(store, tmp_path):
    """Neither while it is driven, nor by the log."""
    ended = []

    def drive():
        ended.append(
            assay.optimize(
                slow, SPACE, budget=assay.Budget(seconds=2.5), evidence=None, sampler="random",
                storage=store, name="lab", isolation="none", progress=False,
            )
        )  # fmt: skip

    thread = threading.Thread(target=drive)
    thread.start()
    wait_for(lambda: len(store.read("lab")) > 5)
    with assay.open_study(str(tmp_path / "lab.db"), "lab") as other:
        other.steer("pause")
        time.sleep(4)
        paused_at = other.history.n_trials
        other.steer("go on")
        thread.join(120)
        assert ended[0].history.n_trials > paused_at + 5
        assert seconds_before(other.store, "lab") < 4


def test_who_came_by_the_dashboard_is_known(store):
    study = assay.Study(SPACE, storage=store, name="lab")
    with by_way_of("dashboard"):
        study.note("seen")
    study.note("here")
    ours = [row.actor for row in store.rows("lab")]
    assert ours[-2] == f"{actor()} by dashboard"
    assert ours[-1] == actor()
