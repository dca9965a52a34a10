"""What runs inside an engine's task, and the driver's side of it, with threads in place of an engine."""

from __future__ import annotations

import os
import queue
import threading
import time
from contextlib import suppress

import msgspec
import pytest

from assay.core.errors import SpecError, StateError
from assay.core.jobs import Broken, Done, Step
from assay.executors import remote, remote_driver
from assay.executors.inline import InlineExecutor
from assay.executors.remote import Begun, Order, Report, carry_out, forget, parcel_of, versions
from assay.executors.remote_driver import Lost, RemoteExecutor
from assay.executors.remote_url import check_cluster, cluster_at
from assay.testing.executor_contract import ExecutorContract, job, messages_until_end, run
from assay.testing.process_contract import ProcessContract


class Threads:
    """An engine that runs each task in a thread, `times` times."""

    patience_s = 5.0

    def __init__(self, evaluate, *, slots=1, times=1, order=lambda order: order):
        self.slots, self.times, self._order = slots, times, order
        self._parcel = parcel_of(evaluate)
        self.heard = queue.SimpleQueue()
        self._stops, self._threads, self.sessions = {}, [], set()

    def start(self, number, order):
        order = self._order(order)
        self.sessions.add(msgspec.msgpack.decode(order, type=Order).session)
        stop = self._stops[number] = threading.Event()
        for _ in range(self.times):
            task = threading.Thread(
                target=carry_out, args=(order, self._parcel, self.heard.put, stop.is_set)
            )
            task.start()
            self._threads.append(task)

    def hear(self, timeout_s):
        heard = []
        with suppress(queue.Empty):
            heard.append(self.heard.get(timeout=timeout_s))
            while True:
                heard.append(self.heard.get_nowait())
        return heard

    def stop(self, number):
        self._stops[number].set()

    def ended(self, number):
        pass

    def close(self):
        for stop in self._stops.values():
            stop.set()
        for session in self.sessions:
            forget(session)
        for task in self._threads:
            task.join()


class Silent(Threads):
    """An engine whose tasks never say a word; the test speaks for them."""

    def start(self, number, order):
        self.started = number

    def stop(self, number):
        pass

    def close(self):
        pass

    def say(self, number, start, *news):
        self.heard.put(msgspec.msgpack.encode(Report(number, start, list(news))))


def one(job, emit):
    return 1.0


def asleep(job, emit):
    time.sleep(job.config["s"])
    return 1.0


class TestThreads(ExecutorContract, ProcessContract):
    def make(self, evaluate, **options):
        return RemoteExecutor(Threads(evaluate), **options)


def test_an_objective_is_loaded_in_the_child_only():
    driver = os.getpid()

    class Loaded:
        def __reduce__(self):
            return eval, (f"__import__('os').getpid() != {driver}",)

    mark = Loaded()
    with RemoteExecutor(Threads(lambda job, emit: float(mark))) as executor:
        [[done]] = run(executor, job(1))
    assert done.values == {"value": 1.0}


def test_the_child_stays_warm():
    def evaluate(job, emit):
        return float(os.getpid())

    with RemoteExecutor(Threads(evaluate)) as executor:
        [[first], [second]] = run(executor, job(1), job(2))
    assert first.values == second.values


def test_limits_hold():
    def evaluate(job, emit):
        if job.id == 1:
            time.sleep(60)
        hold = bytearray(400 << 20)
        time.sleep(60)
        return len(hold)

    with RemoteExecutor(Threads(evaluate), memory_mb=300) as executor:
        [[late], [large]] = run(executor, job(1, timeout_s=0.1), job(2))
    assert (late.kind, large.kind) == ("timeout", "memory")


def test_threads_of_libraries_are_set():
    def evaluate(job, emit):
        return float(os.environ["OMP_NUM_THREADS"])

    with RemoteExecutor(Threads(evaluate), threads=3) as executor:
        [[done]] = run(executor, job(1))
    assert done.values == {"value": 3.0}


def test_a_job_that_the_engine_starts_twice_counts_once():
    def evaluate(job, emit):
        for step in range(5):
            emit(Step(step=step, value=1.0))
        return 1.0

    with RemoteExecutor(Threads(evaluate, times=3)) as executor:
        sent = run(executor, *(job(number) for number in range(5)))
        while executor.refused < 10:  # both other starts of each were heard of
            executor._attend(1.0)
    assert [len(messages) for messages in sent] == [6] * 5


