"""Beliefs: what may be believed, and how a plan keeps it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from assay import (
    Belief,
    Choice,
    Fidelity,
    Float,
    Int,
    Space,
    SpecError,
    Study,
    When,
    optimize,
    tune,
)
from assay.api import parts
from assay.core.beliefs import settled
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.testing.spaces import spaces

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True, default=0.1),
    booster=Choice(["tree", "linear"], default="tree"),
    depth=When("booster", "tree", Int(1, 12, default=6)),
)


def test_values_are_kept_as_the_space_stores_them():
    found = settled(SPACE, {"lr": Belief(1), "depth": Belief(7.0, "strong")})
    assert found == {"lr": Belief(1.0), "depth": Belief(7, "strong")}
    assert isinstance(found["lr"].value, float)
    assert isinstance(found["depth"].value, int)


@pytest.mark.parametrize(
    ("beliefs", "message"),
    [
        ({"lrr": Belief(0.1)}, r"'lrr', which is no parameter. Did you mean 'lr'"),
        ({"lr": Belief(3.0)}, r"'lr' .*3.0 is outside \[0.0001, 1.0\]"),
        ({"booster": Belief("forest")}, r"'booster' .*'forest' is not one of"),
        ({"lr": 0.1}, r"Write assay.Belief\(0.1\)"),
        ({"lr": {"value": 0.1, "strong": True}}, "not a Belief"),
        ([("lr", 0.1)], "dict from parameter to belief"),
    ],
)
def test_a_mistake_is_explained(beliefs, message):
    with pytest.raises(SpecError, match=message):
        settled(SPACE, beliefs)


def test_an_unknown_strength_is_explained():
    with pytest.raises(SpecError, match=r"'weak' or 'strong', got 'storng'. Did you mean 'strong'"):
        Belief(0.1, "storng")


@given(space=spaces())
def test_every_value_of_a_space_may_be_believed_and_survives_json(space):
    beliefs = {name: Belief(space[name].points(1)[0], "strong") for name in space.names}
    spec = StudySpec(space, {"value": "minimize"}, beliefs=beliefs)
    again = StudySpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.plan == spec.plan


def test_plans_without_beliefs_are_what_they_were():
    spec = StudySpec(SPACE, {"value": "minimize"})
    assert "beliefs" not in spec.to_json()
    changed = StudySpec(SPACE, {"value": "minimize"}, beliefs={"lr": Belief(0.1)})
    assert changed.plan != spec.plan
    assert changed.to_json()["beliefs"] == {"lr": {"value": 0.1, "strength": "weak"}}


def test_a_study_begins_with_its_control_and_then_with_what_is_believed():
    study = Study(SPACE, beliefs={"lr": Belief(0.03)}, seed=1)
    assert study.ask().config == SPACE.defaults()
    trial = study.ask()
    assert trial.config == {**SPACE.defaults(), "lr": 0.03}
    assert study.trials[1].why["design"] == "belief"


def test_a_belief_in_the_defaults_is_not_tried_twice():
    study = Study(SPACE, beliefs={"lr": Belief(0.1)}, seed=1)
    first, second = study.ask().config, study.ask().config
    assert first != second
    assert study.trials[1].why["design"] == "belief"


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", {"name": "sobol"}])
def test_a_sampler_that_cannot_use_beliefs_says_so_before_anything_is_stored(sampler, tmp_path):
    from assay.stores.memory import MemoryStore

    store = MemoryStore()
    with pytest.raises(
        SpecError, match=r"makes no use of beliefs\. Use the sampler 'auto' or 'gp'"
    ):
        Study(SPACE, sampler=sampler, beliefs={"lr": Belief(0.1)}, storage=store)
    assert list(store.studies()) == []


def test_beliefs_are_for_one_objective():
    with pytest.raises(SpecError, match="needs one objective, and this study has 2"):
        Study(SPACE, direction=["minimize", "maximize"], beliefs={"lr": Belief(0.1)})


def test_optimize_takes_beliefs():
    study = optimize(
        lambda trial: trial.config["lr"],
        SPACE,
        budget=3,
        beliefs={"lr": Belief(0.02, "strong")},
        evidence=None,
        isolation="none",
    )
    assert study.trials[1].config["lr"] == 0.02
    assert study.spec.beliefs == {"lr": Belief(0.02, "strong")}
    assert study.verify() == []


def test_tune_takes_beliefs():
    pytest.importorskip("sklearn")
    from sklearn.tree import DecisionTreeClassifier
    from tests.unit.lab import rows_of

    X, y = rows_of()
    study = tune(
        DecisionTreeClassifier(max_depth=5),
        X,
        y,
        budget=2,
        space=Space(max_depth=Int(1, 8)),
        test=0,
        beliefs={"max_depth": Belief(2)},
        isolation="none",
    )
    assert study.trials[1].config == {"max_depth": 2}


EPOCHS = Fidelity("epochs", 1, 27)
UNDER = [
    *((EPOCHS, name) for name in parts.SCHEDULERS if name != "racing"),
    (Fidelity("rows", 10, 90, "subset"), "asha"),
    (Fidelity("rows", 10, 90, "subset"), "halving"),
    (Fidelity("fold", 1, 5, "folds"), "racing"),
    (Fidelity("fold", 1, 5, "folds"), "asha"),
]


@pytest.mark.parametrize(("fidelity", "scheduler"), UNDER)
@pytest.mark.parametrize("sampler", ["auto", "gp"])
def test_beliefs_enter_under_every_scheduler(fidelity, scheduler, sampler):
    """At the start every other config is drawn from them; later they are part of the acquisition."""

    def objective(trial):
        level = (trial.config["x"] - 0.7) ** 2 + (trial.config["y"] - 0.3) ** 2
        for step in trial.steps:
            trial.report(step, level + 0.2 / step)
        return level + 0.2 / trial.to_step

    space = Space(x=Float(0, 1), y=Float(0, 1), fidelity=fidelity)
    study = optimize(
        objective, space, budget=26, sampler=sampler, scheduler=scheduler, evidence=None,
        beliefs={"x": Belief(0.7, "strong")}, isolation="none", progress=False,
    )  # fmt: skip
    starts, late = study.trials[:5], study.trials[14:]
    assert starts[0].config["x"] == 0.7
    assert [t.why["design"] for t in starts[:5:2]] == ["belief"] * 3
    assert all(abs(t.config["x"] - 0.7) < 0.35 for t in starts[:5:2])
    by_model = [t for t in late if "design" not in t.why and "fallback" not in t.why]
    without, differing = parts.sampler_of(replace(study.spec, beliefs={})), 0
    for trial in by_model:
        before, rng = study.history.at(trial.seen), stream(study.spec.seed, "trial", trial.number)
        differing += without.ask(space, before, rng).config != trial.config
    assert differing > len(by_model) / 2
    assert study.verify() == []


@pytest.mark.parametrize("scheduler", ["asha", "racing"])
def test_samplers_that_would_ignore_beliefs_refuse_them_under_a_scheduler_too(scheduler):
    fidelity = UNDER[-1][0]
    with pytest.raises(SpecError, match="'random' makes no use of beliefs"):
        Study(
            Space(x=Float(0, 1), fidelity=fidelity), sampler="random", scheduler=scheduler,
            beliefs={"x": Belief(0.7)},
        ).ask()  # fmt: skip
