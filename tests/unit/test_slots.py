"""What this machine has for trials, and how it is shared out."""

from __future__ import annotations

import os
import time

import pytest

from assay import Budget, Float, Space, optimize
from assay.api.parts import executor_of, slots_for
from assay.core.errors import SpecError
from assay.core.spec import Limits
from assay.executors.gpus import Gpus, amd_ids, gpus_here
from assay.executors.local import LocalExecutor
from assay.executors.resources import Machine, free_memory_mb, usable_cores
from assay.executors.slots import slots_on
from assay.testing.executor_contract import job, messages_until_end, run

_MB = 1 << 20


def machine(cores=8, memory_mb=64_000.0, gpus=()):
    return Machine(cores, memory_mb, Gpus(ids=tuple(gpus)))


def write(root, texts):
    """Files below `root`, by their paths."""
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- cores and memory


def test_affinity_bounds_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert usable_cores() == 1


def test_a_study_pinned_to_one_core_runs_one_trial_at_once():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert slots_for("auto").count == 1
        with pytest.raises(SpecError, match="1 may be used here"):
            slots_for(2, cpus=1)
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("quota", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 6)]
)
def test_the_quota_of_a_container_bounds_the_cores(tmp_path, monkeypatch, quota, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    files = {
        "proc/self/cgroup": "0::/jobs/one\n",
        "sys/fs/cgroup/jobs/one/cpu.max": "max 100000\n",
        "sys/fs/cgroup/jobs/cpu.max": f"{quota}\n",  # that of a group above holds too
    }
    write(tmp_path, files)
    assert usable_cores(tmp_path) == cores


def test_the_quota_of_an_old_container_bounds_the_cores(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(6)), raising=False)
    files = {  # inside, the path of the host is not to be seen
        "proc/self/cgroup": "4:memory:/m\n3:cpu,cpuacct:/on/the/host\n",
        "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "300000",
        "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
    }
    write(tmp_path, files)
    assert usable_cores(tmp_path) == 3


def test_memory_is_what_the_container_leaves_with_its_cache_given_back(tmp_path):
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": str(100 * _MB),
        "sys/fs/cgroup/memory.current": str(60 * _MB),
        "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {10 * _MB}\n",
    }
    write(tmp_path, files)
    assert free_memory_mb(tmp_path) == pytest.approx(50)


def test_without_limits_memory_is_that_of_the_machine(tmp_path):
    assert free_memory_mb(tmp_path) > 50


# --- GPUs


@pytest.mark.parametrize(
    ("value", "ids"),
    [("0,1", ("0", "1")), ("GPU-8f", ("GPU-8f",)), ("", ()), ("-1", ()), ("1,-1,0", ("1",))],
)
def test_a_variable_that_restricts_gpus_is_obeyed(value, ids):
    assert gpus_here({"CUDA_VISIBLE_DEVICES": value}).ids == ids


def test_amds_variables_are_obeyed_by_their_own_name():
    found = gpus_here({"ROCR_VISIBLE_DEVICES": "2"})
    assert (found.variable, found.ids) == ("ROCR_VISIBLE_DEVICES", ("2",))


