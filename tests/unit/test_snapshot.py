"""The snapshot of a fold: as good as the log where it fits it, and otherwise ignored."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.test_history import CHOICES, LOGS, check, legal_log

from assay.core.columns import Columns
from assay.core.events import Asked, Failed, Noted, Reported, Told, decode, encode
from assay.core.history import History, fold
from assay.core.packed import Packed
from assay.engine import ledger as ledger_module
from assay.engine.ledger import Ledger
from assay.stores import snapshot
from assay.stores.snapshot import recall, remember, snapshot_path
from assay.stores.sqlite import SqliteStore

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
    | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip
CONFIGS = st.lists(st.dictionaries(st.sampled_from("abcd"), JSON, max_size=4), max_size=20)
LOG = [
    Noted("hello"), Asked(0, {"x": 0.5, "k": "a"}, 1), Asked(1, {"x": 1}, 1, "sampler", {"s": "r"}),
    Reported(0, 1, 0.25), Told(0, (1.0, 2.0), {"ms": 3.0}, 0.5, 0.75), Reported(1, 1, 0.5),
    Failed(1, "raised", "no", "out"), Asked(2, {}, 0), Noted("bye"),
]  # fmt: skip


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lab.db"


@pytest.fixture
def head():
    return lambda number: f"hash of {number}"


def kept(file, history, head):
    assert remember(file, "lab", history, head(history.length - 1))
    return snapshot_path(file, "lab")


# --- the columns that it keeps


@given(rows=CONFIGS, cut=st.integers(0, 20))
def test_packed_rows_come_back_with_their_types(rows, cut):
    packed = Packed()
    for row in rows:
        packed.append(tuple(row), row.values())
    for found in (packed, Packed(packed.parts)):
        assert len(found) == len(rows)
        back = [dict(zip(*found[i], strict=True)) for i in range(len(rows))]
        assert repr(back) == repr(rows)
        assert list(found.first(len(rows))) == [found[i] for i in range(len(rows))]
        for length in (min(cut, len(rows)), len(rows), min(cut, len(rows))):
            tables = list(found.tables_of(length))
            back = {
                n: (shape, tuple(c[i] for c in columns))
                for shape, mine, columns in tables
                for i, n in enumerate(mine)
            }
            assert back == {n: found[n] for n in range(length)}
    shorter = packed.until(min(cut, len(rows)))
    assert list(shorter.first(len(shorter))) == list(packed.first(len(shorter)))
    shorter.append(("new",), (1.0,))
    assert len(packed) == len(rows)


def test_numbers_take_eight_bytes_until_something_else_comes():
    packed = Packed()
    for value in (0.5, 1.5):
        packed.append(("x",), (value,))
    assert isinstance(packed.tables[0][0], array)
    packed.append(("x",), ("auto",))
    assert [packed[i][1] for i in range(3)] == [(0.5,), (1.5,), ("auto",)]


def test_every_column_is_kept_or_made_of_those_that_are():
    made = {"length", "open", "kinds", "found", "found_upto", "memos", "touched"}
    held = {*snapshot._ARRAYS, *snapshot._PACKED, *snapshot._LISTS}
    assert held | made == set(Columns.__slots__)
    assert not held & made


# --- as good as the log


@settings(deadline=None)
@given(log=LOGS, choices=CHOICES, cut=st.integers(0, 60))
def test_a_snapshot_says_what_the_log_says_and_can_be_continued(
    tmp_path_factory, log, choices, cut
):
    file = tmp_path_factory.mktemp("snap") / "lab.db"
    events = [decode(encode(event)) for event in log] or [Noted("one")]
    older = History(fold(events)._columns, max(1, min(cut, len(events))))
    assert remember(file, "lab", older, "h")
    found = recall(file, "lab", lambda number: "h" if number == older.length - 1 else None)
    assert found == older
    check(found, events[: older.length])
    check(fold(events[older.length :], found), events)
    other = [decode(encode(e)) for e in legal_log(events[: older.length], choices)]
    check(fold(other[older.length :], found), other)


def test_nothing_is_left_of_a_write_that_failed(file, head):
    history = fold([Asked(0, {"x": 2**70}, 0)])  # too large for the form
    assert not remember(file, "lab", history, "h")
    assert list(file.parent.iterdir()) == []
    assert not remember(Path("/proc/nowhere/lab.db"), "lab", fold(LOG), "h")


# --- otherwise ignored


def test_without_a_snapshot_nothing_is_recalled(file, head):
    assert recall(file, "lab", head) is None


def test_one_of_another_study_or_another_log_is_ignored(file, head):
    path = kept(file, fold(LOG), head)
    assert recall(file, "lab", head) == fold(LOG)
    assert recall(file, "lab", lambda number: "another hash") is None
    assert recall(file, "lab", lambda number: None) is None  # the log is shorter
    path.rename(snapshot_path(file, "other"))
    assert recall(file, "other", head) is None


def test_damage_anywhere_is_seen(file, head):
    path = kept(file, fold(LOG), head)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert recall(file, "lab", head) is None, place
        path.write_bytes(whole[:place])
        assert recall(file, "lab", head) is None, place


def test_one_of_another_layout_or_version_is_ignored(file, head, monkeypatch):
    kept(file, fold(LOG), head)
    monkeypatch.setattr(snapshot, "LAYOUT", snapshot.LAYOUT + 1)
    assert recall(file, "lab", head) is None
    monkeypatch.undo()
    monkeypatch.setattr(snapshot, "__version__", "99.0")
    assert recall(file, "lab", head) is None


@pytest.mark.parametrize("body", [b"", b"\x80", b"\x93\x01\x02\x03", b"\xff" * 40])
def test_a_whole_file_that_is_not_ours_is_ignored(file, head, body):
    snapshot_path(file, "lab").write_bytes(snapshot._start(body) + body)
    assert recall(file, "lab", head) is None


# --- by the ledger


@pytest.fixture
def long(monkeypatch):
    monkeypatch.setattr(ledger_module, "LONG", 5)


class Counting(SqliteStore):
    """Counts the events that are read one by one."""

    events = 0

    def read(self, study, **which):
        found = super().read(study, **which)
        self.events += len(found)
        return found


def written(file, n):
    store = SqliteStore(file)
    store.append("lab", LOG[:n], after=0)
    return store


def opened(file, **options):
    store = Counting(file, **options)
    history = Ledger(store, "lab").history
    store.close()
    return store.events, history


def test_a_long_log_is_read_once(file, long):
    store = written(file, 9)
    assert opened(file) == (9, fold(LOG))
    assert opened(file) == (0, fold(LOG))
    assert opened(file, readonly=True) == (0, fold(LOG))
    store.append("lab", [Noted("later")], after=9)
    assert opened(file) == (1, fold([*LOG, Noted("later")]))
    assert opened(file)[0] == 1  # one event is not worth another snapshot
    snapshot_path(file, "lab").unlink()
    assert opened(file) == (10, fold([*LOG, Noted("later")]))
    store.close()


def test_a_short_log_has_no_snapshot_and_a_reader_makes_none(file, long):
    store = written(file, 4)
    opened(file)
    assert not snapshot_path(file, "lab").exists()
    store.append("lab", LOG[4:], after=4)
    store.close()
    opened(file, readonly=True)
    assert not snapshot_path(file, "lab").exists()


def test_the_log_alone_decides(file, long):
    """A snapshot of a log that was written anew, with other events, is not used."""
    written(file, 9).close()
    opened(file)
    file.unlink()
    other = [Noted("another"), *LOG[1:]]
    store = SqliteStore(file)
    store.append("lab", other, after=0)
    store.close()
    assert opened(file) == (9, fold(other))
    assert opened(file) == (0, fold(other))


def test_two_studies_of_one_file_have_their_own(file, long):
    store = written(file, 9)
    store.append("two", [Noted(str(i)) for i in range(9)], after=0)
    assert Ledger(store, "two").history == fold([Noted(str(i)) for i in range(9)])
    assert Ledger(store, "lab").history == fold(LOG)
    assert Ledger(store, "two").history == fold([Noted(str(i)) for i in range(9)])
    assert len(list(file.parent.glob("*-fold-*"))) == 2
    store.close()
