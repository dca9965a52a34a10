"""Which units each stage of a study evaluates."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.lab import born, data_of, history_of, measured, spec_of

from assay.core import units
from assay.core.events import Asked, Told
from assay.core.history import fold
from assay.core.spec import Evidence

evidences = st.builds(
    Evidence,
    repeats=st.integers(1, 6),
    seeds=st.integers(1, 4),
    rechecks=st.none() | st.integers(1, 1500),
    confirms=st.integers(1, 30),
    refits=st.integers(1, 6),
)
data = st.none() | st.builds(data_of, folds=st.integers(1, 6), repeats=st.integers(1, 4))


@given(evidences, data)
def test_evidence_never_uses_a_unit_of_the_search(evidence, data):
    spec = spec_of(evidence=evidence, data=data)
    searched = set(units.search(spec))
    assert not searched & set(units.rechecks(spec))
    assert not searched & set(units.confirms(spec))


@given(evidences)
@example(Evidence(rechecks=1200))
@example(Evidence(repeats=1200))
def test_the_confirmation_uses_no_unit_of_any_choice_before(evidence):
    spec = spec_of(evidence=evidence)
    before = {*units.search(spec), *units.rechecks(spec), *units.control(spec, fixed=False)}
    assert not before & set(units.confirms(spec))
    assert len(set(units.confirms(spec))) == evidence.confirms


@given(evidences, data, st.booleans())
def test_no_stage_names_a_unit_twice(evidence, data, fixed):
    spec = spec_of(evidence=evidence, data=data)
    for stage in (
        units.search(spec),
        units.rechecks(spec),
        units.control(spec, fixed=fixed),
        units.refits(spec, 1, fixed=fixed),
    ):
        assert stage
        assert len(stage) == len(set(stage))


@given(evidences, data, st.booleans())
def test_the_control_includes_what_the_search_measures(evidence, data, fixed):
    spec = spec_of(evidence=evidence, data=data)
    assert set(units.search(spec)) <= set(units.control(spec, fixed=fixed))


@given(evidences, st.builds(data_of, folds=st.integers(1, 6), repeats=st.integers(1, 4)))
def test_rechecks_on_data_are_whole_repeats_beyond_those_of_the_search(evidence, data):
    spec = spec_of(evidence=evidence, data=data)
    fresh = units.rechecks(spec)
    first = data["repeats"]
    folds = data["folds"]
    repeats = sorted({unit[0] for unit in fresh})
    assert repeats == list(range(first, first + len(repeats)))
    assert len(fresh) == len(repeats) * folds >= (evidence.rechecks or 10)


def test_defaults_on_five_folds():
    spec = spec_of(data=data_of(folds=5))
    assert units.search(spec) == tuple((0, fold, 0) for fold in range(5))
    assert units.rechecks(spec) == tuple((r, fold, 0) for r in (1, 2) for fold in range(5))
    assert len(units.control(spec, fixed=False)) == 3 * 3 * 5
    assert len(units.control(spec, fixed=True)) == 3 * 5


def test_repeated_splits_are_searched_whole_and_rechecked_beyond():
    spec = spec_of(data=data_of(folds=2, repeats=3))
    assert units.search(spec) == tuple((r, f, 0) for r in range(3) for f in range(2))
    assert min(unit[0] for unit in units.rechecks(spec)) == 3


def test_a_holdout_repeats_the_control_as_often_as_the_recheck():
    spec = spec_of(data=data_of(folds=1))
    assert units.search(spec) == ((0, 0, 0),)
    assert len(units.control(spec, fixed=True)) == 10
    assert units.rechecks(spec) == tuple((r, 0, 0) for r in range(1, 11))


def test_without_data_units_are_seeds():
    spec = spec_of()
    assert units.search(spec) == ((0, 0, 0),)
    assert units.control(spec, fixed=False) == ((0, 0, 0), (0, 0, 1), (0, 0, 2))
    assert units.control(spec, fixed=True) == ((0, 0, 0),)
    assert units.rechecks(spec) == ((0, 0, 1), (0, 0, 2), (0, 0, 3))


def test_every_look_has_fits_of_its_own_and_a_deterministic_model_one():
    spec = spec_of(data=data_of())
    looks = [units.refits(spec, look, fixed=False) for look in (1, 2, 3)]
    assert [len(fits) for fits in looks] == [5, 5, 5]
    assert len(set().union(*looks)) == 15
    assert units.refits(spec, 2, fixed=True) == ((1, 0, 0),)


def test_seeds_belong_to_the_seed_index_alone_and_to_the_study():
    spec = spec_of()
    assert units.seed_of(spec, (0, 0, 1)) == units.seed_of(spec, (4, 2, 1))
    assert len({units.seed_of(spec, (0, 0, s)) for s in range(50)}) == 50
    assert units.seed_of(spec, (0, 0, 0)) != units.seed_of(spec_of(seed=4), (0, 0, 0))


def test_determinism_is_unknown_until_both_probes_are_in():
    spec = spec_of()
    assert units.deterministic(spec, history_of(spec, [1.0])) is None
    one = measured(0, "probe", {(0, 0, 0): 1.0})
    assert units.deterministic(spec, history_of(spec, [1.0], *one)) is None


def test_determinism_needs_the_same_value_for_the_same_and_for_another_seed():
    spec = spec_of()
    for again, other, expected in ((1.0, 1.0, True), (1.0, 1.1, False), (1.1, 1.0, False)):
        probes = measured(0, "probe", {(0, 0, 0): again, (0, 0, 1): other})
        assert units.deterministic(spec, history_of(spec, [1.0], *probes)) is expected


def test_values_of_a_trial_leave_probe_and_test_out():
    spec = spec_of()
    probes = measured(0, "probe", {(0, 0, 1): 9.0})
    repeats = measured(0, "control", {(0, 0, 1): 2.0})
    history = history_of(spec, [1.0], *probes, *repeats)
    assert units.search_values(spec, history, 0) == {(0, 0, 0): 1.0, (0, 0, 1): 2.0}


def test_on_data_the_mean_of_a_trial_is_no_unit():
    spec = spec_of(data=data_of(folds=2))
    events = [
        *born(spec),
        Asked(0, {"x": 0.5}, 0, "control"),
        *measured(0, "search", {(0, 0, 0): 1.0, (0, 1, 0): 3.0}),
        Told(0, (2.0,)),
    ]
    values = units.search_values(spec, fold(events), 0)
    assert values == {(0, 0, 0): 1.0, (0, 1, 0): 3.0}
