"""Intervals and tests agree with their closed forms, and refuse what they cannot use."""

from math import inf, nan, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.core.errors import DataError, SpecError
from assay.math.intervals import (
    Interval,
    corrected_paired,
    diebold_mariano,
    mean_t,
    paired_t,
    posterior,
    wilson,
)
from assay.math.power import rows_needed, smallest_detectable_gain
from assay.math.significance import mcnemar_exact, sign_flip

DIFFERENCES = [0.011, -0.004, 0.020, 0.013, 0.007, 0.016]
numbers = st.lists(st.floats(-1e3, 1e3).map(lambda x: round(x, 6)), min_size=2, max_size=30)


def test_mean_and_paired_t_are_the_classic_intervals():
    expected = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.9)
    for interval in (mean_t(DIFFERENCES, 0.9), paired_t(DIFFERENCES, 0.9)):
        assert interval.low == pytest.approx(expected.low)
        assert interval.high == pytest.approx(expected.high)
        assert (interval.df, interval.n, interval.level) == (5, 6, 0.9)


def test_corrected_paired_adds_the_share_of_common_rows():
    interval = corrected_paired(DIFFERENCES, test_train_ratio=0.25)
    se = np.std(DIFFERENCES, ddof=1) * sqrt(1 / 6 + 0.25)
    assert interval.se == pytest.approx(se)
    assert interval.high - interval.estimate == pytest.approx(stats.t.ppf(0.975, 5) * se)


def test_without_common_rows_the_corrected_interval_is_the_classic_one():
    assert corrected_paired(DIFFERENCES, 0.0).low == paired_t(DIFFERENCES).low


@given(numbers, st.floats(0, 1), st.floats(-100, 100))
def test_corrected_paired_moves_and_mirrors_with_the_differences(values, ratio, shift):
    here = corrected_paired(values, ratio)
    there = corrected_paired([value + shift for value in values], ratio)
    mirrored = corrected_paired([-value for value in values], ratio)
    assert there.low == pytest.approx(here.low + shift, abs=1e-6)
    assert mirrored.low == pytest.approx(-here.high, abs=1e-9)
    assert here.low <= here.estimate <= here.high


@given(numbers, st.floats(0, 1), st.floats(0.001, 1))
def test_more_common_rows_never_narrow_the_interval(values, ratio, more):
    narrow, wide = corrected_paired(values, ratio), corrected_paired(values, ratio + more)
    assert wide.half_width >= narrow.half_width


def test_repeats_buy_no_evidence_beyond_the_common_rows():
    many = np.tile([-0.01, 0.01], 5000)
    assert corrected_paired(many, 0.25).se == pytest.approx(0.01 * 0.5, rel=0.01)


def test_equal_differences_give_a_point():
    interval = corrected_paired([0.1, 0.1, 0.1], 0.25)
    assert interval.low == interval.high == interval.estimate
    assert interval.se == 0
    noise = np.array([0.3, 0.7, 1.1, 13.7])  # common to both, and gone from the difference
    interval = paired_t((1.3 + noise) - (0.1 + noise))
    assert interval.low == interval.high


@pytest.mark.parametrize("function", [mean_t, paired_t, lambda d: corrected_paired(d, 0.25)])
@pytest.mark.parametrize("values", [[0.1], [], [0.1, nan], [0.1, inf], [[0.1, 0.2]], ["a", "b"]])
def test_unusable_values_are_refused(function, values):
    with pytest.raises(DataError):
        function(values)


def test_a_single_difference_is_refused_with_the_way_out():
    with pytest.raises(ValueError, match="at least two units"):
        corrected_paired([0.1], 0.25)


@pytest.mark.parametrize(("ratio", "level"), [(-0.1, 0.95), (nan, 0.95), (0.2, 95), (0.2, 0)])
def test_wrong_settings_are_refused(ratio, level):
    with pytest.raises(SpecError):
        corrected_paired(DIFFERENCES, ratio, level)


@pytest.mark.parametrize(("low", "high", "se"), [(1, 0, 1), (0, nan, 1), (0, 1, -1), (0, inf, 1)])
def test_an_impossible_interval_cannot_be_written(low, high, se):
    with pytest.raises(DataError):
        Interval(0.0, low, high, se, None, "", 5)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (70, 100), (1, 1)])
def test_wilson_is_the_score_interval(successes, n):
    interval = wilson(successes, n)
    expected = stats.binomtest(successes, n).proportion_ci(method="wilson")
    assert interval.low == pytest.approx(expected.low, abs=1e-12)
    assert interval.high == pytest.approx(expected.high)
    assert 0 <= interval.low <= interval.estimate <= interval.high <= 1


@pytest.mark.parametrize(("successes", "n"), [(-1, 5), (6, 5), (0, 0), (1.5, 5)])
def test_wilson_refuses_impossible_counts(successes, n):
    with pytest.raises(SpecError):
        wilson(successes, n)


def test_diebold_mariano_one_step_ahead_is_the_paired_t():
    rng = np.random.default_rng(0)
    control, selected = rng.exponential(size=(2, 40))
    interval = diebold_mariano(control, selected)
    assert interval.estimate == pytest.approx((control - selected).mean())
    # With horizon 1 the small-sample factor turns the divisor n into n - 1.
    assert interval.low == pytest.approx(paired_t(control - selected).low)


