"""What an executor promises that runs each job in a process of its own: no job can do it harm.

Subclass `ProcessContract` beside `ExecutorContract` to check your own.
"""

from __future__ import annotations

import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assay.core.jobs import Broken, Done, Emit, Evaluate, Job, Message, Step
from assay.testing.executor_contract import job, run

_PATIENCE_S = 30.0
_FLOOD = 100
_STEPS = 5000
_CAP_MB = 400


class ProcessContract:
    """Whatever a job does, it ends as Broken, nothing of it is left, and the next one is well.

        class TestMine(ProcessContract):
            def make(self, evaluate, **options):
                return MyExecutor(evaluate, **options)

    Options are `memory_mb`, a cap for each job.
    """

    def make(self, evaluate: Evaluate, **options: Any) -> Any:
        """An executor of the kind under test that runs `evaluate`."""
        raise NotImplementedError

    def broken_then_fine(
        self, action: Callable[[], object], *, timeout_s: float = _PATIENCE_S, **options: Any
    ) -> Broken:
        """How a job ends that does `action`; the job after it has to be well."""

        def evaluate(job: Job, emit: Emit) -> float:
            if job.id == 1:
                action()
            return 1.0

        with self.make(evaluate, **options) as executor:
            jobs = job(1, timeout_s=timeout_s), job(2, timeout_s=_PATIENCE_S)
            [[broken], [done]] = run(executor, *jobs)
        assert isinstance(broken, Broken)
        assert isinstance(done, Done)
        return broken

    def test_a_hang_in_c_that_lets_no_python_run_is_stopped(self) -> None:
        def hang() -> None:
            ctypes.PyDLL(None).sleep(10_000)  # a PyDLL keeps the interpreter's lock

        broken = self.broken_then_fine(hang, timeout_s=0.3)
        assert broken.kind == "timeout"
        assert "0.3 s" in broken.reason

    def test_who_ignores_signals_is_stopped(self) -> None:
        def stubborn() -> None:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            while True:
                pass

        assert self.broken_then_fine(stubborn, timeout_s=0.3).kind == "timeout"

    @pytest.mark.parametrize("hangs", [True, False], ids=["stopped", "ended"])
    def test_children_end_with_their_job(self, tmp_path: Path, hangs: bool) -> None:
        note = str(tmp_path / "pid")

        def parent() -> None:
            if os.fork() == 0:
                os.setsid()
                with open(f"{note}.new", "w") as file:
                    file.write(str(os.getpid()))
                os.rename(f"{note}.new", note)
                time.sleep(10_000)
            while not os.path.exists(note):
                time.sleep(0.01)
            if hangs:
                time.sleep(10_000)
            raise RuntimeError("enough")

        broken = self.broken_then_fine(parent, timeout_s=2.0 if hangs else _PATIENCE_S)
        assert broken.kind == ("timeout" if hangs else "raised")
        assert _gone(int(Path(note).read_text()))

    def test_a_leak_is_stopped_at_the_cap(self) -> None:
        def leak() -> None:
            held = []
            while True:
                held.append(bytearray(os.urandom(1 << 20)) * 8)
                time.sleep(0.005)

        assert self.broken_then_fine(leak, memory_mb=_CAP_MB).kind == "memory"

    def test_a_crash_is_told_with_its_signal_and_leaves_no_core_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "own"
        folder.mkdir()

        def crash() -> None:
            os.chdir(folder)
            ctypes.string_at(0)

        broken = self.broken_then_fine(crash)
        assert broken.kind == "crashed"
        assert "SIGSEGV" in broken.reason
        assert list(folder.iterdir()) == []

    def test_an_exit_behind_pythons_back_is_told_with_its_code(self) -> None:
        broken = self.broken_then_fine(lambda: os._exit(7))
        assert broken.kind == "exited"
        assert "7" in broken.reason

    def test_a_flood_of_output_blocks_nobody_and_its_end_is_kept(self) -> None:
        def flood() -> None:
            for _ in range(_FLOOD):
                os.write(1, b"x" * (1 << 20))
                os.write(2, b"y" * 1000)
            os.write(1, b"the end")
            raise RuntimeError("enough")

        broken = self.broken_then_fine(flood)
        assert broken.kind == "raised"
        assert broken.output.endswith("the end")
        assert len(broken.output) <= 8192

    def test_a_flood_of_reports_arrives_whole_and_in_order(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            for step in range(_STEPS):
                emit(Step(step=step, value=1.0))
            return 1.0

        with self.make(evaluate) as executor:
            sent: list[Message]
            [[*sent, done]] = run(executor, job(1, timeout_s=_PATIENCE_S))
        assert isinstance(done, Done)
        assert sent == [Step(step=step, value=1.0) for step in range(_STEPS)]


def _gone(pid: int) -> bool:
    """Whether a process ends soon."""
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.05)
    return False
