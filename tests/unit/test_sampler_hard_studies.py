"""Studies that break samplers: those that learn from trials still do better than random search."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.core.events import Asked, Failed, Told
from assay.core.history import History, fold
from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Float, Int, Ordinal, When
from assay.core.protocols import ExhaustedError
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cmaes import CmaEs
from assay.samplers.evolution import Evolution
from assay.samplers.random import Random
from assay.samplers.tpe import Tpe
from assay.samplers.unique import Unique

MODELS = [Tpe(), Evolution()]
NUMERIC = [*MODELS, CmaEs()]

PLANE = Space(x=Float(0, 1), y=Float(1e-4, 1, log=True))
BRANCHES = Space(
    model=Choice(["linear", "tree", "net"]),
    depth=When("model", "tree", Int(1, 12)),
    optimizer=When("model", "net", Choice(["sgd", "adam"])),
    momentum=When("model", "net", When("optimizer", "sgd", Float(0.5, 0.99))),
    layers=When("model", ["tree", "net"], Ordinal([1, 2, 4])),
)
FINITE = Space(a=Int(0, 3), b=Choice(["x", "y"]), c=When("b", "y", Ordinal([1, 2, 4])))


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (math.log10(config["y"]) + 1) ** 2 / 16


def branches(config):
    if config["model"] == "tree":
        return abs(config["depth"] - 9) / 4 + config["layers"] / 4
    return 3.0 - config.get("momentum", 0)


def far(config):
    return sum((value - 0.7) ** 2 for value in config.values())


def mismatches(config):
    return sum(value != "c" for value in config.values())


STUDIES = {
    "conditional": (BRANCHES, branches, 60),
    "40 dimensions": (Space({f"x{i}": Float(0, 1) for i in range(40)}), far, 120),
    "categories alone": (Space({f"c{i}": Choice(list("abcd")) for i in range(8)}), mismatches, 90),
    "one parameter": (Space(x=Float(-5, 5)), lambda config: (config["x"] - 1) ** 2, 60),
    "heavy tail": (PLANE, lambda config: math.expm1(14 * bowl(config)), 60),  # up to 1e6
}


def searched(sampler, space, loss, trials, *, seed=0, noise=0.0, crash=lambda config: False):
    """The history of a study; configs that `crash` fail."""
    history, rng = History(), stream(seed, "noise")
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        assert space.contains(config)
        asked = Asked(number, config, history.length, "sampler", why)
        value = loss(config) + noise * float(rng.standard_normal())
        ended = Failed(number, "raised", "no") if crash(config) else Told(number, (float(value),))
        history = fold([asked, ended], history)
    return history


def late(sampler, space, loss, trials, **more):
    """The median loss, without noise, of the last third of the trials of three studies."""
    runs = [searched(sampler, space, loss, trials, seed=seed, **more) for seed in range(3)]
    return np.median([loss(history.config(n)) for history in runs for n in range(-trials // 3, 0)])


def name_of(thing):
    return type(thing).__name__ if not isinstance(thing, str) else thing


@pytest.mark.parametrize("sampler", MODELS, ids=name_of)
@pytest.mark.parametrize("study", STUDIES)
def test_late_trials_are_better_than_random_ones(sampler, study):
    space, loss, trials = STUDIES[study]
    assert late(sampler, space, loss, trials) < 0.75 * late(Random(), space, loss, trials)


@pytest.mark.parametrize("study", ["40 dimensions", "one parameter", "heavy tail"])
def test_late_trials_of_cma_es_are_better_than_random_ones(study):
    space, loss, trials = STUDIES[study]
    assert late(CmaEs(), space, loss, 2 * trials) < 0.75 * late(Random(), space, loss, 2 * trials)


@pytest.mark.parametrize("sampler", NUMERIC, ids=name_of)
def test_noise_as_large_as_the_differences(sampler):
    found, random = (late(s, PLANE, bowl, 90, noise=0.1) for s in (sampler, Random()))
    assert found < 0.75 * random


@pytest.mark.parametrize("sampler", NUMERIC, ids=name_of)
def test_thirty_percent_failing(sampler):
    """Those next to the optimum."""
    loss, crash = lambda config: (config["x"] - 0.65) ** 2, lambda config: config["x"] > 0.7
    history = searched(sampler, PLANE, loss, 120, crash=crash)
    states = [trial.state for trial in history.trials]
    assert states[:40].count("failed") > 6
    assert states[-40:].count("failed") < 13
    assert min(told.values[0] for _, told in history.told()) < 1e-3


@pytest.mark.parametrize("sampler", NUMERIC, ids=name_of)
@pytest.mark.parametrize("value", [0.0, -1e300])
def test_constant_values(sampler, value):
    history = searched(sampler, PLANE, lambda config: value, 40)
    assert len({canonical(trial.config) for trial in history.trials}) == 40


@pytest.mark.parametrize("sampler", MODELS, ids=name_of)
def test_a_finite_space_is_tried_whole_and_then_exhausted(sampler):
    whole = Unique(sampler)
    history = searched(whole, FINITE, lambda config: config["a"], 16)
    assert len({canonical(trial.config) for trial in history.trials}) == 16
    with pytest.raises(ExhaustedError, match="16 configs"):
        whole.ask(FINITE, history, stream(0, "trial", 16))


@pytest.mark.parametrize("sampler", NUMERIC, ids=name_of)
def test_after_ten_thousand_trials_of_others(sampler):
    """The new ones are near the best of the old: evolution's parents are the newest trials only."""
    rng, events = stream(0, "many"), []
    for number in range(10_000):
        config = PLANE.from_unit(rng.random(2).tolist())
        events += [Asked(number, config, 0, "sampler", None), Told(number, (bowl(config),))]
    history = fold(events)
    losses = [bowl(sampler.ask(PLANE, history, stream(0, "next", k)).config) for k in range(20)]
    random = np.median([told.values[0] for _, told in history.told()])
    assert np.median(losses) < (0.5 if isinstance(sampler, Evolution) else 0.2) * random
