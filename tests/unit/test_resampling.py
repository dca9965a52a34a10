"""The interval of the final gain: against closed forms, under symmetries, and on its edges."""

from math import nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.errors import DataError, SpecError
from assay.math.auc import RankedScores, average_precision, delong_variance
from assay.math.intervals import paired_t
from assay.math.resampling import gain_from_losses, gain_from_statistic, gain_from_weighted
from assay.math.rows import Independent, grouped, ordered, stratified

GROUPS = [0, 0, 1, 1, 1, 2, 3, 3, 3, 3, 4, 4]
SCHEMES = {
    "independent": Independent(12),
    "stratified": stratified([0, 1, 1] * 4),
    "grouped": grouped(GROUPS),
    "ordered": ordered(12, 2),
    "one long block": ordered(12, 6).longer(),
}


def losses(seed, refits=5, rows=300):
    rng = np.random.default_rng(seed)
    return rng.exponential(size=(refits, rows)) + rng.exponential(size=rows)


def rng():
    return np.random.default_rng(0)


@pytest.fixture(params=SCHEMES.values(), ids=SCHEMES.keys())
def rows(request):
    return request.param


# --- ways to draw rows


def test_sums_over_units_and_weights_of_rows_tell_the_same(rows):
    values = np.random.default_rng(1).normal(size=(3, rows.n))
    counts = rows.draw(rng(), 50)
    assert np.allclose(counts @ rows.sums(values).T, rows.weights(counts) @ values.T)


def test_every_row_is_drawn_once_on_average(rows):
    weights = rows.weights(rows.draw(rng(), 20_000))
    share = weights / weights.sum(axis=1, keepdims=True)
    tolerance = 0.04 if rows is not SCHEMES["grouped"] else 0.25  # groups differ in size
    assert np.allclose(share.mean(axis=0) * rows.n, 1, atol=tolerance)


def test_draws_repeat_with_the_seed(rows):
    assert np.array_equal(rows.draw(rng(), 5), rows.draw(rng(), 5))


def test_strata_keep_their_sizes_and_groups_stay_together():
    weights = SCHEMES["stratified"].weights(SCHEMES["stratified"].draw(rng(), 20))
    assert np.all(weights[:, np.array([0, 1, 1] * 4) == 0].sum(axis=1) == 4)
    weights = SCHEMES["grouped"].weights(SCHEMES["grouped"].draw(rng(), 20))
    assert all(np.ptp(weights[:, np.array(GROUPS) == g], axis=1).max() == 0 for g in range(5))


def test_blocks_are_as_long_as_the_horizon_or_the_cube_root():
    assert [ordered(n, h).block for n, h in ((1000, 1), (1001, 1), (1000, 24), (4, 1))] == [
        10, 11, 24, 1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "build",
    [
        lambda: Independent(1),
        lambda: stratified(["a", "a", "b"]),
        lambda: grouped(["a", "a"]),
        lambda: grouped([]),
        lambda: grouped([[1], [2]]),
        lambda: ordered(3),
        lambda: ordered(100, 0),
        lambda: ordered(100, 51),
    ],
)
def test_rows_that_say_nothing_about_noise_are_refused(build):
    with pytest.raises((DataError, SpecError)):
        build()


# --- means of losses


def test_one_refit_of_independent_rows_comes_near_the_t_interval():
    control, selected = losses(1, refits=1), losses(2, refits=1)
    found = gain_from_losses(control, selected, Independent(300), rng(), draws=20_000)
    expected = paired_t((control - selected)[0])
    assert found.gain.estimate == pytest.approx(expected.estimate)
    assert found.gain.se == pytest.approx(expected.se, rel=0.01)
    assert found.gain.low == pytest.approx(expected.low, abs=0.1 * expected.se)
    assert found.gain.high == pytest.approx(expected.high, abs=0.1 * expected.se)
    assert found.se_seeds == 0
    assert found.se_rows == pytest.approx(found.gain.se)


def test_groups_count_as_one_row_each_if_their_rows_are_equal():
    control, selected = losses(1, rows=60), losses(2, rows=60)
    alone = gain_from_losses(control, selected, Independent(60), rng())
    copies = [np.repeat(one, 5, axis=1) for one in (control, selected)]
    found = gain_from_losses(*copies, grouped(np.repeat(np.arange(60), 5)), rng())
    assert (found.gain.low, found.gain.high) == pytest.approx((alone.gain.low, alone.gain.high))


