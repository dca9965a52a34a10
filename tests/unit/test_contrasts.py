"""Neighbours by Gower's distance, and trials that differ in one parameter, against a plain reading of both."""

from __future__ import annotations

import pytest

from assay import Choice, Float, Int, Space, When, optimize
from assay.analysis.contrasts import NEAR, contrasts, effects_of, neighbours
from assay.report.contrasts import changes_of, changes_text

SPACE = Space(
    depth=Int(0, 10, default=5),
    rate=Float(0.01, 1.0, log=True, default=0.1),
    kind=Choice(["gini", "entropy"], default="gini"),
    leaf=When("kind", "entropy", Int(0, 10, default=2)),
)
GIVEN = [
    {"depth": 9, "rate": 0.1, "kind": "gini"},  # 1: from 0 by depth
    {"depth": 9, "rate": 1.0, "kind": "gini"},  # 2: from 1 by rate
    {"depth": 5, "rate": 0.1, "kind": "entropy", "leaf": 2},  # 3: brings leaf, so no pair with 0
    {"depth": 5, "rate": 0.1, "kind": "entropy", "leaf": 8},  # 4: from 3 by leaf
    {"depth": 1, "rate": 0.1, "kind": "gini"},  # 5: from 0 and from 1 by depth
]


def loss(trial):
    noise = (trial.seed % 997) / 997 / 1000
    return noise - trial.config["depth"] - 0.1 * trial.config.get("leaf", 0)


@pytest.fixture(scope="module")
def study():
    return optimize(loss, SPACE, budget=6, given=GIVEN, isolation="none", progress=False)


def test_pairs_that_differ_in_one_parameter(study):
    found = {(c.parameter, c.first, c.second) for c in contrasts(study.spec, study.history)}
    assert found == {
        ("depth", 0, 1),
        ("depth", 5, 0),
        ("depth", 5, 1),
        ("rate", 1, 2),
        ("leaf", 3, 4),
    }


def test_the_gain_is_that_of_the_later_value(study):
    gains = {
        (c.first, c.second): c.gain.estimate
        for c in contrasts(study.spec, study.history)
        if c.gain is not None
    }
    assert gains[0, 1] == pytest.approx(4.0)
    assert gains[5, 0] == pytest.approx(4.0)
    assert gains[1, 2] == pytest.approx(0.0)
    assert gains[3, 4] == pytest.approx(0.6)


def test_the_sentence_counts_the_comparisons(study):
    effects = effects_of(study.spec, contrasts(study.spec, study.history))
    (depth,) = [effect for effect in effects if effect.parameter == "depth"]
    assert depth.sentence == (
        "raising depth helped in 3 of 3 matched comparisons (median +4); in 3 the interval excludes 0."
    )


def test_a_category_is_named_from_to():
    space = Space(kind=Choice(["b", "a"], default="b"), x=Int(0, 9, default=0))
    found = optimize(
        lambda t: float(t.config["kind"] == "b"),
        space,
        budget=2,
        given=[{"kind": "a", "x": 0}],
        isolation="none",
        progress=False,
    )
    (effect,) = effects_of(found.spec, contrasts(found.spec, found.history))
    assert effect.move == "kind from 'b' to 'a'"
    assert effect.helped == 1


def gower(one, other):
    """The same distance, written down once more."""
    total = 0.0
    for name in SPACE:
        if (name in one) != (name in other):
            total += 1
        elif name in one:
            if name == "kind":
                total += one[name] != other[name]
            else:
                p = SPACE[name]
                total += abs(p.to_unit(one[name]) - p.to_unit(other[name]))
    return total / len(SPACE)


def test_the_nearest_earlier_trial(study):
    found = neighbours(study.spec, study.history)
    configs = [trial.config for trial in study.trials]
    assert set(found) == {1, 2, 3, 4, 5}
    for number, near in found.items():
        away = [gower(configs[n], configs[number]) for n in range(number)]
        assert near.trial == min(range(number), key=lambda n: away[n])
        assert near.distance == pytest.approx(min(away))


def test_what_is_nearly_equal_counts_as_equal():
    space = Space(a=Float(0, 1, default=0.5), b=Float(0, 1, default=0.5))
    given = [{"a": 0.9, "b": 0.5 + 0.9 * NEAR}, {"a": 0.1, "b": 0.5 + 3 * NEAR}]
    found = optimize(
        lambda t: t.config["a"], space, budget=3, given=given, isolation="none", progress=False
    )
    pairs = {(c.first, c.second) for c in contrasts(found.spec, found.history)}
    assert pairs == {(0, 1)}


def test_the_table_says_what_changed_and_what_it_did(study):
    seen = changes_of(study.spec, study.history)
    text = changes_text(seen)
    assert "2  better" in text
    assert "from trial 1, 0.12 away: rate 0.1 → 1" in text
    assert "from the control: depth 5 → 9" in text
    few = changes_text(seen, outside=True)
    assert "3  " not in few.split("\n")[0]
    assert all("inside noise" not in line for line in few.splitlines())
