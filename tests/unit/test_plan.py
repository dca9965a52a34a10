"""What to do next: the plan as a pure function of the past."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.lab import (
    Run,
    born,
    data_of,
    history_of,
    measured,
    spec_of,
)

from assay.analysis.spending import searched
from assay.core import units
from assay.core.events import (
    CONTROL,
    FLOOR,
    Asked,
    Broke,
    Deviated,
    Ended,
    Exhausted,
    Failed,
    Frozen,
    Opened,
    Selected,
    Told,
    Voided,
)
from assay.core.history import History, fold
from assay.core.parameters import Int
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits, StudySpec
from assay.engine.plan import (
    Ask,
    Evaluate,
    Finish,
    Record,
    Wait,
    ended,
    missing_test,
    plan,
    told,
)

ORDER = ("floor", "probe", "control", "search", "recheck", "confirm", "test")


specs = st.sampled_from(
    [
        spec_of(),
        spec_of(control=None),
        spec_of(evidence=None),
        spec_of(evidence=None, control=None),
        spec_of(evidence=Evidence(repeats=2, top=2, rechecks=2, confirms=2)),
        spec_of(directions={"value": "maximize"}),
        spec_of(budget=Budget(looks=12)),
        spec_of(budget=Budget(cpu_seconds=8.0)),
        spec_of(data=data_of(folds=3), evidence=Evidence(rechecks=4)),
        spec_of(data=data_of(folds=3) | {"shadow": {"rows": 12}}, evidence=Evidence(rechecks=4)),
        spec_of(data=data_of(folds=1), budget=Budget(trials=6), evidence=Evidence(refits=2)),
        spec_of(data=data_of(folds=2, repeats=2), budget=Budget(looks=22)),
        spec_of(data=data_of(folds=2), control=None, budget=Budget(trials=5)),
        spec_of(data=data_of(folds=2), evidence=None, budget=Budget(trials=5)),
    ]
)


@settings(max_examples=60)
@given(specs, st.integers(0, 2**32), st.integers(1, 4))
def test_a_study_ends_the_same_in_whatever_order_work_ends_and_whenever_it_is_killed(
    spec, seed, workers
):
    sealed = spec.data is not None
    calm = Run(spec, Random(0), sealed=sealed, workers=1).run()
    wild = Run(spec, Random(seed), sealed=sealed, workers=workers, kills=8).run()
    assert calm.finish == wild.finish == Finish("complete")
    if spec.budget.cpu_seconds:  # what is under way when the time is up still ends
        assert 0 <= wild.history.n_trials - calm.history.n_trials < workers
        return
    assert wild.measurements() == calm.measurements()
    assert max(wild.measurements().values(), default=1) == 1
    assert wild.outcomes() == calm.outcomes()
    assert wild.history.last(Selected) == calm.history.last(Selected)
    assert wild.history.last(Frozen) == calm.history.last(Frozen)
    assert wild.history.looks == calm.history.looks


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 4))
def test_failures_change_nothing_but_themselves(seed, on_data, workers):
    spec = spec_of(data=data_of() if on_data else None)

    def fails(config):
        return config.get("x", 0) > 0.6

    calm = Run(spec, Random(0), workers=1, fails=fails).run()
    wild = Run(spec, Random(seed), workers=workers, kills=6, fails=fails).run()
    assert wild.finish == calm.finish == Finish("complete")
    assert wild.measurements() == calm.measurements()
    assert wild.history.last(Selected) == calm.history.last(Selected)
    failed = [n for n, x, outcome in wild.outcomes() if isinstance(outcome, Failed)]
    assert failed == [n for n, x, _ in wild.outcomes() if x > 0.6]


@settings(max_examples=30)
@given(specs, st.integers(0, 2**32), st.integers(1, 4))
def test_phases_are_barriers(spec, seed, workers):
    run = Run(spec, Random(seed), sealed=spec.data is not None, workers=workers, kills=5).run()
    stages = [stage for stage in run.stages if stage != units.SHADOW]
    if spec.control is not None and not spec.data:
        assert stages[0] == "search", "the control itself comes first"
        killed = next((i for i, s in enumerate(stages) if s != "search"), 1)
        stages = stages[killed:]  # it is measured again if the driver died
    places = [ORDER.index(stage) for stage in stages if stage != "floor"]
    if spec.data:  # the control is searched before it is probed
        first = next((i for i, s in enumerate(stages) if s not in ("floor", "search")), 0)
        places = [ORDER.index(stage) for stage in stages[first:]]
    assert places == sorted(places)


@settings(max_examples=30)
@given(specs, st.integers(0, 2**32), st.integers(1, 4))
def test_the_search_may_come_first_and_nothing_else_changes(spec, seed, workers):
    sealed = spec.data is not None
    usual = Run(spec, Random(0), sealed=sealed, workers=1).run()
    early = {"workers": workers, "kills": 5, "search_first": True}
    run = Run(spec, Random(seed), sealed=sealed, **early).run()
    last = max(i for i, stage in enumerate(run.stages) if stage == "search")
    assert set(run.stages[: last + 1]) <= {"search", units.SHADOW}
    if spec.budget.cpu_seconds:  # the control's own repeats count, and are done later
        return
    assert run.measurements() == usual.measurements()
    assert run.history.last(Selected) == usual.history.last(Selected)
    assert run.finish == usual.finish


@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32))
def test_the_search_never_goes_past_its_looks(looks, folds, workers, seed):
    spec = spec_of(data=data_of(folds=folds), budget=Budget(looks=looks), control=None)
    run = Run(spec, Random(seed), workers=workers, kills=3).run()
    used = searched(spec, run.history).looks
    assert used <= looks
    assert looks - used < folds, "it stopped too early"


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32))
def test_a_budget_of_looks_counts_what_is_under_way(looks, workers, seed):
    spec = spec_of(budget=Budget(looks=looks), evidence=None)
    assert Run(spec, Random(seed), workers=workers).run().history.n_trials == looks


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 2**32))
def test_a_budget_of_trials_counts_the_control_and_failures(trials, workers, seed):
    spec = spec_of(budget=Budget(trials=trials))
    run = Run(spec, Random(seed), workers=workers, fails=lambda config: config["x"] > 0.7).run()
    assert run.history.n_trials == trials


def test_seconds_end_the_search_but_not_what_follows():
    spec = spec_of(budget=Budget(seconds=60))
    history = history_of(spec, [1.0, 0.5], *measured(0, "probe", PROBES))
    history = fold(measured(0, "control", {(0, 0, 1): 1.1, (0, 0, 2): 0.9}), history)
    assert plan(spec, history, seconds=59.9) == Ask()
    over = plan(spec, history, seconds=60.0)
    assert over == Record(Ended(2, 60.0))
    history = fold([over.event], history)
    assert plan(spec, history, seconds=60.0) == Evaluate(0, "recheck", ((0, 0, 3),))
    assert plan(spec, history) == Evaluate(0, "recheck", ((0, 0, 3),)), "the log knows the time"


def test_a_search_that_is_over_says_so_once_and_goes_on_with_a_larger_budget():
    spec = spec_of(budget=Budget(seconds=60), evidence=None)
    history = history_of(spec, [1.0, 0.5], Ended(2, 60.0))
    assert ended(history) == Ended(2, 60.0)
    assert plan(spec, history) == plan(spec, history, seconds=59.0) == Finish("complete")
    longer = replace(spec, budget=Budget(seconds=90))
    history = fold([Deviated("budget", {"seconds": 60}, {"seconds": 90}, "more")], history)
    assert ended(history) is None
    assert plan(longer, history, seconds=60.0) == Ask()
    history = fold([Asked(2, {"x": 0.2}, 0), Told(2, (3.0,))], history)
    assert plan(longer, history, seconds=89.9) == Ask()
    assert plan(longer, history, seconds=91.0) == Record(Ended(3, 91.0))


def test_a_search_that_another_trial_was_asked_of_is_not_over():
    spec = spec_of(budget=Budget(trials=2), evidence=None)
    history = history_of(spec, [1.0, 0.5], Ended(2))
    assert ended(fold([Asked(2, {"x": 0.2}, 0)], history)) is None


def test_cpu_seconds_end_the_search():
    spec = spec_of(budget=Budget(cpu_seconds=2.0), evidence=None)
    events = [*born(spec), Asked(0, {"x": 0.5}, 0, "control"), Told(0, (1.0,), None, 1.5)]
    assert plan(spec, fold(events)) == Ask()
    events += [Asked(1, {"x": 0.1}, 0), Failed(1, "raised", "no", "", 0.5)]
    assert plan(spec, fold(events)) == Record(Ended(2))


def test_the_smallest_limit_counts():
    spec = spec_of(budget=Budget(trials=2, looks=50, seconds=1e9), evidence=None)
    assert plan(spec, history_of(spec, [1.0, 2.0]), seconds=3.0) == Record(Ended(2, 3.0))


PROBES = {(0, 0, 0): 1.0, (0, 0, 1): 1.2}


# --- the control


def test_the_control_comes_first_and_alone():
    spec = spec_of()
    history = fold(born(spec))
    assert plan(spec, history) == Ask()
    history = fold([Asked(0, {"x": 0.5}, 1, "control")], history)
    assert plan(spec, history) == Evaluate(0, "search", ((0, 0, 0),))
    assert plan(spec, history, busy={(0, "search", (0, 0, 0))}) == Wait()


def test_no_trial_is_searched_before_the_control_is_measured():
    spec = spec_of()
    history = history_of(spec, [1.0])
    assert plan(spec, history) == Evaluate(0, "probe", ((0, 0, 0),))
    busy = {(0, "probe", (0, 0, 0))}
    assert plan(spec, history, busy=busy) == Evaluate(0, "probe", ((0, 0, 1),))
    assert plan(spec, history, busy=busy | {(0, "probe", (0, 0, 1))}) == Wait()
    history = fold(measured(0, "probe", PROBES), history)
    assert plan(spec, history) == Evaluate(0, "control", ((0, 0, 1),))


def test_a_deterministic_control_is_not_repeated():
    spec = spec_of()
    probes = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})
    assert plan(spec, history_of(spec, [1.0], *probes)) == Ask()


def test_a_control_that_fails_ends_the_study():
    spec = spec_of()
    finish = plan(spec, history_of(spec, [None]))
    assert finish == Finish("the control failed: no", failed=True)


def test_without_control_the_search_begins_at_once():
    spec = spec_of(control=None)
    assert plan(spec, fold(born(spec))) == Ask()
    history = fold([Asked(0, {"x": 0.3}, 1)], fold(born(spec)))
    assert plan(spec, history) == Evaluate(0, "search", ((0, 0, 0),))


def test_the_floor_is_measured_before_anything_else_on_data():
    spec = spec_of(data=data_of(folds=2))
    history = fold(born(spec))
    assert plan(spec, history) == Evaluate(FLOOR, "floor", ((0, 0, 0), (0, 1, 0)))


# --- the search


def test_a_trial_goes_on_with_the_folds_that_are_missing():
    spec = spec_of(data=data_of(folds=3), control=None, evidence=None)
    floor = measured(FLOOR, "floor", {(0, f, 0): 9.0 for f in range(3)})
    events = [*born(spec), *floor, Asked(0, {"x": 0.3}, 0)]
    history = fold([*events, *measured(0, "search", {(0, 0, 0): 1.0, (0, 2, 0): 3.0})])
    assert plan(spec, history) == Evaluate(0, "search", ((0, 1, 0),))


def test_a_trial_with_all_its_folds_but_no_end_is_ended_not_measured():
    spec = spec_of(data=data_of(folds=2), control=None, evidence=None)
    floor = measured(FLOOR, "floor", {(0, 0, 0): 9.0, (0, 1, 0): 9.0})
    folds = measured(0, "search", {(0, 1, 0): 3.0, (0, 0, 0): 1.0})
    history = fold([*born(spec), *floor, Asked(0, {"x": 0.3}, 0), *folds])
    assert plan(spec, history) == Record(Told(0, (2.0,), None, 0.0, 0.0))


def test_the_value_of_a_trial_on_data_is_the_mean_over_its_units():
    spec = spec_of(data=data_of(folds=2))
    found = {e.unit: e for e in measured(0, "search", {(0, 1, 0): 3.0, (0, 0, 0): 1.0})}
    assert told(spec, 4, found).values == (2.0,)
    assert told(spec, 4, {(0, 0, 0): found[(0, 0, 0)]}) is None
    assert told(spec_of(), 4, found) is None


def test_after_ten_failures_without_a_value_it_gives_up_with_the_reason():
    spec = spec_of(control=None, budget=Budget(trials=100))
    assert plan(spec, history_of(spec, [None] * 9, control=False)) == Ask()
    finish = plan(spec, history_of(spec, [None] * 10, control=False))
    assert finish.failed
    assert "10 trials failed" in finish.reason
    assert "no" in finish.reason


def test_a_study_in_which_every_trial_fails_ends_as_failed():
    spec = spec_of(control=None, budget=Budget(trials=3))
    history = history_of(spec, [None] * 3, control=False)
    assert plan(spec, history) == Record(Ended(3))
    assert plan(spec, fold([Ended(3)], history)).failed


def test_an_exhausted_space_ends_the_search_once_all_trials_have():
    space = Space(x=Int(1, 3, default=1))
    spec = spec_of(space=space, evidence=None, budget=Budget(trials=50))
    run = Run(spec, Random(1), workers=3, kills=2)
    run.run()
    assert run.finish == Finish("complete")
    assert run.history.n_trials == 3
    assert sum(isinstance(e, Exhausted) for e in run.history.milestones()) == 1


def test_stopping_starts_nothing_and_waits_for_what_runs():
    spec = spec_of()
    history = history_of(spec, [1.0])
    assert plan(spec, history, stopping=True) == Finish("interrupted")
    assert plan(spec, history, stopping=True, busy={(0, "probe", (0, 0, 0))}) == Wait()


# --- after the search


def noisy(spec: StudySpec, values, *further) -> History:
    """A searched study whose control is known to be noisy."""
    repeats = measured(0, "control", {(0, 0, 1): 1.1, (0, 0, 2): 0.9})
    ended = Ended(len(values))
    return history_of(spec, values, *measured(0, "probe", PROBES), *repeats, ended, *further)


def test_the_best_trials_are_rechecked_after_the_search():
    spec = spec_of(budget=Budget(trials=4), evidence=Evidence(top=2, rechecks=1))
    history = noisy(spec, [1.0, 0.4, 0.6, 0.2])
    assert plan(spec, history) == Evaluate(3, "recheck", ((0, 0, 1),))
    busy = {(3, "recheck", (0, 0, 1))}
    assert plan(spec, history, busy=busy) == Evaluate(1, "recheck", ((0, 0, 1),))
    busy |= {(1, "recheck", (0, 0, 1))}
    assert plan(spec, history, busy=busy) == Wait(), "trial 2 is not among the best two"


def test_nothing_is_selected_while_a_recheck_runs():
    spec = spec_of(budget=Budget(trials=2), evidence=Evidence(rechecks=1))
    history = noisy(spec, [1.0, 0.4])
    assert plan(spec, history, busy={(1, "recheck", (0, 0, 1))}) == Wait()
    history = fold(measured(1, "recheck", {(0, 0, 1): 0.5}), history)
    command = plan(spec, history)
    assert isinstance(command, Record)
    assert isinstance(command.event, Selected)


def test_what_broke_in_a_recheck_is_not_tried_for_ever():
    spec = spec_of(budget=Budget(trials=2), evidence=Evidence(rechecks=1))
    lost = Broke(1, "recheck", ((0, 0, 1),), "raised", "no")
    command = plan(spec, noisy(spec, [1.0, 0.4], lost))
    assert isinstance(command, Record)
    assert command.event.trial == CONTROL


@pytest.mark.parametrize("kind", ["crashed", "timeout", "memory", "exited"])
def test_what_broke_by_force_in_a_recheck_is_measured_again_as_often_as_may_be(kind):
    spec = spec_of(budget=Budget(trials=2), evidence=Evidence(rechecks=1), limits=Limits(retries=2))
    lost = Broke(1, "recheck", ((0, 0, 1),), kind, "killed")
    for times in (1, 2):
        command = plan(spec, noisy(spec, [1.0, 0.4], *[lost] * times))
        assert command == Evaluate(1, "recheck", ((0, 0, 1),))
    last = plan(spec, noisy(spec, [1.0, 0.4], *[lost] * 3))
    assert isinstance(last.event, Selected)


def test_the_winner_is_confirmed_on_seeds_of_its_own():
    spec = spec_of(budget=Budget(trials=2), evidence=Evidence(rechecks=1, confirms=2))
    history = noisy(spec, [1.0, 0.4], Selected(0, 1, "recheck+guard", "", []))
    first, second = units.confirms(spec)
    assert plan(spec, history) == Evaluate(0, "confirm", (first,))
    history = fold(measured(0, "confirm", dict.fromkeys((first, second), 1.0)), history)
    assert plan(spec, history) == Evaluate(1, "confirm", (first,))
    history = fold(measured(1, "confirm", dict.fromkeys((first, second), 1.0)), history)
    assert plan(spec, history) == Finish("complete")


def test_a_deterministic_objective_is_neither_rechecked_nor_confirmed():
    spec = spec_of(budget=Budget(trials=2))
    probes = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})
    history = history_of(spec, [1.0, 0.4], *probes, Ended(2))
    for unit in units.probe(1):  # the defaults may be without noise, and the challenger not
        assert plan(spec, history) == Evaluate(1, "probe", (unit,))
        history = fold(measured(1, "probe", {unit: 0.4}), history)
    command = plan(spec, history)
    assert isinstance(command, Record)
    assert (command.event.trial, command.event.rule) == (1, "best")
    assert plan(spec, fold([command.event], history)) == Finish("complete")


def test_defaults_without_noise_do_not_make_a_noisy_challenger_exact():
    spec = spec_of(budget=Budget(trials=2))
    probes = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})
    noisy = measured(1, "probe", {(0, 0, 1): 0.4, (0, 0, 2): 0.7})
    history = history_of(spec, [1.0, 0.4], *probes, *noisy, Ended(2))
    assert units.deterministic(spec, history) is False
    stages, values = [], {CONTROL: 1.0, 1: 0.5}
    while isinstance(command := plan(spec, history), Evaluate):
        stages.append((command.trial, command.stage))
        found = dict.fromkeys(command.units, values[command.trial])
        history = fold(measured(command.trial, command.stage, found), history)
    assert {(0, "control"), (0, "recheck"), (1, "recheck")} == set(stages)
    assert isinstance(command, Record)
    assert command.event.rule == "recheck+guard"


def test_a_deterministic_model_on_data_is_rechecked_all_the_same():
    spec = spec_of(data=data_of(folds=2), budget=Budget(trials=3))
    run = Run(spec, Random(0), workers=1)
    run.same_for_all_seeds = True
    run.run()
    assert units.deterministic(spec, run.history)
    assert "recheck" in run.stages
    assert {unit[2] for unit in run.history.units(CONTROL)} == {0}


def test_a_challenger_that_turns_out_noisy_after_the_selection_sends_nobody_back():
    spec = spec_of(data=data_of(folds=2), budget=Budget(trials=3))
    run = Run(spec, Random(0), workers=1)
    run.same_for_all_seeds = True
    run.run()
    challenger = run.history.last(Selected).challenger
    probes = dict(zip(units.probe(challenger), (7.0, 8.0), strict=True))
    history = fold(measured(challenger, "probe", probes), run.history)
    assert units.deterministic(spec, history) is False
    assert plan(spec, history) == Finish("complete")


def test_without_evidence_or_with_several_objectives_the_search_is_all():
    alone = spec_of(evidence=None, budget=Budget(trials=1))
    assert plan(alone, history_of(alone, [1.0])) == Record(Ended(1))
    assert plan(alone, history_of(alone, [1.0], Ended(1))) == Finish("complete")
    several = spec_of(
        directions={"a": "minimize", "b": "maximize"}, budget=Budget(trials=1), control=None
    )
    events = [*born(several), Asked(0, {"x": 0.3}, 0), Told(0, (1.0, 2.0)), Ended(1)]
    assert plan(several, fold(events)) == Finish("complete")


# --- the test set


def frozen_study(refits=2):
    """A study on data at the moment when its contenders are named."""
    spec = spec_of(data=data_of(folds=2), budget=Budget(trials=3), evidence=Evidence(refits=refits))
    run = Run(spec, Random(0), sealed=True, workers=1, open_test=False).run()
    return spec, run.history


def test_the_test_set_stays_closed_when_it_shall():
    spec, history = frozen_study()
    assert plan(spec, history, open_test=False) == Finish("complete")


def test_the_intent_is_recorded_before_anything_is_measured_on_the_test_set():
    spec, history = frozen_study()
    command = plan(spec, history)
    assert isinstance(command, Record)
    intent = command.event
    assert (intent.look, intent.reason) == (1, "")
    assert intent.contenders == history.last(Frozen).contenders
    assert CONTROL in intent.contenders
    history = fold([intent], history)
    first = plan(spec, history)
    assert first == Evaluate(CONTROL, "test", ((0, 0, 0),))
    busy = {(CONTROL, "test", (0, 0, 0))}
    assert plan(spec, history, busy=busy) == Evaluate(CONTROL, "test", ((0, 0, 1),))


def test_an_opening_that_was_interrupted_goes_on_as_the_same_look():
    spec, history = frozen_study()
    history = fold([plan(spec, history).event], history)
    history = fold(measured(CONTROL, "test", {(0, 0, 0): 1.0}), history)
    assert plan(spec, history) == Evaluate(CONTROL, "test", ((0, 0, 1),))
    assert history.looks == 1


def test_an_opening_with_all_its_fits_or_its_result_asks_for_nothing():
    spec, history = frozen_study()
    intent = plan(spec, history).event
    history = fold([intent], history)
    done = fold([Opened(1, {})], history)
    assert missing_test(spec, done, ()) is None
    for number in intent.contenders:
        history = fold(measured(number, "test", {(0, 0, 0): 1.0, (0, 0, 1): 1.0}), history)
    assert missing_test(spec, history, ()) is None


def test_what_broke_at_the_opening_is_tried_again_only_in_another_sitting():
    spec, history = frozen_study(refits=1)
    intent = plan(spec, history).event
    lost = [Broke(n, "test", ((0, 0, 0),), "memory", "no") for n in intent.contenders]
    history = fold([intent, *lost], history)
    assert missing_test(spec, history, ()) is None
    again = missing_test(spec, history, (), forgiven=len(history.breakages()))
    assert again == Evaluate(CONTROL, "test", ((0, 0, 0),))


def test_a_seal_that_was_given_up_is_not_opened():
    spec, history = frozen_study()
    assert plan(spec, fold([Voided("lost")], history)) == Finish("complete")


def test_what_is_frozen_names_the_contenders_the_plan_and_the_fits():
    spec, history = frozen_study(refits=4)
    frozen, selected = history.last(Frozen), history.last(Selected)
    assert frozen.contenders == tuple(dict.fromkeys((CONTROL, selected.challenger)))
    assert frozen.plan == spec.plan
    assert frozen.refits == 4


@pytest.mark.parametrize("seed", range(3))
def test_planning_is_pure(seed):
    spec = replace(spec_of(), seed=seed)
    history = noisy(spec, [1.0, 0.5, 0.7])
    before = (history.length, [t.state for t in history.trials])
    assert plan(spec, history) == plan(spec, history)
    assert (history.length, [t.state for t in history.trials]) == before