def test_the_two_sources_of_noise_are_told_apart():
    generator = np.random.default_rng(3)
    seeds = generator.normal(size=(20, 1))
    of_rows = generator.normal(size=(1, 400))
    mixed = generator.normal(size=(20, 400))
    zero = np.zeros((20, 400))

    only_rows = gain_from_losses(zero + of_rows, zero, Independent(400), rng())
    assert only_rows.se_seeds == 0
    only_seeds = gain_from_losses(zero + seeds, zero, Independent(400), rng())
    assert only_seeds.se_rows == pytest.approx(0, abs=1e-6)
    assert only_seeds.se_seeds == pytest.approx(seeds.std(ddof=1) / sqrt(20))
    # Noise that is new in every refit and row is counted once, not once for each source.
    within = gain_from_losses(mixed, zero, Independent(400), rng())
    assert within.gain.se == pytest.approx(1 / sqrt(400 * 20), rel=0.35)


def test_errors_of_the_parts_add_up():
    found = gain_from_losses(losses(1), losses(2), Independent(300), rng())
    assert sqrt(found.se_rows**2 + found.se_seeds**2) == pytest.approx(found.gain.se)


@settings(max_examples=20)
@given(st.integers(0, 50), st.floats(-5, 5), st.sampled_from(list(SCHEMES)))
def test_the_interval_follows_shifts_and_scale(seed, shift, scheme):
    control, selected = losses(seed, 3, 12), losses(seed + 100, 3, 12)
    plain, moved, scaled = (
        gain_from_losses(a, b, SCHEMES[scheme], rng(), draws=200).gain
        for a, b in (
            (control, selected),
            (control + shift, selected),
            (3 * control, 3 * selected),
        )
    )
    near = {"rel": 1e-6, "abs": 1e-6}
    assert (moved.low, moved.high) == pytest.approx((plain.low + shift, plain.high + shift), **near)
    assert (scaled.low, scaled.high) == pytest.approx((3 * plain.low, 3 * plain.high), **near)


def test_the_gain_turns_round_with_the_arms():
    one = gain_from_losses(losses(1), losses(2), Independent(300), rng())
    other = gain_from_losses(losses(2), losses(1), Independent(300), rng())
    assert one.gain.estimate == pytest.approx(-other.gain.estimate)
    assert one.control.estimate == pytest.approx(other.selected.estimate)
    assert one.gain.estimate == pytest.approx(one.control.estimate - one.selected.estimate)


def test_equal_losses_give_a_point_at_zero(rows):
    same = losses(4, rows=12)
    gain = gain_from_losses(same, same, rows, rng()).gain
    assert gain.low == gain.estimate == gain.high == gain.se == 0


def test_models_that_never_disagreed_may_still_differ():
    right = np.zeros((1, 100))
    gain = gain_from_losses(right, right, Independent(100), rng()).gain
    assert gain.estimate == 0
    assert 0.015 < gain.high < 0.03  # "rule of three": 3 / n is the one-sided bound
    assert gain.high == pytest.approx(-gain.low, rel=0.2)


def test_numbers_of_refits_may_differ():
    control, selected = losses(1, refits=5), losses(2, refits=1)
    found = gain_from_losses(control, selected, Independent(300), rng())
    assert found.gain.estimate == pytest.approx(control.mean() - selected.mean())
    assert found.gain.low < found.gain.estimate < found.gain.high


def test_correlated_rows_in_time_widen_the_interval():
    shocks = np.random.default_rng(5).normal(size=410)
    series = np.convolve(shocks, np.ones(10), "valid")[None, :400]
    zero = np.zeros_like(series)
    blind = gain_from_losses(series, zero, Independent(400), rng()).gain
    aware = gain_from_losses(series, zero, ordered(400, horizon=10), rng()).gain
    assert aware.se > 2 * blind.se
    assert "blocks of 10 rows" in aware.method


