"""Beliefs: what may be believed, and how a plan keeps it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from assay import Belief, Choice, Float, Int, Space, SpecError, Study, When, optimize, tune
from assay.core.beliefs import settled
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
    with pytest.raises(SpecError, match=r"makes no use of beliefs\. Use sampler='auto' or 'gp'"):
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
