"""The loop: from messages to events, through crashes, conflicts and Ctrl-C."""

from __future__ import annotations

import signal
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.lab import Killed, Scripted, born, data_of, sampler_for, score, spec_of

from assay.core.events import (
    Asked,
    Broke,
    Created,
    Ended,
    Enqueued,
    Failed,
    Measured,
    Noted,
    Reported,
    Retried,
    Selected,
    Told,
)
from assay.core.history import fold
from assay.core.jobs import Broken, Measurement, Step
from assay.core.spec import Budget, Evidence, Limits
from assay.engine.ledger import Ledger
from assay.engine.plan import Finish
from assay.engine.propose import propose
from assay.engine.run import Loop
from assay.executors.inline import InlineExecutor
from assay.stores.memory import MemoryStore

QUICK = {"evidence": None, "control": None}


def loop_of(spec, executor, store=None, **options):
    store = store or MemoryStore()
    if not store.studies():
        store.append("lab", born(spec), after=0)
    options.setdefault("clock", lambda: 0.0)
    return Loop(spec, Ledger(store, "lab"), sampler_for(spec), executor, **options)


def run(spec, value, store=None, *, slots=1, rng=None, dies_at=None, **options):
    """Run to the end; the finish (None if killed) and the store."""
    store = store or MemoryStore()
    executor = Scripted(value, data=bool(spec.data), slots=slots, rng=rng, dies_at=dies_at)
    try:
        return loop_of(spec, executor, store, **options).run(), store
    except Killed:
        return None, store


def of(store, kind):
    return [event for event in store.read("lab") if isinstance(event, kind)]


def by_config(job, unit):
    return score(job.config, unit)


def once(broken):
    """Breaks the first time that a trial is tried, and then gives 1."""
    tried = set()

    def value(job, unit):
        if job.trial in tried:
            return 1.0
        tried.add(job.trial)
        return broken

    return value


class Swift(Scripted):
    """Ends each job before the next is proposed, so that a slot is always free."""

    @property
    def free(self):
        return self.slots

    def poll(self, timeout_s):
        heard = [(number, message) for number, said in self.jobs.items() for message in said]
        self.jobs.clear()
        return heard


# --- what a proposal sees


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_proposal_sees_every_trial_that_ended_before_it(slots):
    store = MemoryStore()
    loop_of(spec_of(budget=Budget(trials=20), **QUICK), Swift(by_config, slots=slots), store).run()
    events = store.read("lab")
    assert len(of(store, Asked)) == 20
    for i, event in enumerate(events):
        if isinstance(event, Asked):
            assert sum(isinstance(e, Told) for e in events[:i]) == event.trial


# --- messages to events


def test_each_trial_is_asked_then_told_with_its_costs():
    spec = spec_of(budget=Budget(trials=3), **QUICK)
    finish, store = run(spec, by_config)
    assert finish == Finish("complete")
    kinds = [type(event) for event in store.read("lab")]
    assert kinds == [Created, Asked, Told, Asked, Told, Asked, Told, Ended]
    assert all(event.cpu_s == 1.0 for event in of(store, Told))


def test_a_job_has_the_config_the_units_and_the_seed_of_the_study():
    from assay.core import units

    spec = spec_of(budget=Budget(trials=2), data=data_of(folds=2), **QUICK)
    executor = Scripted(by_config, data=True)
    loop_of(spec, executor).run()
    floor, first, second = executor.submitted
    assert (floor.trial, floor.stage, floor.config) == (-1, "floor", {})
    assert first.units == second.units == ((0, 0, 0), (0, 1, 0))
    assert first.seeds == (units.seed_of(spec, (0, 0, 0)),) * 2
    assert first.config != second.config
    assert len({job.id for job in executor.submitted}) == 3


def test_several_objectives_and_other_numbers_are_told_by_name():
    spec = spec_of(
        directions={"loss": "minimize", "size": "maximize"}, budget=Budget(trials=1), **QUICK
    )
    _, store = run(spec, lambda job, unit: {"size": 7.0, "loss": 0.5, "epochs": 3.0})
    (told,) = of(store, Told)
    assert told.values == (0.5, 7.0)
    assert told.extra == {"epochs": 3.0}


