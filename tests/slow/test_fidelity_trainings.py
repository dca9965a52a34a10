"""The real trainings of benchmarks/fidelity give a config one curve, however they are asked for it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from benchmarks.fidelity.trainings import Training
from benchmarks.search.params import sample

pytestmark = pytest.mark.slow
NEEDS = {"mlp-digits": ("torch",), "lightgbm-randhie": ("lightgbm", "statsmodels"), "sgd-segments": ("river",)}  # fmt: skip


@pytest.fixture(params=NEEDS)
def name(request):
    for package in NEEDS[request.param]:
        pytest.importorskip(package)
    return f"training:{request.param}"


def configs(problem, count):
    rng = np.random.default_rng(0)
    return [sample(problem.space, rng) for _ in range(count)]


def test_a_curve_is_the_same_in_parts_and_beside_others(name):
    whole, parts = Training(name), Training(name)
    one, other = configs(whole, 2)
    curve = whole.losses_until(one, 9)
    found = []
    for step in (2, 5, 9):
        found = parts.losses_until(one, step)
        parts.losses_until(other, step)
    assert found == curve
    assert parts.loss_at(other, 9) == whole.loss_at(other, 9)


def test_every_config_has_a_loss_at_every_step(name):
    problem = Training(name)
    for config in configs(problem, 5):
        assert all(math.isfinite(loss) for loss in problem.losses_until(config, 6))
    top = {p.name: (p.choices[-1] if p.kind == "cat" else p.high) for p in problem.space}
    assert all(math.isfinite(loss) for loss in problem.losses_until(top, 6))


def test_a_training_learns(name):
    problem = Training(name)
    curves = [problem.losses_until(c, problem.fidelity.most) for c in configs(problem, 5)]
    assert min(curve[-1] for curve in curves) < min(curve[0] for curve in curves)
