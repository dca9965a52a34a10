"""What every store promises, as tests. Subclass, say how a store is opened, and run pytest.

class TestMyStore(SharedStoreContract):
    def open(self, place):
        return MyStore(place / "log")
"""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from hypothesis import strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from assay.core import events as kinds
from assay.core.errors import ConflictError, StateError, StoreError, TamperError
from assay.core.events import Event, Noted, Told
from assay.core.history import fold
from assay.core.protocols import Store
from assay.stores.chain import genesis, link, verify
from assay.testing.stores import Opens, behaves_like, in_processes

EVENTS: tuple[Event, ...] = (
    kinds.Created({"space": {"lr": {"type": "float", "low": 1e-4, "high": 1.0}}}, "ab12"),
    kinds.Environment({"python": "3.11.7", "cores": 2, "gpu": None}),
    kinds.Joined("node-7 4711", "größer", ("numpy: 2.4.5 → 2.4.6",)),
    kinds.Sealed("5ea1", 200, "sealed", "cd34", "AAEC", "kept from the start"),
    kinds.Enqueued({"lr": 0.5}, source="https://example.org/paper", note="from the paper"),
    kinds.Learned("größer", "ab12", "ef56", 40, [{"lr": 0.25}, {}], (-1.5, 0.75)),
    kinds.Asked(0, {"lr": 0.1, "layers": [16, 8], "name": "größer 🙂"}, 3, why={"point": 7}),
    kinds.Reported(0, 1, 0.25),
    kinds.Measured(0, "search", (0, 1, 2), -0.1, train=1e-300, rows="ef56", cpu_s=0.5),
    kinds.Told(0, (0.1, -5e300), extra={"size": 12.0}, cpu_s=1.5, wall_s=2.0),
    kinds.Failed(1, "raised", "ValueError: <b>no</b>", output='line\nline "two"\t\x1b[31m'),
    kinds.Broke(0, "recheck", ((0, 0, 0), (0, 1, 0)), "timeout", "longer than 5 s"),
    kinds.Retried(1, 2, "crashed", "killed by signal 11"),
    kinds.Exhausted("all 12 configs were tried"),
    kinds.Ended(12, 61.5),
    kinds.Selected(0, 3, "recheck+guard", "within the noise", [{"trial": 0, "value": 0.1}]),
    kinds.Frozen((0, 3), 5, "ab12"),
    kinds.Opening(1, "78fa", (0, 3)),
    kinds.Opened(1, {"0": {"value": 0.2}}),
    kinds.Voided("the file with the test rows is lost"),
    kinds.Deviated("trials", 60, 80, "the night was free"),
    kinds.Noted("a remark", 0),
    kinds.Steered("pause", "lunch"),
    kinds.Paused(2, 3, "1 of 4 goes on", checkpoint="9a0b", cpu_s=0.25),
    kinds.Resumed(2, 9, "the best of 4", since=3),
    kinds.Stopped(2, 9, "worse than 0.5", wall_s=1.5),
    kinds.Metered("rapl", 1e-6, 2.5, 0.5),
    kinds.Inspected("quick", "TUNE", ({"code": "PF01", "level": "ok"},)),
    kinds.Ablated("5e5e", {"components": [{"name": "größer"}]}),
    kinds.Varied("5e5e", "s-without-größer", "ab12", ("größer",), 1, {"trials": 20}),
    kinds.Attributed("5e5e", {"größer": {"R": -1e-300}}),
    kinds.Audited(2, "s/changes 2", {"changes": {"größer": [1, 2]}}),
    kinds.Estimated("bbc", {"gain": {"low": -0.01}}),
    kinds.Concluded({"kind": "keep", "gain": 0.0}),
)
"""One event of every kind, with values that are easily lost on the way."""

HOSTILE_NAMES = (
    "it's", 'say "hi"', "a; drop table event; --", "../../etc/passwd", "größer 🙂", "\u202egnp.exe",
    "line\r\nline", "\x1b[31mred", "=1+1", "<script>alert(1)</script>", "%s{}\\", " ", "x" * 65536,
)  # fmt: skip


