"""A path that races: who leaves, on what, and that nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest

import assay
from assay import Component, Float, Space
from assay.analysis.ablation import FRESH, RACE, Search, fresh_units
from assay.analysis.path import ALPHA, missed_least, path_taken, race, race_units
from assay.core.errors import SpecError
from assay.core.events import Ablated, Varied
from assay.core.history import fold
from assay.core.spec import StudySpec, directions_of
from assay.stores.memory import MemoryStore

SPACE = Space(rate=Float(0.0, 1.0, default=0.5))
SPEC = StudySpec(space=SPACE, directions=directions_of("minimize"))
PARTS = [Component(name) for name in "abc"]
FULL = frozenset("abc")
STEP = [frozenset("bc"), frozenset("ac"), frozenset("ab")]


def search(loss, *, raced=True):
    """A search whose best config has this loss in the race."""
    on = {(0, 0, 9): loss - 0.01, (0, 0, 10): loss + 0.01} if raced else {}
    return Search((loss,), ({},), ("sampler",), 0, {}, {}, 1.0, 1, raced=on)


def searches(*losses, full=(0.0, 0.0, 0.0)):
    """Of the whole system, and of each variant of the first step."""
    found = {FULL: [search(x) for x in full]}
    return found | {v: [search(x) for x in own] for v, own in zip(STEP, losses, strict=False)}


def test_what_is_surely_missed_more_leaves_and_what_is_close_stays():
    done = searches([0.10, 0.11], [0.50, 0.52], [0.101, 0.112])
    alive, left = race(SPEC, PARTS, done, 3)
    assert alive == [STEP[0], STEP[2]]
    assert [(one.variant, one.leader, one.searches, one.step) for one in left] == [
        (STEP[1], STEP[0], 2, 1)
    ]
    assert left[0].behind == pytest.approx(0.405)
    assert left[0].chance < ALPHA / 2


def test_one_search_says_nothing_of_the_luck_of_searches_in_the_first_step():
    alive, left = race(SPEC, PARTS, searches([0.1], [9.0], [0.2]), 3)
    assert (alive, left) == (STEP, [])


def test_later_steps_know_the_luck_from_earlier_ones():
    done = searches([0.10, 0.11, 0.10], [0.50, 0.52], [0.30, 0.32])
    done |= {frozenset("c"): [search(0.2)], frozenset("b"): [search(0.9)]}
    alive, left = race(SPEC, PARTS, done, 3)
    assert alive == [frozenset("c")]
    assert [(one.step, one.searches) for one in left] == [(1, 2), (1, 2), (2, 1)]
    assert path_taken(SPEC, PARTS, done) == [FULL, STEP[0]], "the second step is not done"
    done[frozenset("c")] = [search(0.2)] * 3
    assert path_taken(SPEC, PARTS, done) == [FULL, STEP[0], frozenset("c")]


def test_a_decision_is_the_same_when_more_is_known():
    short = searches([0.10, 0.11], [0.50, 0.52], [0.13, 0.10])
    long = searches([0.10, 0.11, 0.9], [0.50, 0.52], [0.13, 0.10, 0.1])
    assert race(SPEC, PARTS, short, 3)[1] == race(SPEC, PARTS, long, 3)[1]


def test_who_left_is_not_gone_on_from_however_good_its_few_searches_look():
    done = searches([0.10, 0.11, 1.9], [0.50, 0.52, 0.51], [0.01])
    assert missed_least(SPEC, done, STEP) == STEP[1]


def test_of_those_that_would_have_won_at_most_alpha_leave():
    rng, left = np.random.default_rng(4), 0
    for _ in range(400):
        luck = rng.normal(0, 0.1, (3, 3)) + rng.normal(0, 0.05, (3, 1))
        whole = searches(*luck)
        winner = missed_least(SPEC, whole, STEP)
        left += winner not in race(SPEC, PARTS, whole, 3)[0]
    assert 0 < left < ALPHA * 400 * 1.3  # equal variants: the hardest case there is


def test_a_variant_that_cannot_be_trained_leads_nobody_and_leaves_no_race():
    done = searches([0.1, 0.1], [0.3, 0.31], [0.2, 0.21])
    nothing = Search((None,), ({},), ("sampler",), None, {}, {}, 1.0, 1)
    done[STEP[0]] = [nothing, nothing]
    alive, _ = race(SPEC, PARTS, done, 3)
    assert STEP[0] in alive
    assert STEP[1] not in alive


WORTH = {"a": 0.3, "b": 0.1, "c": 0.0}


def loss(trial):
    noise = np.random.default_rng(trial.seed).normal(0, 0.002)
    worth = sum(WORTH[name] for name in WORTH if trial.config[name])
    return 1 - worth + trial.config["rate"] / 50 + noise


def run(store=None, **wishes):
    given = {"space": SPACE, "budget": 5, "fresh": 4, "smallest_gain": 0.01, "isolation": "none"}
    return assay.ablate(loss, components=PARTS, design="path", storage=store, **(given | wishes))


@pytest.fixture(scope="module")
def raced():
    store = MemoryStore()
    return run(store, racing=True), store


def test_a_race_takes_the_same_path_for_fewer_searches(raced):
    found, whole = raced[0].result, run().result
    steps = [[(e["component"], e["with"]) for e in r["effects"]] for r in (found, whole)]
    assert steps[0] == steps[1] == [("c", "full"), ("b", "-c"), ("a", "+a")]
    assert "race" not in whole
    counts = {v["name"]: len(v["searches"]) for v in found["variants"]}
    assert counts == {"full": 3, "-a": 2, "-b": 2, "-c": 3, "+b": 1, "+a": 3, "none": 3}
    assert [(one["variant"], one["leader"]) for one in found["race"]["left"]] == [
        ("-a", "-c"), ("-b", "-c"), ("+b", "+a"),
    ]  # fmt: skip
    assert (found["race"]["saved"], found["race"]["searches"]) == (4, 17)
    assert found["race"]["sentence"] in found["notes"]
    assert not any("different numbers of trials" in note for note in found["notes"])


def test_the_effects_of_the_steps_taken_are_those_without_a_race(raced):
    for ours, theirs in zip(raced[0].result["effects"], run().result["effects"], strict=True):
        assert ours["retuned"] == theirs["retuned"]


def test_the_race_has_units_of_its_own(raced):
    past = fold(raced[1].read("ablation/-a#1"))
    (number,) = (n for n in past.measured if past.units(n, RACE))
    race_on, fresh = (set(past.units(number, stage)) for stage in (RACE, FRESH))
    assert len(race_on) == 10
    assert not race_on & (fresh | {(0, 0, 0)})
    ended = fold(raced[1].read("ablation/none#1"))
    assert not any(ended.units(n, RACE) for n in ended.measured), "it has no rival"
    data = {"folds": 5, "repeats": 2, "splits": {"kind": "kfold"}}
    spec = StudySpec(space=SPACE, directions=directions_of("minimize"), data=data)
    assert not set(race_units(spec, 20)) & set(fresh_units(spec, 20))
    assert min(race_units(spec, 20)) == (6, 0, 0)


def test_the_log_says_that_it_races_and_which_searches_there_were(raced):
    log = raced[0].study.history.milestones()
    (plan,) = (e.plan for e in log if isinstance(e, Ablated))
    assert plan["race"] == {"alpha": ALPHA, "units": 10}
    begun = [e.study for e in log if isinstance(e, Varied)]
    assert begun[3:10] == [f"ablation/{v}#{i}" for i in (1, 2) for v in ("-a", "-b", "-c")] + [
        "ablation/-c#3"
    ]
    rows = len(raced[1].rows("ablation"))
    assert run(raced[1], racing=True).result == raced[0].result
    assert len(raced[1].rows("ablation")) == rows
    with pytest.raises(SpecError, match="another ablation"):
        run(raced[1])


def test_a_component_that_others_need_may_come_up_again():
    """Without `a` there is no `b`: `none` leaves the race of one step, and is the only one of the next."""
    parts = [Component("a"), Component("b", requires=["a"]), Component("c")]
    found = assay.ablate(
        loss, components=parts, design="path", space=SPACE, budget=5, fresh=4, smallest_gain=0.01,
        isolation="none", racing=True,
    )  # fmt: skip
    effects = [e["component"] for e in found.result["effects"]]
    assert effects == ["c", "b", "a"]
    assert "none" in [one["variant"] for one in found.result["race"]["left"]]
    assert all(e["retuned"] for e in found.result["effects"])


@pytest.mark.parametrize("wishes", [{"design": "leave-one-out"}, {"design": "path", "searches": 1}])
def test_a_race_needs_a_path_and_searches_to_spare(wishes):
    with pytest.raises(SpecError, match="design='path' with at least two searches"):
        assay.ablate(loss, components=PARTS, space=SPACE, racing=True, **wishes)
    with pytest.raises(SpecError, match="True or False"):
        assay.ablate(loss, components=PARTS, space=SPACE, racing="yes", design="path")
