"""Strict order: the same trials for any number of workers, whoever is faster, whatever breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.api.opened import open_study
from assay.api.study import Study
from assay.api.verifying import verify
from assay.core.errors import StateError
from assay.core.events import Asked, Created, Enqueued, Environment, Failed, Told
from assay.core.history import fold
from assay.core.ordered import ordered, ordered_digest
from assay.core.parameters import Float, Ordinal
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits, StudySpec
from assay.engine.known import awaited, known
from assay.engine.plan import Ask, Finish, Wait, plan
from assay.engine.propose import propose
from assay.stores.environment import environment
from assay.stores.memory import MemoryStore
from assay.testing.simulator import STUDY, Crew, log_normal, simulate

SPACE = Space(
    x=Float(0.0, 1.0, default=0.9),
    y=Float(0.0, 1.0, default=0.9),
    k=Ordinal(["a", "b"], default="a"),
)
CHEAP = ({"name": "tpe", "start": 4}, {"name": "evolution"}, {"name": "random"})


def spec_of(lag=3, trials=20, **changes):
    plain = {
        "sampler": CHEAP[0],
        "budget": Budget(trials=trials),
        "control": SPACE.defaults(),
        "evidence": None,
        "limits": Limits(retries=99, lost=99),
        "order": {"name": "strict", "lag": lag},
    }
    return StudySpec(SPACE, {"value": "minimize"}, **{**plain, **changes})


def bowl(job):
    """Fails on a fifth of the space, and has ties."""
    x, y = job.config["x"], job.config["y"]
    if x + y < 0.4:
        raise ValueError("too small")
    return round((x - 0.3) ** 2 + (y - 0.2) ** 2 + (job.config["k"] == "b") / 9, 2)


class Killed(BaseException):
    """The driver is gone, and with it what it had not written."""


class Dying(MemoryStore):
    """A store whose driver is killed at its next appends, before or after they are written."""

    def __init__(self, moments):
        super().__init__()
        self.moments, self.appends = set(moments), 0

    def append(self, study, events, **options):
        self.appends += 1
        if self.appends in self.moments:
            if self.appends % 2:
                super().append(study, events, **options)
            raise Killed
        return super().append(study, events, **options)


def lived_through(spec, crew, store):
    while True:
        try:
            return simulate(spec, bowl, crew, store=store)
        except Killed:
            crew = replace(crew, seed=crew.seed + 1000)


@pytest.fixture(scope="module")
def alone():
    """What one worker makes of a plan, made once."""
    kept = {}

    def run(spec):
        if spec.plan not in kept:
            kept[spec.plan] = ordered(simulate(spec, bowl, Crew(1)).history)
        return kept[spec.plan]

    return run


CREWS = st.builds(
    Crew,
    workers=st.integers(1, 12),
    duration=st.builds(log_normal, st.just(1.0), st.floats(0, 3)),
    crashes=st.floats(0, 0.3),
    lost=st.floats(0, 0.2),
    away_s=st.just(1.0),
    straggles=st.floats(0, 0.2),
    seed=st.integers(0, 999),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    crew=CREWS,
    lag=st.sampled_from([0, 1, 3, 8]),
    sampler=st.sampled_from(CHEAP),
    kills=st.sets(st.integers(1, 40), max_size=3),
)
def test_any_workers_any_order_of_ends_any_deaths_give_the_same_study(
    alone, crew, lag, sampler, kills
):
    spec = spec_of(lag, sampler=sampler)
    found = lived_through(spec, crew, Dying(kills))
    assert found.finish.reason == "complete"
    assert ordered(found.history) == alone(spec)
    for number in range(found.history.n_trials):
        seen = found.history.at(found.history.asked_at(number))
        assert all(seen.outcome(earlier) for earlier in range(max(number - lag, 0)))


@pytest.mark.parametrize("sampler", ["auto", "gp", "cmaes", "sobol"])
def test_the_dear_samplers_too(sampler):
    spec = spec_of(4, 26, sampler={"name": sampler})
    crews = [Crew(1), Crew(5, duration=log_normal(1.0, 1.0), lost=0.1, away_s=1.0, seed=3)]
    first, second = (simulate(spec, bowl, crew) for crew in crews)
    assert list(first.history.ended) != list(second.history.ended)
    assert ordered(first.history) == ordered(second.history)
    assert ordered_digest(first.history) == ordered_digest(second.history)


def test_without_it_the_order_of_ends_makes_another_study():
    spec = replace(spec_of(), order=None)
    crews = [Crew(1), Crew(4, duration=log_normal(1.0, 1.0))]
    first, second = (ordered(simulate(spec, bowl, crew).history) for crew in crews)
    assert first != second


def test_evidence_and_selection_are_the_same_too():
    spec = spec_of(2, 10, evidence=Evidence(rechecks=2, confirms=2))

    def noisy(job):
        return bowl(job) + job.seeds[0] % 97 / 500

    crews = [Crew(1), Crew(3, duration=log_normal(1.0, 1.0), crashes=0.2, seed=1)]
    first, second = (simulate(spec, noisy, crew).history for crew in crews)
    assert ordered(first) == ordered(second)
    assert {type(event).__name__ for event in ordered(first)} >= {"Measured", "Selected", "Failed"}


# --- what a proposal sees


def test_a_proposal_sees_all_configs_and_the_results_up_to_its_lag_in_their_order():
    spec = spec_of(3)
    found = simulate(spec, bowl, Crew(4, duration=log_normal(1.0, 2.0), seed=2))
    for number in range(20):
        seen = known(spec, found.history.at(found.history.asked_at(number)))
        assert seen.n_trials == number
        assert list(seen.ended) == list(range(max(number - 3, 0)))
        assert seen.running() == list(range(max(number - 3, 0), number))
        assert [t.config for t in seen.trials] == [found.history.config(n) for n in range(number)]
        assert not any(t.cpu_s or t.wall_s for t in seen.trials)


def test_older_and_newer_histories_see_what_a_fresh_fold_sees():
    spec = spec_of(2)
    store = MemoryStore()
    found = simulate(spec, bowl, Crew(3, duration=log_normal(1.0, 1.0)), store=store)
    log = store.read(STUDY)
    lengths = [found.history.asked_at(n) for n in range(20)]
    for length in [*lengths, *reversed(lengths)]:  # the newest was looked at already
        mine = known(spec, found.history.at(length))
        assert mine == known(spec, fold(log[:length]))


def test_configs_queued_on_the_way_are_seen_from_then_on():
    spec = spec_of(1)
    start = fold([Created(spec.to_json(), spec.plan)])
    queued = Enqueued({"x": 0.5, "y": 0.5, "k": "b"}, "me")
    sampler_less = None
    first = propose(spec, start, sampler_less)
    asked = fold([first], start)
    before = known(spec, asked)
    later = fold([queued], asked)
    assert known(spec, later).waiting == [queued]
    assert known(spec, asked).waiting == before.waiting == []
    second = propose(spec, later, sampler_less)
    assert (second.origin, second.config) == ("given", queued.config)
    after = fold([second, Told(0, (1.0,))], later)
    assert known(spec, after).waiting == []
    assert known(spec, after.at(later.length)).waiting == [queued]


def test_the_log_says_what_a_proposal_saw_and_refuses_what_cannot_be():
    spec = spec_of(2)
    store = MemoryStore()
    simulate(spec, bowl, Crew(3), store=store)
    asked = [event for event in store.read(STUDY) if isinstance(event, Asked)]
    assert [event.results_before for event in asked] == [max(n - 2, 0) for n in range(20)]
    history = fold([Asked(0, {}, 0), Asked(1, {}, 1)])
    for bad in (1, 3, -1):
        with pytest.raises(StateError, match="claims to have seen the results before"):
            fold([Asked(2, {}, 2, results_before=bad)], history)
    told = fold([Told(0, (1.0,)), Asked(2, {}, 2, results_before=1)], history)
    assert told.n_trials == 3


# --- the plan


def test_a_proposal_waits_for_the_results_that_it_has_to_see():
    spec = spec_of(1, control=None, sampler={"name": "random"})
    history = fold(
        [Created(spec.to_json(), spec.plan), Asked(0, {"x": 0.1, "y": 0.2, "k": "a"}, 1)]
    )
    busy = {(0, "search", (0, 0, 0))}
    assert plan(spec, history, busy=busy) == Ask()
    history = fold([Asked(1, {"x": 0.2, "y": 0.2, "k": "a"}, 2)], history)
    busy |= {(1, "search", (0, 0, 0))}
    assert plan(spec, history, busy=busy) == Wait()
    assert awaited(spec, history) == 0
    with pytest.raises(StateError, match="lag 1 trial 2 is proposed with the result of trial 0"):
        known(spec, history)
    later = fold([Told(1, (1.0,))], history)
    assert plan(spec, later, busy={(0, "search", (0, 0, 0))}) == Wait()
    assert plan(spec, fold([Told(0, (1.0,))], history), busy={(1, "search", (0, 0, 0))}) == Ask()


@pytest.mark.parametrize("workers", [1, 3, 6])
def test_a_study_in_which_all_fails_gives_up_after_the_same_trial(workers):
    spec = spec_of(5, 40, control=None, limits=Limits())

    def broken(job):
        raise ValueError("no")

    found = simulate(spec, broken, Crew(workers, duration=log_normal(1.0, 1.0), seed=workers))
    assert found.finish == Finish(
        "each of the first 10 trials failed; the last with: ValueError: no", failed=True
    )
    assert found.history.n_trials == 15


def test_looks_are_counted_whole_whenever_a_failure_is_heard_of():
    for workers in (1, 2, 4):
        found = simulate(
            spec_of(3, budget=Budget(looks=17)), bowl, Crew(workers, duration=log_normal(1.0, 1.0))
        )
        assert found.history.n_trials == 17


def test_more_workers_than_lag_and_one_are_idle():
    assert simulate(spec_of(3, 17), lambda job: 1.0, Crew(8)).seconds == 5.0
    assert simulate(spec_of(7, 17), lambda job: 1.0, Crew(8)).seconds == 3.0


# --- for those who ask and tell


def test_ask_says_what_to_tell_first():
    study = Study(SPACE, sampler="random", order="strict", lag=1)
    first, second = study.ask(), study.ask()
    with pytest.raises(
        StateError, match=r"of trial 0, which has not ended.*at most 2 trials run at once"
    ):
        study.ask()
    study.tell(second, 1.0)
    with pytest.raises(StateError, match="of trial 0"):
        study.ask()
    study.tell(first, failed="no")
    assert study.ask().number == 2
    assert study.verify() == []


def test_processes_that_share_a_study_get_the_same_trials(tmp_path):
    def drive(name, order):
        studies = [Study(SPACE, sampler=CHEAP[0], storage=str(tmp_path / "lab.db"), name=name, order="strict", lag=2)
                   for _ in range(3)]  # fmt: skip
        for _ in range(6):
            trials = [study.ask() for study in studies]
            for i in order:
                value = trials[i].config["x"] if trials[i].number % 4 else None
                studies[-i].tell(trials[i], value, failed=None if value is not None else "no")
        history = studies[0].history
        assert verify(studies[0]) == []
        for study in studies:
            study.close()
        return ordered(history)

    assert drive("one", [0, 1, 2]) == drive("two", [2, 0, 1])


def test_a_stored_plan_keeps_its_order(tmp_path):
    file = str(tmp_path / "lab.db")
    with Study(SPACE, storage=file, order="strict", lag=2) as study:
        study.tell(study.ask(), 1.0)
    with open_study(file) as again:
        assert again.spec.lag == 2
        asked = again.ask()
        assert again.store.read("study")[-1].results_before == 0
        assert asked.number == 1


# --- verify


def test_a_proposal_that_saw_more_than_it_may_is_found():
    spec = spec_of(2, 12)
    store = begun(spec)
    simulate(spec, bowl, Crew(1), store=store)
    log = list(store.read(STUDY))
    assert Study.of(spec, store, STUDY).verify() == []
    places = [i for i, event in enumerate(log) if isinstance(event, Asked)]
    for change in ({"results_before": None}, {"results_before": 1}):
        forged = MemoryStore()
        bad = list(log)
        bad[places[9]] = _changed(bad[places[9]], **change)
        forged.append(STUDY, bad, after=0)
        assert [f for f in Study.of(spec, forged, STUDY).verify() if "trial 9" in f]
    peeking = begun(
        replace(spec, order=None)
    )  # what an asynchronous study with one worker would have proposed
    simulate(replace(spec, order=None), bowl, Crew(1), store=peeking)
    asked = {e.trial: e for e in peeking.read(STUDY) if isinstance(e, Asked)}
    bad = list(log)
    bad[places[9]] = _changed(bad[places[9]], config=asked[9].config)
    forged = MemoryStore()
    forged.append(STUDY, bad, after=0)
    assert [
        f for f in Study.of(spec, forged, STUDY).verify() if "not what the sampler proposes" in f
    ]


def begun(spec):
    store = MemoryStore()
    store.append(STUDY, [Created(spec.to_json(), spec.plan), Environment(environment())], after=0)
    return store


def _changed(event, **changes):
    import msgspec

    return msgspec.structs.replace(event, **changes)


def test_the_ordered_log_leaves_out_what_depends_on_the_machine():
    spec = spec_of(2, 6)
    logs = []
    for cpu, words in ((1.0, "pid 17"), (2.0, "pid 18")):
        events = [
            Created(spec.to_json(), spec.plan, {"path": words}),
            Asked(0, {"x": 1.0}, 1),
            Asked(1, {"x": 0.5}, 1),
        ]
        ends = [Told(0, (1.0,), None, cpu, cpu), Failed(1, "raised", words, words, cpu)]
        logs.append(ordered(fold([*events, *(ends if cpu == 1 else reversed(ends))])))
    assert logs[0] == logs[1]
    assert logs[0][2:3] == [Told(0, (1.0,))]