class StoreContract(Opens):
    """The promises of a store that only its own process can reach."""

    def test_the_list_of_events_has_every_kind(self) -> None:
        assert {type(event) for event in EVENTS} == set(get_args(Event))

    def test_what_is_appended_is_read(self, store: Store) -> None:
        assert store.append("s", EVENTS, after=0) == len(EVENTS)
        assert list(store.read("s")) == list(EVENTS)
        assert list(store.read("s", after=7)) == list(EVENTS[7:])
        assert list(store.read("s", after=len(EVENTS))) == []
        assert list(store.read("s", most=3)) == list(EVENTS[:3])
        assert list(store.read("s", after=2, most=3)) == list(EVENTS[2:5])
        assert list(store.read("s", after=2, most=len(EVENTS))) == list(EVENTS[2:])

    def test_a_study_that_does_not_exist_is_empty(self, store: Store) -> None:
        assert list(store.read("nothing")) == []
        assert list(store.rows("nothing")) == []
        assert list(store.studies()) == []

    def test_a_stale_append_is_refused_and_changes_nothing(self, store: Store) -> None:
        store.append("s", EVENTS[:2], after=0)
        for after in (0, 1, 3, 100):
            with pytest.raises(ConflictError, match="2 events"):
                store.append("s", [Told(0, (1.0,))], after=after)
        assert list(store.read("s")) == list(EVENTS[:2])
        assert store.append("s", EVENTS[2:3], after=2) == 3

    def test_a_stale_append_leaves_no_blob(self, store: Store) -> None:
        name, data = _named(b"losses")
        with pytest.raises(ConflictError):
            store.append("s", EVENTS[:1], after=1, blobs={name: data})
        with pytest.raises(TamperError):
            store.blob(name)

    def test_an_append_of_nothing_checks_the_length_all_the_same(self, store: Store) -> None:
        assert store.append("s", [], after=0) == 0
        with pytest.raises(ConflictError):
            store.append("s", [], after=1)
        assert list(store.studies()) == []

    def test_rows_carry_the_chain(self, store: Store) -> None:
        store.append("s", EVENTS[:5], after=0)
        store.append("s", EVENTS[5:], after=5)
        rows = store.rows("s")
        assert [row.seq for row in rows] == list(range(len(EVENTS)))
        assert [kinds.decode(row.body) for row in rows] == list(EVENTS)
        assert rows[0].hash == link("s", genesis("s"), rows[0])
        assert verify("s", rows) == []
        assert all("T" in row.time and row.time.endswith("Z") and row.actor for row in rows)
        assert list(store.rows("s", after=3)) == list(rows[3:])
        assert list(store.rows("s", after=1, most=3)) == list(rows[1:4])
        assert list(store.rows("s")) == list(rows), "rows must not change from one look to the next"

    def test_studies_are_independent_and_listed_oldest_first(self, store: Store) -> None:
        store.append("b", EVENTS[:1], after=0)
        store.append("a", EVENTS[1:4], after=0)
        store.append("b", EVENTS[4:5], after=1)
        assert list(store.studies()) == ["b", "a"]
        assert list(store.read("b")) == [EVENTS[0], EVENTS[4]]
        assert list(store.read("a")) == list(EVENTS[1:4])

    def test_blobs_are_kept_by_their_content(self, store: Store) -> None:
        first, second = _named(bytes(range(256)) * 400), _named(b"")
        store.append("s", EVENTS[:1], after=0, blobs=dict([first]))
        store.append("s", EVENTS[1:2], after=1, blobs=dict([first, second]))
        store.append("t", EVENTS[:1], after=0, blobs=dict([first]))
        assert store.blob(first[0]) == first[1]
        assert store.blob(second[0]) == second[1]
        with pytest.raises(TamperError):
            store.blob(_named(b"never stored")[0])

    def test_a_blob_under_a_wrong_name_is_refused(self, store: Store) -> None:
        with pytest.raises(StoreError, match="SHA-256"):
            store.append("s", EVENTS[:1], after=0, blobs={"00" * 32: b"x"})
        assert list(store.read("s")) == []

    @pytest.mark.parametrize("name", HOSTILE_NAMES, ids=lambda name: ascii(name[:20]))
    def test_any_text_can_name_a_study(self, store: Store, name: str) -> None:
        store.append("other", EVENTS[:2], after=0)
        store.append(name, EVENTS[2:5], after=0)
        assert list(store.read(name)) == list(EVENTS[2:5])
        assert list(store.studies()) == ["other", name]
        assert verify(name, store.rows(name)) == []
        store.acquire(name)
        store.release(name)

    @pytest.mark.parametrize("name", ["", "a\0b", "\ud800"], ids=ascii)
    def test_a_name_that_cannot_be_kept_is_refused(self, store: Store, name: str) -> None:
        with pytest.raises(StoreError, match="name"):
            store.append(name, EVENTS[:1], after=0)
        with pytest.raises(StoreError, match="name"):
            store.read(name)
        assert list(store.studies()) == []

    def test_the_driver_may_ask_twice_and_release_twice(self, store: Store) -> None:
        store.acquire("s")
        store.acquire("s")
        store.append("s", EVENTS[:1], after=0)
        store.release("s")
        store.release("s")
        store.acquire("s")

    def test_threads_lose_and_double_nothing(self, store: Store) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda who: _append_many(store, f"thread {who}"), range(4)))
        _assert_all_there(store, [f"thread {who}" for who in range(4)])

    def test_it_behaves_like_a_list(self) -> None:
        behaves_like(_Model, 12, 20, opener=staticmethod(self.open), shared=False)


