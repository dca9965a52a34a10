"""`study.importance`: who matters, what is refused, and that the answer is always the same."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from assay import Choice, Constant, Float, Int, Ordinal, Space, SpecError, StateError, Study, When

METHODS = ("ped-anova", "gp")
MIXED = Space(
    rate=Float(1e-4, 1.0, log=True),
    idle=Float(0.0, 1.0),
    kind=Choice(["a", "b", "c"]),
    depth=Int(1, 12),
    size=Ordinal([1, 2, 4, 8]),
    fixed=Constant("gini"),
)
NESTED = Space(
    kind=Choice(["tree", "line"]), depth=When("kind", "tree", Float(0, 1)), x=Float(0, 1)
)


def study_of(space, objective, trials=80, **more):
    study = Study(space, **{"sampler": "random", "seed": 1} | more)
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, objective(trial.config))
    return study


def mixed(config):
    return (math.log10(config["rate"]) + 2) ** 2 + (config["kind"] == "b") + 0.02 * config["depth"]


def nested(config):
    return config["x"] if config["kind"] == "line" else 1 + 3 * config["depth"]


@pytest.mark.parametrize("method", METHODS)
def test_what_matters_comes_first_and_what_does_not_may_be_nothing(method):
    found = study_of(MIXED, mixed, 150).importance(method)
    assert set(list(found)[:2]) == {"rate", "kind"}
    assert found["idle"].low < 0.01
    assert found["idle"].value < 0.03
    values = [one.value for one in found.values()]
    assert values == sorted(values, reverse=True)
    for one in found.values():
        assert 0 <= one.low <= one.value <= one.high <= 1


@pytest.mark.parametrize("method", METHODS)
def test_the_same_study_gives_the_same_answer(method):
    first, second = (study_of(MIXED, mixed, 40).importance(method) for _ in range(2))
    assert dict(first) == dict(second)
    assert repr(first) == repr(second)


@pytest.mark.parametrize("method", METHODS)
def test_maximising_the_opposite_is_the_same(method):
    least = study_of(MIXED, mixed, 40)
    most = study_of(MIXED, lambda config: -mixed(config), 40, direction="maximize")
    assert dict(least.importance(method)) == dict(most.importance(method))


def test_only_the_order_of_values_counts_for_being_among_the_best():
    plain = study_of(MIXED, mixed, 60).importance()
    bent = study_of(MIXED, lambda config: math.exp(5 * mixed(config)), 60).importance()
    assert dict(plain) == dict(bent)


def test_parameters_with_one_value_are_left_out():
    assert set(study_of(MIXED, mixed, 20).importance()) == set(MIXED.names) - {"fixed"}


def test_a_process_finds_the_indices_of_an_additive_function():
    # variances 1/12 and 4/12 of u and 2 v, over their sum
    space = Space(u=Float(0, 1), v=Float(10, 1000, log=True), w=Float(0, 1))
    study = study_of(space, lambda c: c["u"] + math.log10(c["v"]) - 1)
    found = study.importance("gp")
    for name, truth in (("u", 0.2), ("v", 0.8), ("w", 0.0)):
        one = found[name]
        assert one.value == pytest.approx(truth, abs=0.02)
        assert one.alone.value == pytest.approx(truth, abs=0.02)
        assert one.low - 0.01 <= truth <= one.high + 0.01
    assert found.explained > 0.95
    assert found.scale == "plain"


def test_interactions_are_in_the_value_and_not_in_what_it_explains_alone():
    space = Space(u=Float(-1, 1), v=Float(-1, 1))
    one = study_of(space, lambda c: c["u"] * c["v"]).importance("gp")["u"]
    assert one.value == pytest.approx(1.0, abs=0.05)
    assert one.alone.value < 0.05


def test_a_process_sees_what_a_condition_switches_on():
    found = study_of(NESTED, nested, 100).importance("gp")
    # tree: 1 + 3 U, line: U; half each. depth: E V = 9/24, x: 1/24, between: 1
    whole = 9 / 24 + 1 / 24 + 1
    assert found["depth"].value == pytest.approx(9 / 24 / whole, abs=0.03)
    assert found["x"].value == pytest.approx(1 / 24 / whole, abs=0.03)
    assert found["kind"].alone.value == pytest.approx(1 / whole, abs=0.03)


def test_a_conditional_parameter_counts_among_the_trials_that_have_it():
    found = study_of(NESTED, lambda c: c.get("depth", 0.5), 200).importance()
    assert found["depth"].low > 0.2
    assert found["x"].low == 0.0


def test_a_noisy_process_says_how_sure_it_is():
    def coverage(noise):
        hit, wide = 0, []
        for seed in range(6):
            rng = np.random.default_rng(seed)
            space = Space(u=Float(0, 1), v=Float(0, 1))
            study = study_of(
                space,
                lambda c, rng=rng: c["u"] + 0.5 * c["v"] + noise * rng.normal(),
                50,
                seed=seed,
            )
            one = study.importance("gp")["u"]
            hit += one.low - 0.01 <= 0.8 <= one.high + 0.01
            wide.append(one.high - one.low)
        return hit, np.mean(wide)

    (quiet_hits, quiet), (noisy_hits, noisy) = coverage(0.01), coverage(0.15)
    assert min(quiet_hits, noisy_hits) >= 5
    assert noisy > 3 * quiet


def test_values_over_many_powers_of_ten_are_seen_as_logarithms():
    space = Space(u=Float(0, 1), v=Float(0, 1))
    found = study_of(space, lambda c: math.exp(12 * c["u"] + 6 * c["v"])).importance("gp")
    assert found.scale == "log"
    assert found["u"].value == pytest.approx(0.8, abs=0.03)


def test_failed_trials_are_left_out():
    study = study_of(MIXED, mixed, 20)
    study.tell(study.ask(), failed="out of memory")
    study.ask()
    assert study.importance().trials == 20


def test_of_several_objectives_one_is_named():
    space = Space(u=Float(0, 1), v=Float(0, 1))
    study = study_of(
        space,
        lambda c: {"loss": c["u"], "score": c["v"]},
        60,
        direction={"loss": "minimize", "score": "maximize"},
    )
    with pytest.raises(SpecError, match=r"which objective\? This study has 'loss', 'score'"):
        study.importance()
    with pytest.raises(SpecError, match="Did you mean 'score'"):
        study.importance(objective="scoer")
    for method in METHODS:
        assert list(study.importance(method, objective="loss")) == ["u", "v"]
        assert list(study.importance(method, objective="score")) == ["v", "u"]


@pytest.mark.parametrize("method", METHODS)
def test_what_cannot_be_explained_is_refused(method):
    with pytest.raises(StateError, match="at least 10 trials with a value, this study has 9"):
        study_of(MIXED, mixed, 9).importance(method)
    with pytest.raises(StateError, match="All 12 trials have the value 3, so no"):
        study_of(MIXED, lambda _: 3.0, 12).importance(method)
    with pytest.raises(StateError, match="nothing to explain"):
        study_of(Space(a=Constant(1)), lambda _: 3.0, 0).importance(method)
    with pytest.raises(SpecError, match="level must lie between 0 and 1"):
        study_of(MIXED, mixed, 12).importance(method, level=95)


def test_a_wrong_method_or_top_is_refused():
    study = study_of(MIXED, mixed, 12)
    with pytest.raises(SpecError, match="Did you mean 'ped-anova'"):
        study.importance("ped_anova")
    with pytest.raises(SpecError, match="top must lie between 0 and 1"):
        study.importance(top=1.0)
    with pytest.raises(StateError, match="Give a smaller top"):
        study_of(MIXED, lambda c: float(c["kind"] == "b"), 12).importance(top=0.9)


def test_a_process_that_explains_nothing_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(StateError, match=r"too little to say what matters.*the method 'ped-anova'"):
        study_of(MIXED, lambda _: rng.normal(), 40).importance("gp")


def test_the_smallest_study_that_is_answered():
    found = study_of(MIXED, mixed, 10).importance()
    assert (found.trials, found.best) == (10, 5)


@pytest.mark.parametrize("method", METHODS)
def test_a_thousand_trials_are_thinned_not_refused(method):
    found = study_of(NESTED, nested, 1000).importance(method)
    assert found.trials == 1000
    assert set(found) == {"kind", "depth", "x"}


def test_the_page_shows_it_when_there_is_enough_to_say():
    page = study_of(MIXED, mixed, 100).report()
    assert "What mattered" in page
    assert page.index("Importance of the parameters") < page.index("Plan and deviations")
    assert "What mattered" not in study_of(MIXED, mixed, 5).report()


def test_the_page_is_inert_and_well_formed_whatever_parameters_are_called():
    space = Space({"<script>alert(1)</script>\x1b": Float(0, 1), "b" * 300: Float(0, 1)})
    page = study_of(space, lambda c: c["b" * 300], 40).report()
    assert "<script>" not in page
    assert "\x1b" not in page
    for drawing in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        assert ET.fromstring(drawing).find("title").text
