"""One sitting of a study."""

from __future__ import annotations

from time import monotonic, sleep

import pytest

from assay import Budget, Float, Space, StateError, Study, optimize
from assay.api.session import driving, record_environment, same_call, search_clock, seconds_before
from assay.core.events import Environment, Steered, encode
from assay.core.protocols import Row
from assay.stores.memory import MemoryStore

SPACE = Space(x=Float(0.0, 1.0, default=0.5))


class Watched(MemoryStore):
    """Knows who drives."""

    def __init__(self):
        super().__init__()
        self.log = []

    def acquire(self, study):
        self.log.append(("acquire", study))

    def release(self, study):
        self.log.append(("release", study))


def test_the_seat_is_taken_and_given_back_whatever_happens():
    store = Watched()
    study = Study(SPACE, storage=store, name="lab")
    with pytest.raises(ZeroDivisionError), driving(study):
        assert store.log == [("acquire", "lab")]
        raise ZeroDivisionError
    assert store.log == [("acquire", "lab"), ("release", "lab")]


def test_a_seat_that_is_taken_is_not_given_back():
    class Busy(Watched):
        def acquire(self, study):
            raise StateError("Process 7 drives it.")

    store = Busy()
    study = Study(SPACE, storage=store)
    with pytest.raises(StateError), driving(study):
        raise AssertionError
    assert store.log == []


def test_the_environment_is_recorded_at_first_and_when_it_changed(monkeypatch):
    study = Study(SPACE)

    def count():
        return sum(isinstance(e, Environment) for e in study.store.read("study"))

    record_environment(study)
    record_environment(study)
    assert count() == 1
    facts = dict(study.history.last(Environment).facts)
    monkeypatch.setattr("assay.stores.environment.changed", lambda before, after: True)
    record_environment(study)
    assert count() == 2
    assert facts


def rows(*stamps):
    return [
        Row(seq, f"2026-11-23T09:{minute:02d}:00.000Z", actor, 1, b"", "")
        for seq, (minute, actor) in enumerate(stamps)
    ]


def test_earlier_sittings_count_from_their_first_to_their_last_row():
    class Store(MemoryStore):
        def rows(self, study, *, after=0):
            return rows((0, "a"), (5, "a"), (20, "b"), (21, "b"), (50, "c"))

    assert seconds_before(Store(), "s") == 6 * 60
    clock = search_clock(Store(), "s", needed=True)
    assert 360 <= clock() < 361
    assert search_clock(Store(), "s", needed=False)() < 1


def test_pauses_that_people_asked_for_are_none_of_the_search():
    def wish(minute, name):
        at = f"2026-11-23T09:{minute:02d}:00.000Z"
        return Row(0, at, "somebody", 1, encode(Steered(name)), "")

    class Store(MemoryStore):
        def rows(self, study, *, after=0):
            driven = rows((0, "a"), (12, "a"), (40, "a"), (50, "b"), (55, "b"))
            wishes = [(10, "pause"), (20, "pause"), (30, "go on"), (35, "stop"), (54, "pause")]
            return [*driven, *(wish(*one) for one in wishes)]

    assert seconds_before(Store(), "s") == (20 + 4) * 60


def test_time_between_two_sittings_of_one_process_is_none_of_the_search():
    """As in a notebook, where the same kernel goes on the next day with a larger budget."""
    times = []

    def objective(trial):
        times.append(monotonic())
        sleep(0.05)
        return trial.config["x"]

    def sitting(seconds):
        budget = Budget(seconds=seconds)
        options = {"evidence": None, "isolation": "none", "progress": False}
        return optimize(objective, SPACE, budget=budget, storage=store, **options)

    store = MemoryStore()
    first = len(sitting(0.5).trials)
    sleep(1.5)
    began = monotonic()
    assert len(sitting(1.2).trials) > first
    assert 0.4 < times[-1] - began < 1.2


def test_how_to_go_on_depends_on_the_storage(tmp_path):
    assert "memory" in same_call(Study(SPACE))
    with Study(SPACE, storage=str(tmp_path / "lab.db"), name="lab") as study:
        assert "'lab'" in same_call(study)


def test_ctrl_c_says_how_to_go_on_and_the_same_call_does(tmp_path, capsys):
    import signal

    path, pressed = str(tmp_path / "lab.db"), []

    def objective(trial):
        if trial.number == 3 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)
        return trial.config["x"]

    def call():
        return optimize(objective, SPACE, budget=8, storage=path, isolation="none", progress=False)

    study = call()
    assert "To go on" in capsys.readouterr().err
    assert study.verdict is None
    assert len(study.trials) == 4
    study.close()
    study = call()
    assert study.verdict is not None
    assert len(study.trials) == 8
    assert study.verify() == []
    study.close()
