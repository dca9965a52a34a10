"""Earlier studies in the Gaussian-process sampler: offers, the gate, and the factor that fades."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.core.events import Asked, Failed, Learned, Told
from assay.core.history import History, fold
from assay.core.parameters import Choice, Float, Int, When
from assay.core.protocols import ExhaustedError
from assay.core.rng import stream
from assay.core.space import Space
from assay.math.agreement import normal_scores
from assay.math.encoding import Encoding
from assay.samplers.gp import Gp
from assay.samplers.gp_earlier import (
    MOST_SOURCES,
    WEIGHT,
    Source,
    earlier_of,
    earlier_start,
    expected,
)
from assay.samplers.gp_history import memory_of
from assay.samplers.random import Random

FLAT = Space(x=Float(0, 1), y=Float(0, 1))
MIXED = Space(
    lr=Float(1e-4, 1.0, log=True),
    booster=Choice(["tree", "linear"]),
    depth=When("booster", "tree", Int(1, 12)),
    new=Float(0, 1),
)


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] - 0.6) ** 2


def source(loss=bowl, space=FLAT, name="old", trials=30, seed=7, **changes):
    configs = []
    while len(configs) < trials:
        at = stream(seed, "trial", len(configs))
        configs.append(Random().ask(space, History(), at).config)
    losses = normal_scores(np.array([loss(c) for c in configs])).tolist()
    fields = {"plan": "", "head": "", "trials": trials, "configs": configs, "losses": tuple(losses)}
    return Learned(name, **(fields | changes))


def study(learnt, loss, trials, sampler=None, space=FLAT, start=()):
    history = fold([*learnt, *start])
    for number in range(history.n_trials, trials):
        config, why = (sampler or Gp()).ask(space, history, stream(0, "trial", number))
        value = loss(config)
        ended = Failed(number, "raised", "") if value is None else Told(number, (value,))
        history = fold([Asked(number, config, history.length, "sampler", why), ended], history)
    return history


def term(history, space=FLAT):
    return expected(memory_of(space, history, 1.0), history)


def best(history):
    return min(told.values[0] for _, told in history.told())


# --- a source


def test_a_source_expects_what_it_saw():
    encoding = Encoding(FLAT)
    event = source()
    rows = encoding.rows(np.array([encoding.point(c) for c in event.configs]))
    assert Source(encoding, event).expects(rows) == pytest.approx(np.array(event.losses), abs=0.4)


def test_the_gradient_is_that_of_the_expectation():
    encoding = Encoding(FLAT)
    found = Source(encoding, source())
    rows = np.random.default_rng(0).random((20, 2))
    mean, gradient = found.expects_with_gradient(rows)
    assert mean == pytest.approx(found.expects(rows))
    for column in range(2):
        step = np.zeros(2)
        step[column] = 1e-6
        slope = (found.expects(rows + step) - found.expects(rows - step)) / 2e-6
        assert gradient[:, column] == pytest.approx(slope, abs=1e-3)


def test_what_a_source_does_not_know_makes_no_difference_to_it():
    encoding = Encoding(MIXED)
    configs = [{"lr": 10 ** (-4 * n / 9), "booster": "tree", "depth": 1 + n} for n in range(10)]
    losses = tuple(normal_scores(np.arange(10.0)).tolist())
    found = Source(encoding, source(configs=configs, losses=losses))
    near = {"lr": 0.01, "booster": "tree", "depth": 5}
    rows = encoding.rows(np.array([encoding.point({**near, "new": u}) for u in (0.0, 0.5, 1.0)]))
    assert np.ptp(found.expects(rows)) < 1e-9
    assert found.expects_with_gradient(rows)[1][:, encoding.columns(3)] == pytest.approx(0)


@pytest.mark.parametrize(
    "changes",
    [
        {"configs": [{"x": 0.5, "y": 0.5}] * 4, "losses": (-1.0, -0.5, 0.5, 1.0)},
        {"configs": [{}] * 3, "losses": (-1.0, 0.0, 1.0)},
        {"losses": (0.0,) * 30},
    ],
)
def test_a_source_without_differences_is_passed_over(changes):
    history = study([source(**changes)], bowl, 8)
    assert earlier_of(memory_of(FLAT, history, 1.0), history) is None
    assert history.trial(0).why["design"] == "sobol"


# --- the first configs


def test_the_best_of_the_sources_come_first_in_turn():
    other = source(lambda c: abs(c["x"] - 0.9), name="other", seed=8)
    events = [source(), other]
    history = study(events, lambda c: 1.0, 5)
    firsts = [e.configs[int(np.argmin(e.losses))] for e in events]
    whys = [t.why for t in history.trials]
    assert history.config(0) == pytest.approx(firsts[0])
    assert history.config(2) == pytest.approx(firsts[1])
    assert [w.get("source") for w in whys] == ["old", None, "other", None, "old"]


def test_a_source_that_does_not_fit_offers_one_config():
    history = study([source(lambda c: -bowl(c))], bowl, 5)
    assert [t.why["design"] for t in history.trials] == ["earlier"] + ["sobol"] * 4


def test_offers_lie_apart_and_are_new():
    near = [{"x": 0.3 + 0.001 * n, "y": 0.6} for n in range(10)]
    losses = tuple(normal_scores(np.arange(10.0)).tolist())
    clustered = source(configs=near, losses=losses)
    history = study([clustered], bowl, 5)
    assert [t.why["design"] for t in history.trials].count("earlier") == 1
    start = [Asked(0, near[0], 0, "control"), Told(0, (0.0,))]
    again = study([clustered], bowl, 5, start=start)
    assert "earlier" not in [t.why["design"] for t in again.trials if t.why]


def test_offers_that_the_clauses_forbid_are_left_out():
    space = Space(x=Float(0, 1), y=Float(0, 1), forbid="x < 0.5")
    history = study([source()], bowl, 6, space=space)
    assert all(space.contains(t.config) for t in history.trials)
    assert history.trial(0).why["design"] == "earlier"


def test_workers_at_the_start_get_different_configs():
    history = fold([source()])
    for number in range(6):
        config, why = Gp().ask(FLAT, history, stream(0, "trial", number))
        history = fold([Asked(number, config, history.length, "sampler", why)], history)
    assert len({tuple(t.config.values()) for t in history.trials}) == 6
    assert [t.why["design"] for t in history.trials].count("earlier") == 3


def test_a_finite_space_is_searched_once_and_ends():
    space = Space(a=Int(1, 3), b=Choice(["u", "v"]))
    learnt = source(lambda c: c["a"], space=space, trials=12)
    history = fold([learnt])
    with pytest.raises(ExhaustedError):
        for number in range(9):
            config, why = Gp().ask(space, history, stream(0, "trial", number))
            asked = Asked(number, config, history.length, "sampler", why)
            history = fold([asked, Told(number, (float(number),))], history)
    assert len({tuple(t.config.values()) for t in history.trials}) == 6


# --- the gate


@pytest.mark.parametrize("n", [5, 10, 40])
def test_a_source_that_agrees_counts_and_fades(n):
    found = term(study([source()], bowl, n, Random()))
    assert found.weights == [pytest.approx(WEIGHT / n)]


@pytest.mark.parametrize("n", [5, 10, 40])
def test_a_source_that_says_the_opposite_does_not_count(n):
    assert term(study([source(lambda c: -bowl(c))], bowl, n, Random())) is None


def test_failed_trials_say_nothing():
    history = study([source()], lambda c: None, 8, Random())
    assert term(history) is None


def test_only_the_sources_that_agree_best_count():
    wrong = [source(lambda c: -bowl(c), name=f"wrong {n}", seed=n) for n in range(3)]
    right = [source(name=f"right {n}", seed=10 + n) for n in range(4)]
    found = term(study([*wrong, *right], bowl, 20, Random()))
    assert len(found.sources) == MOST_SOURCES
    assert all(s.name.startswith("right") for s in found.sources)
    assert sum(found.weights) == pytest.approx(WEIGHT / 20)


def test_the_factor_is_higher_where_the_sources_expect_less():
    found = term(study([source(), source(name="other", seed=8)], bowl, 20, Random()))
    rows = np.random.default_rng(0).random((30, 2))
    expects = [s.expects(rows) for s in found.sources]
    wanted = -np.sum([w * e for w, e in zip(found.weights, expects, strict=True)], axis=0)
    value, gradient = found.with_gradient(rows)
    assert len(found.sources) == 2
    assert found.value(rows) == pytest.approx(wanted)
    assert value == pytest.approx(wanted)
    for column in range(2):
        step = np.zeros(2)
        step[column] = 1e-6
        slope = (found.value(rows + step) - found.value(rows - step)) / 2e-6
        assert gradient[:, column] == pytest.approx(slope, abs=1e-3)


def test_a_proposal_says_what_the_sources_added():
    why = study([source()], bowl, 9).trial(8).why
    assert why["sources"] == ["old"]
    assert math.isfinite(why["earlier"])
    assert why["improvement"] >= 0


# --- it helps, and it does not hurt


def test_a_related_source_helps_at_once():
    shifted = source(lambda c: (c["x"] - 0.35) ** 2 + (c["y"] - 0.55) ** 2, trials=60)
    assert best(study([shifted], bowl, 7)) < 0.2 * best(study([], bowl, 7))


def test_an_opposite_source_costs_a_trial_at_most():
    opposite = source(lambda c: -bowl(c))
    assert best(study([opposite], bowl, 20)) < 1e-3


def test_a_history_opened_again_gives_the_same_proposals():
    history = study([source(space=MIXED, loss=lambda c: abs(math.log10(c["lr"]) + 2))], lambda c: c["lr"],
                    12, space=MIXED)  # fmt: skip
    events = [*history.learned]
    for t in history.trials:
        events += [
            Asked(t.number, dict(t.config), t.seen, t.origin, t.why),
            history.outcome(t.number),
        ]
    proposals = [Gp().ask(MIXED, h, stream(0, "trial", 12)) for h in (history, fold(events))]
    assert proposals[0] == proposals[1]


def test_learning_from_nothing_changes_nothing():
    history = study([], bowl, 6)
    assert earlier_start(memory_of(FLAT, history, 1.0), history) is None
    assert term(history) is None
