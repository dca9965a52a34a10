"""What was known before a study: that it helps where it is right, and costs little where it is wrong.

Two problems, ten seeds, paired: the same seeds with and without knowledge. Figures are differences of
log10 regret, with their standard errors; below 0 knowledge helped. They are printed (`pytest -s`).
"""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest

from assay.analysis.earlier import learned
from assay.core.events import Asked, Told
from assay.core.history import fold
from assay.core.parameters import Choice, Float, Int, When
from assay.core.rng import stream
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.samplers.gp import Gp
from assay.samplers.random import Random

pytestmark = pytest.mark.slow

SEEDS = range(10)
TRIALS = 60
LEAST = 1e-4  # a smaller regret is no better

BRANIN = Space(x=Float(-5, 10), y=Float(0, 15))
BOOSTING = Space(
    rate=Float(1e-5, 1, log=True),
    depth=Int(1, 20),
    penalty=Float(1e-6, 10, log=True),
    booster=Choice(["tree", "linear", "dart"]),
    share=When("booster", ["tree", "dart"], Float(0.2, 1)),
)
BEST = {
    "branin": {"x": math.pi, "y": 2.275},
    "boosting": {"rate": 10**-2.2, "depth": 7, "penalty": 0.01, "booster": "tree", "share": 0.75},
}
WORST_CHOICE = "linear"


def branin(config, shift=0.0):
    x, y = config["x"] + shift, config["y"] + shift
    bend = y - 5.1 / (4 * math.pi**2) * x * x + 5 / math.pi * x - 6
    return bend**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10 - 0.397887


def boosting(config, shift=0.0):
    """Made up: a valley in each number, and a choice that matters."""
    rate, penalty = (math.log10(config[name]) for name in ("rate", "penalty"))
    loss = 0.5 * (rate + 2.2 + shift) ** 2 + ((config["depth"] - 7 - 2 * shift) / 6) ** 2
    loss += 0.05 * (penalty + 2) ** 2 + {"tree": 0, "dart": 0.15, "linear": 1}[config["booster"]]
    return loss + 0.8 * (config.get("share", 0.75) - 0.75) ** 2


PROBLEMS = {"branin": (BRANIN, branin, 0.8), "boosting": (BOOSTING, boosting, 0.3)}


def run(space, loss, seed, *, trials=TRIALS, beliefs=(), learnt=(), sampler=None):
    sampler = sampler or Gp(seed=seed, beliefs=beliefs)
    history = fold([*learnt])
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        asked = Asked(number, config, history.length, "sampler", why)
        history = fold([asked, Told(number, (loss(config),))], history)
    return history


def regrets(history):
    lowest = np.minimum.accumulate([told.values[0] for _, told in history.told()])
    return np.log10(np.maximum(lowest, LEAST))


def plain(problem):
    space, loss, _ = PROBLEMS[problem]
    return np.array([regrets(run(space, loss, seed)) for seed in SEEDS])


@pytest.fixture(scope="module")
def without():
    return {problem: plain(problem) for problem in PROBLEMS}


def difference(label, problem, without, runs, at):
    gaps = (np.array([regrets(r) for r in runs]) - without[problem])[:, [n - 1 for n in at]]
    mean, error = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / math.sqrt(len(gaps))
    figures = ", ".join(f"{n}: {m:+.2f} ± {e:.2f}" for n, m, e in zip(at, mean, error, strict=True))
    print(f"{label}, {problem}: {figures}")  # noqa: T201 - what the test is run for
    return mean, error


# --- beliefs


def belief(problem, right, strength, seed):
    """Near the best value (0.15 or 0.07 of the range away), or half the range away from it."""
    rng, found = np.random.default_rng(seed), []
    for name, value in BEST[problem].items():
        parameter = PROBLEMS[problem][0][name]
        if isinstance(parameter, Choice):
            found.append((name, value if right else WORST_CHOICE, strength))
            continue
        place = parameter.to_unit(value)
        off = {"weak": 0.15, "strong": 0.07}[strength] * rng.normal()
        place = np.clip(place + off, 0.01, 0.99) if right else (place + 0.5) % 1.0
        found.append((name, parameter.from_unit(float(place)), strength))
    return tuple(found)


def believing(problem, right, strength):
    space, loss, _ = PROBLEMS[problem]
    return [
        run(space, loss, seed, beliefs=belief(problem, right, strength, seed)) for seed in SEEDS
    ]


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("strength", ["weak", "strong"])
def test_a_good_belief_is_ahead_at_15_trials(problem, strength, without):
    runs = believing(problem, True, strength)
    mean, error = difference(f"good, {strength}", problem, without, runs, (10, 15, 30, 60))
    assert mean[1] < -1.5 * error[1]
    assert mean[1] < -0.3


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("strength", ["weak", "strong"])
def test_a_wrong_belief_costs_little_by_60_trials(problem, strength, without):
    runs = believing(problem, False, strength)
    mean, error = difference(f"wrong, {strength}", problem, without, runs, (10, 15, 30, 60))
    assert mean[3] < 2 * error[3] + 0.1


# --- earlier studies


def source(problem, kind, seed):
    """A study of a shifted problem, the same with its losses reversed, or one of a random function."""
    space, loss, shift = PROBLEMS[problem]
    sampler = Gp(seed=900 + seed)
    if kind == "unrelated":
        rng = np.random.default_rng(seed)
        slopes = dict(zip(space.names, rng.normal(0, 5, len(space)), strict=True))

        def found(config):
            return sum(math.sin(slopes[n] * space[n].to_unit(v)) for n, v in config.items())
    else:

        def found(config):
            return loss(config, shift)

    history = run(space, found, 900 + seed, trials=40, sampler=sampler)
    spec = StudySpec(space, {"value": "minimize"})
    event = learned(spec, kind, "", spec, history)
    if kind == "reversed":
        event = msgspec.structs.replace(event, losses=tuple(-score for score in event.losses))
    return event


def learning(problem, kind):
    space, loss, _ = PROBLEMS[problem]
    return [run(space, loss, seed, learnt=[source(problem, kind, seed)]) for seed in SEEDS]


def test_a_related_source_helps_early(without):
    found = [
        difference("related", problem, without, learning(problem, "related"), (10, 20, 60))
        for problem in PROBLEMS
    ]
    assert np.mean([mean[:2].mean() for mean, _ in found]) < -0.3


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("kind", ["unrelated", "reversed"])
def test_a_bad_source_costs_nothing_beyond_noise(problem, kind, without):
    mean, error = difference(kind, problem, without, learning(problem, kind), (10, 20, 60))
    assert (mean < 2 * error + 0.15).all()


def test_random_search_is_behind_all_of_it(without):
    for problem, (space, loss, _) in PROBLEMS.items():
        runs = [run(space, loss, seed, sampler=Random()) for seed in SEEDS]
        mean, _ = difference("random", problem, without, runs, (10, 15, 30, 60))
        assert mean[3] > 0.5
