"""Each rule of selection: what it prefers, and that it is a choice among what there is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier
from tests.unit.lab import data_of, history_of, measured, spec_of

import assay
from assay import Evidence, Float, Int, Space
from assay.analysis.rules import changed, hurdle, one_se, posterior_mean, shrunk
from assay.analysis.selection import members, select, shortlist
from assay.core.errors import SpecError
from assay.core.events import CONTROL, Opened, Selected
from assay.core.spec import RULES, StudySpec

NUMBERS = st.floats(-10, 10)
NOISY = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.2})


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10**6))
def test_one_se_takes_the_fewest_changes_among_those_near_the_best(trials, folds, seed):
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(trials, folds))
    moved = rng.integers(0, 4, size=trials).tolist()
    choice = one_se(found, moved, 0.25, 0.1)
    best = int(found.mean(axis=1).argmax())
    assert moved[choice] <= moved[best]
    if folds > 1:
        behind = found[best] - found[choice]
        assert behind.mean() <= behind.std(ddof=1) * np.sqrt(1 / folds + 0.25) + 1e-12
    sure = found + 1000.0 * (np.arange(trials) == best)[:, None]
    assert one_se(sure, moved, 0.25, 0.1) == best


@given(st.lists(st.tuples(NUMBERS, st.floats(0.01, 5)), min_size=2, max_size=12))
def test_shrinking_draws_to_the_mean_and_the_noisy_more(pairs):
    gains, se = np.array(pairs).T
    drawn = shrunk(gains, se)
    low, high = gains.min() - 1e-9, gains.max() + 1e-9
    assert ((low <= drawn) & (drawn <= high)).all()
    even = shrunk(gains, np.full(len(gains), 0.3))
    assert (np.diff(even[np.argsort(gains)]) >= -1e-9).all()


def test_a_noisy_record_gives_way_to_a_sure_gain():
    gains, se = np.array([0.30, 0.25, 0.0, 0.1, 0.2]), np.array([0.5, 0.02, 0.02, 0.02, 0.02])
    assert shrunk(gains, se).argmax() == 1
    assert shrunk(np.array([1.0, 2.0]), np.zeros(2)).tolist() == [1.0, 2.0]


@given(st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_the_model_sees_through_a_lucky_trial(seed):
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, 30)[:, None]
    losses = (x[:, 0] - 0.3) ** 2 + 0.02 * rng.normal(size=30)
    losses[28] = losses.min() - 0.01  # luck, far from the best
    mean = posterior_mean(x, losses, np.array([0]), 1)
    assert abs(x[int(mean.argmin()), 0] - 0.3) < 0.3
    assert posterior_mean(x, np.ones(30), np.array([0]), 1) is None


def test_changes_are_counted_where_a_parameter_is_in_one_config_only():
    assert changed({"a": 1, "b": 2}, {"a": 1, "b": 2}) == 0
    assert changed({"a": 1, "b": 2}, {"a": 3, "c": 4}) == 3


@given(st.floats(0, 5), st.floats(0, 3), st.floats(0, 1))
def test_stricter_rules_ask_for_more(se, guard, least):
    asked = [
        hurdle(r, se, guard=guard, smallest_gain=least)
        for r in ("recheck", "recheck+guard", "strict")
    ]
    assert asked == sorted(asked)
    assert asked[0] == 0


def history(spec, values, *fresh, control=(1.0, 1.1, 0.9)):
    events = list(NOISY)
    for number, found in enumerate([control, *fresh]):
        units = {(0, 0, s): v for s, v in enumerate(found, start=1)}
        events += measured(number, "control" if number == 0 else "recheck", units)
    return history_of(spec, values, *events)


SMALL = (0.95, 1.06, 0.84)  # gains 0.05, 0.04, 0.06: se 0.006


@pytest.mark.parametrize(
    ("rule", "gain", "kept"),
    [
        ("recheck", 0.0, 1),
        ("recheck+guard", 0.0, 1),
        ("strict", 0.04, 1),
        ("strict", 0.06, 0),
        ("shrink", 0.0, 1),
        ("argbest", 0.06, 1),
    ],
)
def test_what_each_rule_lets_pass(rule, gain, kept):
    spec = spec_of(evidence=Evidence(select=rule), smallest_gain=gain)
    found = select(spec, history(spec, [1.0, 0.1], SMALL))
    assert (found.trial, found.challenger, found.rule) == (kept, 1, rule)


def test_recheck_alone_takes_a_gain_inside_the_noise():
    noisy = (0.5, 1.6, 0.85)  # gains 0.5, -0.5, 0.05
    for rule, kept in (("recheck", 1), ("recheck+guard", 0), ("strict", 0)):
        spec = spec_of(evidence=Evidence(select=rule))
        assert select(spec, history(spec, [1.0, 0.1], noisy)).trial == kept


@pytest.mark.parametrize("rule", ["argbest", "posterior_mean", "one_se"])
def test_rules_of_the_search_measure_their_choice_alone_again(rule):
    spec = spec_of(evidence=Evidence(select=rule))
    seen = history(spec, [1.0, 0.5, 0.1, 0.2, 0.7, 0.3])
    chosen = shortlist(spec, seen)
    assert len(chosen) == 1
    assert chosen[0] != CONTROL
    if rule == "argbest":
        assert chosen == [2]


def test_argbest_keeps_the_control_only_where_it_is_the_best():
    spec = spec_of(evidence=Evidence(select="argbest"))
    lucky = history(spec, [0.1, 0.5], (0.2, 0.2, 0.2))
    assert select(spec, lucky).trial == CONTROL
    assert select(spec, lucky).challenger == 1


@given(st.sampled_from(RULES), st.lists(NUMBERS, min_size=2, max_size=6), st.integers(0, 10**6))
@settings(deadline=None)
def test_every_rule_keeps_its_challenger_or_the_control(rule, values, seed):
    rng = np.random.default_rng(seed)
    data = data_of() if rule == "ensemble_topk" else None
    spec = spec_of(evidence=Evidence(select=rule, top=3), data=data)
    if data:
        return
    seen = history(spec, values, *[tuple(row) for row in rng.normal(size=(len(values) - 1, 3))])
    found = select(spec, seen)
    assert found.trial in (CONTROL, found.challenger)
    assert found.challenger in shortlist(spec, seen)
    assert found == select(spec, seen)


def rows(n=150):
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 5))
    return X, X[:, 0] - X[:, 1] + rng.normal(size=n)


def tuned(rule, model=None, y=None, **more):
    X, numbers = rows()
    options = {"isolation": "none", "progress": False, "checks": False, "sampler": "random", "budget": 8,
               "reason": "other tests have these rows, too"}  # fmt: skip
    space = more.pop("space", Space(alpha=Float(0.01, 1000, log=True, default=1000.0)))
    return assay.tune(
        model or Ridge(alpha=1000.0), X, numbers if y is None else y, space=space,
        evidence=Evidence(select=rule, top=3), **options | more,
    )  # fmt: skip


@pytest.mark.parametrize("rule", RULES)
def test_a_whole_study_runs_by_each_rule(rule):
    study = tuned(rule)
    selected = study.history.last(Selected)
    assert selected.rule == rule
    assert study.verdict.claim.name == "BETTER"
    assert study.verdict.action.name == "USE_TUNED"


def test_the_plan_holds_the_rule_and_older_plans_keep_their_hashes():
    assert (
        "select"
        not in StudySpec(Space(x=Int(0, 1)), {"v": "minimize"}, evidence=Evidence()).to_json()[
            "evidence"
        ]
    )
    spec = tuned("one_se").spec
    assert StudySpec.from_json(spec.to_json()).evidence.select == "one_se"


def test_an_ensemble_is_judged_as_one_on_the_test_set():
    study = tuned("ensemble_topk", metric="mae")
    assert len(members(study.history)) == 3
    assert [t.number for t in study.members] == list(members(study.history))
    alone = tuned("recheck+guard", metric="mae")
    challenger = str(study.challenger.number)
    found, single = (s.history.last(Opened).results["contenders"] for s in (study, alone))
    assert found["0"] == single["0"]
    assert found[challenger]["score"] != single[challenger]["score"]


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_classes_are_averaged_too(metric):
    _, numbers = rows()
    study = tuned(
        "ensemble_topk", DecisionTreeClassifier(max_depth=8), np.where(numbers > 0, "yes", "no"),
        space=Space(max_depth=Int(1, 8, default=8)), metric=metric,
    )  # fmt: skip
    assert study.verdict.gain is not None


def test_an_ensemble_needs_predictions():
    with pytest.raises(SpecError, match="averages predictions"):
        spec_of(evidence=Evidence(select="ensemble_topk"))
    with pytest.raises(SpecError, match="judges single trials"):
        tuned("ensemble_topk", final="bbc")
    with pytest.raises(SpecError, match="Known: 'argbest'"):
        Evidence(select="best of all")
