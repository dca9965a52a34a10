"""Runs the program as a process of its own and kills it, or its workers, at random moments."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.integration.story import events_of

from assay.core.errors import StoreError
from assay.core.events import Event

PROGRAM = Path(__file__).with_name("program.py")


@dataclass
class Counts:
    """How often something was killed while it ran."""

    drivers: int = 0
    workers: int = 0
    acknowledged: int = 0


def start(storage: Path, home: Path, workers: int = 1) -> subprocess.Popen[str]:
    """The program on this storage file."""
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), str(storage), str(workers)],
        cwd=home,  # not a repository: a commit while this runs would be told to the log
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ASSAY_HOME": str(home)},
    )


def kill_driver(process: subprocess.Popen[str]) -> bool:
    """Kill -9 the driver; whether it was still running. Everything it started must die with it."""
    family = _family(process.pid)
    running = process.poll() is None
    if running:
        process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, f"these outlived their driver: {alive}"
    return running


def kill_worker(process: subprocess.Popen[str], rng: random.Random) -> bool:
    """Kill -9 one process that the driver started; whether there was one."""
    while process.poll() is None:
        family = _family(process.pid)
        if family:
            with suppress(psutil.NoSuchProcess):
                rng.choice(family).kill()
                return True
        time.sleep(0.05)
    return False


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def stored(storage: Path) -> list[Event]:
    """The events so far; none before the first.

    None, too, where a kill came between the two files that SQLite removes when it closes: the file
    asks for a writer then, and the next driver is one.
    """
    if not storage.exists() or not storage.stat().st_size:
        return []
    try:
        return events_of(storage)
    except StoreError as error:
        if "not merged" not in str(error) and "is empty" not in str(error):
            raise  # empty: it is being made at this moment
        return []


def _wait(process: subprocess.Popen[str], storage: Path, rng: random.Random) -> None:
    """Until a random moment: at times while it starts, mostly some events on, on any machine."""
    if rng.random() < 0.2:
        time.sleep(rng.uniform(0.1, 0.9))
        return
    enough = len(stored(storage)) + rng.randint(1, 20)
    while process.poll() is None and len(stored(storage)) < enough:
        time.sleep(0.01)
    time.sleep(rng.uniform(0, 0.01))


def run_to_end(
    storage: Path,
    home: Path,
    rng: random.Random,
    counts: Counts,
    *,
    drivers: int,
    workers: int,
    at_once: int = 1,
) -> str:
    """Run a study while killing its driver and its workers; what its last run printed.

    Whatever another process could read of the log before a kill must still be there after it.
    """
    seen: list[Event] = []
    for _ in range(drivers):
        process = start(storage, home, at_once)
        _wait(process, storage, rng)
        seen = stored(storage)
        counts.acknowledged += len(seen)
        counts.drivers += kill_driver(process)
        now = stored(storage)
        assert not now or now[: len(seen)] == seen
    process = start(storage, home, at_once)
    for _ in range(workers):
        time.sleep(rng.uniform(0.2, 0.5))
        counts.workers += kill_worker(process, rng)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert events_of(storage)[: len(seen)] == seen
    return out
