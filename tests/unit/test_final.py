"""What the sealed test set says of each contender."""

from __future__ import annotations

import json

import numpy as np
import pytest

from assay.analysis.bounds import Bounds
from assay.analysis.final import Judge, drawn_rows, final_results
from assay.math.auc import RankedScores
from assay.math.resampling import gain_from_losses, gain_from_statistic
from assay.math.rows import Independent

N = 60
Y = np.tile([0, 1], N // 2)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def loss_judge(*, maximize):
    """A mean of per-row losses, or one minus it."""

    def score(y, stored):
        return 1 - float(np.mean(stored)) if maximize else float(np.mean(stored))

    return Judge("accuracy" if maximize else "mae", maximize, True, score)


def spearman_like(*, maximize):
    """A score of all rows at once, which is no mean."""

    def score(y, stored):
        found = float(np.corrcoef(y, stored)[0, 1])
        return found if maximize else 1 - found

    return Judge("own", maximize, False, score)


def results(judge, control, selected, *, alpha=0.05, number=4, seed=1):
    arms = {0: np.atleast_2d(control), number: np.atleast_2d(selected)}
    return final_results(judge, Y, arms, Independent(N), np.random.default_rng(seed), alpha=alpha)


@pytest.mark.parametrize("maximize", [True, False])
def test_lower_losses_are_a_positive_gain_in_either_direction(maximize, rng):
    control, selected = rng.random((3, N)) + 0.5, rng.random((3, N))
    found = results(loss_judge(maximize=maximize), control, selected)
    gain = found["gain"]
    assert gain["estimate"] == pytest.approx(control.mean() - selected.mean())
    assert 0 < gain["low"] < gain["estimate"] < gain["high"]
    assert gain["challenger"] == 4
    first, second = found["contenders"]["0"]["score"], found["contenders"]["4"]["score"]
    assert (second > first) == maximize


@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("make", [loss_judge, spearman_like])
def test_scores_lie_in_their_interval_and_are_the_mean_of_the_refits(make, maximize, rng):
    judge = make(maximize=maximize)
    stored = Y + rng.normal(0, 1, (3, N))
    found = results(judge, stored, Y + rng.normal(0, 0.5, (3, N)))
    for one in found["contenders"].values():
        assert one["low"] < one["score"] < one["high"]
        assert len(one["scores"]) == 3
        assert one["score"] == pytest.approx(np.mean(one["scores"]))
    assert found["contenders"]["0"]["scores"][1] == pytest.approx(judge.score(Y, stored[1]))


def test_turning_the_direction_of_a_score_turns_its_interval_but_not_the_gain(rng):
    control, selected = Y + rng.normal(0, 2, N), Y + rng.normal(0, 0.5, N)
    plain = results(spearman_like(maximize=True), control, selected)
    turned = results(spearman_like(maximize=False), control, selected)
    assert turned["gain"]["estimate"] == pytest.approx(plain["gain"]["estimate"])
    one, two = (found["contenders"]["4"] for found in (plain, turned))
    assert (two["low"], two["high"]) == pytest.approx((1 - one["high"], 1 - one["low"]))


def test_the_interval_of_a_score_is_the_resampled_one_the_right_way_round(rng):
    control, selected = rng.exponential(1, (1, N)) ** 2, rng.exponential(1, (1, N)) ** 2
    judge = loss_judge(maximize=False)
    found = results(judge, control, selected)["contenders"]["0"]
    expected = gain_from_losses(control, selected, Independent(N), np.random.default_rng(1)).control
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    skew = (expected.high - expected.estimate) - (expected.estimate - expected.low)
    assert abs(skew) > 1e-3
    turned = results(loss_judge(maximize=True), control, selected)["contenders"]["0"]
    assert (turned["low"], turned["high"]) == pytest.approx((1 - expected.high, 1 - expected.low))


def test_the_interval_of_a_score_of_all_rows_is_the_resampled_one_too(rng):
    judge = spearman_like(maximize=True)
    control, selected = Y + rng.normal(0, 0.3, (1, N)), Y + rng.normal(0, 0.5, (1, N))
    found = results(judge, control, selected)["contenders"]["0"]
    expected = gain_from_statistic(
        Y, control, selected, judge.score, Independent(N), np.random.default_rng(1)
    ).control
    assert (found["low"], found["high"]) == pytest.approx((expected.low, expected.high))
    assert (expected.high - expected.estimate) < (expected.estimate - expected.low)


def test_the_area_under_the_curve_is_that_of_the_stored_scores(rng):
    control, selected = rng.normal(0, 1, N), Y + rng.normal(0, 1, N)

    def area(y, stored):
        pairs = stored[y == 1][:, None] - stored[y == 0][None, :]
        return float(np.mean((pairs > 0) + 0.5 * (pairs == 0)))

    judge = Judge("roc_auc", True, False, area, lambda y, s: RankedScores(y, s).auc)
    found = results(judge, control, selected)
    assert found["gain"]["estimate"] == pytest.approx(area(Y, selected) - area(Y, control))
    assert found["contenders"]["4"]["score"] == pytest.approx(area(Y, selected))


@pytest.mark.parametrize("maximize", [True, False])
def test_a_score_of_weighted_rows_says_the_same_in_a_fraction_of_the_time(maximize, rng):
    def weighted(y, stored):
        return lambda weights: weights @ (stored - y) ** 2 / weights.sum(axis=1)

    def score(y, stored):
        return float(np.mean((stored - y) ** 2))

    arms = Y + rng.normal(0, 1, (3, N)), Y + rng.normal(0, 0.5, (3, N))
    slow, fast = (
        results(Judge("own", maximize, False, score, one), *arms) for one in (None, weighted)
    )
    assert (fast["gain"]["estimate"] < 0) == maximize
    for one in ("0", "4"):
        assert fast["contenders"][one] == {
            key: pytest.approx(value) for key, value in slow["contenders"][one].items()
        }
    ends = [key for key, value in slow["gain"].items() if isinstance(value, float)]
    assert [fast["gain"][key] for key in ends] == pytest.approx([slow["gain"][key] for key in ends])


def test_equal_contenders_gain_nothing(rng):
    stored = rng.random(N)
    found = results(loss_judge(maximize=False), stored, stored)
    assert found["gain"]["estimate"] == found["gain"]["low"] == found["gain"]["high"] == 0.0


def test_swapping_the_contenders_turns_the_gain(rng):
    a, b = rng.random((2, N)), rng.random((2, N)) + 0.1
    one = results(loss_judge(maximize=False), a, b)["gain"]
    two = results(loss_judge(maximize=False), b, a)["gain"]
    assert one["estimate"] == pytest.approx(-two["estimate"])


def test_a_smaller_alpha_widens_the_interval(rng):
    a, b = rng.random((2, N)), rng.random((2, N))
    wide, narrow = (results(loss_judge(maximize=False), a, b, alpha=x)["gain"] for x in (0.01, 0.2))
    assert wide["low"] < narrow["low"] < narrow["high"] < wide["high"]
    assert wide["level"] == 0.99


def test_the_noise_of_rows_and_refits_adds_up(rng):
    gain = results(loss_judge(maximize=False), rng.random((4, N)), rng.random((4, N)))["gain"]
    assert gain["se_rows"] ** 2 + gain["se_seeds"] ** 2 == pytest.approx(gain["se"] ** 2)


def test_a_control_alone_has_a_gain_of_zero_over_itself(rng):
    arms = {0: rng.random((2, N))}
    judge = loss_judge(maximize=False)
    found = final_results(judge, Y, arms, Independent(N), np.random.default_rng(0), alpha=0.05)
    assert found["gain"]["challenger"] == 0
    assert found["gain"]["estimate"] == 0.0
    assert list(found["contenders"]) == ["0"]


def test_results_can_be_stored_as_json(rng):
    found = results(loss_judge(maximize=True), rng.random((2, N)), rng.random((2, N)))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["rows"] == N


def test_rows_are_drawn_as_the_data_asks_for():
    groups = np.repeat(np.arange(6), 10)
    plain = {"groups": None, "time": False, "horizon": 1, "classes": False}
    assert drawn_rows(Y, **plain).kind == "rows"
    kinds = {
        drawn_rows(Y, **{**plain, **change}).kind
        for change in ({"groups": groups}, {"time": True}, {"classes": True}, {})
    }
    assert len(kinds) >= 3
    assert drawn_rows(Y, **{**plain, "groups": groups, "classes": True}).kind == (
        drawn_rows(Y, **{**plain, "groups": groups}).kind
    )


SHARE = Bounds(0.0, 1.0)


def share_found(y, stored):
    return float(np.sum(stored * y) / np.sum(y)) if np.sum(y) else float("nan")


@pytest.mark.parametrize(
    ("control", "selected", "blind"),
    [
        (np.zeros(N), np.zeros(N), True),  # no row of the class is found: no draw can show noise
        (Y, Y, False),  # all are: there is nothing to be better at
        (np.zeros(N), Y, False),
        (np.arange(N) % 3, np.arange(N) % 3, False),  # the same model: equal, and the rows show it
    ],
)
def test_rows_in_which_the_metric_sees_nothing_are_blind(control, selected, blind):
    judge = Judge("recall", True, False, share_found, bounds=SHARE)
    found = results(judge, control > 0, selected > 0)
    assert found["blind"] == blind


@pytest.mark.parametrize("maximize", [True, False])
def test_no_interval_reaches_beyond_what_is_possible(maximize, rng):
    def score(y, stored):
        share = float(np.mean((stored > 0.5) == y)) ** 0.1
        return share if maximize else 1 - share

    judge, free = (Judge("own", maximize, False, score, bounds=b) for b in (SHARE, Bounds()))
    rows = np.tile(Y, 2).astype(float)[:N]
    wrong = np.where(np.arange(N) < 2, 1 - rows, rows)
    kept, loose = (results(one, 1 - wrong, wrong) for one in (judge, free))
    ends = [(one["low"], one["high"]) for one in kept["contenders"].values()]
    assert all(0 <= low <= high <= 1 for low, high in ends)
    beyond = [(one["low"], one["high"]) for one in loose["contenders"].values()]
    assert any(low < 0 or high > 1 for low, high in beyond)
    assert -1 <= kept["gain"]["low"] <= kept["gain"]["high"] <= 1