def test_short_blocks_do_not_lose_the_noise_that_they_cut():
    """The mean of an overlapping sum of 10 unit shocks has standard error 10 / sqrt(n)."""
    shocks = np.random.default_rng(6).normal(size=(30, 609))
    found = [
        gain_from_losses(
            np.convolve(one, np.ones(10), "valid")[None],
            np.zeros((1, 600)),
            ordered(600, horizon=10),
            rng(),
            draws=200,
        ).gain.se
        for one in shocks
    ]
    assert np.mean(found) == pytest.approx(10 / sqrt(600), rel=0.07)


def test_the_same_seed_gives_the_same_interval():
    first, second = (
        gain_from_losses(losses(1), losses(2), Independent(300), rng()) for _ in range(2)
    )
    assert first == second


@pytest.mark.parametrize(
    ("control", "selected", "draws"),
    [
        (losses(1)[0], losses(2), 200),
        (losses(1), losses(2, rows=299), 200),
        (losses(1) * nan, losses(2), 200),
        (losses(1), losses(2), 5),
    ],
)
def test_losses_that_do_not_fit_are_refused(control, selected, draws):
    with pytest.raises((DataError, SpecError)):
        gain_from_losses(control, selected, Independent(300), rng(), draws=draws)


# --- AUC


def scored(seed, n=300, refits=1, digits=1):
    generator = np.random.default_rng(seed)
    y = (np.arange(n) % 3 == 0).astype(int)
    return y, np.round(y + generator.normal(size=(refits, n)), digits)


def auc(y, scores):
    return RankedScores(y, scores).auc


def brute_auc(y, scores, weights):
    pairs = wins = 0.0
    for i in np.flatnonzero(y):
        for j in np.flatnonzero(y == 0):
            w = weights[i] * weights[j]
            pairs += w
            wins += w * (scores[i] > scores[j]) + 0.5 * w * (scores[i] == scores[j])
    return wins / pairs


@given(st.integers(0, 1000))
def test_weighted_auc_counts_pairs_and_halves_ties(seed):
    y, scores = scored(seed, n=15, digits=0)
    weights = np.random.default_rng(seed).integers(0, 3, size=(4, 15)).astype(float) + y
    weights[:, 1] += 1
    fast = RankedScores(y, scores[0]).auc(weights)
    assert fast == pytest.approx([brute_auc(y, scores[0], w) for w in weights])


def test_auc_is_undefined_without_one_of_the_classes():
    assert np.isnan(RankedScores([0, 1, 1], [1.0, 2.0, 3.0]).auc(np.array([[0.0, 1, 1]])))


def brute_average_precision(y, scores, weights):
    """The mean over positive rows of the precision among all rows that score as high."""
    total = 0.0
    for i in np.flatnonzero(y):
        let_in = weights * (scores >= scores[i])
        total += weights[i] * (let_in @ y) / max(let_in.sum(), 1)
    return total / (weights @ y)


@given(st.integers(0, 1000))
def test_weighted_average_precision_lets_in_ties_together(seed):
    y, scores = scored(seed, n=15, digits=0)
    weights = np.random.default_rng(seed).integers(0, 3, size=(4, 15)).astype(float)
    weights[:, :2] += 1
    fast = average_precision(y, scores[0])(weights)
    assert fast == pytest.approx([brute_average_precision(y, scores[0], w) for w in weights])
    assert fast == pytest.approx(average_precision(y, scores[0])(np.asfortranarray(weights)))


def test_average_precision_is_undefined_without_one_of_the_classes():
    weights = np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 1]])
    found = average_precision([0, 1, 1], [1.0, 2.0, 3.0])(weights)
    assert np.isnan(found).tolist() == [True, True, False]


def test_delong_agrees_with_the_jackknife():
    y, control = scored(1, n=120)
    selected = control + 0.5 * scored(2, n=120)[1]
    whole = np.ones((1, 120))

    def gain(weights):
        return RankedScores(y, selected[0]).auc(weights) - RankedScores(y, control[0]).auc(weights)

    left_out = gain(1 - np.eye(120))
    jackknife = sum(
        (m - 1) / m * ((left_out[y == label] - left_out[y == label].mean()) ** 2).sum()
        for label, m in ((0, 80), (1, 40))
    )
    assert delong_variance(y, control[0], selected[0]) == pytest.approx(jackknife, rel=1e-6)
    assert abs(gain(whole)[0]) < 0.2


