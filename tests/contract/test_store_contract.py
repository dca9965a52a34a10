"""Every store of ours keeps the contract."""

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
