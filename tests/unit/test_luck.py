"""Luck of selection: formulas against simulation and brute force."""

from itertools import combinations
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import DataError, SpecError
from assay.math.expected_best import _weights, expected_best
from assay.math.rows import grouped
from assay.math.selection_luck import (
    _noise_of_one,
    bbc,
    effective_looks,
    looks_among,
    looks_both,
    looks_for,
    luck_line,
    tibshirani_bias,
)


@pytest.mark.parametrize("looks", [5, 20, 100, 1000])
def test_the_luck_line_is_the_expected_record_of_equals(looks):
    records = np.random.default_rng(0).normal(size=(4000, looks)).max(axis=1)
    assert luck_line(1.0, looks) == pytest.approx(records.mean(), rel=0.03)


def test_the_luck_line_grows_with_noise_and_looks():
    assert luck_line(2.0, 50) == 2 * luck_line(1.0, 50)
    line = [luck_line(1.0, looks) for looks in (1, 1.0001, 1.5, 2, 3, 10, 1e6, 1e200)]
    assert line == sorted(line)
    assert line[:2] == [0, 0]
    assert luck_line(0.0, 100) == 0


@pytest.mark.parametrize(("sigma", "looks"), [(-1.0, 5), (nan, 5), (1.0, 0.5), (1.0, nan)])
def test_the_luck_line_refuses_the_impossible(sigma, looks):
    with pytest.raises(SpecError):
        luck_line(sigma, looks)


@given(st.floats(0.01, 6))
def test_looks_for_is_the_inverse_of_the_luck_line(ratio):
    looks = looks_for(ratio)
    assert luck_line(1.0, looks) >= ratio
    assert looks == 2 or luck_line(1.0, looks - 1) < ratio


def test_looks_for_matches_the_published_table():
    assert [looks_for(ratio) for ratio in (1.0, 1.5)] == [4, 9]
    assert [looks_for(ratio) for ratio in (2.0, 2.5, 3.0)] == pytest.approx([27, 100, 450], rel=0.1)
    assert looks_for(0.0) == 1
    assert looks_for(1000.0) == inf


def test_effective_looks_counts_what_is_different():
    rng = np.random.default_rng(1)
    apart = rng.normal(size=(500, 20))
    assert effective_looks(apart) == pytest.approx(19, rel=0.1)
    assert effective_looks(np.repeat(apart, 5, axis=1)) == pytest.approx(19, rel=0.1)
    assert effective_looks(np.repeat(apart[:, :1], 8, axis=1)) == 1
    assert effective_looks(apart[:, :1]) == 1


@pytest.mark.parametrize("factors", [1, 2, 5])
@pytest.mark.parametrize("shared", [0.5, 0.9])
def test_the_luck_line_of_trials_that_are_alike_is_their_expected_record(factors, shared):
    """T6 by simulation: equal trials of which a few strong directions make much of the noise."""
    rng = np.random.default_rng([8, factors])
    records, spread, looks = [], [], []
    for _ in range(60):
        weights = rng.normal(size=(60, factors))
        weights /= np.linalg.norm(weights, axis=1, keepdims=True)
        common = np.sqrt(shared) * rng.normal(size=(80, factors)) @ weights.T
        losses = common + np.sqrt(1 - shared) * rng.normal(size=(80, 60))
        values = losses.mean(axis=0)
        records.append(values.max() - values.mean())
        spread.append(values.var(ddof=1))
        looks.append(effective_looks(losses))
    noise = float(np.mean(spread)) ** 0.5
    assert np.mean([luck_line(noise, n) for n in looks]) == pytest.approx(np.mean(records), rel=0.1)


@pytest.mark.parametrize("distinct", [2, 5, 11])
@pytest.mark.parametrize("copies", [1, 20, 200])
def test_copies_of_one_trial_change_nothing_however_many(distinct, copies):
    """A search that converges proposes the same model over and over."""
    apart = np.random.default_rng(5).normal(size=(2000, distinct))
    crowded = np.hstack([np.repeat(apart[:, :1], copies, axis=1), apart[:, 1:]])
    assert effective_looks(crowded) == pytest.approx(effective_looks(apart), rel=0.1, abs=0.5)


def test_the_noise_of_equal_trials_is_that_of_their_mean_pair():
    losses = np.random.default_rng(6).normal(size=(4000, 30))
    assert _noise_of_one(losses) ** 2 / 4000 == pytest.approx(1, rel=0.02)
    assert _noise_of_one(np.zeros((9, 4))) == 0
    many = np.random.default_rng(6).normal(size=(300, 4000))
    assert _noise_of_one(many) ** 2 / 300 == pytest.approx(1, rel=0.02)


def test_looks_among_the_first_trials_are_those_of_these_alone():
    """Not a share: half of the trials are half of the looks only where all are equally different."""
    apart = np.random.default_rng(7).normal(size=(2000, 30))
    converging = np.hstack([apart, np.repeat(apart[:, -1:], 70, axis=1)])
    first, at_30, half, last = looks_among(converging, [1, 30, 50, 100])
    assert first == 1
    assert at_30 == pytest.approx(effective_looks(apart), rel=0.1)
    assert half == pytest.approx(at_30, rel=1e-6)
    assert last == pytest.approx(at_30, rel=1e-6)
    _, (any_30, any_all) = looks_both(converging, [30, 100])
    assert any_30 < 0.5 * at_30, "most of thirty at random are copies"
    assert any_all == pytest.approx(last, rel=0.05)


