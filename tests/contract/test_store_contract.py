"""Every store of ours keeps the contract."""

import hashlib

import pytest

from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore
from assay.testing.store_contract import SharedStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    def open(self, place):
        return MemoryStore()


class TestGuardedSqliteStore(SharedStoreContract):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=True)


class TestPlainSqliteStore(SharedStoreContract):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=False)


class TestPostgresStore(SharedStoreContract):
    @pytest.fixture(autouse=True)
    def server(self, postgres):
        self.postgres = postgres

    def open(self, place):
        from assay.stores.postgres.store import PostgresStore

        schema = "p" + hashlib.sha256(str(place).encode()).hexdigest()[:20]
        return PostgresStore(self.postgres.url(schema))
