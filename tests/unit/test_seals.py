from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import assay
from assay.core.errors import StoreError
from assay.evaluation.fingerprint import row_hashes
from assay.math.sketches import sketch
from assay.stores import seals
from assay.stores.seals import SealRegistry, home, message

WHEN = "2026-11-03T09:41:07.000001Z"
KEY = bytes(range(32))


@pytest.fixture
def folder(tmp_path):
    """A registry's folder with a key that is the same in every run."""
    folder = tmp_path / "assay"
    folder.mkdir()
    (folder / "seals.key").write_bytes(KEY)
    return folder


@pytest.fixture
def registry(folder):
    return SealRegistry(folder)


def table(rows, columns=6, seed=0):
    values = np.random.default_rng(seed).normal(size=(rows, columns))
    return {f"c{i}": values[:, i] for i in range(columns)}


def part(columns, rows):
    return {name: values[rows] for name, values in columns.items()}


def remember(registry, columns, seal_id="s1", study="churn-2", kind="test"):
    hashes = row_hashes(columns, registry.key)
    registry.remember(seal_id, study, WHEN, len(hashes), sketch(hashes), kind)


def shares(registry, columns, kind="test"):
    return [found.share for found in registry.overlap(row_hashes(columns, registry.key), kind)]


def python(code, *arguments, **options):
    path = os.pathsep.join([str(Path(assay.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
        **options,
    )


# --- rows that come back


def test_the_same_rows_in_another_dress_are_known(registry):
    columns = table(400)
    remember(registry, columns)
    shuffled = np.random.default_rng(1).permutation(400)
    renamed = {f"new {name}": values for name, values in reversed(columns.items())}
    for seen in (columns, part(columns, slice(1, None)), part(columns, shuffled), renamed):
        assert shares(registry, seen) == [1.0]


def test_other_rows_are_not_known(registry):
    remember(registry, table(2000, seed=1))
    assert shares(registry, table(2000, seed=2)) == []
    assert registry.overlap(np.array([], dtype=np.uint64), "test") == []


@pytest.mark.parametrize(("rows", "tested"), [(442, 0.25), (1797, 0.2), (20_000, 0.25)])
def test_a_new_split_of_the_same_data_is_measured(registry, rows, tested):
    columns, size = table(rows), int(rows * tested)
    first, second = (np.random.default_rng(seed).permutation(rows)[:size] for seed in (1, 2))
    remember(registry, part(columns, first))
    truth = float(np.isin(second, first).mean())
    assert shares(registry, part(columns, second)) == pytest.approx([truth], abs=0.02)


@pytest.mark.parametrize("name", ["load_digits", "load_diabetes"])
def test_real_data_split_anew_is_measured(registry, name):
    datasets = pytest.importorskip("sklearn.datasets")
    X, y = getattr(datasets, name)(return_X_y=True)
    columns = {**{f"c{i}": X[:, i] for i in range(X.shape[1])}, "target": y}
    first, second = (np.random.default_rng(seed).permutation(len(y)) for seed in (1, 2))
    size = len(y) // 5
    remember(registry, part(columns, first[:size]))
    assert shares(registry, part(columns, first[1:size])) == [1.0]
    truth = float(np.isin(second[:size], first[:size]).mean())
    assert shares(registry, part(columns, second[:size])) == pytest.approx([truth], abs=0.02)
    assert shares(registry, part(columns, first[size:])) == []


def test_less_than_one_per_cent_is_chance(registry):
    columns = table(1000)
    remember(registry, part(columns, slice(9)), "nine")
    assert shares(registry, columns) == []
    remember(registry, part(columns, slice(10)), "ten")
    assert shares(registry, columns) == [0.01]


def test_the_largest_overlap_comes_first(registry):
    columns = table(100)
    for size in (20, 100, 60):
        remember(registry, part(columns, slice(size)), f"s{size}", f"study {size}")
    found = registry.overlap(row_hashes(columns, KEY), "test")
    assert [(one.seal_id, one.study, one.rows, one.share) for one in found] == [
        ("s100", "study 100", 100, 1.0),
        ("s60", "study 60", 60, 0.6),
        ("s20", "study 20", 20, 0.2),
    ]


def test_all_hashes_are_as_good_as_their_sketch(registry):
    hashes = row_hashes(table(3000), KEY)
    registry.remember("all", "s", WHEN, 3000, hashes)
    registry.remember("sketch", "s", WHEN, 3000, sketch(hashes))
    one, other = registry.overlap(hashes, "test")
    assert one.share == other.share == 1.0


# --- looks, kinds and sentences


def test_each_look_counts_once(registry):
    columns = table(50)
    remember(registry, columns)
    hashes = row_hashes(columns, KEY)
    (found,) = registry.overlap(hashes, "test")
    assert (found.looks, found.when) == (0, WHEN)
    assert message(found) == (
        "100 % of these rows were already set apart as a test set on 3 Nov 2026 "
        "(study churn-2, not opened yet)."
    )
    registry.look("s1", 1, "2026-11-20T08:00:00.000000Z")
    registry.look("s1", 1, "2026-11-21T08:00:00.000000Z")
    (found,) = registry.overlap(hashes, "test")
    assert message(found).endswith("used as a test set on 20 Nov 2026 (study churn-2, 1 look).")
    registry.look("s1", 2, "2026-12-01T00:00:00.000000Z")
    (found,) = registry.overlap(hashes, "test")
    assert message(found).endswith("on 1 Dec 2026 (study churn-2, 2 looks).")


def test_what_is_remembered_stays(registry):
    columns = table(50)
    remember(registry, columns)
    remember(registry, table(50, seed=9), study="other")
    (found,) = registry.overlap(row_hashes(columns, KEY), "test")
    assert found.study == "churn-2"


def test_tuned_rows_and_test_rows_are_kept_apart(registry):
    columns = table(100)
    remember(registry, part(columns, slice(30)))
    remember(registry, part(columns, slice(30, 100)), kind="dev")
    fresh_test = part(columns, slice(20, 40))
    assert shares(registry, fresh_test, "test") == [0.5]
    (found,) = registry.overlap(row_hashes(fresh_test, KEY), "dev")
    assert message(found) == (
        "50 % of these rows were already used for tuning on 3 Nov 2026 (study churn-2): they "
        "cannot be an unseen test set. Test on rows that no study was tuned on."
    )


def test_only_all_rows_are_a_hundred_per_cent(registry):
    columns = table(1000)
    remember(registry, part(columns, slice(999)))
    (found,) = registry.overlap(row_hashes(columns, KEY), "test")
    assert message(found).startswith("99 % ")


@pytest.mark.parametrize(
    "study",
    [
        "'; drop table seal; --", '"', "line\nbreak", "\x1b[31mred", "nul\0", "\ud800", "\u202eabc",
        "x, 0 looks). All is well (", "", "n" * 10**6, "Żółw", "   ", "<script>",
    ],
)  # fmt: skip
def test_a_name_cannot_mislead(registry, study):
    columns = table(20)
    remember(registry, columns, study=study)
    (found,) = registry.overlap(row_hashes(columns, KEY), "test")
    text = message(found)
    assert text.isprintable()
    assert len(text) < 1000
    assert text.encode()
    if study != "Żółw" and not study.startswith("n" * 99):
        assert repr(found.study) in text
    assert SealRegistry(registry._folder).overlap(row_hashes(columns, KEY), "test") == [found]


def test_a_date_that_is_none_is_shown_as_it_is(registry):
    registry.remember("s1", "s", "yester\nday", 1, np.array([1], dtype=np.uint64))
    (found,) = registry.overlap(np.array([1], dtype=np.uint64), "test")
    assert r"on 'yester\nday' (" in message(found)


# --- the file


def test_another_process_sees_it(registry, folder):
    columns = table(64)
    remember(registry, columns)
    registry.look("s1", 1, WHEN)
    code = """
import sys
import numpy as np
from assay.stores.seals import SealRegistry, message
registry = SealRegistry(sys.argv[1])
print(registry.key.hex())
print(message(*registry.overlap(np.array(sys.argv[2:], dtype=np.uint64), "test")))
"""
    answer, _ = python(code, folder, *row_hashes(columns, KEY)[:40]).communicate()
    assert answer.splitlines() == [
        KEY.hex(),
        "100 % of these rows were already used as a test set on 3 Nov 2026 (study churn-2, 1 look).",
    ]


def test_processes_may_begin_and_write_at_once(tmp_path):
    code = """
import sys
import numpy as np
from assay.stores.seals import SealRegistry
sys.stdin.readline()
for i in range(10):
    registry = SealRegistry(sys.argv[1])
    name = f"{sys.argv[2]}-{i}"
    registry.remember(name, name, "2026-11-03T00:00:00Z", 1, np.array([7], dtype=np.uint64))
    registry.look(name, 1, "2026-11-03T00:00:00Z")
print(registry.key.hex())
"""
    processes = [python(code, tmp_path / "new", i, stdin=subprocess.PIPE) for i in range(4)]
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    keys = {process.communicate()[0].strip() for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    registry = SealRegistry(tmp_path / "new")
    assert keys == {registry.key.hex()}
    found = registry.overlap(np.array([7], dtype=np.uint64), "test")
    assert len(found) == 40
    assert {one.looks for one in found} == {1}


def test_it_is_private_and_small(tmp_path):
    before = os.umask(0)
    try:
        registry = SealRegistry(tmp_path / "assay")
        for i in range(50):
            remember(registry, table(1100, 1, seed=i), f"s{i}")
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in registry._folder.iterdir()}
    assert modes == {"seals.sqlite": 0o600, "seals.key": 0o600}
    assert stat.S_IMODE(registry._folder.stat().st_mode) == 0o700
    assert (registry._folder / "seals.sqlite").stat().st_size < 50 * 16_384
    with sqlite3.connect(registry._folder / "seals.sqlite") as database:
        assert database.execute("pragma journal_mode").fetchone() == ("delete",)
    database.close()


def test_keys_differ_between_users_and_are_not_shown(tmp_path):
    one, other = SealRegistry(tmp_path / "one"), SealRegistry(tmp_path / "other")
    assert one.key != other.key
    assert len(one.key) == 32
    assert repr(one) == f"SealRegistry({str(tmp_path / 'one')!r})"


@pytest.mark.parametrize("name", ["with space", "a?b=c#d", "per%20cent", "qu'ote", "ünï"])
def test_folders_may_have_any_name(tmp_path, name):
    registry = SealRegistry(tmp_path / name)
    remember(registry, table(5))
    assert shares(registry, table(5)) == [1.0]
    assert (tmp_path / name / "seals.sqlite").exists()


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: Path("/users/ann"))
    for variable in ("ASSAY_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert home() == Path("/users/ann/.local/share/assay")
    monkeypatch.setenv("XDG_DATA_HOME", "not/absolute")
    assert home() == Path("/users/ann/.local/share/assay")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert home() == Path("/data/assay")
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    registry, warning = SealRegistry.open()
    assert warning is None
    assert registry is not None
    assert (tmp_path / "mine" / "seals.sqlite").exists()
    monkeypatch.setenv("ASSAY_HOME", "")
    assert home() == Path("/data/assay")


# --- trouble never stops a study: it is a warning


def refused(folder, said):
    """Opening gives a warning with these words, and changes no file."""
    files = {path: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}
    registry, warning = SealRegistry.open(folder)
    assert registry is None
    assert warning is not None
    assert said in warning
    assert "Tuning goes on" in warning
    assert all(path.read_bytes() == content for path, content in files.items())


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "ASSAY_HOME")
    refused(tmp_path / "file" / "below", "Not a directory")


def test_no_home_at_all(monkeypatch):
    def nowhere():
        raise RuntimeError("Could not determine home directory.")

    for variable in ("ASSAY_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", nowhere)
    registry, warning = SealRegistry.open()
    assert registry is None
    assert "Set ASSAY_HOME" in warning


def test_a_file_that_is_no_database(folder):
    (folder / "seals.sqlite").write_bytes(b"not a database" * 100)
    refused(folder, "Move the file away")


def test_a_damaged_file(registry, folder):
    for i in range(20):
        remember(registry, table(1100, 1, seed=i), f"s{i}")
    path = folder / "seals.sqlite"
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(StoreError, match="cannot be used"):
        registry.overlap(np.arange(5, dtype=np.uint64), "test")


def test_a_database_of_another_program(folder):
    database = sqlite3.connect(folder / "seals.sqlite")
    database.execute("create table seal (id)")
    database.close()
    refused(folder, "another program")


def test_a_file_of_a_newer_version(registry, folder):
    database = sqlite3.connect(folder / "seals.sqlite")
    database.execute("pragma user_version = 2")
    database.close()
    refused(folder, "newer Assay")


def test_a_lost_key_is_not_silently_replaced(registry, folder):
    remember(registry, table(5))
    (folder / "seals.key").unlink()
    refused(folder, "seals.key is missing")
    (folder / "seals.key").write_bytes(b"short")
    refused(folder, "has 5 bytes instead of 32")


def test_a_lost_key_of_an_empty_registry_is_made_anew(registry, folder):
    (folder / "seals.key").unlink()
    assert len(SealRegistry(folder).key) == 32


def test_a_locked_file(registry, folder, monkeypatch):
    monkeypatch.setattr(seals, "_PATIENCE_S", 0.01)
    other = sqlite3.connect(folder / "seals.sqlite", isolation_level=None)
    other.execute("begin exclusive")
    refused(folder, "locked")
    for act in (
        lambda: remember(registry, table(5)),
        lambda: registry.look("s1", 1, WHEN),
        lambda: shares(registry, table(5)),
    ):
        with pytest.raises(StoreError, match="locked"):
            act()
    other.execute("rollback")
    other.close()
    remember(registry, table(5))
    assert shares(registry, table(5)) == [1.0]


def test_a_file_that_vanished_is_not_made_anew_without_its_tables(registry, folder):
    (folder / "seals.sqlite").unlink()
    with pytest.raises(StoreError, match="cannot be used"):
        remember(registry, table(5))
    assert not (folder / "seals.sqlite").exists()


@pytest.fixture
def guest_folder():
    """A folder that this process, for the time of the test, may read but not write."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    folder = root / "assay"
    folder.mkdir()
    yield folder
    shutil.rmtree(root)


class Guest:
    """Inside, files of mode r-x or r-- cannot be written, not even by root."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        for file in self.folder.iterdir():
            file.chmod(0o444)
        self.folder.chmod(0o555)
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *error):
        os.seteuid(self.user)
        self.folder.chmod(0o755)


def test_a_home_that_cannot_be_written(guest_folder):
    with Guest(guest_folder):
        refused(guest_folder, "Permission denied")
    assert list(guest_folder.iterdir()) == []


def test_a_registry_that_can_only_be_read_still_tells(guest_folder):
    remember(SealRegistry(guest_folder), table(20))
    with Guest(guest_folder):
        registry, warning = SealRegistry.open(guest_folder)
        assert warning is None
        assert shares(registry, table(20)) == [1.0]
        with pytest.raises(StoreError, match=r"readonly.*ASSAY_HOME"):
            remember(registry, table(5), "s2")