def test_a_single_objective_may_go_by_its_name_or_as_value():
    spec = spec_of(directions={"loss": "minimize"}, budget=Budget(trials=1), **QUICK)
    for returned in ({"loss": 0.5}, {"value": 0.5}, 0.5):
        _, store = run(spec, lambda job, unit, returned=returned: returned)
        (told,) = of(store, Told)
        assert (told.values, told.extra) == ((0.5,), None)


def test_missing_names_fail_the_trial_and_say_which_are_needed():
    spec = spec_of(directions={"a": "minimize", "b": "minimize"}, budget=Budget(trials=2), **QUICK)
    _, store = run(spec, lambda job, unit: {"a": 1.0, "c": 2.0})
    first = of(store, Failed)[0]
    assert first.kind == "invalid"
    assert "['a', 'c']" in first.reason
    assert "['a', 'b']" in first.reason


def test_broken_jobs_become_failed_trials_and_the_study_goes_on():
    spec = spec_of(budget=Budget(trials=4), **QUICK)

    def value(job, unit):
        if job.trial % 2:
            return 1.0
        return Broken(kind="raised", reason="no luck", output="tail", cpu_s=0.5)

    finish, store = run(spec, value)
    assert finish == Finish("complete")
    assert len(of(store, Told)) == 2
    assert of(store, Failed)[0] == Failed(0, "raised", "no luck", "tail", 0.5)


def test_reports_are_logged_in_order_and_only_in_the_search():
    spec = spec_of(budget=Budget(trials=2), evidence=Evidence(repeats=2, rechecks=1, confirms=1))

    def value(job, unit):
        return [Step(step=1, value=0.5), Step(step=2, value=0.25), by_config(job, unit)]

    _, store = run(spec, value)
    assert of(store, Reported) == [
        Reported(trial, step, level) for trial in (0, 1) for step, level in ((1, 0.5), (2, 0.25))
    ]


def test_units_on_data_are_measured_one_by_one_with_their_rows_and_told_as_mean():
    from hashlib import sha256

    spec = spec_of(budget=Budget(trials=1), data=data_of(folds=2), **QUICK)

    def evaluate(job, emit):
        for unit in job.units:
            rows = bytes([unit[1]] * 4)
            emit(Measurement(unit=unit, value=float(unit[1]), train=0.0, rows=rows, cpu_s=1.5))
        return 99.0  # the engine takes the mean of the units, not what the job returned

    with InlineExecutor(evaluate) as executor:
        loop = loop_of(spec, executor)
        assert loop.run() == Finish("complete")
    store = loop._ledger.store
    (told,) = of(store, Told)
    assert (told.values, told.cpu_s) == ((0.5,), 3.0)
    for event in of(store, Measured):
        assert event.rows == sha256(bytes([event.unit[1]] * 4)).hexdigest()
        assert store.blob(event.rows) == bytes([event.unit[1]] * 4)


def test_an_evaluation_outside_the_search_that_breaks_is_logged_and_left_out():
    spec = spec_of(budget=Budget(trials=3), evidence=Evidence(top=1, rechecks=2, confirms=2))

    def value(job, unit):
        if job.stage == "recheck" and job.trial:
            return Broken(kind="crashed", reason="gone")
        return by_config(job, unit)

    finish, store = run(spec, value)
    assert finish == Finish("complete")
    assert {(event.stage, event.kind) for event in of(store, Broke)} == {("recheck", "crashed")}
    assert of(store, Selected)[0].trial == 0


def test_what_was_measured_before_a_break_counts_and_only_the_rest_is_lost():
    spec = spec_of(budget=Budget(trials=2), data=data_of(folds=3), evidence=Evidence(rechecks=3))

    def value(job, unit):
        if job.stage == "recheck" and job.trial and unit[1] == 1:
            return Broken(kind="memory", reason="full")
        return by_config(job, unit)

    _, store = run(spec, value)
    lost = of(store, Broke)
    assert {event.units for event in lost} == {
        ((1, 1, 0), (1, 2, 0)),
        ((2, 1, 0), (2, 2, 0)),
    }


