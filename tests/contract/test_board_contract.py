"""Every board of ours keeps the contract."""

import hashlib

import pytest

from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore
from assay.testing.board_contract import BoardContract, SharedBoardContract


class TestMemoryBoard(BoardContract):
    def open(self, place):
        return MemoryStore()


class TestGuardedSqliteBoard(SharedBoardContract):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=True)


class TestPlainSqliteBoard(SharedBoardContract):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=False)


class TestPostgresBoard(SharedBoardContract):
    @pytest.fixture(autouse=True)
    def server(self, postgres):
        self.postgres = postgres

    def open(self, place):
        from assay.stores.postgres.store import PostgresStore

        schema = "b" + hashlib.sha256(str(place).encode()).hexdigest()[:20]
        return PostgresStore(self.postgres.url(schema))
