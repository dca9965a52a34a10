"""Every store of ours keeps the contract."""

import hashlib
import os
from pathlib import Path

import pytest

from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore
from assay.testing.store_contract import SnapshotsContract, StoreContract, TurnsContract


class TestMemoryStore(StoreContract):
    def open(self, place):
        return MemoryStore()


class InAFile(TurnsContract, SnapshotsContract):
    def snapshots(self, store):
        return list(store.path.parent.glob("lab.db-fold-*"))


class TestGuardedSqliteStore(InAFile):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=True)


class TestPlainSqliteStore(InAFile):
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=False)


class TestPostgresStore(TurnsContract, SnapshotsContract):
    @pytest.fixture(autouse=True)
    def server(self, postgres):
        self.postgres = postgres

    def open(self, place):
        from assay.stores.postgres.store import PostgresStore

        schema = "p" + hashlib.sha256(str(place).encode()).hexdigest()[:20]
        return PostgresStore(self.postgres.url(schema))

    def snapshots(self, store):
        return list(Path(os.environ["ASSAY_HOME"], "cache").iterdir())
