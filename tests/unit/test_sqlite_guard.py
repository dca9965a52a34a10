"""The lock around everything that changes a study file, where SQLite has the WAL-reset bug."""

import gc
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from assay.core.errors import StoreError
from assay.core.events import Noted, Told
from assay.stores import database
from assay.stores.chain import verify
from assay.stores.locks import FileLock, affected
from assay.stores.schema import recognise
from assay.stores.sqlite import SqliteStore


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lab.db"


def told(first, end):
    return [Told(number, (number / 3,)) for number in range(first, end)]


def fill(path, count=20, **options):
    with closing(SqliteStore(path, **options)) as store:
        store.append("s", told(0, count), after=0)


def run(code, *arguments):
    """Run Python code in a process of its own; its output, once it ended well."""
    source = os.fspath(Path(database.__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=True,
        text=True,
        timeout=60,
        env=os.environ | {"PYTHONPATH": source},
    ).stdout


@pytest.mark.parametrize(
    ("version", "is_affected"),
    [
        ((3, 6, 23), False), ((3, 7, 0), True), ((3, 40, 1), True), ((3, 44, 5), True),
        ((3, 44, 6), False), ((3, 44, 9), False), ((3, 45, 0), True), ((3, 50, 6), True),
        ((3, 50, 7), False), ((3, 51, 0), True), ((3, 51, 2), True), ((3, 51, 3), False),
        ((3, 53, 0), False), ((4, 0, 0), False),
    ],
)  # fmt: skip
def test_which_versions_have_the_bug(version, is_affected):
    assert affected(version) is is_affected


@pytest.mark.parametrize(("version", "guarded"), [((3, 40, 1), True), ((3, 51, 3), False)])
def test_the_linked_library_decides_about_the_guard(path, monkeypatch, version, guarded):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    fill(path)
    assert database.lock_path(path).exists() is guarded


def test_a_sound_library_keeps_to_a_guard_that_is_there(path, monkeypatch):
    fill(path, guarded=True)
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 53, 0))
    with closing(SqliteStore(path)) as store, FileLock(database.lock_path(path)):
        monkeypatch.setattr(store._file._guard, "_timeout_s", 0.01)
        with pytest.raises(StoreError, match="locked"):
            store.append("s", told(20, 21), after=20)
        monkeypatch.undo()
        assert len(store.read("s")) == 20, "reading needs no lock"


ALONE = """
import os, sys
from pathlib import Path
from assay.core.errors import ConflictError
from assay.core.events import Noted
from assay.stores import database, locks
from assay.stores.sqlite import SqliteStore

path, who = Path(sys.argv[1]), sys.argv[2]
held = 0

class Watched(locks.FileLock):
    def __enter__(self):
        global held
        super().__enter__()
        os.close(os.open(path.with_name("inside"), os.O_CREAT | os.O_EXCL))  # fails for a second one
        held += 1

    def __exit__(self, *error):
        global held
        held -= 1
        path.with_name("inside").unlink()
        super().__exit__(*error)

def watch(statement):
    first = statement.split()[0].lower()
    if first in ("begin", "commit", "create", "insert") or "checkpoint" in statement:
        must_be_held()
        seen.add("checkpoint" if "checkpoint" in statement else first)

def must_be_held():
    if held != 1:
        os._exit(3)  # SQLite would swallow an exception

class Connection:
    def __init__(self, db):
        self.db = db

    def __getattr__(self, name):
        return getattr(self.db, name)

    def close(self):
        must_be_held()
        self.db.close()

def connect(path, mode):
    must_be_held()
    db = plain_connect(path, mode)
    db.set_trace_callback(watch)
    return Connection(db)

seen = set()
plain_connect, database.connect, database.FileLock = database.connect, connect, Watched
database._CHECKPOINT_PAGES = 40
length = 0
for number in range(60):
    store = SqliteStore(path, guarded=True) if number % 20 == 0 else store
    while True:
        try:
            length = store.append("s", [Noted(f"{who} {number}")], after=length)
            break
        except ConflictError:
            length += len(store.read("s", after=length))
    if number % 20 == 19 and number < 59:
        store.close()
print(*sorted(seen))  # the last store is left open: the end of the process closes it
"""


