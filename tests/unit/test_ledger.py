"""The log and its fold, kept together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import asked, born, spec_of

from assay.core.errors import ConflictError, StateError, StoreError
from assay.core.events import Asked, Enqueued, Measured, Noted, Told
from assay.core.history import fold
from assay.engine.ledger import Ledger
from assay.stores.memory import MemoryStore

SPEC = spec_of()


def ledger_of(store=None):
    store = store or MemoryStore()
    if not store.studies():
        store.append("lab", born(SPEC), after=0)
    return Ledger(store, "lab")


def same(ledger):
    """The history is the fold of what is stored."""
    return ledger.history == fold(ledger.store.read("lab"))


def test_what_is_staged_is_seen_at_once_and_stored_by_flush():
    ledger = ledger_of()
    ledger.stage([Asked(0, {"x": 0.5}, 1, "control")])
    assert ledger.history.n_trials == 1
    assert len(ledger.store.read("lab")) == 1
    ledger.flush()
    assert same(ledger)
    ledger.flush()
    assert len(ledger.store.read("lab")) == 2


def test_what_does_not_fit_is_not_staged():
    ledger = ledger_of()
    with pytest.raises(StateError):
        ledger.stage([Noted("fits"), Told(7, (1.0,))])
    assert ledger.history.length == 1
    ledger.stage([Noted("later")])
    ledger.flush()
    assert ledger.store.read("lab")[1:] == [Noted("later")]


def test_staged_blobs_are_stored_with_their_events():
    from hashlib import sha256

    ledger = ledger_of()
    name = sha256(b"rows").hexdigest()
    ledger.stage([Asked(0, {"x": 0.5}, 1, "control")])
    ledger.stage([Measured(0, "search", (0, 0, 0), 1.0, None, name)], {name: b"rows"})
    with pytest.raises(StoreError):
        ledger.store.blob(name)
    ledger.flush()
    assert ledger.store.blob(name) == b"rows"


def test_a_flush_after_another_writer_conflicts_and_unstage_reads_what_that_one_wrote():
    ours = ledger_of()
    theirs = ledger_of(ours.store)
    theirs.decide(lambda _: [Noted("first")])
    ours.stage([Noted("second")])
    with pytest.raises(ConflictError):
        ours.flush()
    events, blobs = ours.unstage()
    assert (events, blobs) == ([Noted("second")], {})
    assert same(ours)
    ours.stage(events, blobs)
    ours.flush()
    assert ours.store.read("lab")[1:] == [Noted("first"), Noted("second")]


def test_a_decision_is_made_anew_on_what_another_writer_wrote():
    ours = ledger_of()
    theirs = ledger_of(ours.store)
    seen = []

    def decision(history):
        seen.append(history.length)
        if len(seen) == 1:
            theirs.decide(lambda _: [Enqueued({"x": 0.1})])
        return [Noted(f"after {history.length}")]

    ours.decide(decision)
    assert seen == [1, 2]
    assert ours.store.read("lab")[1:] == [Enqueued({"x": 0.1}), Noted("after 2")]
    assert same(ours)


def test_a_decision_that_does_not_fit_leaves_everything_as_it_was():
    ledger = ledger_of()
    with pytest.raises(StateError):
        ledger.decide(lambda _: [Told(0, (1.0,))])
    assert same(ledger)
    ledger.decide(lambda _: [Noted("on")])
    assert same(ledger)


def test_a_store_that_fails_leaves_the_ledger_usable():
    class Full(MemoryStore):
        full = False

        def append(self, study, events, *, after, blobs=None):
            if self.full:
                raise StoreError("The disk is full.")
            return super().append(study, events, after=after, blobs=blobs)

    store = Full()
    ledger = ledger_of(store)
    store.full = True
    with pytest.raises(StoreError):
        ledger.decide(lambda _: [Noted("lost")])
    store.full = False
    ledger.decide(lambda _: [Noted("kept")])
    assert same(ledger)
    assert store.read("lab")[1:] == [Noted("kept")]


def test_an_empty_decision_writes_nothing():
    ledger = ledger_of()
    assert ledger.decide(lambda _: []) == []
    assert len(ledger.store.read("lab")) == 1


@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=25))
def test_any_interleaving_of_writers_keeps_every_event_once(steps):
    store = MemoryStore()
    ledgers = [ledger_of(store) for _ in range(3)]
    for number, (who, fresh) in enumerate(steps):
        if fresh:
            ledgers[who].refresh()
        ledgers[who].decide(lambda _, number=number: [Noted(str(number))])
        assert same(ledgers[who])
    assert [event.text for event in store.read("lab")[1:]] == [str(n) for n in range(len(steps))]


class Counting(MemoryStore):
    """Says how many events each reading gave."""

    def __init__(self):
        super().__init__()
        self.read_so_far = []

    def read(self, study, **which):
        found = super().read(study, **which)
        self.read_so_far.append(len(found))
        return found


def test_after_a_conflict_only_what_is_new_is_read():
    store = Counting()
    ours, theirs = ledger_of(store), ledger_of(store)
    for number in range(20):
        theirs.decide(lambda _, number=number: [Noted(str(number))])
    ours.refresh()
    theirs.decide(lambda _: [Noted("theirs")])
    ours.stage([Noted("one")])
    ours.stage([Noted("two")])
    with pytest.raises(ConflictError):
        ours.flush()
    store.read_so_far.clear()
    assert ours.unstage() == ([Noted("one"), Noted("two")], {})
    assert store.read_so_far == [1]
    assert same(ours)


def test_a_long_log_is_read_in_parts(monkeypatch):
    monkeypatch.setattr("assay.engine.ledger._AT_ONCE", 4)
    store = Counting()
    ledger_of(store).decide(lambda _: [Noted(str(number)) for number in range(9)])
    store.read_so_far.clear()
    assert ledger_of(store).history == fold(store.read("lab"))
    assert store.read_so_far == [4, 4, 2, 10]


class Queue(MemoryStore):
    """A store where the overtaken line up; says what they did."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def line_up(self, study, *, after, most):
        self.seen.append("line up")
        return self.read(study, after=after, most=most)

    def leave_line(self, study):
        self.seen.append("leave")

    def append(self, study, events, *, after, blobs=None):
        self.seen.append("append")
        return super().append(study, events, after=after, blobs=blobs)