def test_the_first_start_counts_even_when_the_second_ends_first():
    carrier = Silent(one)
    executor = RemoteExecutor(carrier)
    executor.submit(job(1))
    carrier.say(1, "a", Begun("here", 1))
    carrier.say(1, "b", Begun("there", 2), Done(values={"value": 2.0}))
    assert executor.poll(0) == []
    carrier.say(1, "a", Done(values={"value": 1.0}))
    carrier.say(1, "a", Done(values={"value": 3.0}))
    assert executor.poll(1.0) == [(1, Done(values={"value": 1.0}))]
    assert executor.poll(0) == []
    assert executor.refused == 1


def test_a_lost_job_ends_as_lost_and_what_comes_later_is_dropped():
    carrier = Silent(one)
    executor = RemoteExecutor(carrier)
    executor.submit(job(1))
    carrier.heard.put(Lost(1, "The node burns."))
    assert executor.poll(1.0) == [(1, Broken(kind="lost", reason="The node burns."))]
    carrier.say(1, "a", Begun("here", 1), Done(values={"value": 1.0}))
    carrier.heard.put(Lost(1, "The node burns."))
    executor.submit(job(2))
    assert executor.poll(0) == []
    assert executor.free == 0
    assert executor.refused == 1


def test_a_place_that_goes_between_the_question_and_the_job_is_no_mistake_of_the_driver():
    carrier = Silent(one)
    executor = RemoteExecutor(carrier)
    assert executor.free == 1
    carrier.slots = 0
    executor.submit(job(1))
    assert carrier.started == 1
    with pytest.raises(StateError):
        executor.submit(job(2))


def test_a_job_that_is_lost_while_it_is_cancelled_is_cancelled():
    carrier = Silent(one)
    executor = RemoteExecutor(carrier)
    executor.submit(job(1))
    carrier.say(1, "a", Begun("here", 1))
    executor.poll(0)
    executor.cancel(1)
    assert executor.poll(0) == []
    carrier.heard.put(Lost(1, "The node burns."))
    [(_, broken)] = executor.poll(1.0)
    assert broken.kind == "cancelled"


def test_a_place_that_does_not_confirm_a_stop_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(remote_driver, "_GRACE_S", 0.05)
    carrier = Silent(one)
    executor = RemoteExecutor(carrier)
    executor.submit(job(1))
    carrier.say(1, "a", Begun("here", 1))
    executor.poll(0)
    executor.cancel(1)
    [broken] = messages_until_end(executor, 1)[1]
    assert broken.kind == "cancelled"
    assert "did not confirm" in broken.reason


def test_another_version_is_refused_in_words():
    def elsewhere(order):
        told = msgspec.msgpack.decode(order, type=Order)
        other = msgspec.structs.replace(told, versions=("3.99", "9.9.9"))
        return msgspec.msgpack.encode(other)

    with RemoteExecutor(Threads(one, order=elsewhere)) as executor:
        executor.submit(job(1))
        with pytest.raises(
            SpecError, match=r"has Python 3\.\d+ and Assay .* Python 3\.99 and Assay"
        ):
            messages_until_end(executor, 1)


def test_an_objective_that_cannot_be_loaded_there_stops_the_study():
    class Unloadable:
        def __reduce__(self):
            return eval, ("__import__('no_such_module')",)

    mark = Unloadable()
    with RemoteExecutor(Threads(lambda job, emit: float(bool(mark)))) as executor:
        executor.submit(job(1))
        with pytest.raises(SpecError, match="no_such_module"):
            messages_until_end(executor, 1)


def test_a_config_that_cannot_be_sent_is_refused():
    with RemoteExecutor(Threads(one)) as executor:
        with pytest.raises(SpecError, match="cannot be sent"):
            executor.submit(job(1, {"x": 1j}))
        assert executor.free == 1
        [[done]] = run(executor, job(2))
    assert isinstance(done, Done)


