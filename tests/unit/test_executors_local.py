"""Warm workers: what is sent, kept, limited and captured."""
# ruff: noqa: T201 - printing is part of it

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import numpy as np
import psutil

from assay.core.jobs import Broken, Done, Job, Measurement, Step
from assay.executors.local import LocalExecutor
from assay.testing.executor_contract import job, messages_until_end, run


def local(evaluate, **options):
    return LocalExecutor(evaluate, **options)


def by_number(*actions):
    """An objective that does actions[job.id], and returns its process id."""

    def evaluate(job, emit):
        actions[job.id](job, emit)
        return os.getpid()

    return evaluate


def nothing(job, emit):
    pass


def _pid(messages):
    assert isinstance(messages[-1], Done), messages
    return int(messages[-1].values["value"])


def broken_then_fine(action, **fields):
    """What a job that does `action` ends with; the same executor then runs another well."""

    def evaluate(job, emit):
        if job.id == 0:
            action(job, emit)
        return os.getpid()

    with local(evaluate) as executor:
        [[*_, broken], [done]] = run(executor, job(0, **fields), job(1))
    assert isinstance(broken, Broken)
    assert isinstance(done, Done)
    return broken


# --- warm workers


def test_a_worker_is_reused_and_keeps_what_it_imported():
    def evaluate(job, emit):
        import builtins

        builtins.calls = getattr(builtins, "calls", 0) + 1
        return {"pid": os.getpid(), "calls": builtins.calls}

    with local(evaluate) as executor:
        ended = [messages[-1].values for messages in run(executor, *map(job, range(5)))]
    assert len({values["pid"] for values in ended}) == 1
    assert [values["calls"] for values in ended] == [1, 2, 3, 4, 5]


def test_evaluate_is_loaded_once_for_all_workers(tmp_path):
    class Counted:
        def __reduce__(self):
            return _counted, (str(tmp_path / "loads"),)

    def _counted(path):
        with open(path, "a") as file:
            file.write("x")
        return lambda job, emit: os.getpid()

    with local(Counted(), workers=2) as executor:
        executor.submit(job(0))
        executor.submit(job(1))
        heard = messages_until_end(executor, 0, 1)
    assert len({_pid(messages) for messages in heard.values()}) == 2
    assert (tmp_path / "loads").read_text() == "x"


def test_closures_lambdas_and_arrays_are_sent_by_value():
    data, factor = np.arange(1000.0), 2
    scaled = lambda x: x * factor  # noqa: E731
    with local(lambda job, emit: scaled(data).sum()) as executor:
        [[done]] = run(executor, job(0))
    assert done.values == {"value": 999000.0}


def test_two_workers_work_at_the_same_time(tmp_path):
    def evaluate(job, emit):
        (tmp_path / str(job.id)).touch()
        while not (tmp_path / str(1 - job.id)).exists():
            time.sleep(0.001)
        return os.getpid()

    with local(evaluate, workers=2) as executor:
        executor.submit(job(0))
        executor.submit(job(1))
        assert executor.free == 0
        heard = messages_until_end(executor, 0, 1)
    assert len({_pid(messages) for messages in heard.values()}) == 2


def test_steps_arrive_while_the_job_runs(tmp_path):
    go = tmp_path / "go"

    def evaluate(job, emit):
        emit(Step(step=1, value=0.5))
        while not go.exists():
            time.sleep(0.001)
        return 1.0

    with local(evaluate) as executor:
        executor.submit(job(0))
        assert executor.poll(60) == [(0, Step(step=1, value=0.5))]
        go.touch()
        [done] = messages_until_end(executor, 0)[0]
    assert isinstance(done, Done)


def test_threads_of_the_objective_may_report():
    def evaluate(job, emit):
        def report(thread):
            for i in range(10):
                emit(Measurement(unit=(thread, i, 0), value=1.0, rows=bytes([i]) * 300_000))

        threads = [threading.Thread(target=report, args=(i,)) for i in range(4)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        return 1.0

    with local(evaluate) as executor:
        [[*sent, done]] = run(executor, job(0))
    assert sorted(one.unit for one in sent) == [(t, i, 0) for t in range(4) for i in range(10)]
    assert all(one.rows == bytes([one.unit[1]]) * 300_000 for one in sent)
    assert isinstance(done, Done)


def test_a_thread_left_behind_cannot_speak_for_the_next_job(tmp_path):
    def late(job, emit):
        def report():
            while True:
                emit(Step(step=1, value=1.0))
                time.sleep(0.001)

        threading.Thread(target=report, daemon=True).start()

    def wait(job, emit):
        time.sleep(0.1)

    with local(by_number(late, wait)) as executor:
        _, messages = run(executor, job(0), job(1))
    assert len(messages) == 1


def test_workers_have_their_share_of_threads():
    with local(lambda job, emit: int(os.environ["OMP_NUM_THREADS"]), threads_per_worker=3) as ex:
        [[done]] = run(ex, job(0))
    assert done.values == {"value": 3.0}


def test_ctrl_c_in_the_terminal_does_not_reach_workers():
    def evaluate(job, emit):
        return {"worker": os.getsid(0), "template": os.getsid(os.getppid())}

    with local(evaluate) as executor:
        [[done]] = run(executor, job(0))
    assert len({os.getsid(0), *done.values.values()}) == 3


def test_standard_input_is_empty():
    with local(lambda job, emit: len(sys.stdin.read())) as executor:
        [[done]] = run(executor, job(0))
    assert done.values == {"value": 0.0}


SCRIPT = """
from mine import offset
from assay.core.jobs import Job
from assay.executors.local import LocalExecutor

class Model:
    scale = 10

def helper(x):
    return Model.scale * x + offset

def evaluate(job, emit):
    return helper(job.config["x"])

with LocalExecutor(evaluate) as executor:
    executor.submit(Job(id=0, trial=0, stage="search", config={"x": 4}))
    [(_, done)] = executor.poll(60)
    print(done.values)
"""


def test_a_plain_script_works_without_a_main_guard_and_finds_its_modules(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "mine.py").write_text("offset = 2")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"],
        capture_output=True,
        env=environment,
        text=True,
        cwd="/",
    )
    assert (done.stdout, done.stderr) == ("{'value': 42.0}\n", "")


