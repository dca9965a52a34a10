"""Ways to die: what an objective may do to its worker, and what becomes of it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

import assay
from assay.core.errors import SpecError
from assay.core.jobs import Broken, Done, Step
from assay.executors.local import LocalExecutor
from assay.testing.executor_contract import job, messages_until_end, run


def gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_for(condition):
    until = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < until, "it did not happen within 120 s"
        time.sleep(0.005)


def ours():
    return psutil.Process().children(recursive=True)


@pytest.fixture(autouse=True)
def _no_process_is_left():
    before = set(ours())
    yield
    wait_for(lambda: before.issuperset(ours()))


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


# --- ways to die


def test_a_hang_in_c_is_stopped():
    def hang(job, emit):
        ctypes.CDLL(None).sleep(10_000)

    broken = broken_then_fine(hang, timeout_s=0.1)
    assert broken.kind == "timeout"
    assert "0.1 s" in broken.reason
    assert broken.wall_s >= 0.1


def test_ignoring_signals_does_not_help():
    def stubborn(job, emit):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass

    broken = broken_then_fine(stubborn, timeout_s=0.2)
    assert broken.kind == "timeout"
    assert broken.cpu_s > 0.05


@pytest.mark.parametrize("daemon", [False, True])
def test_grandchildren_die_with_a_job_that_is_stopped(tmp_path, daemon):
    def spawn(job, emit):
        code = "import time; time.sleep(10_000)"
        child = subprocess.Popen([sys.executable, "-c", code], start_new_session=daemon)
        (tmp_path / "pid").write_text(str(child.pid))
        time.sleep(10_000)

    broken = broken_then_fine(spawn, timeout_s=0.5)
    assert broken.kind == "timeout"
    wait_for(lambda: gone(int((tmp_path / "pid").read_text())))


def test_children_left_over_die_and_the_worker_is_replaced(tmp_path):
    def leave(job, emit):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:  # a daemon, made the classic way
                (tmp_path / "pid").write_text(str(os.getpid()))
                time.sleep(10_000)
            os._exit(0)
        wait_until_written()

    def wait_until_written():
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            time.sleep(0.001)

    with local(by_number(leave, nothing, nothing)) as executor:
        first, second, third = map(_pid, run(executor, *map(job, range(3))))
        wait_for(lambda: gone(int((tmp_path / "pid").read_text())))
    assert first != second == third


def test_a_child_that_ended_is_no_reason_for_a_new_worker():
    def child(job, emit):
        subprocess.run([sys.executable, "-c", ""], check=True)
        subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)

    with local(by_number(child, nothing)) as executor:
        first, second = map(_pid, run(executor, job(0), job(1)))
    assert first == second


def test_a_fork_that_comes_back_does_not_answer_twice():
    def fork(job, emit):
        child = os.fork()
        if child == 0:
            try:
                emit(Step(step=1, value=1.0))
            finally:
                return  # noqa: B012 - the case under test
        os.waitpid(child, 0)

    with local(by_number(nothing, fork, nothing)) as executor:
        messages = run(executor, *map(job, range(3)))
    assert [len(sent) for sent in messages] == [1, 1, 1]
    assert len(set(map(_pid, messages))) == 1


def test_sys_exit_keeps_the_worker():
    with local(by_number(nothing, lambda job, emit: sys.exit(4), nothing)) as executor:
        [first], [broken], [third] = run(executor, *map(job, range(3)))
    assert broken.kind == "exited"
    assert "4" in broken.reason
    assert first.values == third.values


@pytest.mark.parametrize("code", [0, 3])
def test_os_exit_is_told_with_its_code(code):
    broken = broken_then_fine(lambda job, emit: os._exit(code))
    assert broken.kind == "exited"
    assert f"exit code {code}" in broken.reason


def test_a_segfault_is_told_with_its_signal():
    broken = broken_then_fine(lambda job, emit: ctypes.string_at(0))
    assert broken.kind == "crashed"
    assert "SIGSEGV" in broken.reason


def test_abort_is_told_with_the_last_words():
    def abort(job, emit):
        os.write(2, b"terminate called after throwing an instance of 'bad_alloc'\n")
        os.abort()

    broken = broken_then_fine(abort)
    assert "SIGABRT" in broken.reason
    assert "bad_alloc" in broken.output


def test_a_kill_from_outside_hints_at_memory():
    broken = broken_then_fine(lambda job, emit: os.kill(os.getpid(), signal.SIGKILL))
    assert broken.kind == "crashed"
    assert "SIGKILL" in broken.reason
    assert "out of memory" in broken.reason


def test_what_was_reported_before_a_crash_is_kept():
    def crash(job, emit):
        for step in range(100):
            emit(Step(step=step, value=1.0))
        os.kill(os.getpid(), signal.SIGSEGV)

    with local(crash) as executor:
        [[*steps, broken]] = run(executor, job(0))
    assert [step.step for step in steps] == list(range(100))
    assert broken.kind == "crashed"


def test_what_was_reported_is_heard_even_if_the_death_is_known_first(tmp_path):
    def evaluate(job, emit):
        emit(Step(step=1, value=1.0))
        (tmp_path / "pid").write_text(f"{os.getpid()}\n")
        os._exit(1)

    def reaped():
        text = (tmp_path / "pid").read_text() if (tmp_path / "pid").exists() else ""
        return text.endswith("\n") and not psutil.pid_exists(int(text))

    with local(evaluate) as executor:
        executor.submit(job(0))
        wait_for(reaped)
        step, broken = messages_until_end(executor, 0)[0]
    assert step == Step(step=1, value=1.0)
    assert broken.kind == "exited"


def test_keyboard_interrupt_and_errors_keep_the_worker():
    def interrupt(job, emit):
        raise KeyboardInterrupt

    with local(by_number(interrupt, lambda job, emit: 1 / 0, nothing, nothing)) as executor:
        [first], [second], third, fourth = run(executor, *map(job, range(4)))
    assert (first.kind, second.kind) == ("raised", "raised")
    assert first.reason.startswith("KeyboardInterrupt")
    assert second.reason.startswith("ZeroDivisionError: division by zero\n")
    assert _pid(third) == _pid(fourth)


def test_garbage_on_the_connection_ends_the_job_alone():
    def scribble(job, emit):
        for fd in range(3, 64):
            try:
                os.write(fd, b"\xff" * 64)
            except OSError:
                pass
        time.sleep(10_000)

    assert broken_then_fine(scribble).kind == "crashed"


def test_closing_every_descriptor_ends_the_job_alone():
    broken = broken_then_fine(lambda job, emit: os.closerange(0, 256))
    assert broken.kind in {"exited", "crashed"}


def test_a_dead_neighbour_takes_nobody_down(tmp_path):
    def evaluate(job, emit):
        if job.id == 0:
            while not (tmp_path / "go").exists():
                time.sleep(0.001)
            return 1.0
        os.kill(os.getpid(), signal.SIGKILL)
        return 0.0

    with local(evaluate, workers=2) as executor:
        executor.submit(job(0))
        for number in range(1, 6):
            executor.submit(job(number))
            assert messages_until_end(executor, number)[number][-1].kind == "crashed"
        (tmp_path / "go").touch()
        [done] = messages_until_end(executor, 0)[0]
    assert isinstance(done, Done)


def test_an_idle_worker_that_dies_harms_no_job():
    with local(by_number(nothing, nothing)) as executor:
        pid = _pid(run(executor, job(0))[0])
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(pid))
        assert _pid(run(executor, job(1))[0]) != pid


def test_cancelling_kills_what_runs():
    def evaluate(job, emit):
        emit(Step(step=0, value=os.getpid()))
        time.sleep(10_000)

    with local(evaluate) as executor:
        executor.submit(job(0))
        [(_, step)] = executor.poll(60)
        executor.cancel(0)
        [broken] = messages_until_end(executor, 0)[0]
        assert gone(int(step.value))
        assert broken.kind == "cancelled"
        assert executor.free == 1


# --- the process that workers are forked from


def test_an_objective_that_cannot_be_loaded_is_an_error_of_the_plan():
    class Unloadable:
        def __reduce__(self):
            return __import__, ("a_module_that_nobody_has",)

    with local(Unloadable()) as executor:
        executor.submit(job(0))
        with pytest.raises(SpecError, match="a_module_that_nobody_has"):
            executor.poll(60)


def test_a_crash_while_loading_is_told():
    class Deadly:
        def __reduce__(self):
            return os.abort, ()

    with local(Deadly()) as executor:
        [[broken]] = run(executor, job(0))
    assert broken.kind == "crashed"
    assert "-6" in broken.reason
    assert "while it loaded the objective" in broken.reason


def family(job, emit):
    """Report the template, a child and the worker; then wait for the child, which never ends."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(10_000)"])
    for step, pid in enumerate([os.getppid(), child.pid, os.getpid()]):
        emit(Step(step=step, value=pid))
    child.wait()


