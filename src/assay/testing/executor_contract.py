"""What every executor promises, as tests; subclass `ExecutorContract` to check your own."""

from __future__ import annotations

import time
from typing import Any, Protocol, Self

import msgspec
import pytest

from assay.core.errors import StateError
from assay.core.jobs import Broken, Done, Emit, Evaluate, Job, Measurement, Message, Step
from assay.core.protocols import Executor

_PATIENCE_S = 60.0


class _Closable(Executor, Protocol):
    def __enter__(self) -> Self: ...
    def __exit__(self, *exc_info: object) -> None: ...


def job(number: int, config: dict[str, Any] | None = None, **fields: Any) -> Job:
    """A job for tests, of the trial with the same number."""
    return Job(id=number, trial=number, stage="search", config=config or {}, **fields)


def messages_until_end(executor: Executor, *numbers: int) -> dict[int, list[Message]]:
    """Everything that jobs under way send, until each of them has ended.

    Raises:
        AssertionError: one ended twice, another job spoke, or a minute was not enough.
    """
    heard: dict[int, list[Message]] = {number: [] for number in numbers}
    until = time.monotonic() + _PATIENCE_S
    while not all(sent and isinstance(sent[-1], Done | Broken) for sent in heard.values()):
        assert time.monotonic() < until, f"no end after {_PATIENCE_S:g} s; heard {heard}"
        for number, message in executor.poll(1.0):
            assert number in heard, f"job {number} is not under way, but sent {message}"
            sent = heard[number]
            assert not (sent and isinstance(sent[-1], Done | Broken)), f"{message} after the end"
            sent.append(message)
    return heard


def run(executor: Executor, *jobs: Job) -> list[list[Message]]:
    """Submit jobs one after the other, and return what each of them sent."""
    sent = []
    for one in jobs:
        executor.submit(one)
        sent.append(messages_until_end(executor, one.id)[one.id])
    return sent


def _always(result: object) -> Evaluate:
    def evaluate(job: Job, emit: Emit) -> object:
        return result

    return evaluate


def _asleep() -> Evaluate:
    def evaluate(job: Job, emit: Emit) -> float:
        time.sleep(job.config["s"])
        return 1.0

    return evaluate


