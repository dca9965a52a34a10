"""The small parts of executors: frames, text, output, processes, pickling, thread settings."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Job
from assay.executors import processes
from assay.executors.frames import Frames, framed
from assay.executors.inline import InlineExecutor
from assay.executors.local import LocalExecutor
from assay.executors.output import Output
from assay.executors.parcel import packed
from assay.executors.template import thread_settings
from assay.executors.text import harmless, short


@given(st.lists(st.binary(max_size=50), max_size=10), st.data())
def test_frames_survive_any_cut(messages, data):
    stream = b"".join(map(framed, messages))
    frames, found = Frames(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += frames.feed(stream[:size])
        stream = stream[size:]
    assert found == messages


def test_garbage_on_the_stream_is_noticed():
    with pytest.raises(ValueError, match="not a message"):
        Frames().feed(b"Traceback (most recent call last)")


@given(st.text(st.characters()) | st.binary().map(lambda b: b.decode("utf-8", "replace")))
def test_harmless_text_can_be_printed_and_encoded(text):
    clean = harmless(text)
    clean.encode("utf-8")
    assert all(line.isprintable() for line in clean.replace("\t", "").split("\n"))
    assert harmless(clean) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("plain ümlaut\n\ttab", "plain ümlaut\n\ttab"),
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2J\x1b[1;31mred\x1b[0m", "red"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("\x9b31m", "\ufffd31m"),
    ],
)
def test_harmless_keeps_words_and_drops_controls(text, clean):
    assert harmless(text) == clean


@given(st.recursive(st.integers() | st.text() | st.floats(), st.lists, max_leaves=5))
def test_short_is_a_short_line(value):
    assert short(value).isprintable()
    assert len(short(value)) <= 200


def test_output_keeps_the_end_only():
    output = Output()
    for i in range(3000):
        os.write(output.write_end, b"%08d\n" % i)
        if i % 1000 == 0:
            output.read()
    text = output.text()
    assert len(text) == 8192
    assert text.endswith("00002999\n")
    output.clear()
    assert output.text() == ""
    assert output.read()
    output.close_write_end()
    assert not output.read()
    output.close()


def test_children_and_memory_are_seen_and_a_missing_process_is_empty():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.pid in processes.children(os.getpid())
    assert processes.family_bytes(os.getpid(), 1 << 50) > processes.resident_bytes(os.getpid()) > 0
    assert 0 < processes.family_bytes(os.getpid(), 0)
    processes.end(child.pid)
    child.stdin.close()
    child.wait()
    assert processes.children(child.pid) == []
    assert processes.resident_bytes(child.pid) == 0
    processes.end(child.pid)


class Holder:
    def __init__(self, part):
        self.inner = {"part": part}

    def __call__(self, job, emit):
        return 1.0


def test_what_cannot_be_pickled_is_named():
    lock = threading.Lock()

    def closure(job, emit):
        return lock

    for evaluate, name in [
        (closure, r"lock = "),
        (Holder(lock), r"objective\.inner\['part'\] = "),
        (Holder([1, lock]).__call__, r"objective\.__self__\.inner\['part'\]\[1\] = "),
    ]:
        with pytest.raises(SpecError, match=name) as caught:
            LocalExecutor(evaluate)
        assert 'isolation="none"' in str(caught.value)


def test_large_data_is_not_copied_to_pack_it():
    data = bytes(50_000_000)
    tracemalloc.start()
    packed(lambda job, emit: len(data)).close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


def test_threads_are_shared_out_unless_the_user_has_set_them(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    assert thread_settings(10_000, None)["MKL_NUM_THREADS"] == "1"
    assert thread_settings(1, None)["OMP_NUM_THREADS"] == "7"
    assert set(thread_settings(1, 3).values()) == {"3"}


@pytest.mark.parametrize("option", [{"workers": 0}, {"memory_mb": 0}, {"threads_per_worker": 0}])
def test_an_option_out_of_range_is_refused(option):
    with pytest.raises(SpecError, match=next(iter(option))):
        LocalExecutor(len, **option)


def test_a_config_that_cannot_be_sent_is_refused_and_the_executor_stays_usable():
    with LocalExecutor(lambda job, emit: 1.0) as executor:
        for value in (2**70, object(), "\ud800"):
            with pytest.raises(SpecError, match="trial 4"):
                executor.submit(Job(id=1, trial=4, stage="search", config={"x": value}))
        executor.submit(Job(id=1, trial=4, stage="search", config={"x": 1}))
        assert len(executor.poll(60)) == 1


def test_inline_cannot_keep_a_time_limit_and_says_so():
    executor = InlineExecutor(lambda job, emit: 1.0)
    with pytest.raises(SpecError, match="isolation"):
        executor.submit(Job(id=1, trial=4, stage="search", config={}, timeout_s=5))
    assert executor.free == 1


def test_inline_passes_ctrl_c_on_and_stays_usable():
    def evaluate(job, emit):
        if job.id == 1:
            raise KeyboardInterrupt
        return 1.0

    executor = InlineExecutor(evaluate)
    executor.submit(Job(id=1, trial=1, stage="search", config={}))
    with pytest.raises(KeyboardInterrupt):
        executor.poll(0)
    executor.submit(Job(id=2, trial=2, stage="search", config={}))
    assert [number for number, _ in executor.poll(0)] == [2]


def test_a_closed_executor_leaves_no_descriptor_open():
    gc.collect()
    before = os.listdir("/proc/self/fd")
    with LocalExecutor(lambda job, emit: 1.0, workers=2) as executor:
        executor.submit(Job(id=1, trial=1, stage="search", config={}))
        executor.submit(Job(id=2, trial=2, stage="search", config={}))
        executor.poll(60)
    assert len(os.listdir("/proc/self/fd")) == len(before)
    with pytest.raises(StateError, match="closed"):
        executor.submit(Job(id=3, trial=3, stage="search", config={}))