def reported(executor):
    pids = []
    while len(pids) < 3:
        pids += [int(step.value) for _, step in executor.poll(60)]
    return pids


def test_the_end_of_the_template_breaks_what_runs_and_the_next_job_is_fine():
    with local(by_number(family, nothing)) as executor:
        executor.submit(job(0))
        template, child, worker = reported(executor)
        os.kill(template, signal.SIGKILL)
        wait_for(lambda: gone(worker))  # without the driver's doing
        [broken] = messages_until_end(executor, 0)[0]
        assert broken.kind == "lost"
        assert "another is started" in broken.reason
        wait_for(lambda: gone(child))
        [[done]] = run(executor, job(1))
    assert isinstance(done, Done)


def test_a_study_goes_on_when_its_template_is_killed(tmp_path):
    def objective(trial):
        if trial.number == 1 and not (tmp_path / "killed").exists():
            (tmp_path / "killed").touch()
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(10_000)
        return trial.config["x"]

    space = assay.Space({"x": assay.Float(0, 1, default=0.5)})
    study = assay.optimize(objective, space, budget=4, evidence=None, progress=False)
    assert [trial.state for trial in study.trials] == ["done"] * 4
    assert study.history.retries(1) == ["lost"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_closing_leaves_nothing_of_a_template_that_died_unnoticed_or_hangs(monkeypatch, number):
    monkeypatch.setattr("assay.executors.template._PATIENCE_S", 0.1)
    with local(by_number(family)) as executor:
        executor.submit(job(0))
        pids = reported(executor)
        os.kill(pids[0], number)
    wait_for(lambda: all(map(gone, pids)))


def test_a_process_that_the_system_does_not_let_go_of_gives_its_place_back(monkeypatch):
    monkeypatch.setattr("assay.executors.local._KILL_PATIENCE_S", 0.05)
    with local(by_number(lambda job, emit: time.sleep(10_000), nothing)) as executor:
        monkeypatch.setattr(executor._template, "kill", lambda worker: None)
        [broken], [done] = run(executor, job(0, timeout_s=0.05), job(1))
    assert broken.kind == "timeout"
    assert isinstance(done, Done)


def test_a_system_without_processes_to_spare_is_told():
    def without_fork():
        def fork():
            raise BlockingIOError(11, "Resource temporarily unavailable")

        os.fork = fork
        return lambda job, emit: 1.0

    class Crowded:
        def __reduce__(self):
            return without_fork, ()

    with local(Crowded()) as executor:
        [[broken]] = run(executor, job(0))
        assert executor.free == 1
    assert broken.kind == "crashed"
    assert "Resource temporarily unavailable" in broken.reason


DRIVER = """
import os, signal, subprocess, sys, time
from assay.core.jobs import Job, Step
from assay.executors.local import LocalExecutor

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
SLEEP = [sys.executable, "-c", "import time; time.sleep(10_000)"]

def evaluate(job, emit):
    same, new = (subprocess.Popen(SLEEP, start_new_session=new).pid for new in (False, True))
    for step, pid in enumerate([os.getppid(), os.getpid(), same, new]):
        emit(Step(step=step, value=pid))
    time.sleep(10_000)

executor = LocalExecutor(evaluate, workers=2)
executor.submit(Job(id=0, trial=0, stage="search", config={}))
executor.submit(Job(id=1, trial=1, stage="search", config={}))
while True:
    for _, message in executor.poll(0.2):  # a signal just before a wait is heard after it
        print(int(message.value), flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_survives_the_driver(tmp_path, number):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    driver = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    pids = {int(driver.stdout.readline()) for _ in range(8)}
    assert len(pids) == 7  # the two workers have one parent
    assert not any(map(gone, pids))
    driver.send_signal(number)
    driver.wait()
    wait_for(lambda: all(map(gone, pids)))
    driver.stdout.close()
