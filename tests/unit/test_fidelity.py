"""Fidelities: what may be declared, their rungs, and where a space and a plan keep them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.api.parts import SCHEDULERS, scheduler_of, scheduler_settings
from assay.core.errors import SpaceError, SpecError
from assay.core.fidelity import KINDS, Fidelity
from assay.core.parameters import Float, Int
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.schedulers.asha import Asha
from assay.schedulers.halving import Halving

EPOCHS = Fidelity("epochs", 1, 81)
FOLDS = Fidelity("fold", 1, 5, "folds")
SPACE = Space(x=Float(0, 1), fidelity=EPOCHS)
AMOUNTS = st.tuples(st.integers(1, 5000), st.integers(1, 5000)).filter(lambda a: a[0] < a[1])
FIDELITIES = st.builds(
    lambda name, amounts, kind: Fidelity(
        name, 1 if kind == "folds" else amounts[0], amounts[1], kind
    ),
    st.text(min_size=1, max_size=9),
    AMOUNTS,
    st.sampled_from(KINDS),
)


# --- rungs


@given(fidelity=FIDELITIES, eta=st.integers(2, 6))
def test_rungs_go_from_least_to_most_in_even_ratios(fidelity, eta):
    rungs = fidelity.rungs(eta)
    assert (rungs[0], rungs[-1]) == (fidelity.least, fidelity.most)
    assert all(low < high for low, high in pairwise(rungs))
    if fidelity.least >= 20 and len(rungs) > 2:  # rounding no longer shows
        assert all(eta**0.5 < high / low < eta**1.6 for low, high in pairwise(rungs))


@pytest.mark.parametrize(
    ("least", "most", "eta", "rungs"),
    [
        (1, 81, 3, (1, 3, 9, 27, 81)),  # Li et al. 2018, table 1
        (1, 256, 4, (1, 4, 16, 64, 256)),  # Li et al. 2020
        (4, 64, 2, (4, 8, 16, 32, 64)),
        (1, 100, 3, (1, 3, 10, 32, 100)),
        (1, 2, 3, (1, 2)),
        (50, 81, 3, (50, 81)),
        (1, 10, 2, (1, 2, 5, 10)),
    ],
)
def test_rungs_of_some_fidelities(least, most, eta, rungs):
    assert Fidelity("epochs", least, most).rungs(eta) == rungs


@pytest.mark.parametrize("eta", [1, 0, -3, 2.5, True, "3"])
def test_a_wrong_eta_is_refused(eta):
    with pytest.raises(SpaceError, match="eta needs a whole number >= 2"):
        EPOCHS.rungs(eta)


@given(fidelity=FIDELITIES)
def test_going_on_costs_the_difference_and_beginning_anew_the_whole(fidelity):
    low, high = fidelity.least, fidelity.most
    assert fidelity.cost(0, high) == high
    assert fidelity.cost(low, high) == (high if fidelity.kind == "subset" else high - low)


# --- declarations


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"name": ""}, "needs a name, got ''"),
        ({"name": 3}, "needs a name, got 3"),
        ({"least": 0}, "whole number >= 1 as least, got 0"),
        ({"least": 0.1}, r"as least, got 0\.1\. Count shares in percent"),
        ({"least": True}, "as least, got True"),
        ({"most": "81"}, "as most, got '81'"),
        ({"least": 81}, "least < most, got least=81, most=81"),
        ({"least": 90}, "Swap them"),
        ({"kind": "epoch"}, "no kind 'epoch'. Did you mean 'epochs'"),
        ({"kind": ["epochs"]}, "no kind"),
        ({"kind": "folds", "least": 2}, "its least is 1, got 2"),
    ],
)
def test_a_wrong_fidelity_is_refused_with_what_is_wrong(wrong, words):
    with pytest.raises(SpaceError, match=words):
        replace(EPOCHS, **wrong)


@given(fidelity=FIDELITIES)
def test_fidelities_survive_json(fidelity):
    assert Fidelity.from_json(json.loads(json.dumps(fidelity.to_json()))) == fidelity


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (None, "needs an object"),
        ({"name": "epochs", "least": 1}, "'name', 'least' and 'most'"),
        ({"name": "epochs", "least": 1, "most": 9, "kid": "folds"}, "Did you mean 'kind'"),
    ],
)
def test_another_form_is_refused(form, words):
    with pytest.raises(SpaceError, match=words):
        Fidelity.from_json(form)


# --- in a space


def test_a_space_keeps_its_fidelity_out_of_its_configs():
    assert SPACE.fidelity == EPOCHS
    assert SPACE.names == ("x",)
    again = Space.from_json(json.loads(json.dumps(SPACE.to_json())))
    assert again == SPACE
    assert again.fidelity == EPOCHS


def test_a_space_without_a_fidelity_has_the_form_that_it_always_had():
    assert Space(x=Float(0, 1)).fidelity is None
    assert "fidelity" not in Space(x=Float(0, 1)).to_json()
    assert Space(x=Float(0, 1)) != SPACE


def test_a_parameter_may_be_called_fidelity():
    space = Space(fidelity=Int(1, 3))
    assert space.names == ("fidelity",)
    assert space.fidelity is None


def test_a_space_refuses_what_is_no_fidelity():
    with pytest.raises(SpaceError, match=r"fidelity takes a Fidelity .* got 81"):
        Space(x=Float(0, 1), fidelity=81)


# --- in a plan


def plan(**given):
    return StudySpec(**{"space": SPACE, "directions": {"loss": "minimize"}} | given)


BOTH = {"a": "minimize", "b": "maximize"}


def test_a_scheduler_needs_a_fidelity():
    with pytest.raises(SpecError, match="give the space a fidelity"):
        plan(space=Space(x=Float(0, 1)), scheduler={"name": "asha"})


@pytest.mark.parametrize("name", ["thaw", "thaw-stopping"])
def test_who_expects_one_value_refuses_several_objectives(name):
    space = Space(x=Float(0, 1), fidelity=Fidelity("f", 1, 9))
    limits = {"constraints": ["a <= 3"]}
    for more in ({}, limits):
        with pytest.raises(SpecError, match=r"2 objectives\. Use 'asha'"):
            scheduler_of(plan(space=space, directions=BOTH, scheduler={"name": name}, **more))


def test_a_scheduler_is_told_the_constraints_on_objectives_and_no_others():
    bounds = {"constraints": ["b >= 3", "memory <= 2"]}
    made = scheduler_of(plan(directions=BOTH, scheduler={"name": "asha"}, **bounds))
    assert (made.sign, made.limits) == ((1.0, -1.0), ((1, -1.0, -3.0),))
    alone = scheduler_of(plan(scheduler={"name": "asha"}, constraints=["loss <= 3"]))
    assert (alone.sign, alone.limits) == (1.0, ())


def test_a_plan_keeps_its_scheduler():
    spec = plan(scheduler={"name": "asha", "eta": 4})
    assert StudySpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert "scheduler" not in plan().to_json()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_name_is_a_scheduler(name):
    space = Space(x=Float(0, 1), fidelity=FOLDS if name == "racing" else EPOCHS)
    made = scheduler_of(plan(space=space, scheduler={"name": name}))
    assert 1 <= made.start([]) <= space.fidelity.most
    assert made.sign == 1.0
    other = plan(space=space, scheduler={"name": name}, directions={"score": "maximize"})
    assert scheduler_of(other).sign == -1.0


def test_settings_reach_the_scheduler():
    assert scheduler_of(plan()) is None
    assert scheduler_of(plan(scheduler={"name": "asha", "eta": 4})) == Asha(EPOCHS, eta=4)
    assert scheduler_of(plan(scheduler={"name": "hyperband"})) == Halving(EPOCHS, brackets=None)


@pytest.mark.parametrize(
    ("scheduler", "words"),
    [
        ({"name": "ahsa"}, "No scheduler 'ahsa'. Did you mean 'asha'"),
        ({"eta": 3}, "No scheduler None"),
        ({"name": "asha", "bracket": 3}, "no setting 'bracket'. Did you mean 'brackets'"),
        ({"name": "asha", "sign": -1}, "no setting 'sign'"),
        ({"name": "racing"}, "Racing is for folds"),
    ],
)
def test_a_wrong_scheduler_is_refused(scheduler, words):
    with pytest.raises(SpecError, match=words):
        scheduler_of(plan(scheduler=scheduler))


def test_auto_is_a_scheduler_that_suits_the_fidelity():
    for kind, name in (("epochs", "thaw-stopping"), ("subset", "asha"), ("folds", "racing")):
        space = Space(x=Float(0, 1), fidelity=Fidelity("f", 1, 9, kind))
        assert scheduler_settings("auto", space) == {"name": name}
        assert scheduler_of(plan(space=space, scheduler={"name": name})) is not None
        several = scheduler_settings("auto", space, single=False)
        if kind == "subset":
            assert several is None
            continue
        assert several is not None
        assert several["name"] == ("racing" if kind == "folds" else "asha-stopping")
        assert scheduler_of(plan(space=space, directions=BOTH, scheduler=several)) is not None
    assert scheduler_settings("auto", Space(x=Float(0, 1))) is None
    assert scheduler_settings(None, space) is None
