from __future__ import annotations

import copy
import os
import pickle
import signal
import stat
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.core.errors import DataError, SealError, StoreError, TamperError
from assay.stores.vault import FileVault, MemoryVault

ROWS = {
    "age": np.array([31, 45, 27]),
    "name": np.array(["Ann", "Bo", "Zoë"]),
    "since": np.array(["2026-01-01", "2026-02-01", "NaT"], dtype="datetime64[D]"),
    "scores": np.array([[0.5, np.nan], [1.0, -0.0], [np.inf, 2.0]]),
    "left": np.array([True, False, True]),
}
META = {"target": "left", "classes": ["no", "yes"], "n": 3}


@pytest.fixture(params=["files", "memory"])
def vault(request, tmp_path):
    return FileVault(tmp_path / "vault") if request.param == "files" else MemoryVault()


def same(one, other):
    assert list(one) == list(other)
    for name, array in one.items():
        assert array.dtype == other[name].dtype
        np.testing.assert_array_equal(array, other[name])


def test_what_was_put_comes_back(vault):
    sha256 = vault.put("s1", ROWS, META)
    arrays, meta = vault.get("s1", sha256)
    same(arrays, ROWS)
    assert meta == META


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(st.lists(names, unique=True, min_size=1, max_size=4), st.integers(0, 3))
def test_any_name_of_a_column_is_fine(columns, rows):
    arrays = {name: np.arange(rows) + i for i, name in enumerate(columns)}
    vault = MemoryVault()
    same(vault.get("s", vault.put("s", arrays, {}))[0], arrays)


@pytest.mark.parametrize(
    "name", ["file", "label", "../up", "a/b", "", "array0", "x.npy", "n" * 70000]
)
def test_names_that_mean_something_to_files_are_only_names(vault, name):
    arrays = {name: np.arange(2), "other": np.arange(2.0)}
    same(vault.get("s", vault.put("s", arrays, {}))[0], arrays)


def test_the_same_again_is_no_change_and_another_is_refused(vault):
    sha256 = vault.put("s1", ROWS, META)
    assert vault.put("s1", ROWS, META) == sha256
    with pytest.raises(SealError, match="already holds another"):
        vault.put("s1", {"age": np.array([1])}, META)
    same(vault.get("s1", sha256)[0], ROWS)


def test_later_changes_of_the_arrays_stay_outside(vault):
    array = np.arange(3)
    sha256 = vault.put("s1", {"x": array}, {})
    array[:] = 9
    assert vault.get("s1", sha256)[0]["x"].tolist() == [0, 1, 2]
    vault.get("s1", sha256)[0]["x"][:] = 9
    assert vault.get("s1", sha256)[0]["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": np.array(["secret", 1], dtype=object)}, "dtype object"),
        ({"x": np.ma.masked_array([1, 2], [0, 1])}, "MaskedArray"),
        ({"x": np.array([(1, "secret")], dtype=[("a", int), ("b", object)])}, "shape"),
        ({"x": ["secret"]}, "list"),
        ({"x": np.array(3.0)}, r"shape \(\)"),
        ({"x": np.arange(2), "y": np.arange(3)}, "'x': 2, 'y': 3"),
        ({}, "got none"),
    ],
)
def test_what_cannot_be_kept_is_refused_without_showing_it(vault, tmp_path, arrays, said):
    with pytest.raises(DataError, match=said) as raised:
        vault.put("s1", arrays, {})
    assert "secret" not in str(raised.value)
    with pytest.raises(SealError, match="missing"):
        vault.get("s1", "00")
    assert not (tmp_path / "vault").exists()


@pytest.mark.parametrize("seal_id", ["", "a/b", "../a", "a.b", "ä", "a" * 101, "a\n", "*"])
def test_names_of_seals_are_plain(vault, seal_id):
    for act in (
        lambda: vault.put(seal_id, ROWS, META),
        lambda: vault.get(seal_id, "00"),
        lambda: vault.void(seal_id),
    ):
        with pytest.raises(SealError, match="cannot name"):
            act()


def test_what_was_given_up_stays_closed(vault):
    sha256 = vault.put("s1", ROWS, META)
    vault.void("s1")
    vault.void("s1")
    with pytest.raises(SealError, match="given up"):
        vault.get("s1", sha256)
    with pytest.raises(SealError, match="given up"):
        vault.put("s1", ROWS, META)


def test_a_missing_test_set_is_told_with_a_way_out(vault):
    for act in (lambda: vault.get("s1", "00"), lambda: vault.void("s1")):
        with pytest.raises(SealError, match=r"'s1' is missing.*(new study|storage)"):
            act()


def test_given_up_rows_are_kept_on_disk(tmp_path):
    vault = FileVault(tmp_path)
    vault.put("s1", ROWS, META)
    content = (tmp_path / "s1.npz").read_bytes()
    vault.void("s1")
    assert (tmp_path / "s1.void").read_bytes() == content
    assert not (tmp_path / "s1.npz").exists()


