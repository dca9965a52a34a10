"""What is particular to the SQLite file; the contract of stores is tested in tests/contract."""

import gc
import hashlib
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assay.core.errors import ConflictError, StateError, StoreError, TamperError
from assay.core.events import Noted, Told
from assay.stores import database, lease, reader
from assay.stores import filesystems as disks
from assay.stores.chain import verify
from assay.stores.locks import FileLock, affected
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


def content(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


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


# --- settings


def test_commits_are_durable_and_the_file_says_what_it_is(store, path):
    def look(db):
        names = "journal_mode synchronous trusted_schema foreign_keys application_id user_version"
        return [db.execute(f"pragma {name}").fetchone()[0] for name in names.split()]

    assert store._file.read(look) == ["wal", 2, 0, 1, 0x41535359, 1]
    assert store.check() == []


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


# --- the guard against the WAL-reset bug


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


# --- files that are not what they should be


@pytest.mark.parametrize("text", [b"name,value\na,1\n" * 100, b"x", bytes(5000)])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path, text):
    path.write_bytes(text)
    before = content(path.parent)
    for readonly in (False, True):
        with pytest.raises(StoreError, match=r"lab\.db.*not a study file"):
            SqliteStore(path, readonly=readonly)
    assert content(path.parent) == before


@pytest.mark.parametrize("pragmas", ["", "pragma user_version = 7;", "pragma application_id = 5;"])
def test_a_database_of_another_program_is_refused_and_left_alone(path, pragmas):
    with raw(path) as db:
        db.executescript(f"{pragmas} create table event (x); insert into event values (1);")
    before = content(path.parent)
    for readonly in (False, True):
        with pytest.raises(StoreError, match="not a study file"):
            SqliteStore(path, readonly=readonly)
    assert content(path.parent) == before


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path):
    fill(path)
    with raw(path) as db:
        db.execute("pragma user_version = 2")
        db.execute("pragma wal_checkpoint(truncate)")
    before = path.read_bytes()
    for readonly in (False, True):
        with pytest.raises(StoreError, match=r"newer version.*pip install"):
            SqliteStore(path, readonly=readonly)
    assert path.read_bytes() == before


@pytest.mark.parametrize("kept", [100, 4096, 4096 * 3, -4096])
def test_a_truncated_file_is_named_and_left_alone(path, kept):
    fill(path, 400)
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    before = path.read_bytes()
    for readonly in (False, True):
        with (
            pytest.raises(StoreError, match=r"lab\.db.*(damaged|not a study file)"),
            closing(SqliteStore(path, readonly=readonly)) as store,
        ):
            store.read("s")
    assert path.read_bytes() == before


def test_an_empty_file_is_a_new_study_to_write_and_no_study_to_read(path):
    path.touch()
    with pytest.raises(StoreError, match="empty"):
        SqliteStore(path, readonly=True)
    fill(path)
    with closing(SqliteStore(path)) as store:
        assert len(store.read("s")) == 20


def test_flipped_bits_and_lost_ends_are_never_silent(path):
    fill(path, 400)
    whole = path.read_bytes()
    with closing(SqliteStore(path, readonly=True)) as store:
        right = store.read("s")
    flipped = [
        whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :]
        for place in range(0, len(whole), 1511)
    ]
    for number, damaged in enumerate([*flipped, whole[:-1], whole[:-1000], b"\0" * len(whole)]):
        path.write_bytes(damaged)
        try:
            with closing(SqliteStore(path, readonly=True)) as store:
                same = store.read("s") == right
                found = [*store.check(), *verify("s", store.rows("s"))]
        except StoreError:
            continue
        assert same or found, number


