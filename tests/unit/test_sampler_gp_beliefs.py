"""Beliefs in the Gaussian-process sampler: the density, its fading, and the first configs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.core.events import Asked, Created, Failed, Paused, Reported, Told
from assay.core.fidelity import Fidelity
from assay.core.history import History, fold
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.rng import stream
from assay.core.space import Space
from assay.math.encoding import Encoding
from assay.samplers.auto import Auto
from assay.samplers.gp import Gp
from assay.samplers.gp_beliefs import WEIGHT, Density, believed, believed_start
from assay.samplers.gp_history import memory_of
from assay.samplers.gp_knowledge import FORGOTTEN, knowledge
from assay.samplers.random import Random
from assay.testing.sampler_contract import SamplerContract

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True),
    depth=Int(1, 12),
    size=Ordinal([16, 32, 64]),
    booster=Choice(["tree", "linear", "dart"]),
    drop=When("booster", "dart", Float(0.0, 0.5)),
    kind=When("booster", ["tree", "dart"], Choice(["a", "b"])),
    fixed=Constant("gini"),
)
BELIEFS = (
    ("lr", 0.01, "strong"), ("depth", 6, "weak"), ("size", 32, "strong"), ("booster", "dart", "weak"),
    ("drop", 0.1, "strong"), ("kind", "b", "strong"), ("fixed", "gini", "weak"),
)  # fmt: skip
FLAT = Space(x=Float(0, 1), y=Float(0, 1))


class TestContract(SamplerContract):
    never_repeats = True

    def make(self, space):
        """A belief in some value of every other parameter."""
        beliefs = [
            (name, space[name].points(1)[0], ("weak", "strong")[i % 2])
            for i, name in enumerate(sorted(space.names))
            if i % 2 == 0
        ]
        return Gp(seed=3, beliefs=tuple(beliefs))


def even_points(encoding, count, seed=0):
    return encoding.snap(np.random.default_rng(seed).random((count, encoding.size)))


def study(loss, trials, sampler, space=FLAT, seed=0):
    history = History()
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        value = loss(config)
        ended = Failed(number, "raised", "") if value is None else Told(number, (value,))
        history = fold([Asked(number, config, history.length, "sampler", why), ended], history)
    return history


# --- the density


@pytest.mark.parametrize("belief", BELIEFS, ids=[name for name, _, _ in BELIEFS])
def test_each_factor_has_mean_one_over_the_even_cube(belief):
    encoding = Encoding(SPACE)
    rows = encoding.rows(even_points(encoding, 40_000))
    assert np.exp(Density(encoding, (belief,)).log(rows)).mean() == pytest.approx(1.0, abs=0.05)


def test_the_density_is_highest_at_what_is_believed():
    encoding = Encoding(SPACE)
    density = Density(encoding, BELIEFS)
    best = {name: value for name, value, _ in BELIEFS}
    peak = density.log(encoding.rows(encoding.point(best)[None]))[0]
    assert peak > density.log(encoding.rows(even_points(encoding, 5000))).max() - 0.05
    for name, other in (("depth", 9), ("booster", "linear"), ("size", 64), ("drop", 0.4)):
        config = {**best, name: other}
        if name == "booster":
            config = {n: v for n, v in config.items() if n not in ("drop", "kind")}
        assert density.log(encoding.rows(encoding.point(config)[None]))[0] < peak


def test_what_is_not_active_is_neither_good_nor_bad():
    encoding = Encoding(SPACE)
    density = Density(encoding, (("drop", 0.01, "strong"), ("kind", "b", "strong")))
    points = even_points(encoding, 200)
    linear = encoding.active(points)[:, encoding.names.index("kind")] == 0
    assert linear.any()
    assert (density.log(encoding.rows(points))[linear] == 0).all()


def test_no_value_is_out_of_reach():
    encoding = Encoding(FLAT)
    density = Density(encoding, (("x", 0.0, "strong"), ("y", 1.0, "weak")))
    logs = density.log(encoding.rows(even_points(encoding, 2000)))
    assert logs.min() >= math.log(0.2 * 0.5) - 1e-9


def test_the_gradient_is_that_of_the_value():
    encoding = Encoding(SPACE)
    density = Density(encoding, BELIEFS)
    rows = encoding.rows(even_points(encoding, 30))
    gradient = density.log_with_gradient(rows)[1]
    for column in encoding.continuous_columns:
        step = np.zeros(rows.shape[1])
        step[column] = 1e-6
        slope = (density.log(rows + step) - density.log(rows - step)) / 2e-6
        assert gradient[:, column] == pytest.approx(slope, abs=1e-4)


def test_even_points_become_draws_from_what_is_believed():
    encoding = Encoding(FLAT)
    density = Density(encoding, (("x", 0.9, "strong"),))
    moved = np.array([density.moved(p) for p in np.random.default_rng(0).random((2000, 2))])
    assert ((0 <= moved) & (moved <= 1)).all()
    assert moved[:, 0].std() < 0.1
    assert np.median(moved[:, 0]) == pytest.approx(0.88, abs=0.02)
    assert np.std(moved[:, 1]) == pytest.approx(math.sqrt(1 / 12), abs=0.02)


# --- fading


def term(history, beliefs, space=FLAT):
    return believed(memory_of(space, history, 1.0), history, beliefs)


def test_a_belief_fades_as_trials_come_in():
    belief = (("x", 0.5, "weak"),)
    weights = [
        term(study(lambda c: abs(c["x"] - 0.5), n, Random()), belief).weight for n in (5, 10, 40)
    ]
    assert weights == [WEIGHT / 5, WEIGHT / 10, WEIGHT / 40]


def test_a_belief_fades_with_trials_that_were_cut_too():
    space = Space(x=Float(0, 1), fidelity=Fidelity("rows", 1, 9, "subset"))
    events = [Created({"space": space.to_json()}, "plan")]
    for number in range(4):
        events += [Asked(number, {"x": 0.2 * number}, 0), Reported(number, 1, 0.1 * number)]
        events.append(Paused(number, 1, ""))
    history = fold(events)
    term = believed(memory_of(space, history, 1.0), history, (("x", 0.7, "strong"),))
    assert history.n_ended == 0
    assert term.weight == WEIGHT / 4


def test_a_belief_that_the_trials_contradict_falls_silent():
    history = study(lambda c: -abs(c["x"] - 0.5), 15, Random())
    assert term(history, (("x", 0.5, "weak"),)) is None
    assert term(history, (("x", 0.95, "weak"),)) is not None
    why = Gp(beliefs=(("x", 0.5, "weak"),)).ask(FLAT, history, stream(0, "trial", 15)).why
    assert "belief" not in why


def test_after_many_trials_beliefs_are_forgotten():
    history = study(lambda c: abs(c["x"] - 0.5), FORGOTTEN + 1, Random())
    assert knowledge(memory_of(FLAT, history, 1.0), history, (("x", 0.5, "weak"),)) == []


def test_failed_trials_say_nothing_about_a_belief():
    history = study(lambda c: None if c["x"] > 0.3 else -c["x"], 20, Random())
    assert term(history, (("x", 0.5, "weak"),)) is not None


# --- the first configs


def test_the_first_config_is_what_is_believed_and_every_other_one_is_even():
    beliefs = (("x", 0.7, "strong"),)
    history = study(lambda c: c["x"], 5, Gp(beliefs=beliefs))
    assert history.config(0)["x"] == 0.7
    designs = [t.why["design"] for t in history.trials]
    assert designs == ["belief", "sobol", "belief", "sobol", "belief"]
    assert all(abs(history.config(n)["x"] - 0.7) < 0.35 for n in (2, 4))


def test_a_belief_that_the_clauses_forbid_gives_a_config_that_they_allow():
    space = Space(x=Float(0, 1), y=Float(0, 1), forbid="x > 0.5")
    history = History()
    start = believed_start(memory_of(space, history, 1.0), history, (("x", 0.7, "strong"),), 0)
    assert space.contains(start.config)


def test_a_proposal_says_what_the_belief_added():
    history = study(lambda c: (c["x"] - 0.7) ** 2 + c["y"], 8, Gp(beliefs=(("x", 0.7, "weak"),)))
    why = history.trial(7).why
    assert -2 < why["belief"] < 2
    assert why["improvement"] > 0


def test_auto_hands_beliefs_on():
    beliefs = (("x", 0.7, "strong"),)
    histories = [study(lambda c: c["x"], 8, s(beliefs=beliefs)) for s in (Gp, Auto)]
    assert [t.config for t in histories[0].trials] == [t.config for t in histories[1].trials]


def test_a_history_opened_again_gives_the_same_proposals():
    sampler, history = Gp(beliefs=BELIEFS), History()
    for number in range(14):
        proposal = sampler.ask(SPACE, history, stream(0, "trial", number))
        events = [e for t in history.trials for e in (Asked(t.number, dict(t.config), t.seen),
                                                      history.outcome(t.number))]  # fmt: skip
        origin = [t.why for t in history.trials]
        again = fold([Asked(e.trial, e.config, e.seen, "sampler", origin[e.trial])
                      if isinstance(e, Asked) else e for e in events])  # fmt: skip
        assert sampler.ask(SPACE, again, stream(0, "trial", number)) == proposal
        loss = abs(math.log10(proposal.config["lr"]) + 2)
        event = Asked(number, proposal.config, history.length, "sampler", proposal.why)
        history = fold([event, Told(number, (loss,))], history)
