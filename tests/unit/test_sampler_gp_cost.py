"""Costs count under a budget of time alone, only where they are learnt, and less as the budget goes."""

from __future__ import annotations

import numpy as np
import pytest

from assay import Float, Space
from assay.core.events import Asked, Created, Deviated, Told
from assay.core.history import fold
from assay.core.rng import stream
from assay.math.cost_model import CostModel
from assay.report.facts import Facts
from assay.report.why import _gp
from assay.samplers.gp import Gp
from assay.samplers.gp_cost import CAP, cheapness
from assay.samplers.gp_history import memory_of

SPACE = Space(x=Float(0, 1), size=Float(0, 1))


def study(budget, *, trials=20, cost=None, deviated=None, seed=0):
    """Larger is better up to a point, and costs up to 100 times as much."""
    rng = np.random.default_rng(seed)
    cost = cost or (lambda x, size: 10 ** (2 * size))
    events = [Created({"budget": budget}, "plan")]
    for number in range(trials):
        x, size = rng.random(2)
        events.append(Asked(number, {"x": x, "size": size}, len(events), "sampler", None))
        seconds = cost(x, size) * np.exp(0.05 * rng.normal())
        events.append(
            Told(number, ((x - 0.5) ** 2 + 0.3 * (size - 0.8) ** 2,), None, seconds, seconds)
        )
    if deviated:
        events.append(Deviated("budget", budget, deviated, ""))
    return fold(events)


def spent(history):
    return sum(history.outcome(n).cpu_s for n in history.ended)


def terms(history):
    return cheapness(memory_of(SPACE, history, 1.0), history)


def sizes(budget, count=6):
    """What is proposed after the same trials, with several streams."""
    history = study(budget)
    return [
        Gp(costs=True).ask(SPACE, history, stream(s, "trial", 20)).config["size"]
        for s in range(count)
    ]


@pytest.mark.parametrize(
    "budget", [None, {"trials": 50}, {"steps": 9}, {"money": 3.0}, {"trials": 50, "seconds": None}]
)
def test_without_a_budget_of_time_nothing_changes(budget):
    history = study(budget)
    assert terms(history) == []
    ours, plain = (
        Gp(costs=True).ask(SPACE, h, stream(0, "trial", 20)) for h in (history, study(None))
    )
    assert ours == plain


@pytest.mark.parametrize("limit", ["seconds", "cpu_seconds", "cpu_hours"])
def test_under_a_budget_of_time_cheap_configs_come_first(limit):
    term = terms(study({limit: 1e5}))[0]
    assert term.weight > 0.9
    assert np.mean(sizes({limit: 1e5})) < np.mean(sizes(None)) - 0.02


def test_costs_count_only_where_that_is_asked_for():
    assert "cost_s" not in Gp().ask(SPACE, study({"seconds": 1e5}), stream(0, "trial", 20)).why


def test_costs_count_less_as_the_budget_goes():
    whole = spent(study(None))
    weights = [terms(study({"cpu_seconds": whole * k}))[0].weight for k in (1.1, 2, 10)]
    assert weights == pytest.approx([1 - 1 / 1.1, 0.5, 0.9])
    assert terms(study({"cpu_seconds": whole})) == []


def test_the_budget_is_the_one_that_holds_now():
    assert terms(study({"trials": 9}, deviated={"seconds": 1e5}))
    assert terms(study({"seconds": 1e5}, deviated={"trials": 99})) == []


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("too few", {"trials": 11}),
        ("all alike", {"cost": lambda x, size: 1.0 + 0.1 * size}),
        ("unlike the config", {"cost": lambda x, size: 10 ** np.sin(1e6 * (x + size))}),
    ],
)
def test_costs_that_are_not_learnt_do_not_count(name, options):
    assert terms(study({"seconds": 1e5}, **options)) == []


def test_the_gradient_is_that_of_the_value():
    term = terms(study({"seconds": 1e5}))[0]
    rows = np.random.default_rng(1).random((5, 2)) * 0.5 + 0.25
    value, gradient = term.with_gradient(rows)
    for column in range(2):
        step = np.zeros(2)
        step[column] = 1e-6
        slope = (term.value(rows + step) - term.value(rows - step)) / 2e-6
        assert slope == pytest.approx(gradient[:, column], abs=1e-6)
    assert value == pytest.approx(term.value(rows))
    assert np.abs(term.value(np.array([[0.5, 9.0], [0.5, -9.0]]))).max() <= np.log(CAP) + 1e-9


def test_it_is_said_with_the_proposal():
    why = Gp(costs=True).ask(SPACE, study({"seconds": 1e5}), stream(0, "trial", 20)).why
    assert why["cost_s"] > 0
    assert 0.9 < why["cost_weight"] <= 1
    assert "s, which counts 100 %" in _gp(Facts(why), ["loss"])


def test_what_a_model_explains_is_measured_on_what_it_has_not_seen():
    rng = np.random.default_rng(0)
    points = rng.random((15, 8))
    assert CostModel.of(points, np.exp(rng.normal(size=15))).explained < 0.3
    assert CostModel.of(points, np.exp(3 * points[:, 0])).explained > 0.8
