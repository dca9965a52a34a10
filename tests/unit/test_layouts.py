"""Study files of older layouts are opened, and brought to the present layout after a backup."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from assay import Study, open_study
from assay.core import events
from assay.stores.chain import verify
from assay.stores.schema import USER_VERSION
from assay.stores.sqlite import SqliteStore
from assay.testing.store_contract import EVENTS

OLD = Path(__file__).parents[1] / "fixtures" / "layouts" / "layout-1.db"
YOUNGER = (
    events.Ablated,
    events.Attributed,
    events.Audited,
    events.Ended,
    events.Estimated,
    events.Inspected,
    events.Joined,
    events.Metered,
    events.Paused,
    events.Resumed,
    events.Steered,
    events.Stopped,
    events.Varied,
)
EVERY_KIND = [event for event in EVENTS if not isinstance(event, YOUNGER)]


@pytest.fixture
def old(tmp_path):
    return shutil.copy(OLD, tmp_path / "lab.db")


def layout(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("pragma user_version").fetchone()[0]


@pytest.mark.parametrize("readonly", [True, False])
def test_a_file_of_layout_1_is_read_whole(old, readonly):
    with closing(SqliteStore(old, readonly=readonly)) as store:
        assert store.studies() == ["every kind of event", "asked and told"]
        assert store.read("every kind of event") == EVERY_KIND
        for name in store.studies():
            assert verify(name, store.rows(name)) == []
    assert layout(old) == (1 if readonly else USER_VERSION)


def test_it_goes_on_and_its_board_is_there(old):
    with open_study(str(old), "asked and told") as study:
        assert isinstance(study, Study)
        study.tell(study.ask(), 1.0)
        assert study.verify() == []
        assert study.store.board(study.name).tasks() == []


def test_a_backup_of_the_old_layout_is_kept(old):
    SqliteStore(old).close()
    SqliteStore(old).close()
    backup = old.with_name("lab.db.layout-1")
    assert layout(backup) == 1
    with closing(SqliteStore(backup, readonly=True)) as store:
        assert store.read("every kind of event") == EVERY_KIND


def test_a_new_file_has_the_tables_of_an_upgraded_one(old, tmp_path):
    SqliteStore(old).close()
    SqliteStore(tmp_path / "new.db").close()
    made = []
    for path in (old, tmp_path / "new.db"):
        with closing(sqlite3.connect(path)) as db:
            made.append(sorted(db.execute("select name, sql from sqlite_master").fetchall()))
    assert made[0] == made[1]