def test_paths_that_cannot_be_a_file(path, tmp_path):
    with pytest.raises(StoreError, match="is a folder"):
        SqliteStore(tmp_path)
    with pytest.raises(StoreError, match="is a folder"):
        SqliteStore(tmp_path, readonly=True)
    with pytest.raises(StoreError, match="mkdir -p"):
        SqliteStore(tmp_path / "missing" / "lab.db")
    with pytest.raises(StoreError, match="NUL"):
        SqliteStore(tmp_path / "a\0b")
    with pytest.raises(StoreError, match="no study file"):
        SqliteStore(path, readonly=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["with space.db", "per%20cent?mode=ro#.db", "größe.db", "a'b\".db"]
)
def test_any_file_name_will_do(tmp_path, name):
    fill(tmp_path / name)
    assert (tmp_path / name).exists()
    with closing(SqliteStore(tmp_path / name, readonly=True)) as store:
        assert len(store.read("s")) == 20


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


# --- a full disk


def fill_up(store, start=0):
    """Append until the disk is full; the number of events that were acknowledged."""
    number = start
    with pytest.raises(StoreError, match="disk is full"):
        while number < start + 100_000:
            number = store.append("s", [Noted(f"{number}" + "x" * 500)], after=number)
    return number


def test_a_full_file_loses_nothing_and_goes_on_when_there_is_space(store):
    set_limit = "pragma max_page_count = {}".format
    store._file.read(lambda db: db.execute(set_limit(30)).fetchall())
    count = fill_up(store)
    assert count == fill_up(store, count), "full is full"
    store._file.read(lambda db: db.execute(set_limit(10_000)).fetchall())
    assert store.append("s", [Noted("space")], after=count) == count + 1
    assert verify("s", store.rows("s")) == []
    assert len(store.read("s")) == count + 1


@contextmanager
def small_disk(folder, options):
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]).returncode:
        pytest.skip("cannot mount a disk here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk")


@needs_root
@pytest.mark.parametrize("guarded", [True, False])
def test_a_full_disk_loses_nothing_and_goes_on_when_there_is_space(tmp_path, guarded):
    with small_disk(tmp_path / "disk", "size=1m") as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(400_000))
        with closing(SqliteStore(disk / "lab.db", guarded=guarded)) as store:
            count = fill_up(store)
            assert len(store.read("s")) == count
            ballast.unlink()
            assert store.append("s", [Noted("space")], after=count) == count + 1
            assert store.check() == []
        with closing(SqliteStore(disk / "lab.db")) as store:
            assert len(store.read("s")) == count + 1
            assert verify("s", store.rows("s")) == []


@needs_root
def test_a_study_cannot_begin_on_a_full_disk_but_later(tmp_path):
    with small_disk(tmp_path / "disk", "size=64k") as disk:
        ballast = disk / "ballast"
        with pytest.raises(OSError, match="No space"):
            ballast.write_bytes(bytes(70_000))
        with pytest.raises(StoreError, match="full"):
            SqliteStore(disk / "lab.db")
        ballast.unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)
        fill(disk / "lab.db")


# --- read-only


def test_a_reader_makes_no_file_and_changes_nothing(path):
    fill(path)
    database.lock_path(path).unlink(missing_ok=True)
    before = content(path.parent)
    with closing(SqliteStore(path, readonly=True)) as store:
        assert store.read("s") == told(0, 20)
        assert store.studies() == ["s"]
        assert verify("s", store.rows("s")) == []
        assert store.check() == []
        for change in (
            lambda: store.append("s", told(20, 21), after=20),
            lambda: store.acquire("s"),
        ):
            with pytest.raises(StoreError, match="read-only"):
                change()
        store.release("s")
    assert content(path.parent) == before


def test_a_reader_sees_what_a_writer_writes_meanwhile(store, path):
    store.append("s", told(0, 20), after=0)
    files = sorted(os.listdir(path.parent))
    with closing(SqliteStore(path, readonly=True)) as look:
        for number in range(20, 40):
            store.append("s", told(number, number + 1), after=number)
            assert len(look.read("s")) == number + 1
        assert sorted(os.listdir(path.parent)) == files
        store.close()
        assert look.read("s") == told(0, 40)
        fill_more(path, 40)
        assert look.read("s") == told(0, 41)
    assert not path.with_name("lab.db-wal").exists()


def fill_more(path, count):
    with closing(SqliteStore(path)) as store:
        store.append("s", told(count, count + 1), after=count)


