"""A study has one driver: who that is, and when it is believed dead."""

import gc
import os
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assay.core.errors import StateError
from assay.core.events import Told
from assay.stores import database, lease
from assay.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.db"


@pytest.fixture(params=[True, False], ids=["guarded", "plain"])
def store(request, path):
    with closing(SqliteStore(path, guarded=request.param)) as store:
        yield store


def told(first, end):
    return [Told(number, (number / 3,)) for number in range(first, end)]


@contextmanager
def raw(path):
    """A connection of someone else, who does not keep to the rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


DRIVE = """
import os, sys, time
from assay.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.acquire("s")
print("driving", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_driver(path):
    source = os.fspath(Path(database.__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVE, path],
        env=os.environ | {"PYTHONPATH": source},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout.readline() == "driving\n"
        yield process
        process.kill()


def test_another_live_driver_is_named_and_a_dead_one_is_followed_at_once(store, path):
    with another_driver(path) as process:
        with pytest.raises(StateError, match=rf"driven by process {process.pid} on .*kill"):
            store.acquire("s")
        process.kill()
        while lease.birth(process.pid) is not None:
            pass
        store.acquire("s")  # the dead driver is not even buried yet
    store.append("s", told(0, 1), after=0)


def test_a_store_that_was_forgotten_does_not_block_its_own_process(path):
    first = SqliteStore(path)
    first.acquire("s")
    with closing(SqliteStore(path)) as second:
        with pytest.raises(StateError, match="this very process"):
            second.acquire("s")
        del first
        gc.collect()
        second.acquire("s")


def test_a_number_that_another_process_got_does_not_count(store, path):
    with another_driver(path) as process:
        with raw(path) as db:
            db.execute("update lease set birth = '1'")
        assert lease.birth(process.pid)
        store.acquire("s")


def move_elsewhere(path, silent_s):
    with raw(path) as db:
        db.execute(
            "update lease set place = 'another boot', host = 'elsewhere', token = 'x', beat = beat - ?",
            (silent_s,),
        )


def test_a_driver_elsewhere_is_believed_dead_after_a_minute_of_silence(store, path):
    store.acquire("s")
    move_elsewhere(path, 30)
    with closing(SqliteStore(path)) as other:
        with pytest.raises(StateError, match="on elsewhere since"):
            other.acquire("s")
        move_elsewhere(path, 31)
        other.acquire("s")


def beats(path):
    with raw(path) as db:
        return db.execute("select beat from lease").fetchone()[0]


def test_a_driver_says_that_it_lives_but_not_all_the_time(store, path, monkeypatch):
    store.acquire("s")
    first = beats(path)
    store.append("s", told(0, 1), after=0)
    store.read("s")
    store.touch("s")
    assert beats(path) == first
    monkeypatch.setattr("assay.stores.sqlite.BEAT_S", 0.0)
    seen = [first]
    for say in (
        lambda: store.append("s", told(1, 2), after=1),
        lambda: store.read("s"),
        lambda: store.touch("s"),
    ):
        say()
        seen.append(beats(path))
    assert seen == sorted(set(seen))


def test_a_driver_that_was_replaced_learns_it_and_writes_nothing(store, path, monkeypatch):
    store.acquire("s")
    move_elsewhere(path, 0)
    monkeypatch.setattr("assay.stores.sqlite.BEAT_S", 0.0)
    with pytest.raises(StateError, match="elsewhere"):
        store.append("s", told(0, 1), after=0)
    with pytest.raises(StateError, match="elsewhere"):
        store.touch("s")
    monkeypatch.undo()
    assert store.read("s") == []
    store.release("s")
    with raw(path) as db:
        assert db.execute("select host from lease").fetchall() == [("elsewhere",)]


def test_a_released_lease_is_missed(store, path, monkeypatch):
    store.acquire("s")
    with raw(path) as db:
        db.execute("delete from lease")
    monkeypatch.setattr("assay.stores.sqlite.BEAT_S", 0.0)
    with pytest.raises(StateError, match="released"):
        store.touch("s")


def test_a_process_has_a_birth_while_it_lives():
    own = lease.birth(os.getpid())
    assert own == lease.birth(os.getpid()) != lease.birth(1)
    with subprocess.Popen(["sleep", "60"]) as process:
        assert lease.birth(process.pid)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert lease.birth(process.pid) is None, "dead, though not buried"
    assert lease.birth(process.pid) is None
    assert lease._birth_elsewhere(os.getpid())
    assert lease._birth_elsewhere(process.pid) is None
