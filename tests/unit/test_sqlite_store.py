"""What is particular to the SQLite file; the contract of stores is tested in tests/contract."""

import gc
import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assay.core.errors import ConflictError, StoreError, TamperError
from assay.core.events import Noted, Reported, Told
from assay.stores.chain import verify
from assay.stores.schema import USER_VERSION
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


def fill(path, count=20, **options):
    with closing(SqliteStore(path, **options)) as store:
        store.append("s", told(0, count), after=0)


@contextmanager
def raw(path):
    """A connection of someone else, who does not keep to the rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        yield db


def tamper(path, *statements):
    with raw(path) as db:
        for (trigger,) in db.execute(
            "select name from sqlite_master where type = 'trigger'"
        ).fetchall():
            db.execute(f"drop trigger {trigger}")
        for statement in statements:
            db.execute(statement)


# --- settings


def test_commits_are_durable_and_the_file_says_what_it_is(store, path):
    def look(db):
        names = "journal_mode synchronous trusted_schema foreign_keys application_id user_version"
        return [db.execute(f"pragma {name}").fetchone()[0] for name in names.split()]

    assert store._file.read(look) == ["wal", 2, 0, 1, 0x41535359, USER_VERSION]
    assert store.check() == []


def waits(store):
    """How each commit from here on treats the disk: 1 leaves it to the next, 2 waits."""
    seen = []
    db = store._file._db

    def watch(statement):
        if statement == "commit":
            seen.append(db.execute("pragma synchronous").fetchone()[0])

    db.set_trace_callback(watch)
    return seen


def test_reports_wait_for_the_disk_with_the_next_result_and_nothing_else_does(store):
    seen = waits(store)
    store.append("s", [Reported(0, 1, 0.5)], after=0)
    store.append("s", [Reported(0, 2, 0.4), Told(0, (0.4,))], after=1)
    store.append("s", told(1, 2), after=3)
    assert seen == [1, 2, 2]
    with pytest.raises(ConflictError):
        store.append("s", [Reported(1, 1, 0.5)], after=0)
    store.append("s", told(2, 3), after=4)
    assert seen == [1, 2, 2, 2]
    content = b"losses by row"
    store.append("s", [], after=5, blobs={hashlib.sha256(content).hexdigest(): content})
    assert seen == [1, 2, 2, 2, 2]


def test_a_report_survives_the_sudden_end_of_its_process(path):
    program = f"""
