"""Every board of ours keeps the contract."""

from tests.contract.stores import Guarded, InMemory, InPostgres, Plain

from assay.testing.board_contract import BoardContract, SharedBoardContract


class TestMemoryBoard(InMemory, BoardContract):
    pass


class TestGuardedSqliteBoard(Guarded, SharedBoardContract):
    pass


class TestPlainSqliteBoard(Plain, SharedBoardContract):
    pass


class TestPostgresBoard(InPostgres, SharedBoardContract):
    pass
