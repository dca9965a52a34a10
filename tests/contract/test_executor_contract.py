from __future__ import annotations

from assay.executors.inline import InlineExecutor
from assay.executors.local import LocalExecutor
from assay.testing.executor_contract import ExecutorContract
from assay.testing.process_contract import ProcessContract


class TestInline(ExecutorContract):
    def make(self, evaluate, **options):
        return InlineExecutor(evaluate, **options)


class TestLocal(ExecutorContract, ProcessContract):
    def make(self, evaluate, **options):
        return LocalExecutor(evaluate, **options)


class TestTwoLocalWorkers(ExecutorContract):
    def make(self, evaluate, **options):
        return LocalExecutor(evaluate, workers=2, **options)
