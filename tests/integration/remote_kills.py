"""Kills the processes of an engine while they run jobs, and counts what was started and what counted."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from assay.core.jobs import Broken, Done
from assay.testing.executor_contract import job

_PATIENCE_S = 180.0
_SETTLED_S = 2.0


@dataclass
class Count:
    """What became of the jobs of a run."""

    kills: int = 0
    lost: int = 0
    done: int = 0


def leaves_a_mark(folder):
    """An objective that writes a line for each of its starts, then works for a while."""

    def evaluate(job, emit):
        with (Path(folder) / str(job.id)).open("a") as file:
            file.write("start\n")
        time.sleep(0.05)
        return float(job.trial)

    return evaluate


def places():
    """Processes of the engine that hold a child of ours, once they are a few seconds old.

    A Dask nanny that sees its worker die while it starts gives it up for good (2026.8.0).
    """
    with suppress(psutil.Error):
        return {
            parent
            for process in psutil.Process().children(recursive=True)
            if is_zygote(process)
            and (parent := process.parent()).pid != os.getpid()
            and time.time() - parent.create_time() > _SETTLED_S
        }
    return set()


def run_with_kills(executor, folder, *, trials, kills, seed=0):
    """Every trial to its end, submitted again when it is lost; engine processes die on the way.

    As long as too few were killed, because the trials were quicker, there is one more trial.
    """
    rng, count = random.Random(seed), Count()
    todo, under_way, values, number = list(range(trials)), {}, {}, 0
    next_kill = 1
    until = time.monotonic() + _PATIENCE_S
    while len(values) < trials:
        assert time.monotonic() < until, f"{count}, {under_way}, {executor.free} free"
        due = count.kills < kills and count.done >= next_kill
        # a kill waits for a place that is old enough; trials that are quicker must not end before it
        while todo and executor.free and (not due or under_way or places()):
            trial = todo.pop(0)
            executor.submit(job(number, {"trial": trial}, timeout_s=60))
            under_way[number] = trial
            number += 1
        if due and under_way and (there := places()):
            rng.choice(sorted(there, key=lambda place: place.pid)).kill()
            count.kills += 1
            next_kill = count.done + rng.randint(1, 3)
        for ended, message in executor.poll(0.25):
            trial = under_way.pop(ended)  # a second end of a job fails here
            if isinstance(message, Done):
                assert trial not in values
                assert message.values == {"value": float(ended)}
                values[trial] = ended
                count.done += 1
            else:
                assert isinstance(message, Broken)
                assert message.kind == "lost", message
                todo.append(trial)
                count.lost += 1
        if len(values) == trials and count.kills < kills:
            todo.append(trials)
            trials += 1
    starts = [len(file.read_text().splitlines()) for file in Path(folder).iterdir()]
    assert set(starts) == {1}, "the engine started a job twice"
    assert len(starts) <= number
    return count


_DRIVER = """
import os, time, sys
from assay.testing.executor_contract import job
{make}
mark = sys.argv[1]
def evaluate(job, emit):
    with open(mark, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)
executor = make(evaluate, sys.argv[2])
while not executor.free:
    executor.poll(0.25)
executor.submit(job(1))
while True:
    executor.poll(1)
"""


def begin_driver(make, tmp_path):
    """A driver whose one job sleeps, and the process in which it does."""
    mark = tmp_path / "child"
    driver = subprocess.Popen(
        [sys.executable, "-c", _DRIVER.format(make=make), str(mark), str(tmp_path)],
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + _PATIENCE_S
    while not (mark.exists() and mark.read_text()):
        assert time.monotonic() < until
        assert driver.poll() is None
        time.sleep(0.05)
    return driver, psutil.Process(int(mark.read_text()))


def kill_with_family(make, tmp_path, *, within_s):
    """Kill -9 a driver, and see that everything it began is gone in time."""
    driver, child = begin_driver(make, tmp_path)
    family = psutil.Process(driver.pid).children(recursive=True)
    assert child in family
    driver.kill()
    driver.wait()
    _, alive = psutil.wait_procs(family, timeout=within_s)
    assert not alive, f"these outlived their driver: {[p.cmdline() for p in alive]}"


def kill_alone(make, tmp_path, *, within_s):
    """Kill -9 a driver of a cluster that others started, and see that its job is gone in time."""
    driver, child = begin_driver(make, tmp_path)
    driver.kill()
    driver.wait()
    child.wait(timeout=within_s)


def assert_nothing_is_left(before, within_s=10.0):
    """No process that this one began is there any more."""
    rest = [p for p in psutil.Process().children(recursive=True) if p.pid not in before]
    _, alive = psutil.wait_procs(rest, timeout=within_s)
    alive = [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]
    assert not alive, f"left over: {[p.cmdline() for p in alive]}"


def pids():
    """The processes that this one has begun."""
    return {process.pid for process in psutil.Process().children(recursive=True)}


def foreign_listeners(before):
    """Where a process that began since then accepts connections from other machines."""
    began = {p.pid for p in psutil.Process().children(recursive=True)} - before
    assert began
    return [
        connection.laddr
        for connection in psutil.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
        and connection.pid in began
        and connection.laddr.ip.removeprefix("::ffff:").split(".")[0] != "127"
        and connection.laddr.ip != "::1"
    ]


def is_zygote(process):
    with suppress(psutil.Error):
        return any("assay.executors.zygote" in word for word in process.cmdline()) and (
            "assay.executors.zygote" not in " ".join(process.parent().cmdline())
        )
    return False
