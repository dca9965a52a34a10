"""Every board of ours keeps the contract."""

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