def test_with_the_guard_no_two_processes_commit_or_checkpoint_at_once(path):
    source = os.fspath(Path(database.__file__).parents[2])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", ALONE, path, f"writer{number}"],
            env=os.environ | {"PYTHONPATH": source},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    results = [(*process.communicate(timeout=60), process.returncode) for process in processes]
    for output, errors, code in results:
        assert (code, errors) == (0, "")
        assert {"begin", "checkpoint", "commit", "insert"} <= set(output.split())
    assert not path.with_name("inside").exists()
    assert not path.with_name("lab.db-wal").exists(), "the last one to close merges the WAL"
    with closing(SqliteStore(path)) as store:
        assert len(store.read("s")) == 240
        assert verify("s", store.rows("s")) == []


def test_the_wal_is_checkpointed_and_stays_small(path, monkeypatch):
    monkeypatch.setattr(database, "_CHECKPOINT_PAGES", 50)
    with closing(SqliteStore(path, guarded=True)) as store:
        for number in range(300):
            store.append("s", [Noted("x" * 1000)], after=number)
        assert path.with_name("lab.db-wal").stat().st_size < 100 * 4096
        assert path.stat().st_size > 250_000, "most of it is in the file itself"


def test_a_wal_that_killed_writers_left_is_checkpointed_by_the_next(path, monkeypatch):
    monkeypatch.setattr(database, "_CHECKPOINT_PAGES", 50)
    code = """
import os, sys
from assay.core.events import Noted
from assay.stores import database
from assay.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], guarded=True)
for number in range(100):
    store.append("s", [Noted("x" * 4000)], after=number)
os._exit(0)
"""
    run(code, path)
    assert path.with_name("lab.db-wal").stat().st_size > 50 * 4096
    before = path.stat().st_size
    with closing(SqliteStore(path, guarded=True)) as store:
        store.append("s", [Noted("next")], after=100)
        assert path.stat().st_size > before + 100 * 4000


def test_a_store_that_nobody_closed_is_closed_when_it_is_garbage(path):
    store = SqliteStore(path)
    file = store._file
    del store
    gc.collect()
    with pytest.raises(StoreError, match="closed"):
        file.read(lambda db: None)


def test_a_store_that_nobody_closed_is_closed_when_the_process_ends(path):
    code = """
import sys
from assay.stores import database
from assay.stores.sqlite import SqliteStore

class Watched(database.FileLock):
    def __enter__(self):
        super().__enter__()
        print("locked")

store = SqliteStore(sys.argv[1], guarded=True)
store._file._guard.__class__ = Watched
"""
    assert run(code, path) == "locked\n"


def test_a_lock_that_is_never_given_back_is_named(tmp_path):
    lock = tmp_path / "x-lock"
    with (
        FileLock(lock),
        pytest.raises(StoreError, match=r"x-lock locked for 0\.01 s"),
        FileLock(lock, timeout_s=0.01),
    ):
        pass


@pytest.mark.parametrize("guarded", [True, False])
def test_processes_that_create_the_file_together_do_not_get_in_each_others_way(path, guarded):
    code = """
import sys
from assay.core.events import Noted
from assay.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1], guarded=sys.argv[2] == "True")
store.append(sys.argv[3], [Noted("hello")], after=0)
"""
    source = os.fspath(Path(database.__file__).parents[2])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, path, str(guarded), str(number)],
            env=os.environ | {"PYTHONPATH": source},
        )
        for number in range(5)
    ]
    assert [process.wait(60) for process in processes] == [0] * 5
    with closing(SqliteStore(path)) as store:
        assert sorted(store.studies()) == list("01234")


def test_a_file_laid_out_by_another_between_two_questions_is_not_taken_for_a_foreign_one(path):
    class Interrupted:
        """A connection during whose first question another process makes the study file."""

        def __init__(self, db):
            self.db = db

        def __getattr__(self, name):
            return getattr(self.db, name)

        def execute(self, statement):
            answer = self.db.execute(statement)
            if "application_id" in statement:
                fill(path)
            return answer

    with closing(database.connect(path, "rwc")) as db:
        db.execute("pragma journal_mode = wal")
        assert recognise(Interrupted(db), path) is False, "as it was at the moment of the first"
        assert recognise(db, path) is True
        assert not db.in_transaction
