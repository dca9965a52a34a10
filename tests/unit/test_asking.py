"""Many who ask one study: nobody's proposal is made again because results came, or others asked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.unit.lab import born, sampler_for, spec_of

from assay import Fidelity, Float, Space, Study, open_study
from assay.core.events import Asked, Enqueued, Told
from assay.core.history import fold
from assay.engine.ledger import Ledger
from assay.engine.propose import propose, stands
from assay.stores.memory import MemoryStore
from assay.stores.turns import turn

SPACE = Space(x=Float(0, 1), y=Float(0, 1))
SPAWNED = multiprocessing.get_context("fork")


class Thinking:
    """A sampler during whose thinking others are at work."""

    def __init__(self, sampler, *meanwhile):
        self.sampler, self.meanwhile, self.asked = sampler, list(meanwhile), 0

    def ask(self, *given):
        proposal = self.sampler.ask(*given)
        self.asked += 1
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return proposal


def two(tmp_path, sampler="random"):
    return [Study(SPACE, storage=str(tmp_path / "lab.db"), sampler=sampler) for _ in range(2)]


def test_a_proposal_stands_when_only_results_came(tmp_path):
    mine, other = two(tmp_path, {"name": "tpe", "start": 2})
    first = [other.ask() for _ in range(4)]
    for trial in first[:3]:
        other.tell(trial, trial.config["x"])
    mine._sampler = Thinking(
        mine.sampler, lambda: other.tell(first[3], 0.5), lambda: other.note("hm")
    )
    mine.ask()
    mine.ask()
    assert mine._sampler.asked == 2
    asked = [event for event in mine.store.read("study") if isinstance(event, Asked)]
    before = mine.history.at(asked[4].seen)
    assert before.running() == [3], "it says that it did not see that result"
    assert mine.history.length > asked[4].seen + 1
    assert mine.verify() == []


@pytest.mark.parametrize("what", ["another trial", "a queued config"])
def test_a_proposal_is_made_again_when_it_is_another_trial_by_then(tmp_path, what):
    mine, other = two(tmp_path)
    queued = {"x": 0.25, "y": 0.75}
    acts = {
        "another trial": lambda: other.ledger.decide(other._next),  # one who does not wait
        "a queued config": lambda: other.enqueue(queued),
    }
    inner = mine.sampler
    mine._sampler = Thinking(inner, acts[what])
    trial = mine.ask()
    if what == "another trial":
        assert (mine._sampler.asked, trial.number) == (2, 1)
    else:
        assert (mine._sampler.asked, trial.number, trial.config) == (1, 0, queued)
    assert mine.verify() == []


def test_what_stands_is_the_proposal_that_would_be_made_again_without_the_results():
    spec = spec_of()
    start = fold([*born(spec), Asked(0, {"x": 0.5}, 1, "control")])
    event = propose(spec, start, sampler_for(spec))
    later = fold([Told(0, (1.0,))], start)
    assert stands(start, later)
    assert not stands(start, fold([event], later))
    assert not stands(start, fold([Enqueued({"x": 0.1})], later))


def test_a_conflict_leaves_what_samplers_keep():
    class Full(MemoryStore):
        """Somebody else writes first, once."""

        first = True

        def append(self, study, events, **options):
            if isinstance(events[0], Told) and self.first:
                self.first = False
                super().append(study, [Enqueued({"x": 0.5})], after=options["after"])
            return super().append(study, events, **options)

    spec = spec_of()
    store = Full()
    store.append("study", [*born(spec), Asked(0, {"x": 0.5}, 1, "control")], after=0)
    ledger = Ledger(store, "study")
    older = ledger.history
    kept = older.memo("mine", list)
    assert older.find({"x": 0.5}) == 0
    ledger.decide(lambda _: [Told(0, (1.0,))])
    assert ledger.history.memo("mine", list) is kept
    assert ledger.history == fold(store.read("study"))
    assert (ledger.history.find({"x": 0.5}), older.find({"x": 0.5})) == (0, 0)
    assert older.memo("mine", list) is not kept, "two pasts never share it"
    assert older == fold(store.read("study")[:2])


def test_a_conflict_that_nobody_resolves_is_not_hidden():
    class Broken(MemoryStore):
        def append(self, study, events, **options):
            if isinstance(events[0], Told):
                raise OSError("disk full")
            return super().append(study, events, **options)

    spec = spec_of()
    store = Broken()
    store.append("study", [*born(spec), Asked(0, {"x": 0.5}, 1, "control")], after=0)
    ledger = Ledger(store, "study")
    with pytest.raises(OSError, match="disk full"):
        ledger.decide(lambda _: [Told(0, (1.0,))])
    assert ledger.history == fold(store.read("study"))


# --- turns


def test_one_at_a_time_has_the_turn(tmp_path):
    inside, most = [], []

    def ask(number):
        with turn(tmp_path / "t") as alone:
            assert alone
            inside.append(number)
            most.append(len(inside))
            time.sleep(0.002)
            inside.remove(number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(ask, range(40)))
    assert set(most) == {1}


def test_the_turn_of_one_who_dies_is_free(tmp_path):
    def hold():
        with turn(tmp_path / "t"):
            os.kill(os.getpid(), signal.SIGKILL)

    child = SPAWNED.Process(target=hold)
    child.start()
    child.join()
    with turn(tmp_path / "t", patience_s=5) as alone:
        assert alone


def test_one_who_does_not_move_is_not_waited_for_for_ever(tmp_path):
    with turn(tmp_path / "t"), turn(tmp_path / "t", patience_s=0.02) as alone:
        assert not alone
    with turn(tmp_path / "nowhere" / "t") as alone:
        assert not alone


def test_patience_counts_from_the_last_turn_that_anybody_had(tmp_path):
    until = time.monotonic() + 0.5

    def moves():
        while time.monotonic() < until:
            with turn(tmp_path / "t"):
                time.sleep(0.02)

    threads = [threading.Thread(target=moves) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            with turn(tmp_path / "t", patience_s=0.4) as alone:
                assert alone
    finally:
        for thread in threads:
            thread.join()


def test_processes_that_ask_and_tell_at_once_share_one_whole_study(tmp_path):
    file = str(tmp_path / "lab.db")
    Study(SPACE, storage=file, sampler={"name": "tpe", "start": 4}).close()

    def work(out):
        with open_study(file) as study:
            thinking = study._sampler = Thinking(study.sampler)
            for _ in range(5):
                trial = study.ask()
                study.tell(trial, trial.config["x"])
            out.put(thinking.asked)

    out = SPAWNED.Queue()
    team = [SPAWNED.Process(target=work, args=(out,)) for _ in range(6)]
    for process in team:
        process.start()
    asked = [out.get(timeout=120) for _ in team]
    for process in team:
        process.join()
    with open_study(file) as study:
        assert asked == [5] * 6, "no proposal was made in vain"
        assert [trial.state for trial in study.trials] == ["done"] * 30
        assert study.verify() == []


def test_with_a_scheduler_what_is_asked_next_depends_on_results(tmp_path):
    space = Space(x=Float(0, 1), fidelity=Fidelity("epochs", 1, 9))
    plain = {"storage": str(tmp_path / "lab.db"), "sampler": "random", "scheduler": "asha"}
    mine, other = (Study(space, **plain) for _ in range(2))
    first = other.ask()
    mine._sampler = Thinking(mine.sampler, lambda: other.tell(first, 0.5))
    mine.ask()
    assert mine._sampler.asked == 2
    assert mine.verify() == []