class ExecutorContract:
    """The promises of an executor; a subclass says how to make one.

        class TestMine(ExecutorContract):
            def make(self, evaluate, **options):
                return MyExecutor(evaluate, **options)

    It must be a context manager, and have room for one job at least.
    """

    def make(self, evaluate: Evaluate, **options: Any) -> _Closable:
        """An executor of the kind under test that runs `evaluate`."""
        raise NotImplementedError

    def test_a_single_number_is_named_value(self) -> None:
        with self.make(_always(3)) as executor:
            [[done]] = run(executor, job(1))
        assert isinstance(done, Done)
        assert done.values == {"value": 3.0}

    def test_numbers_come_back_by_name(self) -> None:
        with self.make(_always({"loss": 0.25, "size": 7})) as executor:
            [[done]] = run(executor, job(1))
        assert isinstance(done, Done)
        assert done.values == {"loss": 0.25, "size": 7.0}

    def test_a_job_arrives_as_it_was_sent(self) -> None:
        sent = job(
            5,
            {"x": 0.1, "n": -3, "s": "naïve \u2028", "none": None, "on": True, "l": [1, {"a": []}]},
            units=((0, 0, 0), (1, 4, 2)),
            seeds=(2**63, 7),
        )
        expected = msgspec.json.encode(sent)

        def evaluate(job: Job, emit: Emit) -> float:
            return float(msgspec.json.encode(job) == expected)

        with self.make(evaluate) as executor:
            [[done]] = run(executor, sent)
        assert isinstance(done, Done)
        assert done.values == {"value": 1.0}

    def test_messages_come_in_order_and_before_the_end(self) -> None:
        rows = bytes(range(256)) * 4000

        def evaluate(job: Job, emit: Emit) -> float:
            for step in range(50):
                emit(Step(step=step, value=step / 2))
            emit(Measurement(unit=(0, 1, 2), value=1.5, train=1.0, rows=rows, cpu_s=0.5))
            return 0.0

        with self.make(evaluate) as executor:
            [[*steps, measurement, done]] = run(executor, job(1))
        assert steps == [Step(step=step, value=step / 2) for step in range(50)]
        assert measurement == Measurement(
            unit=(0, 1, 2), value=1.5, train=1.0, rows=rows, cpu_s=0.5
        )
        assert isinstance(done, Done)

    def test_an_exception_breaks_its_job_and_no_other(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            if job.id == 1:
                raise ValueError("depth must be odd")
            return 1.0

        with self.make(evaluate) as executor:
            [[broken], [done]] = run(executor, job(1), job(2))
        assert isinstance(broken, Broken)
        assert broken.kind == "raised"
        assert broken.reason.startswith("ValueError: depth must be odd\n")
        assert isinstance(done, Done)

    def test_what_was_reported_before_an_exception_is_kept(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            emit(Step(step=1, value=2.0))
            raise RuntimeError

        with self.make(evaluate) as executor:
            [[step, broken]] = run(executor, job(1))
        assert step == Step(step=1, value=2.0)
        assert isinstance(broken, Broken)

    @pytest.mark.parametrize(
        "result",
        [None, True, "0.5", float("nan"), float("-inf"), 1j, [0.5], {}, {"a": None}, {1: 2.0}],
        ids=repr,
    )
    def test_a_result_that_is_no_number_is_invalid(self, result: object) -> None:
        with self.make(_always(result)) as executor:
            [[broken]] = run(executor, job(1))
        assert isinstance(broken, Broken)
        assert broken.kind == "invalid"
        assert "The objective returned" in broken.reason

    def test_a_report_that_is_no_number_is_invalid(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            emit(Step(step=1, value=float("nan")))
            return 0.0

        with self.make(evaluate) as executor:
            [[broken]] = run(executor, job(1))
        assert isinstance(broken, Broken)
        assert broken.kind == "invalid"

    def test_sys_exit_ends_the_job_alone(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            if job.id == 1:
                raise SystemExit(3)
            return 1.0

        with self.make(evaluate) as executor:
            [[broken], [done]] = run(executor, job(1), job(2))
        assert isinstance(broken, Broken)
        assert broken.kind == "exited"
        assert isinstance(done, Done)

    def test_time_is_measured(self) -> None:
        def evaluate(job: Job, emit: Emit) -> float:
            until = time.process_time() + 0.02
            while time.process_time() < until:
                pass
            return 0.0

        with self.make(evaluate) as executor:
            [[done]] = run(executor, job(1))
        assert isinstance(done, Done)
        assert done.cpu_s >= 0.02
        assert done.wall_s >= 0.02

    def test_free_counts_down_and_up_again(self) -> None:
        with self.make(_always(1.0)) as executor:
            room = executor.free
            assert room >= 1
            executor.submit(job(1))
            assert executor.free == room - 1
            messages_until_end(executor, 1)
            assert executor.free == room

    def test_more_jobs_than_room_are_refused(self) -> None:
        with self.make(_always(1.0)) as executor:
            numbers = range(executor.free)
            for number in numbers:
                executor.submit(job(number))
            with pytest.raises(StateError):
                executor.submit(job(99))
            messages_until_end(executor, *numbers)

    def test_a_cancelled_job_ends_once(self) -> None:
        with self.make(_asleep()) as executor:
            executor.submit(job(1, {"s": 60}))
            executor.cancel(1)
            executor.cancel(1)
            [broken] = messages_until_end(executor, 1)[1]
            assert isinstance(broken, Broken)
            assert broken.kind == "cancelled"
            [[done]] = run(executor, job(2, {"s": 0}))
            assert isinstance(done, Done)

    def test_cancelling_what_does_not_run_is_harmless(self) -> None:
        with self.make(_always(1.0)) as executor:
            executor.cancel(7)
            run(executor, job(1))
            executor.cancel(1)
            assert executor.poll(0) == []

    def test_poll_without_jobs_returns_at_once(self) -> None:
        with self.make(_always(1.0)) as executor:
            assert executor.poll(10_000) == []

    def test_a_closed_executor_takes_no_jobs(self) -> None:
        executor = self.make(_always(1.0))
        executor.close()
        executor.close()
        assert executor.free == 0
        with pytest.raises(StateError):
            executor.submit(job(1))

    def test_close_does_not_wait_for_jobs(self) -> None:
        executor = self.make(_asleep())
        executor.submit(job(1, {"s": 10_000}))
        executor.close()
