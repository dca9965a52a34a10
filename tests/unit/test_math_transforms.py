"""Transforms of losses: increasing, kind to outliers, and chosen by what they predict."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.math.transforms import TRANSFORMS, candidates, log, plain, score, soft_tail

LOSSES = st.lists(
    st.floats(-1e9, 1e9).filter(lambda y: y == 0 or abs(y) > 1e-9), min_size=2, max_size=30
).map(np.array)


@pytest.mark.parametrize("transform", [plain, soft_tail])
@given(y=LOSSES)
def test_targets_have_the_order_of_the_losses(transform, y):
    t = transform(y).t
    order = np.argsort(y, kind="stable")
    assert (np.diff(t[order]) >= -1e-9).all()


@pytest.mark.parametrize("transform", [plain, soft_tail])
@given(y=LOSSES)
def test_targets_have_mean_0_and_sd_1_or_are_constant(transform, y):
    t = transform(y).t
    assert np.isfinite(t).all()
    assert abs(t.mean()) < 1e-6
    assert t.std() == pytest.approx(1, abs=1e-6) or not t.any()


@pytest.mark.parametrize("name", TRANSFORMS)
def test_the_slope_is_that_of_the_better_half(name):
    y = np.random.default_rng(0).lognormal(0, 2, 31)
    targets = TRANSFORMS[name](y)
    order = np.argsort(y)[:15]
    for low, high in pairwise(order):
        rise = (targets.t[high] - targets.t[low]) / (y[high] - y[low])
        assert targets.slope[high] * 0.999 <= rise <= targets.slope[low] * 1.001


@pytest.mark.parametrize("name", TRANSFORMS)
def test_losses_come_back_from_targets(name):
    y = np.random.default_rng(1).lognormal(0, 2, 30)
    targets = TRANSFORMS[name](y)
    assert np.allclose(targets.loss(targets.t), y)
    best = targets.t.min()
    below = targets.loss(np.array([best - 1e-3]))
    assert below[0] == pytest.approx(y.min() - 1e-3 / targets.slope[np.argmin(y)])


def test_the_worst_cannot_hide_the_best():
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1e6])
    gap = np.diff(soft_tail(y).t[:2])[0]
    assert gap > 100 * np.diff(plain(y).t[:2])[0]
    assert gap > 0.1


def test_a_soft_tail_leaves_the_better_half_as_it_is():
    y = np.array([1.0, 2.0, 4.0, 5.0, 5.5, 50.0, 51.0])
    t = soft_tail(y).t
    assert (t[1] - t[0]) * 2 == pytest.approx(t[2] - t[1])


@pytest.mark.parametrize("scale", [2.0**-600, 1.0, 2.0**900])
def test_the_scale_makes_no_difference(scale):
    y = np.array([3.0, 1.0, 4.0, 1.5, 9.0, 2.6])
    for transform in TRANSFORMS.values():
        assert np.allclose(transform(y * scale).t, transform(y).t)


@pytest.mark.parametrize("y", [[5.0], [5.0, 5.0, 5.0], [0.0, 0.0]])
def test_constant_losses_give_zeros(y):
    for targets in candidates(np.array(y)):
        assert not targets.t.any()


def test_when_most_are_best_the_others_are_told_apart():
    y = np.array([0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
    t = soft_tail(y).t
    assert t[0] < t[4] < t[5]


def test_logarithms_are_offered_for_positive_losses_of_several_sizes():
    def names(y):
        return {targets.name for targets in candidates(np.array(y))}

    assert "log" in names([0.01, 1.0, 5.0])
    assert "log" not in names([1.0, 5.0, 9.0])
    assert "log" not in names([-1.0, 5.0, 900.0])
    assert {"plain", "soft tail"} <= names([1.0, 5.0, 9.0])


def test_scores_are_densities_of_the_loss_itself():
    """The same prediction of the losses, told in the units of two transforms, has the same score."""
    y = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    near = plain(y)
    far = plain(y * 7 - 3)
    mean, variance = near.t + 0.1, np.full(5, 0.04)
    assert score(near, mean, variance) == pytest.approx(score(far, mean, variance) + np.log(7))
    sd = 1 / near.slope[0]
    error = -0.1 * sd
    density = np.exp(-0.5 * (error / (0.2 * sd)) ** 2) / (0.2 * sd * np.sqrt(2 * np.pi))
    assert score(near, mean, variance) == pytest.approx(np.log(density))


def test_the_worse_half_does_not_count():
    y = np.arange(1.0, 8.0)
    targets, variance = plain(y), np.full(7, 0.1)
    off = targets.t.copy()
    off[5:] += 3
    assert score(targets, off, variance) == score(targets, targets.t, variance)
    off[0] += 1
    assert score(targets, off, variance) < score(targets, targets.t, variance)


def test_a_logarithm_needs_no_scale():
    assert np.allclose(log(np.array([1.0, 10.0, 1000.0])).t, plain(np.array([0.0, 1.0, 3.0])).t)
