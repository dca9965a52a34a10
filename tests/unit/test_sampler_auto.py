"""Which sampler the policy chooses, and that it says so."""

from __future__ import annotations

import pytest

from assay.core.events import Asked, Told
from assay.core.history import History, fold
from assay.core.parameters import Float, Int
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.auto import MANY_TRIALS, Auto
from assay.samplers.gp import Gp
from assay.samplers.tpe import Tpe

SPACE = Space(x=Float(0, 1), n=Int(1, 50))


def history_of(trials: int, objectives: int = 1) -> History:
    rng = stream(0, "past")
    events = []
    for number in range(trials):
        config = {"x": float(rng.random()), "n": int(rng.integers(1, 51))}
        events.append(Asked(number, config, len(events)))
        events.append(Told(number, (config["x"],) * objectives))
    return fold(events)


@pytest.mark.parametrize("trials", [0, 5, 400, MANY_TRIALS - 1])
@pytest.mark.parametrize("signs", [(1.0,), (-1.0,), (1.0, -1.0), (1.0,) * 4])
def test_a_process_models_what_it_can_see_whole(trials, signs):
    rule, sampler = Auto(3, signs).choice(history_of(trials, len(signs)))
    assert (rule, type(sampler)) == ("model", Gp)
    assert (sampler.seed, sampler.signs) == (3, signs)


def test_after_many_trials_the_parzen_estimator_takes_every_other_turn():
    chosen = [Auto().choice(history_of(n))[1] for n in range(MANY_TRIALS, MANY_TRIALS + 4)]
    assert [type(sampler) for sampler in chosen] == [Gp, Tpe, Gp, Tpe]


@pytest.mark.parametrize("trials", [0, 12, MANY_TRIALS + 1])
def test_a_proposal_is_that_of_the_sampler_that_was_chosen(trials):
    history = history_of(trials)
    rule, chosen = Auto().choice(history)
    ours = Auto().ask(SPACE, history, stream(0, "trial", trials))
    theirs = chosen.ask(SPACE, history, stream(0, "trial", trials))
    assert ours.config == theirs.config
    assert ours.why == {**theirs.why, "rule": rule}
