"""How much the next config will take: a bound that holds as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from assay.math.cost_model import CostModel


@pytest.mark.parametrize("sd", [0.1, 0.5])
@pytest.mark.parametrize("d", [1, 4, 8])
@pytest.mark.parametrize("n", [4, 6, 12, 30])
def test_nine_in_ten_new_costs_stay_below_the_bound(n, d, sd):
    rng, runs, below = np.random.default_rng(5), 400, 0
    for _ in range(runs):
        slopes, points, place = rng.normal(size=d), rng.random((n, d)), rng.random(d)
        model = CostModel.of(points, np.exp(points @ slopes + sd * rng.normal(size=n)))
        cost = np.exp(place @ slopes + sd * rng.normal())
        below += cost <= model.predicted(place, upper=True)
    assert 0.83 < below / runs < 0.96


def test_the_bound_comes_nearer_with_more_trials():
    rng = np.random.default_rng(0)
    points = rng.random((100, 3))
    costs = np.exp(points @ [1.0, -0.5, 0.2] + 0.1 * rng.normal(size=100))
    place = [0.5, 0.5, 0.5]
    few, many = (CostModel.of(points[:n], costs[:n]) for n in (5, 100))

    def room(model):
        return model.predicted(place, upper=True) / model.predicted(place)

    assert room(many) < room(few)
    assert room(many) == pytest.approx(np.exp(1.29 * 0.1), rel=0.05)