class SharedStoreContract(StoreContract):
    """The promises of a store that outlives its process and that many processes can open."""

    def test_two_stores_see_each_others_appends(self, store: Store, tmp_path: Path) -> None:
        with closing(self.open(tmp_path)) as other:
            store.append("s", EVENTS[:2], after=0)
            assert list(other.read("s")) == list(EVENTS[:2])
            with pytest.raises(ConflictError):
                other.append("s", EVENTS[2:3], after=0)
            name, data = _named(b"losses")
            other.append("s", EVENTS[2:3], after=2, blobs={name: data})
            assert list(store.read("s", after=1)) == list(EVENTS[1:3])
            assert store.blob(name) == data
            assert verify("s", store.rows("s")) == []

    def test_a_store_is_still_there_when_opened_again(self, store: Store, tmp_path: Path) -> None:
        name, data = _named(b"losses")
        store.append("s", EVENTS, after=0, blobs={name: data})
        rows = list(store.rows("s"))
        store.close()
        with closing(self.open(tmp_path)) as again:
            assert list(again.read("s")) == list(EVENTS)
            assert list(again.rows("s")) == rows
            assert again.blob(name) == data

    def test_a_study_has_one_driver(self, store: Store, tmp_path: Path) -> None:
        with closing(self.open(tmp_path)) as other:
            store.acquire("s")
            with pytest.raises(StateError, match="s"):
                other.acquire("s")
            other.acquire("another study")
            store.release("s")
            other.acquire("s")
            with pytest.raises(StateError):
                store.acquire("s")
        store.acquire("s")  # closing gave it back

    def test_processes_lose_and_double_nothing(self, store: Store, tmp_path: Path) -> None:
        def work(who: str) -> None:
            with closing(self.open(tmp_path)) as own:
                _append_many(own, who)

        names = [f"process {number}" for number in range(4)]
        assert in_processes(work, names) == [0, 0, 0, 0]
        _assert_all_there(store, names)

    def test_it_behaves_like_a_list(self) -> None:
        behaves_like(_Model, 12, 20, opener=staticmethod(self.open), shared=True)


class TurnsContract(SharedStoreContract):
    """For a store with `turn`: of many who ask a study, one makes a proposal at a time."""

    def test_one_at_a_time_has_the_turn(self, store: Store, tmp_path: Path) -> None:
        inside: list[str] = []
        most: list[int] = []

        def ask(who: str) -> None:
            with closing(self.open(tmp_path)) as own:
                for _ in range(5):
                    with _turn(own, "s") as alone:
                        inside.append(who)
                        most.append(len(inside) if alone else 0)
                        inside.remove(who)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, ["a", "b", "c", "d"]))
        assert most == [1] * 20

    def test_studies_have_turns_of_their_own(self, store: Store, tmp_path: Path) -> None:
        with (
            closing(self.open(tmp_path)) as other,
            _turn(store, "s") as one,
            _turn(other, "another study") as two,
        ):
            assert (one, two) == (True, True)

    def test_the_turn_of_one_who_dies_is_free(self, store: Store, tmp_path: Path) -> None:
        store.append("s", EVENTS[:1], after=0)

        def die(_: str) -> None:
            with closing(self.open(tmp_path)) as own, _turn(own, "s"):
                os.kill(os.getpid(), signal.SIGKILL)

        assert in_processes(die, ["one"]) == [-signal.SIGKILL]
        with _turn(store, "s") as alone:
            assert alone

    def test_one_who_does_not_move_is_not_waited_for_for_ever(
        self, store: Store, tmp_path: Path
    ) -> None:
        with closing(self.open(tmp_path)) as other:
            with _turn(store, "s"), _turn(other, "s", patience_s=0.05) as alone:
                assert not alone
            with _turn(store, "s", patience_s=0.05) as alone:
                assert alone, "who waited in vain has not taken it"


