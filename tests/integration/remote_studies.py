"""What a cluster of any kind has to do, told once."""

from __future__ import annotations

import time

from assay import Budget, Float, Space, optimize
from assay.core.jobs import Broken
from assay.testing.executor_contract import job, messages_until_end


def check_study(executor):
    """A study runs there from its beginning to its end."""
    study = optimize(
        lambda trial: trial.config["x"] ** 2,
        Space(x=Float(-1, 1, default=0.9)),
        budget=Budget(trials=8),
        executor=executor,
    )
    assert len(study.trials) >= 8
    assert study.best.value < 0.81
    assert study.verify() == []


def sleeps(job, emit):
    """An objective that does not end by itself."""
    time.sleep(600)
    return 1.0


def begin(executor):
    """Submit a job, and wait until it has begun somewhere."""
    executor.submit(job(1))
    while executor._running[1].start is None:
        assert executor.poll(0.1) == []


def check_stop(executor):
    """A job that was stopped ends when its place says that it has killed it."""
    begin(executor)
    executor.cancel(1)
    [broken] = messages_until_end(executor, 1)[1]
    assert isinstance(broken, Broken)
    assert broken.reason == "The job was cancelled."
