"""Agreement of orders, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.math.agreement import kendall, normal_scores

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30, unique=True).map(np.array)


@given(a=NUMBERS, seed=st.integers(0, 99))
def test_tau_is_that_of_scipy(a, seed):
    b = np.random.default_rng(seed).permutation(a)
    assert kendall(a, b)[0] == pytest.approx(stats.kendalltau(a, b).statistic)


@given(a=NUMBERS)
def test_tau_looks_at_orders_alone(a):
    assert kendall(a, np.arctan(a / 1e5))[0] == pytest.approx(1.0, abs=1e-6)
    assert kendall(a, -a)[0] == pytest.approx(-1.0)


def test_the_standard_deviation_is_that_of_unrelated_orders():
    rng = np.random.default_rng(0)
    taus = [kendall(rng.random(12), rng.random(12))[0] for _ in range(4000)]
    assert np.mean(taus) == pytest.approx(0.0, abs=0.01)
    assert np.std(taus) == pytest.approx(kendall(np.arange(12.0), np.arange(12.0))[1], rel=0.03)


def test_ties_and_short_lists_say_nothing():
    assert kendall(np.zeros(8), np.arange(8.0))[0] == 0.0
    assert kendall(np.ones(1), np.ones(1)) == (0.0, 1.0)
    assert kendall(np.empty(0), np.empty(0)) == (0.0, 1.0)


@given(values=NUMBERS)
def test_normal_scores_keep_the_order_and_forget_the_scale(values):
    scores = normal_scores(values)
    assert np.array_equal(np.argsort(scores), np.argsort(values))
    assert np.allclose(np.sort(scores), -np.sort(scores)[::-1])
    assert abs(scores).max() < 3


def test_equal_values_share_a_score():
    assert normal_scores(np.array([2.0, 1.0, 2.0])).tolist() == pytest.approx(
        [0.4, -0.87, 0.4], abs=0.05
    )
    assert normal_scores(np.full(5, 7.0)).tolist() == [0.0] * 5