def test_nvidias_cards_are_asked_of_their_tool(tmp_path, monkeypatch):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: T4 (UUID: GPU-5d)'\necho 'GPU 1: T4 (UUID: GPU-6e)'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    found = gpus_here({})
    assert found.ids == ("0", "1")
    assert found.also == {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    tool.write_text("#!/bin/sh\nexit 9\n")  # a driver that does not work
    assert gpus_here({}).ids == ()


def test_amds_cards_are_counted_without_the_processors(tmp_path):
    for node, simd in enumerate((0, 256, 256)):
        (tmp_path / str(node)).mkdir()
        (tmp_path / str(node) / "properties").write_text(f"cpu_cores_count 8\nsimd_count {simd}\n")
    assert amd_ids(tmp_path) == ("0", "1")
    assert amd_ids(tmp_path / "nothing") == ()


# --- shared out


@pytest.mark.parametrize(
    ("there", "wishes", "count", "why"),
    [
        (machine(8), {}, 8, "8 cores / 1 each"),
        (machine(8), {"cpus": 3}, 2, "8 cores / 3 each"),
        (machine(8), {"cpus": 9}, 1, None),
        (machine(8, gpus="01"), {"gpus": 1}, 2, "2 GPUs / 1 each"),
        (machine(8, gpus="01"), {"gpus": 0.5}, 4, "2 GPUs / 0.5 each"),
        (machine(8, gpus="0123"), {"gpus": 2}, 2, "4 GPUs / 2 each"),
        (machine(8, 10_000), {"memory_mb": 4000}, 2, "10,000 MB free / 4,000 each"),
        (machine(8, 1_000), {"memory_mb": 4000}, 1, "1,000 MB free / 4,000 each"),
    ],
)
def test_auto_is_what_fits(there, wishes, count, why):
    if why is None:
        with pytest.raises(SpecError, match="need 9 cores"):
            slots_on(there, "auto", **wishes)
        return
    slots = slots_on(there, "auto", **wishes)
    assert (slots.count, slots.why) == (count, why)


@pytest.mark.parametrize(
    ("workers", "wishes", "said"),
    [
        (3, {"cpus": 3}, "need 9 cores, and 8 may be used here"),
        (3, {"gpus": 1}, "need more GPUs than there are here: 0, 1"),
        (0, {}, "whole number >= 1"),
        (True, {}, "whole number >= 1"),
        (1, {"cpus": 0}, "cpus_per_trial needs a whole number"),
        (1, {"gpus": 1.5}, "gpus_per_trial needs a whole number"),
        (1, {"gpus": 0}, "gpus_per_trial needs a whole number"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(workers, wishes, said):
    with pytest.raises(SpecError, match=said):
        slots_on(machine(8, gpus="01"), workers, **wishes)


@pytest.mark.parametrize("each", [0.1, 0.25, 1 / 3, 0.5])
def test_as_many_share_a_gpu_as_the_fraction_says(each):
    slots = slots_on(machine(100, gpus="0"), "auto", gpus=each)
    assert slots.count == round(1 / each)


# --- in the trials


def test_trials_at_once_never_see_the_same_gpu_also_after_a_crash():
    def evaluate(job, emit):
        if job.config.get("crash"):
            os._exit(1)
        time.sleep(0.1)
        return float(os.environ["CUDA_VISIBLE_DEVICES"])

    own = tuple({"CUDA_VISIBLE_DEVICES": str(number)} for number in (4, 7))
    with LocalExecutor(evaluate, workers=2, environments=own) as executor:
        for first in (10, 20, 30):
            executor.submit(job(first))
            executor.submit(job(first + 1))
            ended = messages_until_end(executor, first, first + 1).values()
            assert sorted(sent[-1].values["value"] for sent in ended) == [4.0, 7.0]
            run(executor, job(first + 2, {"crash": True}))


def test_a_study_hands_out_the_gpus_that_it_may_use(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    study = optimize(
        lambda trial: float(os.environ["CUDA_VISIBLE_DEVICES"]),
        Space(x=Float(0, 1)),
        budget=Budget(trials=3),
        evidence=None,
        gpus_per_trial=1,
    )
    assert {trial.value for trial in study.trials} == {5.0}
    with pytest.raises(SpecError, match="more GPUs than there are here: 5"):
        slots_for(2, gpus=1)


def test_blas_has_the_cores_of_its_trial_and_no_more(monkeypatch):
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)

    def evaluate(job, emit):
        import numpy as np
        from threadpoolctl import threadpool_info

        np.ones((2, 2)) @ np.ones((2, 2))
        return {
            "blas": float(max(pool["num_threads"] for pool in threadpool_info())),
            "omp": float(os.environ["OMP_NUM_THREADS"]),
        }

    cores = usable_cores()
    share = float(max(1, cores // 2))
    for workers, expected in ((2, share), (slots_for(1, cpus=1), 1.0)):
        with executor_of(
            evaluate, workers=workers, isolation="process", limits=Limits()
        ) as executor:
            [[done]] = run(executor, job(1))
        assert done.values == {"blas": expected, "omp": expected}