OF_ITS_OWN_CLASS = """
import sys, types

class Switch(types.ModuleType):
    factor = 42

sys.modules[__name__] = Switch(__name__)
"""

WITH_IT = """
import odd.switch
from assay.core.jobs import Job
from assay.executors.local import LocalExecutor

def evaluate(job, emit):
    return odd.switch.factor / job.config["x"]

with LocalExecutor(evaluate) as executor:
    for x in (1, 0):
        executor.submit(Job(id=x, trial=0, stage="search", config={"x": x}))
        [(_, ended)] = executor.poll(60)
        print(getattr(ended, "values", None) or ended.reason)
"""


def test_a_script_may_use_modules_of_another_class_and_its_failures_name_its_file(tmp_path):
    """torch.backends.cudnn is such a module."""
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "__init__.py").touch()
    (tmp_path / "odd" / "switch.py").write_text(OF_ITS_OWN_CLASS)
    (tmp_path / "script.py").write_text(WITH_IT)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, tmp_path / "script.py"], capture_output=True, env=environment, text=True
    )
    assert done.stdout.startswith("{'value': 42.0}\nZeroDivisionError"), done.stderr
    assert f'File "{tmp_path / "script.py"}", line 7, in evaluate' in done.stdout


def test_a_module_of_the_working_directory_cannot_shadow_ours(tmp_path, monkeypatch):
    (tmp_path / "socket.py").write_text("raise ImportError('shadowed')")
    monkeypatch.chdir(tmp_path)
    with local(lambda job, emit: 1.0) as executor:
        [[done]] = run(executor, Job(id=0, trial=0, stage="search", config={}))
    assert isinstance(done, Done)


# --- memory


def hoard(megabytes, pause_s=0.0):
    """Take memory in steps of 10 MB, and keep it."""

    def action(job, emit):
        import builtins

        builtins.hoard = []
        for _ in range(megabytes // 10):
            builtins.hoard.append(bytearray(os.urandom(1)) * (10 << 20))
            time.sleep(pause_s)

    return action


def test_a_leak_over_the_cap_is_stopped():
    with local(by_number(hoard(2000, 0.005), nothing), memory_mb=200) as executor:
        [broken], [done] = run(executor, job(0), job(1))
    assert broken.kind == "memory"
    assert "200 MB" in broken.reason
    assert isinstance(done, Done)


def test_memory_of_grandchildren_counts():
    def spawn(job, emit):
        code = "x = bytearray(b'1') * (300 << 20); import time; time.sleep(10_000)"
        subprocess.run([sys.executable, "-c", code], check=False)

    with local(spawn, memory_mb=200) as executor:
        [[broken]] = run(executor, job(0))
    assert broken.kind == "memory"


def test_data_shared_with_the_template_counts_by_share():
    data = np.ones(25_000_000)

    def evaluate(job, emit):
        time.sleep(0.2)
        return data.sum()

    with local(evaluate, memory_mb=170) as executor:
        [[done]] = run(executor, job(0))
    assert isinstance(done, Done)


def test_memory_error_is_told_as_memory():
    broken = broken_then_fine(lambda job, emit: bytearray(1 << 60))
    assert broken.kind == "memory"


def test_a_worker_that_has_grown_is_replaced():
    actions = nothing, hoard(100), nothing, hoard(700), nothing
    with local(by_number(*actions)) as executor:
        pids = list(map(_pid, run(executor, *map(job, range(5)))))
    assert pids[0] == pids[1] == pids[2] == pids[3] != pids[4]


# --- output


def test_a_flood_neither_blocks_nor_fills_memory():
    def flood(job, emit):
        chunk = b"x" * (1 << 20)
        for _ in range(200):
            os.write(1, chunk)
        print("the end")
        raise ValueError

    process = psutil.Process()
    before = process.memory_info().rss
    broken = broken_then_fine(flood)
    assert broken.output.endswith("xxx" + "the end\n")
    assert len(broken.output) <= 8192
    assert process.memory_info().rss - before < 50 << 20


def test_binary_and_terminal_codes_are_harmless():
    def noise(job, emit):
        sys.stdout.buffer.write(bytes(range(256)))
        print("\x1b[2J\x1b[31mred\x1b[0m \ud800 done", file=sys.stderr)
        raise ValueError

    output = broken_then_fine(noise).output
    assert "red \\ud800 done" in output
    assert "\x1b" not in output
    assert "\x00" not in output


def test_output_belongs_to_its_job():
    def shout(job, emit):
        print(f"job {job.id}")
        if job.id:
            raise ValueError

    with local(by_number(shout, shout, shout)) as executor:
        _, [first], [second] = run(executor, *map(job, range(3)))
    assert (first.output, second.output) == ("job 1\n", "job 2\n")
