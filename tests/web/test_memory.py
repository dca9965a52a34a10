"""What the dashboard frees goes back to the system."""

from __future__ import annotations

import asyncio
import ctypes
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from assay.web import memory


def test_free_memory_is_given_back():
    if memory.trim() is None:
        assert memory.give_back() is False
        pytest.skip("this C library keeps it")
    held = [bytes(100_000) for _ in range(1000)]  # each below the size that goes back by itself
    last = bytes(100_000)  # above them: what is free below the last one in use is kept
    held.clear()
    before = psutil.Process().memory_info().rss
    assert memory.give_back()
    assert before - psutil.Process().memory_info().rss > 50e6
    assert len(last) == 100_000


ARRAYS = """
import ctypes
from assay.web import memory
{call}
class Account(ctypes.Structure):  # `struct mallinfo2`; the fifth is what is not in the heap
    _fields_ = [(str(n), ctypes.c_size_t) for n in range(10)]
account = ctypes.CDLL(None).mallinfo2
account.restype = Account
freed = bytes(1_000_000)
del freed  # glibc learns to keep what is smaller
before = getattr(account(), "4")
held = bytes(900_000)
print(getattr(account(), "4") - before > 800_000)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="not glibc")
@pytest.mark.parametrize("call", ["pass", "assert memory.give_large_back_at_once()"])
def test_arrays_go_back_when_they_are_freed(call):
    done = subprocess.run(
        [sys.executable, "-c", ARRAYS.format(call=call)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(call != "pass")


def test_it_is_done_now_and_then_while_the_dashboard_runs(growing, serve, monkeypatch):
    done = []
    monkeypatch.setattr(memory, "_EACH_S", 0.01)
    monkeypatch.setattr(memory, "give_back", lambda: done.append(1))
    path, _ = growing(1)
    serve(path)
    give_up = time.monotonic() + 20
    while len(done) < 2 and memory.trim():
        assert time.monotonic() < give_up
        time.sleep(0.02)


def test_where_there_is_no_way_nothing_runs(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    memory.trim.cache_clear()
    try:
        assert memory.give_back() is False
        assert memory.give_large_back_at_once() is False
        with ThreadPoolExecutor(1) as apart:  # a browser's tests leave a loop in this thread
            apart.submit(_run).result()
    finally:
        memory.trim.cache_clear()


def _run():
    asyncio.run(asyncio.wait_for(memory.give_back_now_and_then(), 5))
