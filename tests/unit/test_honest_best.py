"""The expected best on rows that did not choose it: against simulation, and where more search hurts."""

from __future__ import annotations

import numpy as np
import pytest

from assay.core.errors import DataError
from assay.math.expected_best import expected_best, honest_best

ONE, MANY = np.random.default_rng, range(1, 41)


def noise(rows=60, trials=40, spread=1.0):
    return spread * ONE(3).normal(size=(rows, trials))


def test_without_noise_it_is_the_expected_best():
    values = ONE(0).normal(size=30)
    losses = np.tile(-values, (25, 1))
    mean, low, high = honest_best(losses, range(1, 31), ONE(1), reference=4)
    assert np.allclose(mean, expected_best(values) - values[4])
    assert np.allclose(low, mean)
    assert np.allclose(high, mean)


def test_it_is_the_mean_over_random_choices_of_trials():
    losses, rng = noise() + np.linspace(0, 1, 40), ONE(5)
    found = []
    for _ in range(6000):
        drawn = np.bincount(rng.integers(60, size=60), minlength=60)
        some = rng.choice(40, 8, replace=False)
        winner = some[(drawn @ losses[:, some]).argmin()]
        out = drawn == 0
        found.append(losses[out, 20].mean() - losses[out, winner].mean())
    mean, *_ = honest_best(losses, [8], rng, reference=20, draws=3000)
    error = np.std(found) / np.sqrt(len(found))
    assert mean[0] == pytest.approx(np.mean(found), abs=5 * error)


def test_luck_alone_gains_nothing_on_other_rows():
    losses = noise(rows=100, trials=60)
    losses -= losses.mean(axis=0)  # every trial is worth the same
    seen = expected_best(-losses[:50].mean(axis=0))[-1]
    mean, low, high = honest_best(losses, [60], ONE(2), reference=0, draws=600)
    assert seen > 0.15
    assert mean[0] < 0.05
    assert low[0] < 0 < high[0]


def test_it_falls_where_more_trials_choose_noise():
    """Many noisy trials that are worth less than a few quiet ones."""
    quiet, loud = noise(40, 20, 0.02), 3 * noise(40, 20) + 0.3
    loud -= loud.mean(axis=0) - 0.3
    losses = np.column_stack([quiet, loud])
    mean, *_ = honest_best(losses, MANY, ONE(0), reference=0, draws=600)
    best = int(mean.argmax())
    assert best < 30
    assert mean[-1] < mean[best] - 0.03


def test_the_band_is_ordered_and_bad_input_is_refused():
    mean, low, high = honest_best(noise(), MANY, ONE(0), reference=0)
    assert (low <= mean).all()
    assert (mean <= high).all()
    with pytest.raises(DataError):
        honest_best([[1.0, np.nan]] * 4, [1], ONE(0), reference=0)
