"""The change audit against objectives whose truth is known: what did it, what can be left, going on."""

from __future__ import annotations

import json
from itertools import permutations

import pytest
from sklearn.datasets import load_diabetes
from sklearn.tree import DecisionTreeRegressor
from tests.unit.lab import data_of, spec_of

from assay import (
    Choice,
    Component,
    Evidence,
    Float,
    Int,
    Space,
    Splits,
    StateError,
    When,
    ablate,
    optimize,
    tune,
)
from assay.analysis.audit import Measured, mixed, standing
from assay.core.events import Audited, Selected
from assay.core.history import fold
from assay.core.space import Space as CoreSpace
from assay.math.intervals import Interval
from assay.report.audit import audit_text, audit_view
from assay.stores.memory import MemoryStore

WORTH = {"big": 1.0, "middle": 0.3, "small": 0.02, "none": 0.0}
SPACE = Space({name: Int(0, 1, default=0) for name in WORTH})
BEST = dict.fromkeys(WORTH, 1)


def additive(trial):
    noise = (trial.seed % 1009 / 1009 - 0.5) / 100
    return noise - sum(worth * trial.config[name] for name, worth in WORTH.items())


def studied(objective=additive, space=SPACE, best=BEST, **wishes):
    given = {"given": [best], "budget": 2, "smallest_gain": 0.05, "isolation": "none"}
    return optimize(objective, space, progress=False, **(given | wishes))


@pytest.fixture(scope="module")
def found():
    study = studied(storage=MemoryStore(), name="s")
    return study, study.audit(isolation="none", progress=False).result


def test_the_path_makes_the_change_first_that_gains_most(found):
    steps = found[1]["forward"]
    assert [step["name"] for step in steps][:3] == ["big", "middle", "small"]
    for step in steps:
        assert step["gain"]["estimate"] == pytest.approx(WORTH[step["name"]], abs=0.01)
    assert steps[-1]["total"]["estimate"] == pytest.approx(1.32, abs=0.01)


def test_the_way_back_gives_up_first_what_costs_least(found):
    assert [step["name"] for step in found[1]["backward"]][-2:] == ["middle", "big"]
    assert found[1]["backward"][-1]["total"]["estimate"] == pytest.approx(0.0, abs=1e-9)


def test_the_smallest_set_is_what_does_it(found):
    least = found[1]["smallest"]
    assert set(least["changes"]) == {"big", "middle"}
    assert least["config"] == {"big": 1, "middle": 1, "small": 0, "none": 0}
    assert least["gain"]["estimate"] == pytest.approx(1.3, abs=0.01)
    assert least["loss"]["estimate"] == pytest.approx(0.02, abs=0.01)


def test_what_can_be_left_is_told_from_what_is_needed(found):
    stands = {one["name"]: one["standing"] for one in found[1]["alone"]}
    assert stands == {
        "big": "needed",
        "middle": "needed",
        "small": "leave at default",
        "none": "leave at default",
    }


def test_it_is_measured_where_nothing_was_chosen(found):
    study, result = found
    child = study.store.read("s/changes 1")
    assert study.history.last(Audited).study == "s/changes 1"
    seeds = {event.seed for event in child if hasattr(event, "seed")}
    assert not seeds
    assert result["configs"] < 2 ** len(WORTH)  # not the whole factorial
    again = study.audit(isolation="none", progress=False)
    assert again.result == result
    assert len(study.store.read("s/changes 1")) == len(child)  # nothing was measured again


def test_the_words_name_what_will_do(found):
    text = audit_text(audit_view(found[1]))
    assert "2 changes will do: big, middle" in text
    left = len(WORTH) - 2
    assert (f"the other {left} add " if left > 1 else "the other adds ") in " ".join(text.split())
    assert "Can be left at default: small, none." in text
    assert "big: 0 → 1" in text


def test_changes_that_count_only_together_are_kept_together():
    def together(trial):
        return -float(trial.config["a"] and trial.config["b"])

    space = Space(a=Int(0, 1, default=0), b=Int(0, 1, default=0), c=Int(0, 1, default=0))
    study = studied(together, space, {"a": 1, "b": 1, "c": 1})
    least = study.audit(isolation="none", progress=False).result["smallest"]
    assert set(least["changes"]) == {"a", "b"}


def test_a_changed_parent_brings_its_children():
    space = Space(
        kind=Choice(["x", "y"], default="x"),
        depth=When("kind", "y", Int(0, 5, default=0)),
        other=Int(0, 5, default=0),
    )

    def loss(trial):
        return -float(trial.config.get("depth", 0)) - 0.1 * trial.config["other"]

    study = studied(loss, space, {"kind": "y", "depth": 5, "other": 3})
    result = study.audit(isolation="none", progress=False).result
    assert set(result["changes"]) == {"kind", "other"}
    assert set(result["follow"]) == {"depth"}
    assert result["forward"][0]["name"] == "kind"
    assert result["forward"][0]["gain"]["estimate"] == pytest.approx(5.0)


