"""Simulated studies: the real engine at any number of workers, in virtual time."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.api.parts import scheduler_of
from assay.core.errors import SpecError, StateError
from assay.core.events import Asked, Ended, Failed, Reported, Retried, Selected, Told
from assay.core.fidelity import Fidelity
from assay.core.history import fold
from assay.core.jobs import Broken, Job, Step
from assay.core.parameters import Float
from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits, StudySpec
from assay.stores.memory import MemoryStore
from assay.testing.simulator import (
    STUDY,
    Crew,
    SimulatedWorkers,
    by_config,
    constant,
    log_normal,
    per_step,
    simulate,
)

SPACE = Space(x=Float(0.0, 1.0))


def plan(trials=30, **changes):
    given = {"budget": Budget(trials=trials), "sampler": {"name": "random"}, **changes}
    return StudySpec(SPACE, {"value": "minimize"}, **given)


def x(job):
    return job.config["x"]


def job(number=0, **changes):
    return Job(id=number, trial=number, stage="search", config={"x": 0.5}, **changes)


# --- properties


@settings(max_examples=40, deadline=None)
@given(
    workers=st.integers(1, 12),
    trials=st.integers(1, 40),
    sigma=st.floats(0, 2),
    shares=st.tuples(*[st.floats(0, 0.3)] * 4),
    retries=st.integers(0, 2),
    shifts=st.lists(st.tuples(st.floats(0, 20), st.integers(-5, 5)), max_size=4),
    seed=st.integers(0, 99),
)
def test_whatever_happens_the_budget_is_exact_and_every_trial_ends_once(
    workers, trials, sigma, shares, retries, shifts, seed
):
    fails, crashes, lost, straggles = shares
    crew = Crew(
        workers,
        duration=log_normal(1.0, sigma),
        fails=fails,
        crashes=crashes,
        lost=lost,
        away_s=1.0,
        straggles=straggles,
        shifts=[*shifts, (30.0, 50)],  # at last somebody comes
        seed=seed,
    )
    store = MemoryStore()
    found = simulate(plan(trials, limits=Limits(retries=retries)), x, crew, store=store)
    log = store.read(STUDY)
    asked = [event.trial for event in log if isinstance(event, Asked)]
    ended = [event.trial for event in log if isinstance(event, Told | Failed)]
    if found.finish.failed:  # the first ten failed: a study gives up, as it should
        assert not any(isinstance(event, Told) for event in log)
    else:
        assert asked == list(range(trials))
    assert sorted(ended) == asked
    assert list(found.history.ended) == ended
    assert list(found.ended_at) == sorted(found.ended_at)
    assert len(found.ended_at) == len(ended)
    assert sum(found.events.values()) == len(log) == found.history.length
    assert 0 <= found.utilisation <= 1
    assert fold(log) == found.history
    attempts = [event for event in log if isinstance(event, Retried)]
    assert len({(event.trial, event.attempt) for event in attempts}) == len(attempts)


def test_equal_arguments_give_an_equal_study():
    crew = Crew(7, duration=log_normal(3.0, 1.0), fails=0.2, crashes=0.2, straggles=0.1, seed=5)
    first, second = (simulate(plan(), x, crew) for _ in range(2))
    assert first.history == second.history
    assert first.ended_at == second.ended_at
    other = simulate(plan(), x, Crew(7, duration=log_normal(3.0, 1.0), seed=6))
    assert other.ended_at != first.ended_at


def test_a_thousand_workers_end_a_study_in_which_a_fifth_of_the_trials_fails():
    crew = Crew(1000, duration=log_normal(60.0, 0.7), fails=0.2, straggles=0.01)
    found = simulate(plan(4000), x, crew)
    assert found.finish.reason == "complete"
    assert found.history.n_ended == found.history.n_trials == 4000
    failed = sum(trial.state == "failed" for trial in found.history.trials)
    assert failed == found.events["failed"]
    assert 0.17 < failed / 4000 < 0.23
    assert len({trial.config["x"] for trial in found.history.trials}) == 4000


# --- what the workers do


def test_as_many_jobs_run_at_once_as_there_are_workers():
    found = simulate(plan(20), x, Crew(5, duration=constant(2.0)))
    assert found.seconds == 8.0
    assert found.ended_at == tuple(t for t in (2.0, 4.0, 6.0, 8.0) for _ in range(5))
    assert found.utilisation == 1.0


def test_workers_join_and_leave_at_their_time():
    assert simulate(plan(12), x, Crew(2, shifts=[(1.0, 2), (3.0, 2)])).seconds == 4.0
    assert simulate(plan(12), x, Crew(2)).seconds == 6.0
    again = simulate(plan(12), x, Crew(4, shifts=[(1.5, -2)]))
    assert again.events["retried"] == 2  # two had a job when they left
    assert (again.events["told"], again.seconds) == (12, 5.0)
    given_up = simulate(plan(12, limits=Limits(lost=0)), x, Crew(4, shifts=[(1.5, -2)]))
    assert (given_up.events["failed"], given_up.seconds) == (2, 4.0)


def test_a_lost_worker_is_missed_until_it_comes_back():
    crew = Crew(3, lost=0.3, away_s=10.0, seed=1)
    found = simulate(plan(40, limits=Limits(lost=0)), x, crew)
    lost = [t for t in found.history.trials if t.failure and t.failure.kind == "lost"]
    assert lost
    assert found.seconds > 40 / 3
    assert found.history.n_ended == 40


def test_when_all_are_gone_for_ever_the_study_says_so():
    with pytest.raises(StateError, match=r"Nothing more can happen.* 0 workers are left"):
        simulate(plan(20), x, Crew(2, shifts=[(2.5, -2)]))


def test_durations_have_the_mean_that_they_name():
    for duration, mean in (
        (log_normal(5.0, 0.8), 5.0),
        (by_config(lambda c: 4 * c["x"], lambda c: c["x"]), 2.0),
        (constant(3.0), 3.0),
    ):
        drawn = [duration(job(), stream(0, i)) for i in range(4000)]
        assert sum(drawn) / len(drawn) == pytest.approx(mean, rel=0.05)
        assert min(drawn) > 0


def test_stragglers_take_longer():
    found = simulate(plan(50), x, Crew(50, straggles=0.2, slow=7.0))
    assert set(found.ended_at) == {1.0, 7.0}


def test_a_list_is_reported_step_by_step_and_its_last_number_is_the_value():
    store = MemoryStore()
    found = simulate(plan(1), lambda job: [3.0, 2.0, 1.5], Crew(1), store=store)
    assert found.history.trial(0).curve == ((1, 3.0), (2, 2.0), (3, 1.5))
    assert found.history.trial(0).value == 1.5
    assert [type(e) for e in store.read(STUDY)][2:] == [Reported, Reported, Reported, Told, Ended]


def test_numbers_by_name_reach_the_study():
    spec = StudySpec(
        SPACE,
        {"loss": "minimize", "gain": "maximize"},
        budget=Budget(trials=3),
        sampler={"name": "random"},
    )
    found = simulate(spec, lambda job: {"loss": 1.0, "gain": 2.0, "ms": 3.0}, Crew(2))
    assert found.history.trial(2).values == (1.0, 2.0)
    assert found.history.trial(2).extra == {"ms": 3.0}


def test_a_job_that_is_cancelled_ends_at_once_and_once():
    workers = SimulatedWorkers(lambda job: [1.0, 2.0], Crew(2, duration=constant(4.0)))
    workers.submit(job(0))
    workers.submit(job(1))
    assert workers.free == 0
    assert [(n, type(m)) for n, m in workers.poll(0.1)] == [(0, Step), (1, Step)]
    workers.cancel(0)
    [(number, message)] = workers.poll(0.1)
    assert (number, message.kind, message.wall_s, workers.now) == (0, "cancelled", 2.0, 2.0)
    workers.cancel(0)
    heard = workers.poll(0.1)
    assert {number for number, _ in heard} == {1}
    assert not any(isinstance(message, Broken) for _, message in heard)


# --- what the study does


def test_evidence_comes_after_the_search_as_in_any_study():
    space = Space(x=Float(0.0, 1.0, default=0.5))
    spec = StudySpec(
        space,
        {"value": "minimize"},
        budget=Budget(trials=8),
        control=space.defaults(),
        evidence=Evidence(),
        sampler={"name": "sobol"},
    )
    found = simulate(spec, lambda job: job.config["x"] + job.seeds[0] % 7 / 100, Crew(4))
    assert found.finish.reason == "complete"
    assert found.history.last(Selected).trial == 0 or found.history.last(Selected).challenger > 0
    assert found.events["measured"] > 20


def test_the_best_value_over_time_goes_one_way():
    found = simulate(plan(60), x, Crew(6, duration=log_normal(), fails=0.2))
    times, values = zip(*found.quality, strict=True)
    assert list(times) == sorted(times)
    assert list(values) == sorted(values, reverse=True)
    assert found.time_to(values[-1]) == times[-1]
    assert found.time_to(1.0) == times[0]
    assert found.time_to(-1.0) is None
    up = StudySpec(
        SPACE, {"value": "maximize"}, budget=Budget(trials=20), sampler={"name": "random"}
    )
    values = [value for _, value in simulate(up, x, Crew(3)).quality]
    assert values == sorted(values)


def test_virtual_time_is_the_time_of_the_budget():
    found = simulate(plan(budget=Budget(seconds=10.0)), x, Crew(3, duration=constant(2.5)))
    assert found.seconds == 10.0
    assert found.history.n_ended == 12
    found = simulate(plan(budget=Budget(cpu_seconds=10.0)), x, Crew(1, duration=constant(2.5)))
    assert found.history.n_ended == 4


def test_a_study_that_was_stopped_goes_on():
    store = MemoryStore()
    part = simulate(plan(20), x, Crew(2), store=store, stop_at=4.0)
    assert part.finish.reason == "interrupted"
    assert part.history.n_ended == part.history.n_trials == 8
    rest = simulate(plan(20), x, Crew(4), store=store)
    assert rest.finish.reason == "complete"
    assert (rest.history.n_ended, len(rest.ended_at), rest.seconds) == (20, 12, 3.0)
    assert [trial.config for trial in rest.history.trials] == [
        trial.config for trial in simulate(plan(20), x, Crew(1)).history.trials
    ]


def test_a_sampler_of_ones_own_sees_what_runs():
    running = []

    class Own:
        def ask(self, space, history, rng):
            running.append(len(history.running()))
            return Proposal({"x": rng.random()})

    simulate(plan(10), x, Crew(4), sampler=Own())
    assert running[:4] == [0, 1, 2, 3]
    assert max(running) == 3


@pytest.mark.parametrize("changes", [{"budget": None}, {"data": {"rows": 10, "folds": 2}}])
def test_a_plan_that_cannot_be_simulated_is_refused(changes):
    with pytest.raises(SpecError, match="a budget and no data"):
        simulate(plan(**changes), x, Crew())


def test_time_does_not_pass_by_itself():
    workers = SimulatedWorkers(x, Crew(1, duration=constant(math.pi)))
    workers.submit(job())
    assert workers.now == 0.0
    assert workers.poll(0.0) == []
    assert workers.now == 0.0
    workers.poll(0.1)
    assert workers.now == math.pi


def test_what_happens_after_the_end_of_a_study_does_not_lengthen_it():
    found = simulate(plan(4), x, Crew(2, shifts=[(50.0, 1)]))
    assert (found.seconds, found.utilisation) == (2.0, 1.0)


# --- with a scheduler


def epochs(**changes):
    space = Space(x=Float(0.0, 1.0), fidelity=Fidelity("epochs", 1, 27))
    given = {"budget": Budget(trials=40), "sampler": {"name": "random"}, **changes}
    return StudySpec(space, {"value": "minimize"}, **given)


def training(job):
    return [job.config["x"] + 1 / step for step in range(job.since + 1, job.until + 1)]


def test_a_scheduler_saves_steps_and_virtual_time():
    crew = Crew(8, duration=per_step(10.0, 0.2))
    full = simulate(epochs(), training, crew)
    saved = simulate(epochs(scheduler={"name": "asha"}), training, crew)
    assert full.events["reported"] == 40 * 27
    assert saved.events["reported"] < 40 * 27 / 4
    assert saved.seconds < full.seconds / 2
    assert saved.events["paused"] > saved.events["resumed"] > 0
    again = simulate(epochs(), training, crew, scheduler=scheduler_of(saved.spec))
    assert (again.events, again.seconds) == (saved.events, saved.seconds)


def test_the_page_about_it_runs(capsys):
    page = Path(__file__).parents[2] / "docs" / "simulator.md"
    names = {}
    for block in page.read_text("utf-8").split("```python\n")[1:]:
        exec(block.partition("```")[0], names)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(" ")[0] for line in lines[:2]] == ["4", "64"]
    assert "pauses" in lines[2]


def test_what_an_objective_raises_fails_the_trial():
    def picky(job):
        if job.config["x"] > 0.5:
            raise ValueError("too large")
        return job.config["x"]

    found = simulate(plan(20), picky, Crew(3))
    failed = [trial for trial in found.history.trials if trial.failure]
    assert failed
    assert all(trial.config["x"] > 0.5 for trial in failed)
    assert {trial.failure.reason for trial in failed} == {"ValueError: too large"}
