"""Writers that are killed at any moment lose nothing that they said was stored."""

import os
import random
import signal
import time
from contextlib import closing

import pytest

from assay.core.errors import ConflictError
from assay.core.events import Noted
from assay.stores import database
from assay.stores.chain import verify
from assay.stores.sqlite import SqliteStore

KILLS = 100
WRITERS = 3
BATCH = 3


def write(path, who, pipe):
    """Append batch after batch, say so after each, and now and then open the file anew."""
    database._CHECKPOINT_PAGES = 40  # so that kills also hit checkpoints
    number, length = 0, 0
    while True:
        with closing(SqliteStore(path)) as store:
            for _ in range(30):
                batch = [Noted(f"{who} {number} {part}") for part in range(BATCH)]
                while True:
                    try:
                        length = store.append("s", batch, after=length)
                        break
                    except ConflictError:
                        length += len(store.read("s", after=length))
                os.write(pipe, f"{who} {number}\n".encode())
                number += 1


def start(path, who):
    """A writer in a fork, and the pipe in which it acknowledges its batches."""
    out, into = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(out)
            write(path, who, into)
        finally:
            os._exit(1)
    os.close(into)
    return pid, out


def drained(pipe):
    with open(pipe, "rb") as stream:
        return stream.read().decode().splitlines()


@pytest.mark.slow
def test_a_hundred_kills_lose_nothing_that_was_acknowledged(tmp_path):
    path = tmp_path / "lab.db"
    draw = random.Random(0)
    names = iter(f"writer{number}" for number in range(KILLS + WRITERS))
    running = [start(path, next(names)) for _ in range(WRITERS)]
    acknowledged, codes = [], []

    def end(which):
        pid, pipe = running.pop(which)
        os.kill(pid, signal.SIGKILL)
        codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        acknowledged.extend(drained(pipe))

    for _ in range(KILLS):
        time.sleep(draw.uniform(0.0, 0.2))
        end(draw.randrange(WRITERS))
        running.append(start(path, next(names)))
    while running:
        end(0)

    assert codes == [-signal.SIGKILL] * (KILLS + WRITERS), "a writer ended by itself"
    with closing(SqliteStore(path)) as store:
        texts = [event.text for event in store.read("s")]
        assert verify("s", store.rows("s")) == []
        assert store.check() == []
    batches = [texts[first : first + BATCH] for first in range(0, len(texts), BATCH)]
    stored = [batch[0].rpartition(" ")[0] for batch in batches]
    assert batches == [[f"{name} {part}" for part in range(BATCH)] for name in stored], (
        "whole batches"
    )
    assert len(set(stored)) == len(stored), "nothing twice"
    assert len(acknowledged) > KILLS
    assert set(acknowledged) <= set(stored), "nothing lost"
    assert len(stored) - len(acknowledged) <= KILLS + WRITERS, "one batch may be on its way"
