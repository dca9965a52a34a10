"""How each store of ours is opened, for the contracts of stores and of boards."""

import hashlib

import pytest

from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore


class InMemory:
    def open(self, place):
        return MemoryStore()


class Guarded:
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=True)


class Plain:
    def open(self, place):
        return SqliteStore(place / "lab.db", guarded=False)


class InPostgres:
    @pytest.fixture(autouse=True)
    def server(self, postgres):
        self.postgres = postgres

    def open(self, place):
        from assay.stores.postgres.store import PostgresStore

        schema = "p" + hashlib.sha256(str(place).encode()).hexdigest()[:20]
        return PostgresStore(self.postgres.url(schema))
