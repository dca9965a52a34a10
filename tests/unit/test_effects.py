"""What each trial did relative to the control."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import born, data_of, history_of, measured, spec_of

from assay.analysis.effects import (
    by_noise,
    control_noise,
    differences,
    effect,
    effects,
    fresh_interval,
    has_control,
    ratio,
)
from assay.analysis.noise import Noise
from assay.core.events import Asked, Told
from assay.core.history import fold
from assay.math.intervals import corrected_paired, paired_t

NOISY = {(0, 0, 0): 1.0, (0, 0, 1): 1.4}
REPEATS = {(0, 0, 1): 1.4, (0, 0, 2): 0.6}
UNKNOWN = Noise(None, None, None, None, None)


def searched(spec, *folds):
    """Trials with these values on the folds of the search."""
    events = born(spec)
    for number, values in enumerate(folds):
        units = {(0, fold, 0): value for fold, value in enumerate(values)}
        origin = "control" if number == 0 else "sampler"
        events += [
            Asked(number, {"x": 0.1 * number}, 0, origin),
            *measured(number, "search", units),
            Told(number, (sum(values) / len(values),)),
        ]
    return fold(events)


@given(st.floats(-10, 10), st.floats(-10, 10), st.sampled_from(["minimize", "maximize"]))
def test_a_gain_is_positive_when_the_trial_is_better_whatever_the_direction(ours, theirs, way):
    spec = spec_of(directions={"value": way})
    (gain,) = differences(spec, history_of(spec, [theirs, ours]), 1).values()
    better = ours < theirs if way == "minimize" else ours > theirs
    assert (gain > 0) == better
    assert gain == pytest.approx(abs(ours - theirs) * (1 if better else -1))


def test_gains_are_taken_on_units_that_both_have_or_on_those_asked_for():
    spec = spec_of()
    history = history_of(
        spec,
        [5.0, 4.0],
        *measured(0, "control", {(0, 0, 1): 5.5, (0, 0, 2): 5.25}),
        *measured(1, "recheck", {(0, 0, 1): 4.0, (0, 0, 9): 0.0}),
    )
    assert differences(spec, history, 1) == {(0, 0, 0): 1.0, (0, 0, 1): 1.5}
    assert differences(spec, history, 1, [(0, 0, 1), (0, 0, 2)]) == {(0, 0, 1): 1.5}


def test_a_control_is_a_first_trial_that_ended_with_a_value():
    spec = spec_of()
    assert not has_control(fold(born(spec)))
    assert not has_control(history_of(spec, [None]))
    assert not has_control(history_of(spec, [1.0], control=False))
    assert has_control(history_of(spec, [1.0]))


def test_on_folds_the_interval_is_the_corrected_paired_one():
    spec = spec_of(data=data_of(folds=3, ratio=0.5))
    history = searched(spec, [1.0, 2.0, 3.0], [0.9, 1.7, 2.4])
    found = effect(spec, history, 1, UNKNOWN)
    assert found.gain == pytest.approx(0.3333333)
    assert found.interval == corrected_paired([1 - 0.9, 2 - 1.7, 3 - 2.4], 0.5, 0.95)
    assert found.standing == "inside noise"


def test_a_mean_beyond_the_noise_floor_that_its_own_interval_does_not_show_is_unclear():
    spec = spec_of(data=data_of(folds=3, ratio=0.5))
    history = searched(spec, [1.0, 2.0, 3.0], [0.9, 1.7, 2.4])
    for floor, standing in ((0.5, "inside noise"), (0.1, "unclear")):
        noise = Noise(None, None, None, floor, floor)
        assert effect(spec, history, 1, noise).standing == standing


@pytest.mark.parametrize(
    ("value", "standing"), [(0.5, "better"), (1.4, "worse"), (0.95, "inside noise")]
)
def test_one_unit_is_compared_with_the_noise_floor(value, standing):
    spec = spec_of()
    floor = Noise(None, None, None, 0.1, 0.1)
    found = effect(spec, history_of(spec, [1.0, value]), 1, floor)
    assert found.standing == standing
    assert found.multiple == pytest.approx((1.0 - value) / 0.1)
    assert found.interval.high - found.interval.low == pytest.approx(2 * 1.959964 * 0.1)


def test_without_noise_every_difference_counts():
    spec = spec_of()
    floor = Noise(None, None, None, 0.0, 0.0)
    history = history_of(spec, [1.0, 0.999999, 1.000001, 1.0])
    found = [effect(spec, history, n, floor).standing for n in range(4)]
    assert found == ["control", "better", "worse", "inside noise"]


def test_while_the_noise_is_not_known_nothing_is_claimed():
    spec = spec_of()
    found = effect(spec, history_of(spec, [1.0, 0.5]), 1, UNKNOWN)
    assert (found.standing, found.interval, found.multiple) == ("unclear", None, None)


def test_trials_that_run_or_failed_have_no_effect_nor_has_any_without_control():
    spec = spec_of()
    history = history_of(spec, [1.0, None, 0.5], Asked(3, {"x": 0.4}, 0))
    assert [one.trial for one in effects(spec, history)] == [0, 2]
    assert effects(spec, history_of(spec, [1.0, 0.5], control=False)) == []


def test_the_noise_of_a_study_without_data_comes_from_the_controls_seeds_alone():
    spec = spec_of()
    further = [*measured(0, "probe", NOISY), *measured(0, "control", REPEATS)]
    few = control_noise(spec, history_of(spec, [1.0], *further))
    many = control_noise(spec, history_of(spec, [1.0, 50.0, -50.0], *further))
    assert few == many
    assert few.spread == pytest.approx(np.sqrt(2) * np.std([1.0, 1.4, 0.6], ddof=1))


def test_the_noise_of_a_deterministic_model_comes_from_the_first_trials():
    spec = spec_of(data=data_of(folds=2, ratio=1.0))
    history = searched(spec, [1.0, 2.0], [0.8, 1.9], [0.5, 1.0])
    probes = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})
    found = control_noise(spec, fold(probes, history))
    spreads = [np.std(d, ddof=1) for d in ([0.2, 0.1], [0.5, 1.0])]
    assert found.spread == pytest.approx(np.median(spreads))


def test_the_interval_of_fresh_gains_depends_on_shared_rows():
    gains = [0.1, 0.2, 0.4, 0.1]
    assert fresh_interval(spec_of(), gains) == paired_t(gains, 0.95)
    spec = spec_of(data=data_of(ratio=0.25), alpha=0.1)
    assert fresh_interval(spec, gains) == corrected_paired(gains, 0.25, 0.9)
    assert fresh_interval(spec, gains).se > fresh_interval(spec_of(), gains).se


def test_gains_without_spread_are_a_point():
    found = fresh_interval(spec_of(), [0.25, 0.25, 0.25])
    assert (found.low, found.high, found.se, found.n) == (0.25, 0.25, 0.0, 3)


def test_a_gain_with_known_noise_has_the_normal_interval():
    found = by_noise(1.0, 0.5)
    assert (found.low, found.high) == pytest.approx((1 - 0.98, 1 + 0.98), abs=1e-3)
    assert by_noise(1.0, 0.0).low == by_noise(1.0, 0.0).high == 1.0


def test_the_ratio_is_that_of_the_data_and_zero_without():
    assert ratio(spec_of()) == 0.0
    assert ratio(spec_of(data=data_of(ratio=0.25))) == 0.25
