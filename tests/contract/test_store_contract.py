"""Every store of ours keeps the contract."""

import os
from pathlib import Path

from tests.contract.stores import Guarded, InMemory, InPostgres, Plain

from assay.testing.store_contract import SnapshotsContract, StoreContract, TurnsContract


class TestMemoryStore(InMemory, StoreContract):
    pass


class InAFile(TurnsContract, SnapshotsContract):
    def snapshots(self, store):
        return list(store.path.parent.glob("lab.db-fold-*"))


class TestGuardedSqliteStore(Guarded, InAFile):
    pass


class TestPlainSqliteStore(Plain, InAFile):
    pass


class TestPostgresStore(InPostgres, TurnsContract, SnapshotsContract):
    def snapshots(self, store):
        return list(Path(os.environ["ASSAY_HOME"], "cache").iterdir())
