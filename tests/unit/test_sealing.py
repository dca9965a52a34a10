"""Setting the test rows apart, and knowing them again."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from assay.api.sealing import count_look, seal, sealed_rows, vault_beside
from assay.core.errors import SealError, TamperError
from assay.inputs import from_arrays
from assay.stores.memory import MemoryStore
from assay.stores.seals import SealRegistry
from assay.stores.sqlite import SqliteStore
from assay.stores.vault import FileVault, MemoryVault


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def table(rows=range(100), seed=0):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(200, 3)), rng.normal(size=200)
    return from_arrays(X[list(rows)], y[list(rows)])


def sealed(dev, test, name="one", **options):
    return seal(name, table(dev), table(test), MemoryStore(), **options)


def opened(made):
    count_look(made.event.seal, 1)
    return made


def test_sealed_rows_come_back_from_memory_and_from_a_file(tmp_path):
    store = SqliteStore(tmp_path / "lab.db")
    for place, level in ((MemoryStore(), "handle in memory"), (store, "vault file")):
        made = seal("s", table(range(70)), table(range(70, 100)), place)
        assert (made.event.rows, made.event.level) == (30, level)
        found = sealed_rows(place, made.event)
        assert found.X == pytest.approx(table(range(70, 100)).X)
    store.close()
    assert (tmp_path / "lab.db.vault").is_dir()


def test_the_vault_lies_beside_the_study_file(tmp_path):
    store = SqliteStore(tmp_path / "lab.db")
    assert isinstance(vault_beside(store), FileVault)
    store.close()
    memory = MemoryStore()
    assert isinstance(vault_beside(memory), MemoryVault)
    assert vault_beside(memory) is vault_beside(memory)
    assert vault_beside(memory) is not vault_beside(MemoryStore())


def test_rows_that_were_changed_in_the_vault_are_found_out(tmp_path):
    store = SqliteStore(tmp_path / "lab.db")
    made = seal("s", table(range(70)), table(range(70, 100)), store)
    (file,) = (tmp_path / "lab.db.vault").iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(TamperError):
        sealed_rows(store, made.event)
    file.unlink()
    with pytest.raises(SealError, match="missing"):
        sealed_rows(store, made.event)
    store.close()


def test_rows_that_nobody_used_have_no_note():
    made = sealed(range(70), range(70, 100))
    assert (made.event.note, made.warning) == ("", "")
    assert sealed(range(100, 170), range(170, 200), "two").event.note == ""


def test_a_test_set_that_was_only_sealed_is_not_spent():
    sealed(range(70), range(70, 100))
    assert sealed(range(70), range(70, 100), "two").event.note == ""


@pytest.mark.parametrize(
    ("again", "share"),
    [(range(70, 100), "100 %"), (range(85, 115), "50 %"), (range(70, 99), "100 %")],
)
def test_a_test_set_that_was_opened_is_known_again(again, share):
    opened(sealed(range(70), range(70, 100)))
    note = sealed(range(120, 190), again, "two").event.note
    assert note.startswith(share)
    assert "study one, 1 look" in note


def test_columns_that_were_renamed_or_moved_do_not_hide_the_rows():
    X, y = table(range(100)).X, table(range(100)).y
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    first = seal(
        "one", from_arrays(frame[:70], y[:70]), from_arrays(frame[70:], y[70:]), MemoryStore()
    )
    opened(first)
    moved = pd.DataFrame(X[:, ::-1], columns=["p", "q", "r"])
    made = seal(
        "two", from_arrays(moved[:70], y[:70]), from_arrays(moved[70:], y[70:]), MemoryStore()
    )
    assert made.event.note.startswith("100 %")


def test_rows_that_were_developed_on_are_refused_unless_there_is_a_reason():
    sealed(range(70), range(70, 100))
    for reason in ("", "  "):
        with pytest.raises(SealError, match="tuning"):
            sealed(range(70, 140), range(40, 70), "two", reason=reason)
    made = sealed(range(70, 140), range(40, 70), "three", reason="only a try")
    assert "tuning" in made.event.note


def test_rows_that_were_both_are_refused_too():
    opened(sealed(range(70), range(70, 100)))
    with pytest.raises(SealError, match="tuning"):
        sealed(range(100, 170), range(60, 90), "two")


def test_what_is_refused_is_not_remembered():
    sealed(range(70), range(70, 100))
    with pytest.raises(SealError):
        sealed(range(70, 140), range(40, 70), "two")
    registry, _ = SealRegistry.open()
    from assay.evaluation.fingerprint import row_hashes

    found = registry.overlap(row_hashes(table(range(100, 140)).columns(), registry.key), "dev")
    assert found == []


def test_a_table_full_of_twins_does_not_accuse_itself():
    values = np.tile([[0.0, 1.0], [1.0, 0.0]], (50, 1))
    y = np.tile([0.0, 1.0, 1.0, 0.0], 25)
    split = [from_arrays(values[part], y[part]) for part in (slice(0, 70), slice(70, 100))]
    opened(seal("one", *split, MemoryStore()))
    assert seal("two", *split, MemoryStore()).event.note == ""


def test_without_a_memory_of_seals_tuning_goes_on_with_a_warning(home):
    home.write_text("a file where a folder should be")
    made = sealed(range(70), range(70, 100))
    assert "may not be noticed" in made.warning
    assert made.event.note == ""
    count_look(made.event.seal, 1)


def test_looks_are_counted_once_each():
    made = sealed(range(70), range(70, 100))
    for look in (1, 1, 2):
        count_look(made.event.seal, look)
    assert "2 looks" in sealed(range(120, 190), range(70, 100), "two").event.note
