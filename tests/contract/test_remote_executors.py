"""Executors on clusters keep the same promises as those on this machine."""

from __future__ import annotations

import time

import pytest

from assay.executors.slurm import slurm_executor
from assay.testing.executor_contract import ExecutorContract
from assay.testing.process_contract import ProcessContract

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dask_address():
    pytest.importorskip("distributed")
    from assay.executors.dask_local import LocalCluster

    cluster = LocalCluster(1)
    yield cluster.address
    cluster.close()


@pytest.fixture(scope="module")
def ray_here():
    from assay.executors.ray_local import demand_token, local_ray

    demand_token()
    leave = local_ray(pytest.importorskip("ray"), 1)
    yield
    leave()


class TestDask(ExecutorContract, ProcessContract):
    @pytest.fixture(autouse=True)
    def _cluster(self, dask_address):
        self.address = dask_address

    def make(self, evaluate, **options):
        from assay.executors.dask import dask_executor

        return dask_executor(evaluate, self.address, **options)


@pytest.mark.usefixtures("ray_here")
class TestRay(ExecutorContract, ProcessContract):
    def make(self, evaluate, **options):
        from assay.executors.ray import ray_executor

        return ray_executor(evaluate, "auto", **options)


class TestSlurm(ExecutorContract, ProcessContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path):
        pytest.importorskip("submitit")
        self.folder = str(tmp_path)

    def make(self, evaluate, **options):
        executor = slurm_executor(evaluate, folder=self.folder, cluster="local", **options)
        until = time.monotonic() + 60
        while not executor.free and time.monotonic() < until:
            assert executor.poll(0.05) == []
        return executor
