"""Files, folders and disks that are not what they should be, and looking without touching."""

import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from assay.core.errors import StoreError
from assay.core.events import Noted, Told
from assay.stores import database, reader
from assay.stores import filesystems as disks
from assay.stores.chain import verify
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


def fill_more(path, count):
    with closing(SqliteStore(path)) as store:
        store.append("s", told(count, count + 1), after=count)


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
        db.execute("pragma user_version = 3")
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


def test_a_reader_waits_for_one_who_is_closing(path, monkeypatch):
    """SQLite removes the index before the other file, whose content is in the study by then."""
    fill(path)
    wal = path.with_name("lab.db-wal")
    wal.write_bytes(b"to be removed")
    naps = []

    def closes_meanwhile(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            wal.unlink()

    monkeypatch.setattr("assay.stores.reader.time.sleep", closes_meanwhile)
    with closing(SqliteStore(path, readonly=True)) as store:
        assert store.read("s")
    assert len(naps) == 3


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
server:/ /people nfs4 rw 0 0
/dev/vdb /people/local xfs rw 0 0
//win/c /mnt/my\040share cifs rw 0 0
""".lstrip()


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/var/lab.db", "ext4"), ("/people/ann/lab.db", "nfs4"), ("/people/local/lab.db", "xfs"),
        ("/peoples/lab.db", "ext4"), ("/mnt/my share/lab.db", "cifs"),
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
