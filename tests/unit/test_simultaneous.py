"""Several effects at once, and curves of the expected best."""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.math.expected_best import band, crossing, expected_best
from assay.math.intervals import corrected_paired
from assay.math.simultaneous import benjamini_hochberg, holm, simultaneous


def rng():
    return np.random.default_rng(7)


def test_one_effect_of_one_search_is_the_corrected_paired_interval():
    d = rng().normal(0.3, 1, 20)
    (found,) = simultaneous(d[None, None, :], 0.25, rng())
    plain = corrected_paired(d, 0.25)
    assert found.interval.estimate == pytest.approx(plain.estimate)
    assert (found.interval.low, found.interval.high) == pytest.approx((plain.low, plain.high))


def test_a_family_misses_at_most_as_often_as_one_effect_alone():
    """200 families of five null effects: at 90 % each alone would fail in 41 % of them."""
    draws = np.random.default_rng(1)
    missed = alone = 0
    for _ in range(200):
        d = draws.normal(0, 1, (5, 1, 12))
        family = simultaneous(d, 0.0, draws, 0.9)
        missed += any(not f.interval.low <= 0 <= f.interval.high for f in family)
        alone += any(not (i := corrected_paired(x[0], 0.0, 0.9)).low <= 0 <= i.high for x in d)
    assert missed <= 32  # 20 expected, standard deviation 4.2
    assert alone >= 60


def test_equal_effects_are_no_larger_family_than_one():
    d = rng().normal(0, 1, (1, 1, 12))
    (one,) = simultaneous(d, 0.0, rng())
    both = simultaneous(np.repeat(d, 2, axis=0), 0.0, rng())
    assert both[0].interval.half_width == pytest.approx(one.interval.half_width, rel=0.03)


def test_the_luck_of_searches_makes_intervals_longer():
    d = rng().normal(0, 0.1, (1, 3, 20))
    lucky = d + np.array([0.0, 1.0, 2.0])[None, :, None]
    assert (
        simultaneous(lucky, 0.0, rng())[0].interval.half_width
        > 5 * simultaneous(d, 0.0, rng())[0].interval.half_width
    )


def test_no_spread_is_a_point_and_widens_no_other():
    d = rng().normal(0, 1, (1, 1, 12))
    still = np.zeros((1, 1, 12))
    point, moving = simultaneous(np.concatenate([still, d]), 0.0, rng())
    (alone,) = simultaneous(d, 0.0, rng())
    assert (point.interval.low, point.interval.high, point.p) == (0.0, 0.0, 1.0)
    assert moving.interval == alone.interval


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9), st.data())
def test_the_expected_best_is_the_mean_over_all_subsets(values, data):
    n = data.draw(st.integers(1, len(values)))
    subsets = [max(c) for c in combinations(values, n)]
    assert len(subsets) == comb(len(values), n)
    assert expected_best(values)[n - 1] == pytest.approx(np.mean(subsets), abs=1e-7)


def test_the_expected_best_of_sixty_beta_draws_is_what_simulation_says():
    v = np.random.default_rng(0).beta(8, 2, 60)
    drawn = np.random.default_rng(1)
    simulated = np.mean([drawn.choice(v, 10, replace=False).max() for _ in range(20_000)])
    assert expected_best(v)[9] == pytest.approx(simulated, abs=1e-3)
    assert expected_best(np.arange(2000.0))[-1] == pytest.approx(1999.0)


def test_the_band_holds_its_curve():
    v = np.random.default_rng(0).normal(size=40)
    low, high = band(v, rng())
    assert (low <= expected_best(v) + 1e-12).all()
    assert (high >= low).all()


@pytest.mark.parametrize(
    ("ours", "theirs", "least", "n"),
    [
        ([3, 3, 3, 3], [1, 2, 3.5, 4], 0.0, 3),
        ([1, 2, 3.5, 4], [3, 3, 3, 3], 0.0, 3),
        ([3, 3], [1, 2], 0.0, None),
        ([3, 3, 3], [1, 2, 3.01], 0.05, None),
        ([1, 1], [1, 1], 0.0, None),
    ],
)
def test_curves_cross_where_the_lead_changes_for_good(ours, theirs, least, n):
    assert crossing(ours, theirs, least=least) == n


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_adjusted_p_values_are_larger_and_keep_their_order(p):
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert all(a >= x - 1e-12 and a <= 1 for a, x in zip(adjusted, p, strict=True))
        order = np.argsort(p, kind="stable")
        assert (np.diff(np.array(adjusted)[order]) >= -1e-12).all()
    assert max(map(float.__sub__, benjamini_hochberg(p), holm(p))) <= 1e-12