import os
import signal
from assay.core.events import Reported
from assay.stores.sqlite import SqliteStore
SqliteStore({str(path)!r}).append("s", [Reported(0, 1, 0.5)], after=0)
os.kill(os.getpid(), 9)
"""
    assert subprocess.run([sys.executable, "-c", program]).returncode == -signal.SIGKILL
    with closing(SqliteStore(path)) as store:
        assert store.read("s") == [Reported(0, 1, 0.5)]


@pytest.mark.parametrize(("guarded", "pages"), [(True, 0), (False, 1000)])
def test_only_a_guarded_file_is_never_checkpointed_by_sqlite_itself(path, guarded, pages):
    with closing(SqliteStore(path, guarded=guarded)) as store:
        look = store._file.read(lambda db: db.execute("pragma wal_autocheckpoint").fetchone())
    assert look == (pages,)


@pytest.mark.parametrize(
    "statement",
    [
        "update event set body = '{}'",
        "delete from event",
        "insert or replace into event select study, seq, time, actor, version, '{}', hash from event",
        "update blob set data = x'00'",
        "delete from blob",
    ],
)
def test_the_file_itself_refuses_to_forget(store, path, statement):
    data = b"losses"
    store.append("s", told(0, 1), after=0, blobs={hashlib.sha256(data).hexdigest(): data})
    with raw(path) as db, pytest.raises(sqlite3.IntegrityError):
        db.execute(statement)


def test_an_event_that_cannot_be_read_again_is_not_written(store):
    with pytest.raises(StoreError, match="cannot be stored"):
        store.append("s", [Noted("fine"), Told(0, (float("nan"),))], after=0)
    assert store.read("s") == []


def test_garbage_collection_is_left_as_it_was(store):
    store.append("s", told(0, 3), after=0)
    gc.disable()
    try:
        store.read("s")
        assert not gc.isenabled()
    finally:
        gc.enable()
    store.read("s")
    assert gc.isenabled()


def test_close_may_be_called_twice_and_ends_the_use(store):
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.read("s")
    with pytest.raises(StoreError, match="closed"):
        store.append("s", [], after=0)


# --- tampering


def test_an_edited_value_is_found_by_the_chain(path):
    fill(path)
    tamper(
        path, "update event set body = replace(body, '\"trial\":7', '\"trial\":8') where seq = 7"
    )
    with closing(SqliteStore(path)) as store:
        assert [finding.row for finding in verify("s", store.rows("s"))] == [7]


@pytest.mark.parametrize(
    "statement",
    [
        'update event set body = \'{"type":"unheard of"}\' where seq = 7',
        "update event set body = 'no json' where seq = 7",
        "update event set body = x'ff00ff' where seq = 7",
        "delete from event where seq = 7",
    ],
)
def test_a_row_that_cannot_be_read_is_named(path, statement):
    fill(path)
    tamper(path, statement)
    with closing(SqliteStore(path)) as store:
        with pytest.raises(TamperError, match=r"Row 7 of study 's' in .*lab\.db"):
            store.read("s")
        assert 7 in [finding.row for finding in verify("s", store.rows("s"))]
        assert len(store.read("s", after=8)) == 12


@pytest.mark.parametrize("column", ["time", "actor", "version", "body", "hash"])
@pytest.mark.parametrize("value", ["x'fffe'", "''", "12.5", "'abc'"])
def test_strange_values_in_any_column_are_found(path, column, value):
    fill(path)
    tamper(path, f"update event set {column} = {value} where seq = 7")
    with closing(SqliteStore(path)) as store:
        assert 7 in [finding.row for finding in verify("s", store.rows("s"))]


def test_a_changed_blob_is_found(path):
    data = b"losses"
    name = hashlib.sha256(data).hexdigest()
    with closing(SqliteStore(path)) as store:
        store.append("s", told(0, 1), after=0, blobs={name: data})
    tamper(path, "update blob set data = x'00'")
    with closing(SqliteStore(path)) as store, pytest.raises(TamperError, match="changed"):
        store.blob(name)


# --- forks


def test_a_fork_must_open_its_own_store_and_does_not_disturb_the_first(store, path):
    store.append("s", told(0, 1), after=0)
    child = os.fork()
    if child == 0:
        try:
            try:
                store.append("s", told(1, 2), after=1)
            except StoreError as error:
                assert "forked" in str(error)  # noqa: PT017
            else:
                os._exit(1)
            store.close()
            with closing(SqliteStore(path)) as own:
                own.append("s", told(1, 2), after=1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert store.append("s", told(2, 3), after=2) == 3
    assert store.read("s") == told(0, 3)


# --- copies


def test_a_backup_is_the_whole_study_and_free_to_be_driven(store, path, tmp_path):
    data = b"losses"
    name = hashlib.sha256(data).hexdigest()
    store.append("s", told(0, 20), after=0, blobs={name: data})
    store.acquire("s")
    store.backup(tmp_path / "copy.db")
    store.append("s", told(20, 21), after=20)
    with closing(SqliteStore(tmp_path / "copy.db")) as copy:
        assert copy.rows("s") == store.rows("s")[:20]
        assert copy.blob(name) == data
        copy.acquire("s")
    with pytest.raises(StoreError, match="exists"):
        store.backup(tmp_path / "copy.db")
    with pytest.raises(StoreError, match="opened"):
        store.backup(tmp_path / "missing" / "copy.db")
    assert not list(tmp_path.glob("*.part*"))


# --- conflicts


def test_a_writer_that_comes_between_is_noticed(store, path):
    with closing(SqliteStore(path)) as other:
        store.append("s", told(0, 2), after=0)
        other.append("s", told(2, 3), after=2)
        with pytest.raises(ConflictError, match="has 3 events, not the 2"):
            store.append("s", told(2, 3), after=2)


# --- logs of released versions


LOGS = Path(__file__).parents[1] / "fixtures" / "logs"


@pytest.mark.parametrize("version", [file.stem for file in sorted(LOGS.glob("*.db"))])
def test_a_study_of_every_released_version_stays_readable(version, tmp_path):
    from assay.core.events import decode
    from assay.stores.chain import from_line, verify_lines

    (tmp_path / "old.db").write_bytes((LOGS / f"{version}.db").read_bytes())
    lines = (LOGS / f"{version}.jsonl").read_bytes().splitlines()
    assert verify_lines("größe", lines) == []
    with closing(SqliteStore(tmp_path / "old.db", readonly=True)) as old:
        assert old.studies() == ["größe"]
        rows = old.rows("größe")
        assert rows == [from_line(line)[1] for line in lines]
        events = old.read("größe")
        assert events == [decode(row.body) for row in rows]
        for event in events:
            if (
                digest := getattr(event, "rows", None)
                if type(event).__name__ == "Measured"
                else None
            ):
                assert old.blob(digest)
    with closing(SqliteStore(tmp_path / "old.db")) as grown:
        grown.append("größe", [Noted("still here")], after=len(events))
        assert verify("größe", grown.rows("größe")) == []


def test_there_is_a_log_of_this_version():
    assert (LOGS / "0.1.0.db").exists()
