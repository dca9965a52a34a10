"""Improvement while others run, against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from assay.math.acquisition import log_ei, log_h, log_mean_h
from assay.math.fantasies import Fantasies
from assay.math.gp import Hyperparameters, Posterior

OWNER = np.arange(3)
HYPER = Hyperparameters(np.array([0.5, 0.8, 1.5]), 0.02)


def setting(q, draws=8, seed=0):
    rng = np.random.default_rng(seed)
    rows, waiting = rng.random((15, 3)), rng.random((q, 3))
    targets = np.sin(3 * rows.sum(axis=1))
    known = Posterior(rows, (targets - targets.mean()) / targets.std(), OWNER, HYPER)
    expected = np.append(known.targets, known.predict(waiting)[0])
    posterior = Posterior(np.concatenate([rows, waiting]), expected, OWNER, HYPER)
    normals = rng.normal(size=(draws, q))
    return rows, waiting, known, posterior, normals


@pytest.mark.parametrize("centre", [3.0, 0.0, -9.0, -300.0])
def test_the_mean_of_h_is_that_of_its_logarithms(centre):
    z = np.random.default_rng(1).normal(centre, 3, (20, 6))
    value, slope = log_mean_h(z)
    assert np.allclose(value, np.logaddexp.reduce(log_h(z), axis=1) - np.log(6), rtol=1e-10)
    for s in range(6):
        step = 1e-5 * np.eye(6)[s]
        by_difference = (log_mean_h(z + step)[0] - log_mean_h(z - step)[0]) / 2e-5
        assert np.allclose(slope[:, s], by_difference, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("q", [1, 4])
def test_it_is_the_mean_over_studies_in_which_the_others_ended(q):
    rows, waiting, known, posterior, normals = setting(q)
    at = np.random.default_rng(2).random((6, 3))
    fantasies = Fantasies(known, posterior, waiting, normals)
    every = np.concatenate([rows, waiting])
    drawn = []
    for values in fantasies.values.T:
        study = Posterior(every, values, OWNER, HYPER)
        # what is drawn is not to move the constant mean of the process
        weights = study.inverse @ (values - known.mean)
        means = known.mean + study.correlations(at) @ weights
        best = float((values - HYPER.noise * weights).min())
        drawn.append(log_ei(means, study.predict(at)[1], best))
    expected = np.logaddexp.reduce(drawn, axis=0) - np.log(len(normals))
    assert np.allclose(fantasies.value(at), expected)


def test_draws_vary_as_the_values_may():
    _, waiting, known, posterior, normals = setting(3, draws=20_000)
    drawn = Fantasies(known, posterior, waiting, normals).values[-3:]
    mean, covariance = known.joint(waiting)
    assert np.allclose(drawn.mean(axis=1), mean, atol=0.02)
    assert np.allclose(np.cov(drawn), covariance + HYPER.noise * np.eye(3), atol=0.02)


def test_the_joint_covariance_has_the_variances():
    _, waiting, known, _, _ = setting(4)
    mean, covariance = known.joint(waiting)
    assert np.allclose(mean, known.predict(waiting)[0])
    assert np.allclose(np.diagonal(covariance), known.predict(waiting)[1])


@pytest.mark.parametrize("q", [1, 4])
def test_the_gradient(q):
    _, waiting, known, posterior, normals = setting(q)
    fantasies = Fantasies(known, posterior, waiting, normals)
    at = np.random.default_rng(3).random((5, 3))
    value, gradient = fantasies.with_gradient(at)
    assert np.allclose(value, fantasies.value(at))
    for i in range(3):
        step = 1e-6 * np.eye(3)[i]
        by_difference = (fantasies.value(at + step) - fantasies.value(at - step)) / 2e-6
        assert np.allclose(gradient[:, i], by_difference, rtol=1e-4, atol=1e-4)


def test_a_place_where_one_waits_promises_less_than_before():
    _, waiting, known, posterior, normals = setting(2)
    fantasies = Fantasies(known, posterior, waiting, normals)
    alone = log_ei(*known.predict(waiting), float(known.fitted().min()))
    assert (fantasies.value(waiting) < alone - 0.3).all()


def test_many_waiting_at_one_place():
    rows, waiting, known, _, _ = setting(1)
    same = np.repeat(waiting, 30, axis=0)
    expected = np.append(known.targets, known.predict(same)[0])
    posterior = Posterior(np.concatenate([rows, same]), expected, OWNER, HYPER)
    normals = np.random.default_rng(0).normal(size=(8, 30))
    assert np.isfinite(Fantasies(known, posterior, same, normals).value(rows)).all()
