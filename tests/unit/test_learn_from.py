"""learn_from: which earlier studies a new one takes something over from, and that its log needs no other."""

from __future__ import annotations

import pytest

from assay import Choice, Float, Int, Space, SpecError, Study, optimize
from assay.core.events import Learned
from assay.stores.memory import MemoryStore

SPACE = Space(x=Float(0, 1, default=0.9), n=Int(1, 9, default=5))


def loss(config):
    return (config["x"] - 0.3) ** 2 + 0.01 * abs(config["n"] - 3)


def run(study, trials):
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, loss(trial.config))
    return study


@pytest.fixture
def store():
    """With one study that found the bottom."""
    store = MemoryStore()
    run(Study(SPACE, storage=store, name="first", seed=1), 14)
    return store


def test_the_best_config_of_the_source_comes_after_the_control(store):
    source = run(Study(SPACE, storage=store, name="first", seed=1), 0)
    study = run(Study(SPACE, storage=store, name="second", seed=2, learn_from=["first"]), 12)
    (event,) = study.history.learned
    assert (event.study, event.trials, event.plan) == ("first", 14, source.spec.plan)
    assert event.head == store.rows("first")[-1].hash
    first = study.trials[1]
    assert first.config == source.best.config
    assert first.why == {"sampler": "gp", "rule": "model", "design": "earlier", "source": "first"}
    assert any("earlier" in (trial.why or {}) for trial in study.trials[6:])
    assert study.verify() == []


def test_the_log_is_enough_when_the_source_is_gone(store):
    study = run(Study(SPACE, storage=store, name="second", seed=2, learn_from="first"), 9)
    alone = MemoryStore()
    alone.append("second", store.read("second"), after=0)
    again = Study(SPACE, storage=alone, name="second", seed=2, learn_from="first")
    assert again.verify() == []
    assert again.ask().config == study.ask().config


def test_going_on_with_a_study_learns_nothing_more(store):
    Study(SPACE, storage=store, name="second", learn_from="first").ask()
    run(Study(SPACE, storage=store, name="first", seed=1), 3)
    again = Study(SPACE, storage=store, name="second", learn_from=["first", "no such study"])
    assert [e.trials for e in again.history.learned] == [14]


def test_a_star_takes_the_newest_that_fit(store):
    run(Study(SPACE, storage=store, name="too short"), 2)
    run(Study(Space(other=Float(0, 1)), storage=store, name="elsewhere"), 0)
    for number in range(11):
        run(Study(SPACE, storage=store, name=f"more {number}", sampler="random"), 3)
    study = Study(SPACE, storage=store, name="second", learn_from="*")
    assert [e.study for e in study.history.learned] == [f"more {n}" for n in range(10, 0, -1)]


def test_a_star_in_an_empty_storage_is_no_mistake():
    assert Study(SPACE, learn_from="*").history.learned == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learn_from": ["frist"]}, "has no study 'frist'. Did you mean 'first'"),
        ({"learn_from": "first", "sampler": "tpe"}, "'tpe' makes no use of learn_from"),
        (
            {"learn_from": "first", "direction": ["minimize", "minimize"]},
            "learn_from needs one objective",
        ),
        ({"learn_from": "first", "space": Space(z=Int(0, 3))}, "no parameter in common"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_stored(changes, message, store):
    given = {"space": SPACE, "storage": store, "name": "second"} | changes
    with pytest.raises(SpecError, match=message):
        Study(given.pop("space"), **given)
    assert list(store.studies()) == ["first"]


def test_in_an_empty_storage_there_is_nothing_to_name():
    with pytest.raises(SpecError, match=r"has no study 'first'\. It holds none yet"):
        Study(SPACE, learn_from="first")


def test_optimize_learns_too(store):
    study = optimize(
        lambda trial: loss(trial.config),
        SPACE,
        budget=4,
        storage=store,
        name="second",
        learn_from="first",
        given=[{"x": 0.31, "n": 3}],
        evidence=None,
        isolation="none",
    )
    assert [type(e) for e in study.history.milestones()].count(Learned) == 1
    assert [t.origin for t in study.trials[:3]] == ["control", "given", "sampler"]
    assert study.trials[2].why["source"] == "first"


# --- given configs


def test_given_configs_count_towards_the_first_ones():
    space = Space(x=Float(0, 1), kind=Choice(["a", "b"]))
    study = Study(space, seed=0)
    given = [{"x": x, "kind": k} for x in (0.1, 0.5, 0.9) for k in "ab"]
    for config in given:
        study.enqueue(config, source="a paper")
    for _ in range(8):
        trial = study.ask()
        study.tell(trial, (trial.config["x"] - 0.4) ** 2)
    assert [t.config for t in study.trials[:6]] == given
    assert all(t.why["source"] == "a paper" for t in study.trials[:6])
    assert [t.why.get("acquisition") for t in study.trials[6:]] == ["logEI", "logEI"]
    assert study.verify() == []
