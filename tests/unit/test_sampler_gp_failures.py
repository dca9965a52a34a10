"""Where trials fail: the process over labels, its gradient, and what it does to a search."""

from __future__ import annotations

import numpy as np
import pytest

from assay.math.gp import Hyperparameters
from assay.samplers.gp_failures import labels_of, success, worth_a_model

OWNER = np.arange(2)
HYPER = Hyperparameters(np.array([0.4, 0.8]), 0.02)


def half_failing(n=40, seed=0):
    rows = np.random.default_rng(seed).random((n, 2))
    return rows, rows[:, 0] < 0.6


@pytest.mark.parametrize(
    ("ended", "failed", "worth"),
    [(20, 4, False), (20, 5, True), (60, 5, False), (60, 6, True), (9, 9, False), (5, 0, False)],
)
def test_a_model_needs_failures_and_successes(ended, failed, worth):
    assert worth_a_model(np.arange(ended) >= failed) is worth


def test_labels_are_standard():
    labels = labels_of(np.array([True, True, True, False]))
    assert labels.mean() == pytest.approx(0)
    assert labels.std() == pytest.approx(1)
    assert labels[3] > labels[0]


def test_it_knows_which_side_fails():
    rows, told = half_failing()
    chance = np.exp(success(rows, told, OWNER, HYPER).value(np.array([[0.1, 0.5], [0.95, 0.5]])))
    assert chance[0] > 0.9
    assert chance[1] < 0.1


def test_a_chance_is_a_chance_everywhere():
    rows, told = half_failing()
    far = np.random.default_rng(1).normal(0, 50, (100, 2))
    value = success(rows, told, OWNER, HYPER).value(far)
    assert np.isfinite(value).all()
    assert (value <= 0).all()


def test_the_gradient():
    rows, told = half_failing()
    factor = success(rows, told, OWNER, HYPER)
    at = np.random.default_rng(2).random((8, 2))
    value, gradient = factor.with_gradient(at)
    assert np.allclose(value, factor.value(at))
    for i in range(2):
        step = 1e-6 * np.eye(2)[i]
        by_difference = (factor.value(at + step) - factor.value(at - step)) / 2e-6
        assert np.allclose(gradient[:, i], by_difference, rtol=1e-4, atol=1e-5)
