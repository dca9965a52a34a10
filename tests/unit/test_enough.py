"""A search ends when going on is shown not to be worth it, and not because the process is too sure."""

from __future__ import annotations

import math

import numpy as np
import pytest

import assay
from assay import Budget, Float, Space
from assay.api.parts import sampler_settings
from assay.core.errors import SpecError
from assay.core.events import Asked, Exhausted, Told
from assay.core.history import fold
from assay.core.protocols import ExhaustedError
from assay.core.rng import stream
from assay.math.halvings import brought
from assay.samplers.enough import FACTOR, PROBES, Enough, Outlook
from assay.samplers.random import Random

PLANE = Space(x=Float(0, 1), y=Float(0, 1))


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


def needle(config):
    """Flat, but for a hole that a process of long lengthscales does not expect."""
    away = math.hypot(config["x"] - 0.83, config["y"] - 0.17)
    return 0.05 * config["x"] - math.exp(-((away / 0.04) ** 2))


def searched(function, tolerance, *, budget=60, sampler="gp", seed=0):
    return assay.optimize(
        lambda trial: function(trial.config), PLANE, budget=Budget(trials=budget), seed=seed,
        sampler={"name": sampler, "enough": tolerance}, evidence=None, isolation="none",
        progress=False,
    )  # fmt: skip


def test_a_search_that_has_found_the_best_ends():
    study = searched(bowl, 0.01)
    (ended,) = [e for e in study.store.read(study.name) if isinstance(e, Exhausted)]
    assert 11 <= len(study.trials) < 60
    assert study.best.value <= 0.01
    assert (
        "functions that the model believes in no config is better by more than 0.01" in ended.reason
    )
    assert "chance" not in ended.reason, "what the model believes was not shown to hold"
    probes = [t for t in study.trials if "probe" in (t.why or {})]
    assert [t.number for t in probes[-PROBES:]] == list(range(len(study.trials)))[-PROBES:]
    assert study.verify() == []


def history(function, count, seed=0):
    rng = np.random.default_rng(seed)
    events = []
    for number in range(count):
        config = {"x": float(rng.random()), "y": float(rng.random())}
        events.append(Asked(number, config, len(events), "sampler", None))
        events.append(Told(number, (function(config),), None))
    return fold(events)


def test_too_few_trials_say_nothing():
    rule = Enough(Random(), 10.0)
    assert rule.outlook(PLANE, history(bowl, 10)) is None
    assert rule.outlook(PLANE, history(bowl, 11)) is not None


def test_what_is_left_to_gain_is_seen():
    few, many = (Enough(Random(), 0.01).outlook(PLANE, history(bowl, n)) for n in (12, 60))
    truth = [min(bowl(h.config(n)) for n in range(h.n_trials)) for h in (history(bowl, 12),)]
    assert few.regrets.mean() > many.regrets.mean()
    assert few.regrets.max() >= truth[0] / 2
    assert many.chance(1.0) == 1.0


def test_a_process_that_is_too_sure_of_itself_ends_nothing():
    rough = history(lambda c: float(np.sign(math.sin(40 * c["x"]) * math.sin(40 * c["y"]))), 30)
    sure = Enough(Random(), 1e-9)
    assert sure.ask(PLANE, rough, stream(0, "trial", 30)).why == {"sampler": "random"}


def test_a_probe_that_becomes_the_best_keeps_the_search_going():
    past = history(bowl, 40)
    rule = Enough(Random(), 1.0)
    first = rule.ask(PLANE, past, stream(0, "trial", 40))
    assert first.why == {"sampler": "random", "probe": 1}
    for became_best in (True, False):
        events = []
        for probe in range(PROBES):
            config = {"x": 0.2 * probe, "y": 0.9}
            loss = -0.1 if became_best and probe == 1 else bowl(config)
            why = {"sampler": "random", "probe": probe + 1}
            events += [
                Asked(40 + probe, config, 0, "sampler", why),
                Told(40 + probe, (loss,), None),
            ]
        later = fold(events, past)
        if became_best:
            assert rule.ask(PLANE, later, stream(0, "trial", 43)).why == {"sampler": "random"}
        else:
            with pytest.raises(ExhaustedError, match="it is enough"):
                rule.ask(PLANE, later, stream(0, "trial", 43))


@pytest.mark.slow
def test_a_needle_is_missed_no_more_often_than_random_search_misses_it():
    """Where nothing points to the best, no rule can know: it ends, and says how sure it is."""
    ended = [searched(needle, 0.02, seed=s, budget=80) for s in range(5)]
    assert all(study.best.value < 0.02 for study in ended)


@pytest.mark.slow
def test_ends_are_right():
    """Ended searches on a bumpy function are within the tolerance of the best in most of the cases."""

    def bumpy(config):
        x, y = 3 * config["x"] - 1.5, 3 * config["y"] - 1.5
        return bowl(config) + 0.1 * (1 - math.cos(5 * x) * math.cos(4 * y))

    grid = np.linspace(0, 1, 201)
    best = min(bumpy({"x": x, "y": y}) for x in grid for y in grid)
    studies = [searched(bumpy, 0.02, seed=s, budget=100) for s in range(12)]
    ended = [study for study in studies if len(study.trials) < 100]
    right = [study.best.value - best <= 0.02 for study in ended]
    assert len(ended) >= 6
    assert np.mean(right) >= 0.8


def test_it_can_be_said_in_words():
    assert sampler_settings("auto enough=0.01") == {"name": "auto", "enough": 0.01}
    with pytest.raises(SpecError, match="NAME=NUMBER"):
        sampler_settings("auto enough")
    with pytest.raises(SpecError, match="no setting"):
        sampler_settings("sobol enough=0.01")


@pytest.mark.parametrize("tolerance", [0, -1, math.inf, math.nan, True, "much"])
def test_the_tolerance_is_a_number_above_0(tolerance):
    with pytest.raises(SpecError, match="a number above 0"):
        Enough(Random(), tolerance)


def test_several_objectives_are_refused():
    with pytest.raises(SpecError, match="one objective"):
        assay.Study(
            PLANE,
            sampler={"name": "gp", "enough": 0.1},
            direction={"a": "minimize", "b": "minimize"},
        ).ask()


def test_the_process_and_the_record_are_each_asked_for_a_part_of_the_tolerance():
    sure = Outlook(np.zeros(64), 1.0, 0.0)
    assert sure.holds(0.8)
    part = 0.8 / FACTOR
    assert Outlook(np.full(64, part), 1.0, part).holds(0.8)
    assert not Outlook(np.full(64, 1.01 * part), 1.0, 0.0).holds(0.8)
    assert not Outlook(np.zeros(64), 1.0, 1.01 * part).holds(0.8)


def test_a_search_that_still_gains_is_not_ended_by_a_process_that_is_sure():
    seen = Enough(Random(), 10.0).outlook(PLANE, history(bowl, 40))
    losses = [bowl(history(bowl, 40).config(n)) for n in range(40)]
    assert seen.brought == brought(losses) > 0
