"""What an engine costs: python benchmarks/engines.py local dask ray slurm [--jobs 300].

For each: seconds until the first job ends, jobs per second and CPU-seconds per job (driver, engine and
children together), the delay of a report, and that of a stop.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time

import psutil

from assay.core.jobs import Broken, Done, Job, Step

PLACES = 2


def evaluate(job, emit):
    if job.config.get("sleep"):
        time.sleep(600)
    for step in range(job.config.get("reports", 0)):
        time.sleep(0.02)
        emit(Step(step=step, value=time.time()))
    return 1.0


def executor(engine: str):
    if engine == "local":
        from assay.executors.local import LocalExecutor

        return LocalExecutor(evaluate, workers=PLACES)
    from assay.executors.remote_url import cluster_executor

    url = f"{engine}://local"
    if engine == "slurm":
        url = f"slurm://?cluster=local&folder={tempfile.mkdtemp()}"
    return cluster_executor(evaluate, url, workers=PLACES, cpus=None, gpus=None, memory_mb=None)


class CpuSeconds:
    """CPU time of this process and all that began under it, those that ended since a look included."""

    def __init__(self) -> None:
        self._seen: dict[psutil.Process, float] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def total(self) -> float:
        me = psutil.Process()
        for process in [me, *me.children(recursive=True)]:
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            self._seen[process] = times.user + times.system
        return sum(self._seen.values())

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            self.total()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("engines", nargs="+", choices=["local", "dask", "ray", "slurm"])
    parser.add_argument("--jobs", type=int, default=300)
    told = parser.parse_args()
    for engine in told.engines:
        print(f"{engine:6}", *measured(engine, told.jobs), sep="  ", flush=True)


def measured(engine: str, jobs: int) -> list[str]:
    cpu = CpuSeconds()
    begin = time.monotonic()
    with executor(engine) as pool:
        run(pool, [{}])
        first = time.monotonic() - begin
        while pool.free < PLACES:
            pool.poll(0.1)
        run(pool, [{}] * PLACES, first_id=10)
        before, start = cpu.total(), time.monotonic()
        run(pool, [{}] * jobs, first_id=100)
        wall, spent = time.monotonic() - start, cpu.total() - before
        delays = sorted(run(pool, [{"reports": 50}], first_id=100_000))
        stop = stopped_after(pool)
    cpu.close()
    return [
        f"first job {first:.1f} s",
        f"{jobs / wall:.0f} jobs/s",
        f"{1000 * spent / jobs:.1f} CPU-ms/job",
        f"report {1000 * statistics.median(delays):.1f} ms (95 %: {1000 * delays[47]:.1f})",
        f"stop {1000 * stop:.0f} ms",
    ]


def run(pool, configs, first_id: int = 0) -> list[float]:
    """Every job to its end; the delays of their reports."""
    todo = [
        Job(id=first_id + i, trial=i, stage="search", config=config)
        for i, config in enumerate(configs)
    ]
    left, delays = len(todo), []
    while left:
        while todo and pool.free:
            pool.submit(todo.pop())
        for _, message in pool.poll(0.25):
            if isinstance(message, Step):
                delays.append(time.time() - message.value)
            else:
                assert isinstance(message, Done), message
                left -= 1
    return delays


def stopped_after(pool) -> float:
    pool.submit(Job(id=200_000, trial=0, stage="search", config={"sleep": True}))
    until = time.monotonic() + 2
    while time.monotonic() < until:
        pool.poll(0.25)
    start = time.monotonic()
    pool.cancel(200_000)
    while not any(isinstance(message, Broken) for _, message in pool.poll(0.25)):
        pass
    return time.monotonic() - start


if __name__ == "__main__":
    main()
