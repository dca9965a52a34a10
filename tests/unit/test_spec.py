"""Plans: their JSON form, their hash, and what they refuse."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.beliefs import Belief
from assay.core.errors import SpaceError, SpecError
from assay.core.fidelity import Fidelity
from assay.core.parameters import Choice, Float, Int
from assay.core.rates import Rates
from assay.core.space import Space
from assay.core.spec import RULES, Budget, Evidence, Limits, StudySpec, directions_of
from assay.testing.spaces import spaces

SPACE = Space(a=Int(1, 5, default=2), b=Float(0, 1, default=0.5), fidelity=Fidelity("epochs", 1, 9))
SPEC = StudySpec(SPACE, {"value": "minimize"}, budget=Budget(trials=10), control={"a": 2, "b": 0.5})

POSITIVE = st.floats(1e-3, 1e6)
BUDGETS = st.builds(
    Budget,
    trials=st.integers(1, 999),
    seconds=st.none() | POSITIVE,
    cpu_seconds=st.none() | POSITIVE,
)
EVIDENCE = st.builds(Evidence, repeats=st.integers(1, 9), top=st.none() | st.integers(1, 9))
LIMITS = st.builds(Limits, seconds=st.none() | POSITIVE, retries=st.integers(0, 3))
DIRECTIONS = st.dictionaries(
    st.text(min_size=1, max_size=4),
    st.sampled_from(["minimize", "maximize"]),
    min_size=1,
    max_size=3,
)
SPECS = st.builds(
    StudySpec,
    spaces(),
    DIRECTIONS,
    seed=st.integers(0, 2**64),
    sampler=st.sampled_from([{"name": "auto"}, {"name": "grid", "points": 3}]),
    budget=st.none() | BUDGETS,
    control=st.none() | st.just({"a": [1]}),
    smallest_gain=st.floats(0, 9),
    alpha=st.floats(0.001, 0.999),
    evidence=st.none() | EVIDENCE,
    limits=LIMITS,
    data=st.none() | st.just({"folds": 5, "task": "classify"}),
)


@given(spec=SPECS)
def test_plans_survive_json(spec):
    again = StudySpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert again.plan == spec.plan
    assert again.objectives == spec.objectives


OTHERS = {
    "space": Space(a=Int(1, 6, default=2), b=Float(0, 1, default=0.5)),
    "directions": {"value": "maximize"},
    "seed": 1,
    "sampler": {"name": "random"},
    "budget": Budget(trials=11),
    "control": {"a": 3, "b": 0.5},
    "smallest_gain": 0.1,
    "alpha": 0.1,
    "evidence": Evidence(),
    "limits": Limits(retries=1),
    "data": {"folds": 5},
    "constraints": ("mb <= 500",),
    "beliefs": {"a": Belief(3)},
    "scheduler": {"name": "asha"},
    "order": {"name": "strict", "lag": 4},
    "rates": Rates(watts=6.0),
}


def test_plans_from_before_there_was_an_order_keep_their_hashes():
    assert "order" not in SPEC.to_json()
    strict = replace(SPEC, order={"name": "strict", "lag": 4})
    assert (SPEC.lag, strict.lag) == (None, 4)
    assert replace(strict, order={"name": "strict", "lag": 5}).plan != strict.plan
    assert StudySpec.from_json(json.loads(json.dumps(strict.to_json()))) == strict


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({"name": "strict"}, "order needs"),
        ({"name": "loose", "lag": 1}, "order needs"),
        ({"name": "strict", "lag": 1, "x": 2}, "order needs"),
        *(
            ({"name": "strict", "lag": bad}, "needs lag, a whole number >= 0")
            for bad in (-1, 1.5, None, True, "4")
        ),
    ],
)
def test_an_order_that_does_not_exist_is_refused(order, said):
    with pytest.raises(SpecError, match=said):
        replace(SPEC, order=order)


def test_what_depends_on_speed_does_not_go_with_strict_order():
    strict = {"name": "strict", "lag": 0}
    for limit in ("seconds", "cpu_seconds"):
        with pytest.raises(SpecError, match=rf"A budget of {limit} ends the search sooner"):
            replace(SPEC, budget=Budget(trials=5, **{limit: 9.0}), order=strict)
    with pytest.raises(SpecError, match="A scheduler decides by what was faster"):
        replace(SPEC, scheduler={"name": "asha"}, order=strict)
    assert replace(SPEC, budget=Budget(looks=9), order=strict).lag == 0


def test_any_changed_field_changes_the_hash():
    plans = [SPEC.plan, *(replace(SPEC, **{name: other}).plan for name, other in OTHERS.items())]
    assert set(OTHERS) == set(SPEC.__dataclass_fields__)
    assert len(set(plans)) == len(plans)


@pytest.mark.parametrize(
    "part",
    [
        *(Budget(**{name: 5}) for name in ("trials", "looks", "seconds", "cpu_seconds")),
        *(Evidence(**{name: 7}) for name in Evidence.__dataclass_fields__ if name != "select"),
        *(Evidence(select=rule) for rule in RULES[1:] if rule != "ensemble_topk"),
        *(Limits(**{name: 7}) for name in Limits.__dataclass_fields__),
    ],
)
def test_every_entry_of_its_parts_counts(part):
    field = {Budget: "budget", Evidence: "evidence", Limits: "limits"}[type(part)]
    base = replace(SPEC, evidence=Evidence())
    assert replace(base, **{field: part}).plan != base.plan


def test_the_order_of_objectives_counts_and_that_of_parameters_does_not():
    swapped = Space(b=Float(0, 1, default=0.5), a=Int(1, 5, default=2), fidelity=SPACE.fidelity)
    assert replace(SPEC, space=swapped).plan == SPEC.plan
    two = replace(SPEC, directions={"loss": "minimize", "gain": "maximize"})
    other = replace(SPEC, directions={"gain": "maximize", "loss": "minimize"})
    assert two.plan != other.plan
    assert (two.signs, other.signs) == ((1.0, -1.0), (-1.0, 1.0))
    assert (two.single, SPEC.single) == (False, True)


def test_values_that_python_cannot_tell_apart_change_the_hash():
    spaces_ = [Space(a=Choice([value])) for value in (1, 1.0, True)]
    assert len({replace(SPEC, space=space).plan for space in spaces_}) == 3


def test_the_hash_is_the_same_in_every_process():
    program = (
        "from assay.core.spec import *; from assay.core.parameters import *\n"
        "s = Space(k=Choice(['a', 'b', 'c']), x=When('k', {'a', 'b'}, Int(0, 3)))\n"
        "print(StudySpec(s, {'value': 'minimize'}).plan)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
        )
        for seed in ("1", "2")
    ]
    assert len(runs[0].stdout) == 65, runs[0].stderr
    assert runs[0].stdout == runs[1].stdout


def test_the_shortest_form_is_space_and_directions():
    form = {"space": SPACE.to_json(), "directions": {"loss": "minimize"}}
    assert StudySpec.from_json(form) == StudySpec(SPACE, {"loss": "minimize"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seeed": 1}, "no entry 'seeed'. Did you mean 'seed'"),
        ({"budget": {"trails": 3}}, "budget has no entry 'trails'. Did you mean 'trials'"),
        ({"budget": 60}, "budget needs an object with .*trials.*, got 60"),
        ({"budget": {}}, "at least one limit"),
        ({"evidence": {"top": 0}}, r"Evidence\(top=…\) needs a whole number > 0, got 0"),
        ({"limits": {"retries": -1}}, r"Limits\(retries=…\) needs a whole number >= 0, got -1"),
        ({"directions": {}}, "at least one direction"),
        ({"directions": {"value": "minimise"}}, "'minimize' or 'maximize', got 'minimise'"),
        ({"seed": -1}, "seed needs a whole number >= 0, got -1"),
        ({"seed": 1.5}, "seed needs"),
        ({"seed": True}, "seed needs"),
        ({"smallest_gain": -1}, "smallest_gain needs a number >= 0, got -1"),
        ({"smallest_gain": "x"}, "smallest_gain needs"),
        ({"alpha": 1}, "alpha needs a number between 0 and 1, got 1"),
        ({"alpha": "x"}, "alpha needs"),
        ({"space": {"parameters": {}}}, "at least one parameter"),
    ],
)
def test_wrong_plans_are_refused_in_words(change, message):
    with pytest.raises((SpecError, SpaceError), match=message):
        StudySpec.from_json(SPEC.to_json() | change)


@pytest.mark.parametrize("missing", ["space", "directions"])
def test_what_a_plan_must_have(missing):
    form = {name: entry for name, entry in SPEC.to_json().items() if name != missing}
    with pytest.raises(SpecError, match=f"lacks '{missing}'"):
        StudySpec.from_json(form)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (Budget, "at least one limit"),
        (lambda: Budget(trials=0), r"Budget\(trials=…\) needs a whole number > 0, got 0"),
        (lambda: Budget(trials=2.5), "whole number"),
        (lambda: Budget(looks=True), "whole number"),
        (lambda: Budget(seconds=math.inf), r"Budget\(seconds=…\) needs a number > 0, got inf"),
        (lambda: Budget(seconds="1h"), "needs a number > 0, got '1h'"),
        (lambda: Evidence(guard=-1), r"Evidence\(guard=…\) needs a number >= 0, got -1"),
        (lambda: Evidence(guard=math.nan), "guard"),
        (lambda: Evidence(repeats=0), "repeats"),
        (lambda: Limits(seconds=0), r"Limits\(seconds=…\)"),
        (lambda: Limits(memory_mb=-5), r"Limits\(memory_mb=…\)"),
        (lambda: Limits(retries=True), "retries"),
        (lambda: directions_of([]), "at least one direction"),
        (lambda: directions_of("up"), "got 'up'"),
    ],
)
def test_wrong_parts_are_refused_in_words(make, message):
    with pytest.raises(SpecError, match=message):
        make()


def test_directions_come_in_three_forms():
    assert directions_of("maximize", "auc") == {"auc": "maximize"}
    assert directions_of(["minimize"]) == {"value": "minimize"}
    assert directions_of({"b": "minimize", "a": "maximize"}) == {"b": "minimize", "a": "maximize"}


def test_how_many_are_rechecked():
    assert [Evidence().top_of(n) for n in (1, 50, 51, 200)] == [5, 5, 6, 20]
    assert Evidence(top=3).top_of(200) == 3