def test_the_auc_bootstrap_agrees_with_delong():
    y, control = scored(1)
    selected = control + 0.5 * scored(2)[1]
    found = gain_from_weighted(y, control, selected, auc, stratified(y), rng())
    delong = sqrt(delong_variance(y, control[0], selected[0]))
    assert found.gain.se == pytest.approx(delong, rel=0.05)
    assert found.gain.half_width == pytest.approx(1.96 * delong, rel=0.07)


def test_auc_gains_are_positive_for_the_better_config():
    y, control = scored(1, refits=3)
    selected = control + y
    found = gain_from_weighted(y, control, selected, auc, stratified(y), rng())
    assert found.gain.low > 0
    assert found.selected.low > found.control.high
    assert found.gain.estimate == pytest.approx(found.selected.estimate - found.control.estimate)


@pytest.mark.parametrize("y", [[0] * 300, [0, 1, 2] * 100, [0, 1] * 50])
def test_auc_needs_two_classes(y):
    with pytest.raises(DataError):
        gain_from_weighted(y, *[scored(1)[1]] * 2, auc, Independent(300), rng())


def test_auc_refuses_resamples_that_often_lack_a_class():
    y = np.zeros(40, dtype=int)
    y[:2] = 1
    scores = np.random.default_rng(0).normal(size=(1, 40))
    with pytest.raises(DataError, match="undefined on 1"):
        gain_from_weighted(y, scores, scores + 1, auc, Independent(40), rng())


# --- any statistic


def test_a_mean_given_as_a_callable_agrees_with_the_fast_path():
    y = np.random.default_rng(1).normal(size=200)
    control, selected = y + losses(1, 3, 200), y + 0.5 * losses(2, 3, 200)

    def minus_error(truth, prediction):
        return -float(np.mean(np.abs(truth - prediction)))

    slow = gain_from_statistic(
        y, control, selected, minus_error, Independent(200), rng(), draws=500
    )
    fast = gain_from_losses(abs(control - y), abs(selected - y), Independent(200), rng())
    assert slow.gain.estimate == pytest.approx(fast.gain.estimate)
    assert slow.gain.low == pytest.approx(fast.gain.low, abs=0.2 * fast.gain.se)
    assert slow.control.estimate == pytest.approx(-fast.control.estimate)


def test_auc_given_as_a_callable_is_the_same_draw_for_draw():
    y, control = scored(1, n=60, refits=2)
    selected = scored(2, n=60, refits=2)[1]

    def single(truth, scores):
        return auc(truth, scores)(np.ones((1, truth.size)))[0]

    for rows in (stratified(y), grouped(np.arange(60) // 2), ordered(60)):
        slow = gain_from_statistic(y, control, selected, single, rows, rng(), draws=100)
        fast = gain_from_weighted(y, control, selected, auc, rows, rng(), draws=100)
        assert (slow.gain.low, slow.gain.high) == pytest.approx((fast.gain.low, fast.gain.high))


def test_predictions_may_hold_a_column_for_each_class():
    y = np.array(["a", "b", "c"] * 20)
    probabilities = np.random.default_rng(1).dirichlet([1, 1, 1], size=(5, 60))

    def accuracy(truth, p):
        return float(np.mean(np.array(["a", "b", "c"])[p.argmax(axis=1)] == truth))

    better = probabilities + 0.5 * (y[:, None] == ["a", "b", "c"])
    found = gain_from_statistic(y, probabilities, better, accuracy, stratified(y), rng(), draws=100)
    assert found.gain.low > 0


@pytest.mark.parametrize("value", [nan, "often nan"])
def test_an_undefined_statistic_is_refused(value):
    def statistic(truth, prediction):
        return nan if value != "often nan" or len(set(truth)) < 25 else 1.0

    y, values = np.arange(40.0), np.zeros((1, 40))
    with pytest.raises(DataError, match="undefined"):
        gain_from_statistic(y, values, values, statistic, Independent(40), rng(), draws=100)


def test_shapes_of_predictions_are_checked():
    y, values = np.zeros(40), np.zeros((1, 40))
    for truth, one in ((y[:39], values), (y, values[0]), (y, values[:, :39])):
        with pytest.raises(DataError):
            gain_from_statistic(truth, one, values, np.dot, Independent(40), rng())