def test_effective_looks_says_the_same_again_in_other_units():
    losses = np.random.default_rng(9).normal(size=(50, 30))
    assert effective_looks(losses) == effective_looks(losses)
    assert effective_looks(1e150 * losses) == pytest.approx(effective_looks(losses), rel=1e-3)


def test_effective_looks_ignores_what_all_trials_share():
    rng = np.random.default_rng(2)
    apart, shared = rng.normal(size=(500, 20)), 10 * rng.normal(size=(500, 1))
    assert effective_looks(apart + shared) == pytest.approx(effective_looks(apart))


def test_effective_looks_is_not_misled_by_few_rows():
    rng = np.random.default_rng(3)
    assert effective_looks(rng.normal(size=(60, 200))) > 120


def test_effective_looks_needs_rows():
    with pytest.raises(DataError):
        effective_looks(np.ones((3, 5)))


@given(st.integers(5, 30), st.integers(1, 12), st.integers(0, 99))
def test_effective_looks_lies_between_one_and_all(rows, trials, seed):
    losses = np.random.default_rng(seed).integers(0, 2, size=(rows, trials))
    assert 1 <= effective_looks(losses) <= trials


def test_bbc_takes_the_luck_off_equal_trials():
    rng = np.random.default_rng(4)
    errors = []
    for _ in range(20):
        losses = rng.normal(size=(150, 60))
        corrected = bbc(losses, rng, draws=300)
        errors.append((losses.mean(axis=0).min(), corrected.estimate))
        assert corrected.low <= corrected.estimate <= corrected.high
    naive, honest = np.mean(errors, axis=0)
    assert naive < -0.15
    assert abs(honest) < 0.03


def test_bbc_finds_a_true_winner():
    losses = np.random.default_rng(5).normal(size=(400, 30))
    losses[:, 7] -= 1
    interval = bbc(losses, np.random.default_rng(6))
    assert interval.low < -1 < interval.high
    assert interval.estimate == pytest.approx(losses[:, 7].mean(), abs=0.01)


def test_bbc_keeps_groups_together():
    rng = np.random.default_rng(7)
    of_row = np.repeat(np.arange(20), 10)
    losses = rng.normal(size=(20, 10))[of_row]
    alone = bbc(losses, np.random.default_rng(0), draws=500)
    together = bbc(losses, np.random.default_rng(0), rows=grouped(of_row), draws=500)
    # Rows of a group leak the group's luck when they are drawn singly.
    assert together.estimate > alone.estimate + 0.1
    assert together.half_width > 1.5 * alone.half_width


def test_bbc_of_one_trial_is_its_mean():
    losses = np.random.default_rng(8).normal(size=(300, 1))
    assert bbc(losses, np.random.default_rng(0)).estimate == pytest.approx(losses.mean(), abs=0.01)


def test_bbc_refuses_what_it_cannot_use():
    rng = np.random.default_rng(0)
    with pytest.raises(DataError):
        bbc(np.ones((1, 3)), rng)
    with pytest.raises(DataError, match="rows are to be drawn"):
        bbc(np.ones((5, 3)), rng, rows=grouped([0, 1]))
    with pytest.raises(DataError, match="finite"):
        bbc([[1.0, nan], [1.0, 2.0]], rng)


def test_tibshirani_bias_is_what_the_winner_misses_on_single_folds():
    errors = np.array([[0.1, 0.3, 0.2], [0.4, 0.1, 0.2], [0.2, 0.4, 0.2]])
    # The third wins overall (0.2); the folds' own best are 0.1, 0.1 and 0.2.
    assert tibshirani_bias(errors) == pytest.approx((0.1 + 0.1 + 0.0) / 3)
    assert tibshirani_bias(errors[:, :1]) == 0


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8), st.data())
def test_expected_best_is_the_mean_over_all_subsets(values, data):
    n = data.draw(st.integers(1, len(values)))
    brute = np.mean([max(subset) for subset in combinations(values, n)])
    assert expected_best(values, [n])[0] == pytest.approx(brute, abs=1e-9)


def test_expected_best_of_many_values_is_that_of_all_weights():
    values = np.random.default_rng(1).normal(size=3000)
    counts = [1, 2, 7, 100, 1500, 2999, 3000]
    assert expected_best(values, counts) == pytest.approx(
        _weights(np.array(counts), len(values)) @ np.sort(values)
    )
    assert expected_best(values, counts) == pytest.approx(
        expected_best(values)[np.array(counts) - 1]
    )


def test_expected_best_is_exact_on_average():
    """T11: 60 Beta draws, best of 10."""
    rng = np.random.default_rng(9)
    truth = rng.beta(5, 2, size=(20_000, 10)).max(axis=1).mean()
    found = np.mean([expected_best(one, [10])[0] for one in rng.beta(5, 2, size=(3000, 60))])
    assert found == pytest.approx(truth, abs=0.001)


def test_expected_best_of_many_does_not_overflow():
    values = np.arange(5000.0)
    one, half, all_of_them = expected_best(values, [1, 2500, 5000])
    assert one == pytest.approx(values.mean())
    assert half == pytest.approx(4998.0, abs=0.01)
    assert all_of_them == 4999


@pytest.mark.parametrize("n", [0, 4, 1.5])
def test_expected_best_refuses_more_than_there_are(n):
    with pytest.raises(SpecError):
        expected_best([1.0, 2.0, 3.0], [n])
