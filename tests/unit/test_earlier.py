"""What a study takes over from an earlier one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.earlier import MOST_CONFIGS, learned, shared
from assay.core.errors import SpecError
from assay.core.events import Asked, Failed, Told, decode, encode
from assay.core.history import fold
from assay.core.parameters import Choice, Float, Int, Ordinal, When
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.testing.spaces import spaces

OLD = Space(
    lr=Float(1e-4, 10.0, log=True),
    depth=Int(1, 30),
    booster=Choice(["tree", "linear", "dart"]),
    alpha=When("booster", "linear", Float(0, 1)),
    only_here=Float(0, 1),
)
NEW = Space(
    lr=Float(1e-4, 1.0, log=True, default=0.1),
    depth=Int(2, 12, step=2),
    booster=Choice(["linear", "tree"]),
    alpha=When("booster", "linear", Float(0, 1, default=0.5)),
    new=Int(1, 9, default=3),
    bare=Float(0, 1),
)


def plan(space, **directions):
    return StudySpec(space, directions or {"value": "minimize"})


def told(configs, losses):
    events = []
    for number, (config, loss) in enumerate(zip(configs, losses, strict=True)):
        values = loss if isinstance(loss, tuple) else (loss,)
        ended = Failed(number, "raised", "") if loss is None else Told(number, values)
        events += [Asked(number, config, 0), ended]
    return fold(events)


def config(lr=0.01, depth=4, booster="tree", **more):
    return {"lr": lr, "depth": depth, "booster": booster, "only_here": 0.5, **more}


def test_configs_are_moved_into_the_new_space():
    history = told(
        [config(), config(depth=5), config(booster="linear", alpha=0.25)], [0.3, 0.1, 0.2]
    )
    event = learned(plan(NEW), "old", "head", plan(OLD), history)
    assert event.configs == [
        {"lr": 0.01, "depth": 4, "booster": "tree", "new": 3},
        {"lr": 0.01, "depth": 6, "booster": "tree", "new": 3},  # the nearest on the steps
        {"lr": 0.01, "depth": 4, "booster": "linear", "alpha": 0.25, "new": 3},
    ]
    assert (event.study, event.head, event.plan, event.trials) == ("old", "head", plan(OLD).plan, 3)
    assert np.argsort(event.losses).tolist() == [1, 2, 0]


def test_what_the_new_space_does_not_have_and_what_failed_is_left_out():
    out = [config(lr=5.0), config(depth=20), config(booster="dart")]
    inside = [config(lr=0.1 * n) for n in (1, 2, 3)]
    history = told([*out, config(), *inside], [0.0, 0.1, 0.2, None, 0.5, 0.6, 0.7])
    event = learned(plan(NEW), "old", "", plan(OLD), history)
    assert [c["lr"] for c in event.configs] == [c["lr"] for c in inside]
    assert min(event.losses) > 0, "ranks are among all trials of the source"


def test_the_direction_of_the_source_counts():
    history = told([config(depth=d) for d in (2, 4, 6)], [1.0, 2.0, 3.0])
    event = learned(plan(NEW), "old", "", plan(OLD, score="maximize"), history)
    assert np.argmin(event.losses) == 2


def test_of_several_objectives_the_one_of_the_same_name_is_taken():
    several = plan(OLD, time="minimize", loss="minimize")
    history = told([config(depth=d) for d in (2, 4, 6)], [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0)])
    event = learned(plan(NEW, loss="minimize"), "old", "", several, history)
    assert np.argmin(event.losses) == 0
    with pytest.raises(SpecError, match="objectives time, loss, and none is 'value'"):
        learned(plan(NEW), "old", "", several, history)


@pytest.mark.parametrize("trials", [MOST_CONFIGS, 61, 64, 500])
def test_of_many_configs_the_best_and_some_others_stay(trials):
    losses = np.random.default_rng(0).permutation(trials)
    configs = [config(lr=1e-4 + 1e-3 * n) for n in range(trials)]
    event = learned(plan(NEW), "old", "", plan(OLD), told(configs, losses.astype(float).tolist()))
    assert len(event.configs) == len(event.losses) == MOST_CONFIGS
    kept = {int(losses[round((c["lr"] - 1e-4) / 1e-3)]) for c in event.configs}
    assert set(range(MOST_CONFIGS // 2)) <= kept
    assert trials - 1 in kept
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    ("space", "losses", "message"),
    [
        (Space(other=Float(0, 1)), [0.1, 0.2, 0.3], "'old' has no parameter in common"),
        (NEW, [0.1, 0.2, None], "'old' has 2 configs .* it takes 3"),
        (Space(lr=Float(20.0, 30.0)), [0.1, 0.2, 0.3], "'old' has 0 configs"),
    ],
)
def test_a_source_that_has_nothing_to_say_is_explained(space, losses, message):
    history = told([config(), config(depth=6), config(depth=8)], losses)
    with pytest.raises(SpecError, match=message):
        learned(plan(space), "old", "", plan(OLD), history)


def test_shared_parameters_are_those_that_are_searched_in_both():
    one = Space(a=Int(1, 5), b=Choice(["x"]), c=Ordinal([1, 2]))
    assert shared(one, Space(a=Int(3, 9), b=Choice(["x", "y"]), c=Float(0, 1))) == ["a", "c"]


@given(space=spaces(), seed=st.integers(0, 9))
def test_a_study_in_the_same_space_is_taken_over_as_it_is(space, seed):
    rng = np.random.default_rng(seed)
    configs = [space.from_unit(rng.random(len(space)).tolist()) for _ in range(5)]
    if not shared(space, space):
        return
    event = learned(plan(space), "old", "", plan(space), told(configs, [3.0, 1.0, 4.0, 1.5, 9.0]))
    assert event.configs == configs
