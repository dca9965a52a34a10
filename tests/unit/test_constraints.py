"""Constraints on numbers of a trial: what may be written, and that no infeasible trial is chosen."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import born, spec_of

from assay import Budget, Float, Space, SpecError, StateError, Study, open_study, optimize
from assay.analysis.effects import effects, has_control
from assay.analysis.pareto import front
from assay.analysis.selection import best_trial, nearest_to_feasible, ranked, select, shortlist
from assay.api.values import settle_values
from assay.core.constraints import Constraint, broken, parsed
from assay.core.events import Asked, Failed, Selected, Told
from assay.core.history import fold
from assay.core.spec import StudySpec
from assay.math.pareto import feasible_first, violation

SPACE = Space(x=Float(0.0, 1.0, default=0.5))
BOUNDED = spec_of(constraints=["mb <= 10"])


# --- texts


@pytest.mark.parametrize(
    ("text", "name", "relation", "bound"),
    [
        ("latency_ms <= 10", "latency_ms", "<=", 10.0),
        ("a<5e2", "a", "<", 500.0),
        (" accuracy on test >= -0.5 ", "accuracy on test", ">=", -0.5),
        ("größe > 1_000", "größe", ">", 1000.0),
    ],
)
def test_a_constraint_is_a_name_a_relation_and_a_number(text, name, relation, bound):
    found = Constraint.parse(text)
    assert found == Constraint(name, relation, bound)
    assert Constraint.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", "a", "a <= ", "<= 3", "a == 3", "a = 3", "a <= b", "1 <= a <= 2", "a <= nan", "a < inf",
     "a => 3", 3, None, b"a <= 1"],
)  # fmt: skip
def test_what_is_no_constraint_is_refused_with_an_example(text):
    with pytest.raises(SpecError, match="latency_ms <= 10"):
        parsed([text])


@pytest.mark.parametrize("given", ["a <= 1", 3, None])
def test_constraints_come_in_a_list(given):
    with pytest.raises(SpecError, match="list"):
        parsed(given)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["<=", "<", ">=", ">"]))
def test_every_bound_survives_its_text(bound, relation):
    constraint = Constraint("a", relation, bound)
    assert Constraint.parse(str(constraint)) == constraint


def test_strict_bounds_differ_at_the_bound_alone():
    soft, strict = parsed(["a <= 1", "a < 1"])
    assert (soft.met(1.0), strict.met(1.0)) == (True, False)
    assert soft.met(0.9)
    assert strict.met(0.9)
    assert not soft.met(math.nan)
    assert not Constraint.parse("a >= 1").met(math.nan)
    assert broken([soft, strict], {}) == [soft, strict]


# --- the plan


def test_a_plan_without_constraints_is_what_it_was():
    assert "constraints" not in spec_of().to_json()
    assert BOUNDED.plan != spec_of().plan


def test_constraints_are_part_of_the_plan_however_they_are_spaced():
    again = StudySpec.from_json(json.loads(json.dumps(BOUNDED.to_json())))
    assert again == BOUNDED
    assert again.bounds == (Constraint("mb", "<=", 10.0),)
    assert spec_of(constraints=("mb<=10.0",)).plan == BOUNDED.plan


def test_a_study_on_data_has_no_numbers_to_bound():
    with pytest.raises(SpecError, match="one"):
        spec_of(data={"folds": 3}, constraints=["mb <= 10"])


# --- telling


def test_a_number_that_is_needed_must_be_told():
    with pytest.raises(SpecError, match=r"lack 'mb'.*'mb <= 10'"):
        settle_values(0, {"value": 1.0, "gb": 2.0}, BOUNDED)
    with pytest.raises(SpecError, match="'mb'"):
        settle_values(0, 1.0, BOUNDED)
    assert settle_values(0, {"value": 1.0, "mb": 5}, BOUNDED) == Told(0, (1.0,), {"mb": 5.0})


def test_an_objective_can_be_bounded_too():
    spec = spec_of(constraints=["value < 0.5"])
    assert settle_values(0, 0.7, spec) == Told(0, (0.7,))
    assert ranked(spec, history_of(spec, [(0.7, None), (0.3, None)])) == [1]


@pytest.mark.parametrize("mb", [math.nan, math.inf, -math.inf, 10.001])
def test_a_number_that_is_not_finite_is_infeasible(mb):
    study = Study(SPACE, constraints=["mb <= 10"])
    study.tell(study.ask(), {"value": 1.0, "mb": mb})
    assert study.trials[0].feasible is False
    study.tell(study.ask(), {"value": 2.0, "mb": 10})
    assert study.trials[1].feasible is True
    assert study.best.number == 1


# --- choosing


def history_of(spec, outcomes):
    """Ended trials by (value or values, megabytes); None: failed."""
    events = born(spec)
    for number, outcome in enumerate(outcomes):
        origin = "control" if number == 0 and spec.control is not None else "sampler"
        events.append(Asked(number, {"x": number / 100}, 0, origin))
        if outcome is None:
            events.append(Failed(number, "raised", "no"))
        else:
            value, mb = outcome
            values = value if isinstance(value, tuple) else (value,)
            events.append(Told(number, values, None if mb is None else {"mb": mb}))
    return fold(events)


OUTCOMES = st.lists(
    st.none() | st.tuples(st.integers(0, 5).map(float), st.none() | st.integers(0, 20).map(float)),
    min_size=1,
    max_size=12,
)


def met(outcome):
    return outcome is not None and outcome[1] is not None and outcome[1] <= 10


@given(OUTCOMES)
def test_only_feasible_trials_are_chosen_and_the_best_of_them(outcomes):
    spec = replace(BOUNDED, control=None)
    history = history_of(spec, outcomes)
    feasible = [n for n, outcome in enumerate(outcomes) if met(outcome)]
    assert sorted(ranked(spec, history)) == sorted(front_like(spec, history)) == feasible
    assert set(shortlist(spec, history)) <= set(feasible)
    assert [t.feasible for t in history.trials] == [
        met(outcome) if outcome is not None else None for outcome in outcomes
    ]
    if feasible:
        best = min(feasible, key=lambda n: (outcomes[n][0], n))
        assert best_trial(spec, history) == best
        assert select(spec, history).trial == best
        assert best in front(spec, history)
        assert set(front(spec, history)) <= set(feasible)
    else:
        with pytest.raises(StateError):
            best_trial(spec, history)


def front_like(spec, history):
    return [t.number for t in history.trials if t.feasible]


def test_when_none_is_feasible_the_nearest_is_named():
    spec = spec_of(constraints=["mb <= 10", "ms < 5"], control=None)
    events = born(spec)
    for number, extra in enumerate([{"mb": 30.0, "ms": 1.0}, {"mb": 11.0, "ms": 4.0}, {"ms": 1.0}]):
        events += [Asked(number, {"x": 0.1}, 0), Told(number, (1.0,), extra)]
    history = fold(events)
    assert nearest_to_feasible(spec, history) == [1, 0, 2]
    with pytest.raises(StateError, match=r"None of 3 .* trial 1 .* mb = 11 where mb <= 10"):
        best_trial(spec, history)


def test_the_front_is_that_of_feasible_trials():
    spec = spec_of(
        directions={"a": "minimize", "b": "minimize"}, constraints=["mb <= 10"], control=None
    )
    history = history_of(spec, [((0.0, 0.0), 11.0), ((1.0, 2.0), 1.0), ((2.0, 1.0), 2.0)])
    assert front(spec, history) == [1, 2]


def test_infeasible_trials_have_no_effect_and_an_infeasible_control_is_none():
    history = history_of(BOUNDED, [(1.0, 5.0), (0.5, 11.0), (0.7, 5.0)])
    assert [effect.trial for effect in effects(BOUNDED, history)] == [0, 2]
    history = history_of(BOUNDED, [(1.0, 15.0), (2.0, 5.0)])
    assert not has_control(history)
    selected = select(BOUNDED, history)
    assert (selected.trial, selected.rule) == (1, "best")
    assert "do not meet the constraints" in selected.reason


# --- order of violation


@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=1, max_size=9))
def test_violation_is_zero_exactly_where_nothing_is_broken_and_knows_no_units(rows):
    found = violation(rows)
    assert [v == 0 for v in found] == [max(row) <= 0 for row in rows]
    scaled = violation([(2.0**20 * a, 2.0**-20 * b) for a, b in rows])
    assert scaled == pytest.approx(found, rel=1e-6, abs=1e-9)


@given(
    st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0])), max_size=9
    )
)
def test_feasible_ones_come_first_by_loss_and_others_by_violation(rows):
    losses = [[loss] for loss, _ in rows]
    order = feasible_first(losses or [[0.0]], [v for _, v in rows] or [0.0])[:, 0]
    for i, (loss, far) in enumerate(rows):
        for j, (other, farther) in enumerate(rows):
            if (far, loss if far == 0 else 0) < (farther, other if farther == 0 else 0):
                assert order[i] < order[j]


# --- whole studies


def objective(trial):
    x = trial.config["x"]
    return {"loss": (x - 0.2) ** 2, "mb": 20 * (1 - x)}


def run(**options):
    return optimize(
        objective,
        SPACE,
        direction={"loss": "minimize"},
        isolation="none",
        progress=False,
        **options,
    )


def test_optimize_keeps_to_the_constraints():
    study = run(budget=14, constraints=["mb <= 9"])
    assert study.trials[0].feasible is False
    best = study.best
    assert best.feasible
    assert best.extra["mb"] == pytest.approx(9, abs=0.5)
    assert study.verdict.action is None
    assert study.verify() == []


def test_a_feasible_control_is_compared_with_feasible_trials():
    study = run(budget=14, constraints=["mb <= 12"])
    selected = study.history.last(Selected)
    assert study.history.feasible(selected.trial)
    assert study.history.feasible(selected.challenger)
    assert study.challenger.value < study.control.value


def test_a_study_without_any_feasible_trial_says_so():
    with pytest.raises(StateError, match=r"None of 6 trials met .* where mb <= -1 is wanted"):
        run(budget=6, constraints=["mb <= -1"])


def test_a_number_that_the_objective_does_not_return_fails_the_trial():
    with pytest.raises(StateError, match="needs \\['loss', 'kb'\\]"):
        run(budget=6, constraints=["kb <= 1"])


def test_a_stored_study_goes_on_with_its_constraints_and_with_no_others(tmp_path):
    where = str(tmp_path / "lab.db")
    with Study(SPACE, storage=where, name="a", constraints=["mb <= 10"]) as study:
        study.tell(study.ask(), {"value": 0.0, "mb": 11.0})
    with open_study(where, "a") as study:
        assert study.spec.constraints == ("mb <= 10",)
        assert study.trials[0].feasible is False
    with pytest.raises(SpecError, match="another plan"):
        Study(SPACE, storage=where, name="a", constraints=["mb <= 12"])


def test_cmaes_says_that_it_knows_no_constraints():
    with pytest.raises(SpecError, match="cannot keep to constraints"):
        Study(SPACE, sampler="cmaes", constraints=["mb <= 10"])


@pytest.mark.parametrize("sampler", ["random", "sobol", "halton", "tpe", "evolution", "gp", "auto"])
def test_every_other_sampler_takes_them(sampler):
    study = Study(Space(x=Float(0, 1), y=Float(0, 1)), sampler=sampler, constraints=["mb <= 0.5"])
    for _ in range(26):
        trial = study.ask()
        study.tell(trial, {"value": trial.config["y"], "mb": trial.config["x"]})
    assert study.best.feasible
    assert study.verify() == []


@pytest.mark.parametrize(("sampler", "near"), [("tpe", 0.35), ("evolution", 0.5), ("gp", 0.02)])
def test_samplers_that_learn_find_the_best_feasible_part(sampler, near):
    """The lowest sum of coordinates in a small ball: random search ends 0.8 above it, or outside."""
    space = Space({f"x{i}": Float(0, 1) for i in range(4)})
    study = Study(space, sampler=sampler, constraints=["far <= 0.15"])
    for _ in range(50):
        trial = study.ask()
        x = list(trial.config.values())
        study.tell(trial, {"value": sum(x), "far": sum((v - 0.7) ** 2 for v in x)})
    lowest = 4 * (0.7 - math.sqrt(0.15 / 4))
    assert lowest - 1e-9 <= study.best.value < lowest + near


def test_the_hypervolume_is_that_of_the_front_in_the_users_directions():
    study = Study(SPACE, direction={"loss": "minimize", "gain": "maximize"}, constraints=["mb < 9"])
    for loss, gain, mb in [(1, 3, 0), (2, 5, 0), (0, 9, 9)]:
        study.tell(study.ask(), {"loss": loss, "gain": gain, "mb": mb})
    assert study.hypervolume([4, 2]) == 7.0
    assert study.hypervolume({"gain": 9, "loss": 0}) == 0.0
    for wrong in ([4], 4, [4, math.inf], {"loss": 4}, [4, "x"]):
        with pytest.raises(SpecError):
            study.hypervolume(wrong)


def test_the_budget_is_one_of_trials():
    assert run(budget=Budget(trials=12), constraints=["mb <= 12"]).history.n_trials == 12