def test_without_places_it_waits_and_then_says_so():
    carrier = Silent(one, slots=0)
    carrier.patience_s = 0.1
    executor = RemoteExecutor(carrier)
    assert executor.poll(0.01) == []
    with pytest.raises(StateError, match="no worker to run trials"):
        while True:
            executor.poll(0.05)


def test_places_that_come_later_are_used():
    carrier = Silent(one, slots=0)
    executor = RemoteExecutor(carrier)
    assert executor.free == 0
    carrier.slots = 2
    assert executor.free == 2


def test_forgetting_a_session_stops_its_job_and_its_processes():
    began, done = threading.Event(), threading.Event()

    def send(report):
        if isinstance(msgspec.msgpack.decode(report, type=Report).news[0], Begun):
            began.set()

    order = Order(
        session="s", job=job(1, {"s": 600}), memory_mb=None, threads=None, versions=versions()
    )

    def task():
        carry_out(msgspec.msgpack.encode(order), parcel_of(asleep), send, lambda: False)
        done.set()

    thread = threading.Thread(target=task)
    thread.start()
    assert began.wait(30)
    forget("s")
    assert done.wait(30)
    thread.join()
    assert "s" not in remote._SESSIONS


def test_an_idle_child_is_closed_after_a_while(monkeypatch):
    monkeypatch.setattr(remote, "_IDLE_S", 0.05)
    closed = threading.Event()
    close = remote.LocalExecutor.close

    def watched(self):
        close(self)
        closed.set()

    monkeypatch.setattr(remote.LocalExecutor, "close", watched)
    with RemoteExecutor(Threads(one)) as executor:
        run(executor, job(1))
        assert closed.wait(30)
        [[done]] = run(executor, job(2))
    assert isinstance(done, Done)


@pytest.mark.parametrize(
    ("url", "address", "here"),
    [
        ("dask://10.0.0.7:8786", "tcp://10.0.0.7:8786", False),
        ("dask://local", "local", True),
        ("ray://auto", "auto", False),
        ("ray://head:10001", "ray://head:10001", False),
        ("ray://local", "local", True),
        ("slurm://short?timeout_min=60", "short", False),
        ("slurm://", "", False),
    ],
)
def test_a_url_says_where(url, address, here):
    cluster = cluster_at(url)
    assert (cluster.address, cluster.here) == (address, here)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("dsk://host:1", "Cannot tell what executor"),
        ("dask://", "Cannot tell what executor"),
        ("dask://h:1?slot=2", "Did you mean 'slots'"),
        ("dask://h:1?slots=0", "whole number >= 1"),
        ("slurm://short?slots=2", "no option 'slots'"),
        ("dask://me:secret@h:1", "no password"),
    ],
)
def test_a_wrong_url_is_refused(url, said):
    with pytest.raises(SpecError, match=said) as caught:
        cluster_at(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "workers", "gpus", "said"),
    [
        ("dask://h:1", 4, None, r"slots=4"),
        ("ray://auto", 4, None, r"slots=4"),
        ("dask://local", 1, 1.0, "no GPUs"),
        ("slurm://", "auto", None, "number of workers"),
    ],
)
def test_what_a_cluster_cannot_do_is_refused_before_the_study_begins(url, workers, gpus, said):
    with pytest.raises(SpecError, match=said):
        check_cluster(url, workers=workers, gpus=gpus)


def test_the_sealed_rows_never_leave_this_machine(monkeypatch, tmp_path):
    import numpy as np

    from assay import Evidence, Splits, tune

    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    places = []

    def executor_of(evaluate, *, workers, isolation, limits):
        places.append((workers.executor, workers.threads))
        return InlineExecutor(evaluate)

    monkeypatch.setattr("assay.api.data.executor_of", executor_of)
    X = np.random.default_rng(0).normal(size=(120, 3))
    study = tune(
        "decision_tree",
        X,
        X[:, 0] > 0,
        budget=2,
        test=0.3,
        splits=Splits.holdout(0.3),
        evidence=Evidence(seeds=1, top=1, rechecks=1, refits=1),
        executor="dask://h:1",
        cpus_per_trial=2,
        overrides={"PF04": "the target is made of one column here"},
    )
    assert study.verdict is not None
    assert places == [("dask://h:1", 2), ("local", 2)]  # the search, and the test