class SnapshotsContract(SharedStoreContract):
    """For a store with `recall` and `remember`: the fold of a long log, as a cache."""

    @pytest.fixture(autouse=True)
    def _own_home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))

    def test_what_was_remembered_is_recalled(self, store: Any, tmp_path: Path) -> None:
        log = [Noted(str(number)) for number in range(9)]
        store.append("s", log, after=0)
        assert store.recall("s") is None
        assert store.remember("s", fold(log[:6]))
        with closing(self.open(tmp_path)) as other:
            assert other.recall("s") == fold(log[:6])  # type: ignore[attr-defined]
            assert other.recall("another study") is None  # type: ignore[attr-defined]

    def test_one_that_does_not_fit_the_log_is_ignored(self, store: Any) -> None:
        store.append("s", [Noted("a")], after=0)
        assert not store.remember("s", fold([Noted("a"), Noted("never stored")]))
        store.append("s", [Noted("b")], after=1)
        assert store.remember("s", fold([Noted("a"), Noted("b")]))
        for file in self.snapshots(store):
            file.write_bytes(file.read_bytes()[:-1])
        assert store.recall("s") is None

    def snapshots(self, store: Any) -> list[Path]:
        """The files that hold them."""
        raise NotImplementedError


def _turn(store: Any, study: str, **options: float) -> AbstractContextManager[bool]:
    turn: AbstractContextManager[bool] = store.turn(study, **options)
    return turn


def _named(data: bytes) -> tuple[str, bytes]:
    return hashlib.sha256(data).hexdigest(), data


def _append_many(store: Store, who: str, count: int = 50) -> None:
    length = 0
    for number in range(count):
        while True:
            try:
                length = store.append("s", [Noted(f"{who}: {number}")], after=length)
                break
            except ConflictError:
                length += len(store.read("s", after=length))


def _assert_all_there(store: Store, names: Sequence[str], count: int = 50) -> None:
    texts = [event.text for event in store.read("s") if isinstance(event, Noted)]
    assert len(texts) == len(names) * count
    for name in names:
        assert [text for text in texts if text.startswith(name + ":")] == [
            f"{name}: {number}" for number in range(count)
        ]
    assert verify("s", store.rows("s")) == []


_text = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=20)
_batches = strategies.lists(
    strategies.one_of(strategies.sampled_from(EVENTS), _text.map(Noted)), max_size=4
)
_studies = strategies.sampled_from(["one", "two", "drei 🙂"])
_which = strategies.sampled_from([0, 1])


class _Model(RuleBasedStateMachine):
    """Two stores on one place (or one, twice) beside lists that say what they must hold."""

    opener: Callable[[Path], Store]
    shared: bool

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.stores = [self.fresh()]
        self.stores.append(self.fresh() if self.shared else self.stores[0])
        self.logs: dict[str, list[Event]] = {}
        self.blobs: dict[str, bytes] = {}

    def fresh(self) -> Store:
        return type(self).opener(Path(self.folder.name))

    @rule(which=_which, study=_studies, batch=_batches, data=strategies.binary(max_size=50))
    def append(self, which: int, study: str, batch: list[Event], data: bytes) -> None:
        log = self.logs.get(study, [])
        blobs = dict([_named(data)])
        length = self.stores[which].append(study, batch, after=len(log), blobs=blobs)
        assert length == len(log) + len(batch)
        self.blobs |= blobs
        if batch:
            self.logs[study] = log + batch

    @rule(which=_which, study=_studies, off=strategies.sampled_from([-2, -1, 1, 5]))
    def conflict(self, which: int, study: str, off: int) -> None:
        after = len(self.logs.get(study, [])) + off
        with pytest.raises(ConflictError):
            self.stores[which].append(study, [Noted("lost")], after=after)

    @rule(which=_which)
    def reopen(self, which: int) -> None:
        if self.shared:
            self.stores[which].close()
            self.stores[which] = self.fresh()

    @rule(which=_which, study=_studies, after=strategies.integers(0, 20))
    def read_a_part(self, which: int, study: str, after: int) -> None:
        log = self.logs.get(study, [])
        assert list(self.stores[which].read(study, after=after)) == log[after:]
        assert verify(study, self.stores[which].rows(study)) == []

    @rule(which=_which)
    def look_at_blobs(self, which: int) -> None:
        assert {name: self.stores[which].blob(name) for name in self.blobs} == self.blobs

    @invariant()
    def both_hold_the_lists(self) -> None:
        for store in self.stores:
            assert {name: list(store.read(name)) for name in store.studies()} == self.logs
            assert list(store.studies()) == list(self.logs)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()