def test_diebold_mariano_follows_the_published_formula():
    rng = np.random.default_rng(1)
    d = np.convolve(rng.normal(size=62), np.ones(3))[2:-2]
    n, h = d.size, 3
    c = d - d.mean()
    variance = (c @ c + 2 * sum(c[k:] @ c[:-k] for k in (1, 2))) / n**2
    se = sqrt(variance / ((n + 1 - 2 * h + h * (h - 1) / n) / n))
    assert diebold_mariano(d, np.zeros(n), horizon=h).se == pytest.approx(se)


def test_diebold_mariano_survives_a_variance_below_zero():
    d = np.array([1.0, -1.0] * 10) + 0.01 * np.arange(20)
    interval = diebold_mariano(d, np.zeros(20), horizon=2)
    assert 0 < interval.se < 1


@pytest.mark.parametrize("horizon", [0, 4, 1.5])
def test_diebold_mariano_refuses_an_impossible_horizon(horizon):
    with pytest.raises(SpecError):
        diebold_mariano([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 2.0, 4.0], horizon)


def test_diebold_mariano_refuses_other_rows():
    with pytest.raises(DataError, match="same rows"):
        diebold_mariano([1.0, 2.0], [1.0, 2.0, 3.0])


@given(numbers, st.floats(0, 1), st.floats(0, 10))
def test_posterior_adds_up_and_mirrors(values, ratio, rope):
    here = posterior(values, ratio, rope)
    mirrored = posterior([-value for value in values], ratio, rope)
    assert sum(here) == pytest.approx(1)
    assert here.worse == pytest.approx(mirrored.better, abs=1e-9)
    assert min(here) >= 0


def test_posterior_is_the_twin_of_the_corrected_interval():
    interval = corrected_paired(DIFFERENCES, 0.25)
    assert posterior(DIFFERENCES, 0.25, rope=0.0).worse == pytest.approx(
        stats.t.cdf(-interval.estimate / interval.se, 5)
    )
    assert posterior([0.01] * 3, 0.25, rope=0.01) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize(("b", "c"), [(0, 0), (0, 5), (5, 0), (3, 9), (10, 10), (40, 60)])
def test_mcnemar_is_the_exact_binomial_test(b, c):
    expected = stats.binomtest(b, b + c).pvalue if b + c else 1.0
    assert mcnemar_exact(b, c) == pytest.approx(expected)


def test_mcnemar_refuses_negative_counts():
    with pytest.raises(SpecError):
        mcnemar_exact(-1, 3)


def test_sign_flip_counts_all_patterns_of_few_differences():
    expected = stats.permutation_test(
        (np.array(DIFFERENCES),), np.mean, permutation_type="samples"
    ).pvalue
    assert sign_flip(DIFFERENCES, np.random.default_rng(0)) == pytest.approx(expected)


def test_sign_flip_of_many_differences_comes_near_the_t_test():
    d = np.random.default_rng(3).normal(0.15, 1, size=200)
    p = sign_flip(d, np.random.default_rng(4))
    assert p == pytest.approx(stats.ttest_1samp(d, 0).pvalue, abs=0.01)
    assert sign_flip(d, np.random.default_rng(4)) == p
    assert sign_flip(d + 5, np.random.default_rng(4)) == 1 / 10_000


def test_sign_flip_of_no_difference_is_one():
    assert sign_flip([0.0, 0.0], np.random.default_rng(0)) == 1
    assert sign_flip(np.zeros(100), np.random.default_rng(0)) == 1


def test_sign_flip_sees_equal_sums_through_their_rounding():
    rounded = [0.1, 0.2, -0.3] * 2  # adds up to 5.6e-17
    assert sign_flip(rounded, np.random.default_rng(0)) == 1


def test_smallest_detectable_gain_stops_at_what_the_data_hold():
    formula = (stats.t.ppf(0.975, 8) + stats.t.ppf(0.8, 8)) * 0.01 * sqrt(1 / 9 + 0.25)
    assert smallest_detectable_gain(0.01, 9, 0.25) == pytest.approx(formula)
    assert smallest_detectable_gain(1.0, 10**6, 0.25) == pytest.approx(2.8016 * 0.5, rel=1e-4)
    assert smallest_detectable_gain(0.0, 2, 0.25) == 0


def test_the_detectable_gain_is_found_as_often_as_promised():
    gain = smallest_detectable_gain(1.0, 20, 0.0)
    d = np.random.default_rng(5).normal(gain, 1.0, size=(2000, 20))
    found = np.mean([paired_t(one).low > 0 for one in d])
    assert found == pytest.approx(0.8, abs=0.03)


def test_rows_needed_matches_the_worked_figures():
    assert (rows_needed(0.10, 0.02), rows_needed(0.10, 0.01)) == (1955, 7842)


@pytest.mark.parametrize(("p", "gain"), [(0.0, 0.01), (0.1, 0.0), (0.1, 0.2), (1.5, 0.1)])
def test_rows_needed_refuses_the_impossible(p, gain):
    with pytest.raises(SpecError):
        rows_needed(p, gain)