def test_who_was_overtaken_lines_up_for_a_while():
    store = Queue()
    ours, theirs = ledger_of(store), ledger_of(store)
    theirs.refresh()
    theirs.add(Noted("theirs"))
    store.seen.clear()
    ours.add(Noted("ours"))
    assert store.seen == ["append", "line up", "append", "leave"]
    store.seen.clear()
    ours.add(Noted("at once in line"))
    assert store.seen == ["line up", "append", "leave"]
    for _ in range(20):
        ours.add(Noted("nobody is about"))
    store.seen.clear()
    ours.add(Noted("alone"))
    assert store.seen == ["append", "leave"]
    assert same(ours)


def test_nobody_waits_in_line_while_a_decision_is_made():
    store = Queue()
    ours, theirs = ledger_of(store), ledger_of(store)

    def slow(history):
        store.seen.append("decide")
        if history.length < 3:
            theirs.refresh()
            theirs.add(Noted("theirs"))
        return [Noted("ours")]

    store.seen.clear()
    ours.decide(slow, stands=lambda before, now: now.length - before.length < 1)
    assert store.seen.index("decide", 1) > store.seen.index("leave")
    ours.decide(lambda _: [Noted("without `stands`")])
    assert same(ours)


def test_the_line_is_left_when_an_event_does_not_fit():
    store = Queue()
    ours = ledger_of(store)
    ours._crowded = 5
    store.seen.clear()
    with pytest.raises(StateError):
        ours.add(Told(99, (0.5,)))
    assert store.seen == ["line up", "leave"]
    assert same(ours)


def test_what_fits_only_to_what_others_wrote_is_added():
    store = MemoryStore()
    ours, theirs = ledger_of(store), ledger_of(store)
    theirs.add(asked(0, SPEC.space.settle({})))
    ours.add(Told(0, (1.0,)))
    assert same(ours)
    with pytest.raises(StateError):
        ours.add(Told(0, (2.0,)))
    assert same(ours)
