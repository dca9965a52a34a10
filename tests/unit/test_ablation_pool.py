"""The searches of an ablation share one pool of workers, and none sees another's jobs."""

from __future__ import annotations

import os
import time

import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

import assay
from assay import Component, Float, Space
from assay.api.ablation_pool import Every, Part
from assay.api.systems import Function
from assay.core.jobs import Broken, Done, Job
from assay.core.spec import StudySpec, directions_of
from assay.executors.local import LocalExecutor

SPACE = Space(x=Float(0.0, 1.0, default=0.5))
PARTS = (Component("a"), Component("b"))


def loss(trial):
    return trial.config["x"] + trial.config["a"] + 10 * trial.config["b"]


def slow(trial):
    if trial.config["x"] > 0.9:
        time.sleep(60)
    return float(os.getpid())


def pool(objective, workers=1):
    spec = StudySpec(space=SPACE, directions=directions_of("minimize"))
    return LocalExecutor(Every(Function(objective, spec, True), PARTS), workers=workers)


def job(number, x=0.25, **on):
    return Job(id=number, trial=number, stage="search", config={"x": x, **on})


def one(part, timeout_s=60):
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        if found := part.poll(1.0):
            return found
    raise AssertionError("no message came")


def test_each_search_has_its_variant_from_the_same_worker():
    with pool(loss) as workers:
        for on, wanted in (({"a"}, 1.25), ({"b"}, 10.25), ({"a"}, 1.25), (set(), 0.25)):
            part = Part(workers, frozenset(on))
            part.submit(job(1, a="a" in on, b="b" in on))
            ((number, done),) = one(part)
            assert number == 1
            assert isinstance(done, Done)
            assert done.values == {"value": pytest.approx(wanted)}
            part.close()
            assert workers.free == 1


def test_what_a_search_leaves_running_is_ended_and_heard_by_no_other():
    with pool(slow, workers=2) as workers:
        first = Part(workers, frozenset())
        first.submit(job(1, x=0.95, a=False, b=False))
        first.submit(job(2, x=0.99, a=False, b=False))
        assert first.free == 0
        first.close()
        assert workers.free == 2
        second = Part(workers, frozenset("a"))
        second.submit(job(1, a=True, b=False))
        ((number, done),) = one(second)
        assert (number, type(done)) == (1, Done)


def test_a_cancelled_job_is_broken_for_its_own_search():
    with pool(slow) as workers:
        part = Part(workers, frozenset())
        part.submit(job(7, x=0.95, a=False, b=False))
        part.cancel(7)
        ((number, broken),) = one(part)
        assert (number, type(broken)) == (7, Broken)
        part.close()


@pytest.fixture
def begun(monkeypatch):
    """The pools that are started."""
    pools = []
    start = LocalExecutor.__init__

    def counted(self, *args, **wishes):
        pools.append(self)
        start(self, *args, **wishes)

    monkeypatch.setattr(LocalExecutor, "__init__", counted)
    return pools


def test_an_ablation_starts_one_pool_and_finds_what_one_process_finds(begun):
    X, y = make_classification(80, 5, random_state=0)
    found = [
        assay.ablate(
            Pipeline([("scaler", StandardScaler()), ("model", LogisticRegression())]), X, y,
            components=[Component("scaler", step="scaler")], budget=4, searches=2, fresh=5,
            metric="log_loss", isolation=isolation, progress=False,
        ).result
        for isolation in ("process", "none")
    ]  # fmt: skip
    assert len(begun) == 1
    assert begun[0].free == 0, "it is closed"
    for result in found:
        for variant in result["variants"]:
            del variant["cpu_s"], variant["kwh"]
    assert found[0] == found[1]


def test_a_pool_is_closed_when_the_ablation_fails(begun):
    def broken(trial):
        raise ValueError("no data")

    with pytest.raises(assay.StateError, match="cannot be trained"):
        assay.ablate(
            broken, components=PARTS, space=SPACE, budget=4, searches=1, fresh=2, progress=False
        )
    assert [one.free for one in begun] == [0]