def test_a_change_that_is_not_allowed_alone_waits_for_the_other():
    space = Space(
        {"a": Int(0, 1, default=0), "b": Int(0, 1, default=0)}, forbid=["a == 1 and b == 0"]
    )
    study = studied(lambda t: -t.config["a"] - 0.5 * t.config["b"], space, {"a": 1, "b": 1})
    result = study.audit(isolation="none", progress=False).result
    assert [step["name"] for step in result["forward"]] == ["b", "a"]


def test_a_failing_half_way_is_gone_around():
    def loss(trial):
        if trial.config["a"] and not trial.config["b"]:
            raise ValueError("cannot be trained")
        return -trial.config["a"] - 0.5 * trial.config["b"]

    space = Space(a=Int(0, 1, default=0), b=Int(0, 1, default=0))
    study = studied(loss, space, {"a": 1, "b": 1})
    result = study.audit(isolation="none", progress=False).result
    assert [step["name"] for step in result["forward"]] == ["b", "a"]
    assert json.dumps(result)


def test_an_interrupted_audit_goes_on(monkeypatch):
    store = MemoryStore()
    calls = []

    def dies(trial):
        calls.append(trial.config)
        if len(calls) == 25:
            raise KeyboardInterrupt
        return additive(trial)

    study = studied(storage=store, name="s")
    study.system = type(study.system)(dies, study.spec, seeding=False)
    with pytest.raises(KeyboardInterrupt):
        study.audit(isolation="none", progress=False)
    half = len(store.read("s/changes 1"))
    assert half > 3
    result = study.audit(isolation="none", progress=False).result
    assert set(result["smallest"]["changes"]) == {"big", "middle"}
    assert len(store.read("s/changes 1")) > half


def test_without_a_winner_it_says_why():
    study = optimize(additive, SPACE, budget=1, evidence=None, isolation="none", progress=False)
    with pytest.raises(StateError, match=r"nothing to audit\. Its plan has evidence=None"):
        study.audit(isolation="none")
    both = optimize(
        lambda trial: {"a": trial.config["big"], "b": trial.config["small"]}, SPACE, budget=2,
        direction={"a": "minimize", "b": "minimize"}, isolation="none", progress=False,
    )  # fmt: skip
    with pytest.raises(StateError, match="With several objectives"):
        both.audit(isolation="none")
    parts = [Component("big", on=1, off=0)]
    taken = ablate(
        additive,
        space=SPACE,
        components=parts,
        budget=3,
        searches=1,
        isolation="none",
        progress=False,
    )
    with pytest.raises(StateError, match="It is an ablation"):
        taken.study.audit(isolation="none")


def test_forward_splits_are_not_those_of_the_search():
    history = fold([])
    for splits, first in ((Splits.forward(3), 1), (Splits.kfold(3), 0)):
        data = data_of(folds=3) | {"splits": splits.to_json()}
        measured = Measured(spec_of(data=data), history, fresh=5)
        assert measured.wanted() == tuple((first + r, f, 0) for r in (0, 1) for f in range(3))
        assert not {*measured.wanted()} & {*measured.again()}


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (-0.1, 0.04, "leave at default"),
        (0.01, 0.04, "leave at default"),
        (-0.1, 0.2, "no loss shown"),
        (0.01, 0.2, "needed"),
    ],
)
def test_how_a_cost_stands(low, high, found):
    cost = Interval((low + high) / 2, low, high, 0.01, None, "", 10)
    assert standing(cost, 0.05) == found


def test_mixed_configs_are_in_the_space():
    space = CoreSpace(kind=Choice(["x", "y"]), depth=When("kind", "y", Int(0, 5)), rate=Float(0, 1))
    one, two = {"kind": "x", "rate": 0.1}, {"kind": "y", "depth": 3, "rate": 0.2}
    for control, winner in permutations((one, two)):
        for on in ((), ("kind",), ("rate",), ("kind", "rate")):
            config = mixed(space, control, winner, frozenset(on))
            assert config is not None
            assert space.contains(config)
    assert mixed(space, one, two, frozenset()) == one
    assert mixed(space, one, two, frozenset({"kind", "rate"})) == two


def test_a_tree_on_real_rows(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))
    monkeypatch.setattr("assay.analysis.final.DRAWS", 200)
    X, y = load_diabetes(return_X_y=True)
    study = tune(
        DecisionTreeRegressor(random_state=0),
        X,
        y,
        budget=3,
        given=[{"max_depth": 4, "min_samples_leaf": 20, "min_samples_split": 40}],
        metric="r2",
        splits=Splits.kfold(3),
        evidence=Evidence(repeats=2, seeds=1, top=1, rechecks=3, refits=1),
        smallest_gain=0.05,
        isolation="none",
        progress=False,
    )
    if study.history.last(Selected).challenger != 1:
        pytest.skip("the search found something better than the config of this test")
    result = study.audit(isolation="none", progress=False).result
    assert len(result["forward"]) == 3
    assert len(result["smallest"]["changes"]) < 3  # leaves of 20 rows make the other two idle
    assert "Which changes did it" in study.report()