def test_a_reader_sees_what_a_killed_writer_left(path):
    code = """
import os, sys
from assay.core.events import Told
from assay.stores.sqlite import SqliteStore
store = SqliteStore(sys.argv[1])
store.append("s", [Told(0, (0.5,))], after=0)
os._exit(0)
"""
    run(code, path)
    assert path.with_name("lab.db-wal").stat().st_size
    with closing(SqliteStore(path, readonly=True)) as store:
        assert store.read("s") == [Told(0, (0.5,))]
    path.with_name("lab.db-shm").unlink()
    with pytest.raises(StoreError, match="not merged"):
        SqliteStore(path, readonly=True)
    fill_more(path, 1)
    with closing(SqliteStore(path, readonly=True)) as store:
        assert len(store.read("s")) == 2


def test_a_file_that_changes_while_it_is_read_is_read_again(path, monkeypatch):
    fill(path)
    with closing(SqliteStore(path, readonly=True)) as store:
        seen = []

        def look(db):
            seen.append(db.execute("select count(*) from event").fetchone()[0])
            if len(seen) == 1:
                fill_more(path, 20)
                raise sqlite3.DatabaseError("torn")
            return seen[-1]

        assert store._file.read(look) == 21
        assert seen == [20, 21]
        monkeypatch.setattr(reader, "_ATTEMPTS", 2)
        monkeypatch.setattr(reader.Reader, "_state", lambda self: object())
        with pytest.raises(StoreError, match="all the time"):
            store.read("s")


@contextmanager
def locked_up(folder):
    """A folder that cannot be written, whoever runs the tests."""
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        yield
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    else:
        for place in [folder, *folder.iterdir()]:
            place.chmod(stat.S_IMODE(place.stat().st_mode) & ~0o222)
        yield
        for place in [folder, *folder.iterdir()]:
            place.chmod(stat.S_IMODE(place.stat().st_mode) | 0o200)


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() == 0:
        with small_disk(tmp_path / "disk", "size=4m") as disk:
            yield disk
    else:
        (tmp_path / "disk").mkdir()
        yield tmp_path / "disk"


def test_on_a_read_only_disk_a_study_can_be_looked_at_but_not_written(disk):
    fill(disk / "lab.db")
    with locked_up(disk):
        with pytest.raises(StoreError, match=r"read-only for you.*read-only to look"):
            SqliteStore(disk / "lab.db")
        with pytest.raises(StoreError, match="read-only for you"):
            SqliteStore(disk / "new.db")
        with closing(SqliteStore(disk / "lab.db", readonly=True)) as store:
            assert store.read("s") == told(0, 20)
    fill_more(disk / "lab.db", 20)


# --- network file systems


MOUNTS = r"""
sysfs /sys sysfs rw 0 0
/dev/vda / ext4 rw 0 0
home:/ /home nfs4 rw 0 0
/dev/vdb /home/local xfs rw 0 0
//win/c /mnt/my\040share cifs rw 0 0
""".lstrip()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/lab.db", "ext4"), ("/home/ann/lab.db", "nfs4"), ("/home/local/lab.db", "xfs"),
        ("/homework/lab.db", "ext4"), ("/mnt/my share/lab.db", "cifs"),
    ],
)  # fmt: skip
def test_the_kind_of_file_system_is_that_of_the_nearest_mount(tmp_path, place, kind):
    table = tmp_path / "mounts"
    table.write_text(MOUNTS)
    assert disks.kind(Path(place), mounts=table) == kind
    assert disks.kind(Path(place), mounts=tmp_path / "missing") == ""


def test_a_network_file_system_is_refused(path, monkeypatch):
    fill(path)
    before = content(path.parent)
    monkeypatch.setattr(disks, "kind", lambda path: "nfs4")
    with pytest.raises(StoreError, match=r"network file system \(nfs4\).*PostgreSQL"):
        SqliteStore(path)
    with closing(SqliteStore(path, readonly=True)) as store:
        assert len(store.read("s")) == 20, "a file at rest can be read from anywhere"
    assert content(path.parent) == before


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


# --- the driver's lease


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