# --- retries


@pytest.mark.parametrize("kind", ["crashed", "timeout", "memory", "exited"])
def test_a_trial_that_broke_by_force_is_tried_again(kind):
    spec = spec_of(budget=Budget(trials=2), limits=Limits(retries=1), **QUICK)
    _, store = run(spec, once(Broken(kind=kind, reason="bad luck")))
    assert of(store, Retried) == [Retried(n, 1, kind, "bad luck") for n in (0, 1)]
    assert len(of(store, Told)) == 2
    assert not of(store, Failed)


@pytest.mark.parametrize("kind", ["raised", "invalid"])
def test_a_trial_that_broke_by_itself_is_not(kind):
    spec = spec_of(budget=Budget(trials=2), limits=Limits(retries=5), **QUICK)
    _, store = run(spec, once(Broken(kind=kind, reason="wrong")))
    assert not of(store, Retried)
    assert [event.kind for event in of(store, Failed)] == [kind, kind]


def test_retries_are_counted_and_then_the_trial_fails():
    spec = spec_of(budget=Budget(trials=1), limits=Limits(retries=2), **QUICK)
    _, store = run(spec, lambda job, unit: Broken(kind="timeout", reason="slow"))
    assert [event.attempt for event in of(store, Retried)] == [1, 2]
    assert len(of(store, Failed)) == 1


@pytest.mark.parametrize(("allowed", "attempts"), [(0, []), (2, [1, 2])])
def test_a_lost_trial_is_run_again_apart_from_its_retries(allowed, attempts):
    spec = spec_of(budget=Budget(trials=1), limits=Limits(retries=0, lost=allowed), **QUICK)
    _, store = run(spec, lambda job, unit: Broken(kind="lost", reason="the node burns"))
    assert [event.attempt for event in of(store, Retried)] == attempts
    assert [(event.kind, event.reason) for event in of(store, Failed)] == [
        ("lost", "the node burns")
    ]


def test_what_was_lost_takes_nothing_from_the_retries():
    spec = spec_of(budget=Budget(trials=1), limits=Limits(retries=1, lost=5), **QUICK)
    kinds = iter(["lost", "crashed", "lost", "crashed"])
    _, store = run(spec, lambda job, unit: Broken(kind=next(kinds), reason="no"))
    assert [(e.attempt, e.kind) for e in of(store, Retried)] == [
        (1, "lost"), (2, "crashed"), (3, "lost")
    ]  # fmt: skip
    assert [event.kind for event in of(store, Failed)] == ["crashed"]


def test_retries_of_an_earlier_sitting_count():
    spec = spec_of(budget=Budget(trials=1), limits=Limits(retries=2), **QUICK)
    store = MemoryStore()
    store.append("lab", [*born(spec), Asked(0, {"x": 0.3}, 1)], after=0)
    store.append("lab", [Retried(0, n, "timeout", "slow") for n in (1, 2)], after=2)
    run(spec, lambda job, unit: Broken(kind="timeout", reason="slow"), store)
    assert len(of(store, Retried)) == 2
    assert len(of(store, Failed)) == 1


def test_a_retry_measures_only_the_folds_that_are_missing():
    spec = spec_of(
        budget=Budget(trials=1), data=data_of(folds=3), limits=Limits(retries=1), **QUICK
    )
    broke = []

    def value(job, unit):
        if job.trial == 0 and unit[1] == 1 and not broke:
            broke.append(unit)
            return Broken(kind="crashed", reason="gone")
        return 1.0

    executor = Scripted(value, data=True)
    loop_of(spec, executor).run()
    assert executor.submitted[-1].units == ((0, 1, 0), (0, 2, 0))