def test_any_change_of_the_file_is_found(tmp_path):
    vault = FileVault(tmp_path)
    sha256 = vault.put("s1", ROWS, META)
    path = tmp_path / "s1.npz"
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(TamperError) as raised:
            vault.get("s1", sha256)
        assert str(path) in str(raised.value)
        assert sha256 in str(raised.value)
    for changed in (b"", whole[:-1], whole + b"\0"):
        path.write_bytes(changed)
        with pytest.raises(TamperError):
            vault.get("s1", sha256)
    path.write_bytes(whole)
    same(vault.get("s1", sha256)[0], ROWS)


def test_another_hash_opens_nothing(vault):
    vault.put("s1", ROWS, META)
    with pytest.raises(TamperError):
        vault.get("s1", "0" * 64)


def test_nothing_shows_the_rows(vault, tmp_path):
    sha256 = vault.put("s1", ROWS, META)
    vault.put("s2", ROWS, META)
    vault.void("s2")
    for shown in (repr(vault), str(vault), repr(vars(vault))):
        assert "Zo" not in shown
        assert "45" not in shown.replace(sha256[:8], "").replace(str(tmp_path), "")
    if isinstance(vault, MemoryVault):
        assert repr(vault) == f"MemoryVault(s1: 3 rows, sha256 {sha256[:8]}..., s2: given up)"


@pytest.mark.parametrize("send", [pickle.dumps, cloudpickle.dumps, copy.copy, copy.deepcopy])
def test_a_vault_is_not_sent_anywhere(vault, send):
    with pytest.raises(SealError, match="holds sealed test rows"):
        send(vault)


def test_only_the_owner_may_read(tmp_path):
    before = os.umask(0)
    try:
        FileVault(tmp_path / "deep" / "vault").put("s1", ROWS, META)
    finally:
        os.umask(before)
    folder = tmp_path / "deep" / "vault"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "s1.npz").stat().st_mode) == 0o600


def test_a_folder_that_was_there_keeps_its_mode(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    folder.chmod(0o755)
    FileVault(folder).put("s1", ROWS, META)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755


def test_two_vaults_on_one_folder_agree_wherever_the_process_goes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    vault = FileVault("vault")
    sha256 = vault.put("s1", ROWS, META)
    monkeypatch.chdir("/")
    same(vault.get("s1", sha256)[0], ROWS)
    same(FileVault(tmp_path / "vault").get("s1", sha256)[0], ROWS)


def test_a_full_disk_leaves_nothing_and_does_no_lasting_harm(tmp_path, monkeypatch):
    vault = FileVault(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StoreError, match="No space left") as raised:
            vault.put("s1", ROWS, META)
    assert "s1.npz" in str(raised.value)
    assert list(tmp_path.iterdir()) == []
    same(vault.get("s1", vault.put("s1", ROWS, META))[0], ROWS)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    vault = FileVault(tmp_path / "file")
    for act in (lambda: vault.put("s1", ROWS, META), lambda: vault.get("s1", "00")):
        with pytest.raises(StoreError, match="Not a directory"):
            act()


DYING = """
import os, signal, sys
import numpy as np
from assay.stores.vault import FileVault

step, folder, act = int(sys.argv[1]), sys.argv[2], sys.argv[3]
taken = 0

def dying(call):
    def wrapped(*args, **options):
        global taken
        taken += 1
        if taken == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args, **options)
    return wrapped

for name in ("mkdir", "open", "fsync", "replace", "unlink"):
    setattr(os, name, dying(getattr(os, name)))
np.lib.format.write_array = dying(np.lib.format.write_array)
vault = FileVault(folder)
if act == "put":
    vault.put("s1", {"x": np.arange(100_000), "y": np.arange(100_000.0)}, {"n": 1})
else:
    vault.void("s1")
"""


def killed_at(step, folder, act):
    path = os.pathsep.join([str(Path(assay.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, "-c", DYING, str(step), str(folder), act]
    code = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}).returncode
    assert code in (0, -signal.SIGKILL)
    return code != 0


BIG = {"x": np.arange(100_000), "y": np.arange(100_000.0)}


def test_a_kill_at_any_step_leaves_the_whole_file_or_none(tmp_path):
    sha256 = MemoryVault().put("s1", BIG, {"n": 1})
    step, whole = 1, 0
    while killed_at(step, folder := tmp_path / str(step), "put"):
        vault = FileVault(folder)
        if (folder / "s1.npz").exists():
            whole += 1
            same(vault.get("s1", sha256)[0], BIG)
        else:
            with pytest.raises(SealError, match="missing"):
                vault.get("s1", sha256)
        assert vault.put("s1", BIG, {"n": 1}) == sha256
        assert [file.name for file in folder.iterdir()] == ["s1.npz"]
        step += 1
    assert step > 9  # mkdir, flush, open, three arrays, flush, rename, flush
    assert 0 < whole < step - 1


def sealed_in(folder):
    FileVault(folder).put("s1", ROWS, META)
    return folder


def test_a_kill_while_giving_up_leaves_it_sealed_or_given_up(tmp_path):
    step = 1
    while killed_at(step, folder := sealed_in(tmp_path / str(step)), "void"):
        assert len(list(folder.iterdir())) == 1
        FileVault(folder).void("s1")
        assert [file.name for file in folder.iterdir()] == ["s1.void"]
        step += 1
    assert step > 2
