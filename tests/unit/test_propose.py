"""The next trial: the control, then given configs, then the sampler's."""

from __future__ import annotations

from tests.unit.lab import born, history_of, sampler_for, spec_of

from assay.core.events import Asked, Enqueued, Exhausted, Told
from assay.core.history import fold
from assay.core.parameters import Int
from assay.core.space import Space
from assay.engine.propose import propose


def test_the_control_is_the_first_trial_whatever_is_queued():
    spec = spec_of()
    history = fold([*born(spec), Enqueued({"x": 0.1})])
    event = propose(spec, history, sampler_for(spec))
    assert (event.trial, event.config, event.origin) == (0, {"x": 0.5}, "control")


def test_given_configs_come_before_the_samplers_oldest_first_with_their_source():
    spec = spec_of()
    queued = [Enqueued({"x": 0.1}, "https://a.example", "from a paper"), Enqueued({"x": 0.2})]
    history = history_of(spec, [1.0], *queued)
    first = propose(spec, history, sampler_for(spec))
    assert (first.trial, first.config, first.origin) == (1, {"x": 0.1}, "given")
    assert first.why == {"reason": "given", "source": "https://a.example", "note": "from a paper"}
    history = fold([first], history)
    second = propose(spec, history, sampler_for(spec))
    assert (second.config, second.why) == ({"x": 0.2}, {"reason": "given"})
    third = propose(spec, fold([second], history), sampler_for(spec))
    assert third.origin == "sampler"


def test_without_control_the_first_trial_is_given_or_sampled():
    spec = spec_of(control=None)
    history = fold(born(spec))
    assert propose(spec, history, sampler_for(spec)).origin == "sampler"
    history = fold([Enqueued({"x": 0.1})], history)
    assert propose(spec, history, sampler_for(spec)).origin == "given"


def test_a_proposal_says_how_much_of_the_log_it_saw():
    spec = spec_of()
    history = history_of(spec, [1.0, 2.0])
    assert propose(spec, history, sampler_for(spec)).seen == history.length


def test_equal_pasts_give_equal_proposals_and_every_trial_another_one():
    for name in ("random", "sobol", "halton"):
        spec = spec_of(sampler={"name": name})
        history, seen = history_of(spec, [1.0]), []
        for _ in range(20):
            event = propose(spec, history, sampler_for(spec))
            assert propose(spec, history, sampler_for(spec)) == event
            seen.append(event.config["x"])
            history = fold([event, Told(event.trial, (1.0,))], history)
        assert len(set(seen)) == 20, name


def test_another_seed_gives_another_proposal():
    history = history_of(spec_of(), [1.0])
    for name in ("random", "sobol", "halton"):
        one, two = (
            propose(spec, history, sampler_for(spec)).config
            for spec in (spec_of(seed=s, sampler={"name": name}) for s in (1, 2))
        )
        assert one != two, name


def test_nothing_left_to_try_is_an_event_with_a_reason():
    spec = spec_of(space=Space(x=Int(1, 2, default=1)))
    history = fold([*born(spec)])
    found = []
    while not isinstance(event := propose(spec, history, sampler_for(spec)), Exhausted):
        assert isinstance(event, Asked)
        found.append(event.config["x"])
        history = fold([event], history)
    assert sorted(found) == [1, 2]
    assert event.reason