def test_a_worker_that_dies_after_its_last_fold_has_ended_its_trial():
    spec = spec_of(
        budget=Budget(trials=1), data=data_of(folds=2), limits=Limits(retries=3), **QUICK
    )

    class Dying(Scripted):
        def _answers(self, job):
            return [*super()._answers(job)[:-1], Broken(kind="crashed", reason="gone")]

    loop = loop_of(spec, Dying(lambda job, unit: 1.0, data=True))
    assert loop.run() == Finish("complete")
    store = loop._ledger.store
    assert [event.values for event in of(store, Told)] == [(1.0,)]
    assert not of(store, Retried) + of(store, Failed) + of(store, Broke)


# --- crashes and resuming


def logs_agree(one, two):
    assert [type(e) for e in one.read("lab")] == [type(e) for e in two.read("lab")]
    assert list(one.read("lab")) == list(two.read("lab"))


@settings(max_examples=40)
@given(
    st.integers(0, 80), st.integers(0, 80), st.booleans(), st.sampled_from(["sobol", "gp", "tpe"])
)
def test_with_one_worker_a_killed_study_gives_the_same_log(first, second, on_data, sampler):
    spec = spec_of(
        budget=Budget(trials=7),  # two more than are spread evenly: a model proposes, too
        data=data_of(folds=2) if on_data else None,
        evidence=Evidence(repeats=2, top=2, rechecks=2, confirms=2),
        sampler={"name": sampler},
    )
    _, calm = run(spec, by_config)
    store = MemoryStore()
    for dies_at in (first, second, None):
        run(spec, by_config, store, dies_at=dies_at)
    logs_agree(store, calm)


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.lists(st.integers(1, 40), max_size=4), st.integers(1, 4))
def test_with_several_workers_a_killed_study_measures_the_same(seed, deaths, slots):
    spec = spec_of(budget=Budget(trials=6), data=data_of(folds=2), evidence=Evidence(rechecks=4))
    _, calm = run(spec, by_config)
    store, rng = MemoryStore(), Random(seed)
    for dies_at in (*deaths, None):
        finish, _ = run(spec, by_config, store, slots=slots, rng=rng, dies_at=dies_at)
    assert finish == Finish("complete")

    def facts(store):
        return sorted((e.trial, e.stage, e.unit, e.value) for e in of(store, Measured))

    assert facts(store) == facts(calm)
    assert sorted((e.trial, e.values) for e in of(store, Told)) == sorted(
        (e.trial, e.values) for e in of(calm, Told)
    )
    assert of(store, Selected) == of(calm, Selected)


def test_a_finished_study_is_left_as_it_is():
    spec = spec_of(budget=Budget(trials=3))
    _, store = run(spec, by_config)
    before = list(store.read("lab"))
    assert run(spec, by_config, store)[0] == Finish("complete")
    assert list(store.read("lab")) == before


def test_reports_that_the_log_holds_are_not_logged_again_after_a_resume():
    spec = spec_of(budget=Budget(trials=1), **QUICK)

    def value(job, unit):
        return [Step(step=1, value=0.5), Step(step=2, value=0.25), 1.0]

    store = MemoryStore()
    run(spec, value, store, dies_at=1)
    run(spec, value, store)
    assert of(store, Reported) == [Reported(0, 1, 0.5), Reported(0, 2, 0.25)]


def test_a_report_that_differs_after_a_resume_is_logged():
    spec = spec_of(budget=Budget(trials=1), **QUICK)
    store = MemoryStore()
    run(spec, lambda job, unit: [Step(step=1, value=0.5), 1.0], store, dies_at=1)
    run(spec, lambda job, unit: [Step(step=1, value=0.7), 1.0], store)
    assert [event.value for event in of(store, Reported)] in ([0.5, 0.7], [0.7])


def test_a_batch_of_messages_is_written_with_the_next_proposal():
    spec = spec_of(budget=Budget(trials=3), **QUICK)
    sizes = []

    class Counting(MemoryStore):
        def append(self, study, events, *, after, blobs=None):
            sizes.append([type(event) for event in events])
            return super().append(study, events, after=after, blobs=blobs)

    run(spec, by_config, Counting())
    assert sizes[1:] == [[Asked], [Told, Asked], [Told, Asked], [Told, Ended]]


# --- other writers


class Meddled(MemoryStore):
    """Another writer appends an event just before some of our appends."""

    def __init__(self, meddle):
        super().__init__()
        self.meddle = list(meddle)

    def append(self, study, events, *, after, blobs=None):
        if after and self.meddle and (event := self.meddle.pop(0)):
            length = len(self.read(study))
            super().append(study, [event], after=length)
        return super().append(study, events, after=after, blobs=blobs)


@settings(max_examples=30)
@given(
    st.lists(st.none() | st.just(Noted("hello")) | st.just(Enqueued({"x": 0.25})), max_size=12),
    st.integers(1, 3),
    st.booleans(),
)
def test_the_loser_of_a_race_decides_anew_and_no_result_is_lost(meddle, slots, on_data):
    spec = spec_of(budget=Budget(trials=5), data=data_of(folds=2) if on_data else None, **QUICK)
    store = Meddled(meddle)
    finish, _ = run(spec, by_config, store, slots=slots)
    assert finish == Finish("complete")
    events = list(store.read("lab"))
    assert len(of(store, Asked)) == len(of(store, Told)) == 5
    for at, event in enumerate(events):
        if isinstance(event, Asked):
            assert event.seen == at, "it did not see what the other writer wrote"
            again = propose(spec, fold(events[:at]), sampler_for(spec))
            assert again == event


def test_a_config_queued_while_the_loop_runs_is_tried_next():
    spec = spec_of(budget=Budget(trials=4), **QUICK)
    store = Meddled([None, Enqueued({"x": 0.123})])
    run(spec, by_config, store)
    asked = of(store, Asked)
    assert [event.origin for event in asked] == ["sampler", "given", "sampler", "sampler"]
    assert asked[1].config == {"x": 0.123}


# --- stopping


def test_after_the_first_ctrl_c_what_runs_ends_and_nothing_new_starts():
    spec = spec_of(budget=Budget(trials=50), **QUICK)

    pressed = []

    def watch(history):
        if history.n_ended == 3 and not pressed:
            pressed.append(True)
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    finish, store = run(spec, by_config, slots=2, watch=watch)
    assert finish == Finish("interrupted")
    assert not fold(store.read("lab")).running()
    assert 3 <= len(of(store, Told)) <= 5
    assert signal.getsignal(signal.SIGINT) is before
    assert run(spec, by_config, store)[0] == Finish("complete")
    assert len(of(store, Told)) == 50


def test_the_second_ctrl_c_ends_at_once():
    spec = spec_of(budget=Budget(trials=50), **QUICK)

    def value(job, unit):
        if job.trial == 2:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
        return 1.0

    store, before = MemoryStore(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run(spec, value, store)
    assert signal.getsignal(signal.SIGINT) is before
    assert run(spec, by_config, store)[0] == Finish("complete")


def test_it_runs_in_a_thread_where_signals_cannot_be_caught():
    from threading import Thread

    spec, found = spec_of(budget=Budget(trials=2), **QUICK), []
    thread = Thread(target=lambda: found.append(run(spec, by_config)[0]))
    thread.start()
    thread.join(30)
    assert found == [Finish("complete")]


def test_the_clock_ends_the_search():
    spec = spec_of(budget=Budget(seconds=3.0), **QUICK)
    seconds = iter(range(1000))
    _, store = run(spec, by_config, clock=lambda: next(seconds) / 2)
    assert 1 <= len(of(store, Told)) < 12


def test_the_watch_sees_the_history_grow():
    spec, seen = spec_of(budget=Budget(trials=3), **QUICK), []
    run(spec, by_config, watch=lambda history: seen.append(history.length))
    assert seen == sorted(seen)
    assert seen[-1] == 8


def test_a_cancelled_job_leaves_its_trial_open():
    spec = spec_of(budget=Budget(trials=1), **QUICK)
    store, loops = MemoryStore(), []

    def value(job, unit):
        loops[0].stopping = True
        return Broken(kind="cancelled", reason="stop")

    loops.append(loop_of(spec, Scripted(value), store))
    assert loops[0].run() == Finish("interrupted")
    assert fold(store.read("lab")).running() == [0]
