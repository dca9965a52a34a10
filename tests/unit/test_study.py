"""A study that its user drives by ask and tell."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay import Budget, Choice, Float, Int, Space, Study, open_study, optimize
from assay.core.errors import SpaceError, SpecError, StateError, StoreError
from assay.core.events import Asked, Deviated, Told
from assay.core.history import fold
from assay.stores.memory import MemoryStore
from assay.stores.sqlite import SqliteStore

SPACE = Space(x=Float(-1.0, 1.0, default=0.5), n=Int(1, 8, default=2))
BARE = Space(x=Float(-1.0, 1.0))


def square(config):
    return config["x"] ** 2


def drive(study, trials):
    for _ in range(trials):
        trial = study.ask()
        study.tell(trial, square(trial.config))


def log(store, name="study"):
    return list(store.read(name))


# --- the loop


def test_the_first_trial_is_the_default_config_and_the_others_lie_in_the_space():
    study = Study(SPACE, seed=0)
    first = study.ask()
    assert first.config == {"x": 0.5, "n": 2}
    study.tell(first, 1.0)
    for number in range(1, 20):
        trial = study.ask()
        assert trial.number == number
        assert SPACE.contains(trial.config)
        study.tell(trial, 0.0)


def test_a_config_is_a_plain_dict_that_may_be_changed():
    study = Study(SPACE)
    trial = study.ask()
    assert type(trial.config) is dict
    trial.config["x"] = 99
    assert study.trials[0].config["x"] == 0.5


def test_given_configs_come_next_with_missing_parameters_at_their_defaults():
    study = Study(SPACE)
    study.enqueue({"x": 0.25}, source="https://a.example", note="a paper")
    study.tell(study.ask(), 1.0)
    assert study.ask().config == {"x": 0.25, "n": 2}
    assert study.trials[1].why["source"] == "https://a.example"


@pytest.mark.parametrize(
    "config", [{"x": 7.0}, {"y": 1}, {"x": "a"}, {"n": 1.5}, {"x": float("nan")}]
)
def test_a_given_config_outside_the_space_is_refused(config):
    study = Study(SPACE)
    with pytest.raises(SpaceError):
        study.enqueue(config)
    assert len(log(study.store)) == 1


def test_reports_and_notes_are_kept():
    study = Study(SPACE)
    trial = study.ask()
    trial.report(1, 0.5)
    trial.report(np.int64(2), np.float32(0.25))
    study.note("odd", trial=0)
    assert study.trials[0].curve == ((1, 0.5), (2, 0.25))
    assert study.history.milestones()[-1].text == "odd"


def test_trials_can_be_told_in_any_order_and_by_number():
    study = Study(SPACE)
    trials = [study.ask() for _ in range(3)]
    study.tell(2, 3.0)
    study.tell(trials[0], 1.0)
    study.tell(trials[1], failed="CUDA out of memory")
    assert [trial.state for trial in study.trials] == ["done", "failed", "done"]
    assert study.trials[1].failure.reason == "CUDA out of memory"
    assert list(study.history.ended) == [2, 0, 1]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_trial_is_the_one_with_the_best_value(direction):
    study = Study(SPACE, direction=direction)
    for value in (3.0, 1.0, 2.0):
        study.tell(study.ask(), value)
    assert study.best.number == (1 if direction == "minimize" else 0)


def test_several_objectives_have_a_front_and_no_best():
    study = Study(SPACE, direction={"loss": "minimize", "size": "maximize"})
    for values in ([1.0, 1.0], [2.0, 2.0], [3.0, 0.0]):
        study.tell(study.ask(), values)
    assert [trial.number for trial in study.front] == [0, 1]
    with pytest.raises(StateError, match="front"):
        _ = study.best


def test_before_anything_is_told_there_is_no_best_verdict_or_challenger():
    study = Study(SPACE)
    with pytest.raises(StateError, match="No trial"):
        _ = study.best
    assert (study.verdict, study.challenger, study.control) == (None, None, None)
    assert study.front == []
    study.ask()
    assert study.control.number == 0
    assert Study(BARE).control is None


def test_effects_compare_with_the_control():
    study = Study(SPACE)
    for value in (1.0, 0.5):
        study.tell(study.ask(), value)
    assert [one.standing for one in study.effects()] == ["control", "unclear"]
    assert study.effects()[1].gain == 0.5


@pytest.mark.parametrize(
    "value",
    ["0.5", None, [0.1, 0.2], {"a": 1.0}, True, 1j, np.zeros(3), object, {}, [], "nan", b"1"],
    ids=repr,
)
def test_a_wrong_value_leaves_the_trial_open_and_the_study_usable(value):
    study = Study(SPACE)
    trial = study.ask()
    before = log(study.store)
    with pytest.raises(SpecError):
        study.tell(trial, value)
    assert log(study.store) == before
    study.tell(trial, 0.5)
    drive(study, 2)
    assert study.verify() == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf")])
def test_a_value_that_is_not_finite_ends_the_trial_as_failed(value):
    study = Study(SPACE)
    study.tell(study.ask(), value)
    assert study.trials[0].state == "failed"
    drive(study, 2)
    assert study.verify() == []


def test_a_value_and_a_failure_at_once_or_neither_are_refused():
    study = Study(SPACE)
    trial = study.ask()
    for wrong in ({}, {"value": 1.0, "failed": "no"}):
        with pytest.raises(SpecError, match="either"):
            study.tell(trial, **wrong)


def test_what_has_ended_or_does_not_exist_cannot_be_told():
    study = Study(SPACE)
    trial = study.ask()
    study.tell(trial, 1.0)
    for number in (trial, 0, 5, -1):
        with pytest.raises(StateError):
            study.tell(number, 2.0)
    with pytest.raises(StateError):
        trial.report(1, 1.0)
    assert study.trials[0].value == 1.0


@pytest.mark.parametrize("trial", ["0", None, 1.0, True])
def test_what_is_no_trial_is_refused_with_words(trial):
    study = Study(SPACE)
    study.ask()
    with pytest.raises(SpecError, match="trial"):
        study.tell(trial, 1.0)


def test_a_trial_number_of_numpy_will_do():
    study = Study(SPACE)
    study.ask()
    study.tell(np.int64(0), 1.0)
    assert study.trials[0].state == "done"


def test_a_finite_space_is_searched_once_and_then_says_so():
    study = Study(Space(a=Choice(["p", "q"], default="p"), n=Int(1, 3, default=1)))
    seen = []
    for _ in range(6):
        trial = study.ask()
        seen.append(tuple(trial.config.items()))
        study.tell(trial, 1.0)
    assert len(set(seen)) == 6
    with pytest.raises(StateError, match="nothing left"):
        study.ask()
    study.enqueue({"a": "q", "n": 2})
    assert study.ask().config == {"a": "q", "n": 2}
    assert study.verify() == []


# --- one log, many writers


def test_ten_fresh_studies_of_one_trial_give_the_log_of_one_of_ten(tmp_path):
    one = Study(SPACE, seed=5, storage=str(tmp_path / "one.db"))
    drive(one, 10)
    for _ in range(10):
        with Study(SPACE, seed=5, storage=str(tmp_path / "ten.db")) as study:
            drive(study, 1)
    ten = open_study(str(tmp_path / "ten.db"))
    assert log(ten.store) == log(one.store)
    assert ten.verify() == []
    one.close(), ten.close()


@settings(max_examples=15)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=25))
def test_interleaved_studies_on_one_store_lose_and_double_nothing(steps):
    store = MemoryStore()
    studies = [Study(SPACE, seed=1, storage=store) for _ in range(3)]
    waiting = []
    for who, asks in steps:
        if asks or not waiting:
            waiting.append(studies[who].ask())
        else:
            trial = waiting.pop(0)
            studies[who].tell(trial.number, square(trial.config))
    events = log(store)
    numbers = [event.trial for event in events if isinstance(event, Asked)]
    assert numbers == list(range(len(numbers)))
    assert studies[0].history == fold(events)
    assert studies[0].verify() == []


def test_two_studies_on_one_file_interleave(tmp_path):
    path = str(tmp_path / "lab.db")
    a, b = Study(SPACE, storage=path), Study(SPACE, storage=path)
    for _ in range(6):
        first, second = a.ask(), b.ask()
        b.tell(first.number, square(first.config))
        a.tell(second, square(second.config))
    assert len(a.trials) == len(b.trials) == 12
    assert a.verify() == []
    a.close(), b.close()


def test_four_threads_of_twenty_trials_on_one_file(tmp_path):
    path = str(tmp_path / "lab.db")
    Study(SPACE, storage=path).close()

    def work(_):
        with Study(SPACE, storage=path) as study:
            drive(study, 20)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with open_study(path) as study:
        events = log(study.store)
        assert sum(isinstance(event, Asked) for event in events) == 80
        assert sorted(e.trial for e in events if isinstance(e, Told)) == list(range(80))
        assert study.verify() == []


def test_two_processes_on_one_file(tmp_path):
    program = """
import sys
from assay import Float, Space, Study
with Study(Space(x=Float(-1.0, 1.0)), storage=sys.argv[1]) as study:
    for _ in range(15):
        trial = study.ask()
        study.tell(trial, trial.config["x"])
"""
    path = str(tmp_path / "lab.db")
    Study(BARE, storage=path).close()
    running = [subprocess.Popen([sys.executable, "-c", program, path]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    with open_study(path) as study:
        assert [trial.state for trial in study.trials] == ["done"] * 30
        assert study.verify() == []


def test_threads_may_share_a_study():
    study, before = Study(SPACE), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: drive(study, 20), range(4)))
    finally:
        sys.setswitchinterval(before)
    assert [trial.state for trial in study.trials] == ["done"] * 80
    assert study.verify() == []


# --- the same plan again


def test_the_same_plan_goes_on_and_any_other_is_refused_with_the_difference(tmp_path):
    path = str(tmp_path / "lab.db")
    with Study(SPACE, storage=path, name="lab") as study:
        drive(study, 2)
    with Study(SPACE, storage=path, name="lab") as study:
        assert len(study.trials) == 2
    others = {
        "seed": {"seed": 1},
        "maximize": {"direction": "maximize"},
        "random": {"sampler": "random"},
        "control": {"control": {"x": 0.1}},
    }
    for word, change in others.items():
        with pytest.raises(SpecError, match="another plan") as error:
            Study(SPACE, storage=path, name="lab", **change)
        assert word in str(error.value)
    with pytest.raises(SpecError, match="high"):
        Study(
            Space(x=Float(-1.0, 2.0, default=0.5), n=Int(1, 8, default=2)), storage=path, name="lab"
        )
    Study(SPACE, storage=path, name="other", seed=1).close()


def run(budget, store, **options):
    return optimize(
        lambda trial: square(trial.config),
        SPACE,
        budget=budget,
        storage=store,
        isolation="none",
        progress=False,
        evidence=None,
        **options,
    )


def test_a_larger_budget_is_a_logged_deviation_and_both_calls_then_go_on():
    store = MemoryStore()
    run(4, store)
    study = run(7, store)
    assert len(study.trials) == 7
    (deviation,) = [event for event in log(store) if isinstance(event, Deviated)]
    assert deviation.what == "budget"
    assert (deviation.before["trials"], deviation.after["trials"]) == (4, 7)
    before = log(store)
    assert study.spec.budget == Budget(trials=7)
    run(7, store), run(4, store)
    assert log(store) == before
    assert study.verify() == []


def test_a_budget_below_what_was_spent_is_a_logged_deviation_and_ends_the_search():
    store = MemoryStore()
    options = {"storage": store, "isolation": "none", "progress": False}

    def interrupted(trial):
        if trial.number == 5:
            raise KeyboardInterrupt
        return square(trial.config)

    with pytest.raises(KeyboardInterrupt):
        optimize(interrupted, SPACE, budget=20, **options)
    study = optimize(lambda trial: square(trial.config), SPACE, budget=Budget(trials=3), **options)
    assert [trial.state for trial in study.trials] == ["done"] * 6, "what was begun is finished"
    (deviation,) = [event for event in log(store) if isinstance(event, Deviated)]
    assert (deviation.before["trials"], deviation.after["trials"]) == (20, 3)
    assert study.verdict is not None
    assert study.verify() == []


@pytest.mark.parametrize("budget", [2, 8])
def test_a_finished_study_cannot_be_given_another_budget(budget):
    store = MemoryStore()
    options = {"storage": store, "isolation": "none", "progress": False}
    optimize(lambda trial: square(trial.config), SPACE, budget=4, **options)
    with pytest.raises(StateError, match="complete"):
        optimize(lambda trial: square(trial.config), SPACE, budget=budget, **options)


def test_a_study_with_a_predicate_is_reopened_by_its_own_call(tmp_path):
    def fits(config):
        return config["x"] > 0.4

    path = str(tmp_path / "lab.db")
    space = Space(x=Float(-1.0, 1.0, default=0.5), require=[fits])
    with Study(space, storage=path) as study:
        drive(study, 3)
    with Study(space, storage=path) as study:
        drive(study, 2)
        assert all(trial.config["x"] > 0.4 for trial in study.trials)
        assert study.verify() == []
    with open_study(path) as study:  # the file does not hold the predicate: look, but do not ask
        assert len(study.trials) == 5
        with pytest.raises(SpaceError, match="predicate"):
            study.ask()


# --- opening


def test_a_missing_file_or_study_is_told_apart_and_makes_nothing(tmp_path):
    path = tmp_path / "lab.db"
    with pytest.raises(SpecError, match="no study file"):
        open_study(str(path))
    assert not path.exists()
    SqliteStore(path).close()
    with pytest.raises(SpecError, match="no study yet"):
        open_study(str(path))
    Study(SPACE, storage=str(path), name="first").close()
    with pytest.raises(SpecError, match="Did you mean 'first'"):
        open_study(str(path), "frist")
    with open_study(str(path)) as study:
        assert study.name == "first"
    Study(SPACE, storage=str(path), name="second").close()
    with pytest.raises(SpecError, match="Which study"):
        open_study(str(path))


def test_a_study_opened_for_reading_can_look_but_not_ask(tmp_path):
    path = str(tmp_path / "lab.db")
    with Study(SPACE, storage=path) as study:
        drive(study, 3)
    with open_study(path, readonly=True) as study:
        assert len(study.trials) == 3
        assert study.best.value <= 0.25
        with pytest.raises(StoreError):
            study.ask()


@pytest.mark.parametrize("storage", ["mysql://host/db", "lab.txt", ""])
def test_a_storage_of_no_known_kind_is_refused(storage):
    with pytest.raises(SpecError, match="storage"):
        Study(SPACE, storage=storage)


def test_a_file_that_is_no_study_is_left_alone(tmp_path):
    path = tmp_path / "lab.db"
    path.write_bytes(b"something else" * 100)
    with pytest.raises(StoreError):
        Study(SPACE, storage=str(path))
    assert path.read_bytes() == b"something else" * 100


def test_what_is_no_space_or_no_direction_is_refused():
    with pytest.raises(SpecError, match="Space"):
        Study({"x": (0, 1)})
    with pytest.raises(SpecError, match="minimize"):
        Study(SPACE, direction="down")
    with pytest.raises(SpecError, match="sampler"):
        Study(SPACE, sampler="sobl")
    with pytest.raises(SpecError, match="seed"):
        Study(SPACE, seed=-1)


def test_a_study_prints_what_it_is():
    study = Study(SPACE, name="lab")
    drive(study, 2)
    study.ask()
    assert repr(study) == "<study 'lab': 3 trials, 2 ended>"


def test_a_study_that_is_closed_can_still_be_looked_at_in_a_debugger(tmp_path):
    study = Study(Space(x=Float(0, 1)), storage=str(tmp_path / "lab.db"), name="lab")
    study.tell(study.ask(), 0.5)
    study.close()
    assert repr(study) == "<study 'lab': 1 trials, 1 ended>"


def test_a_study_says_why_it_cannot_be_pickled_and_can_be_copied(tmp_path):
    study = Study(Space({"x": Float(0, 1)}), storage=str(tmp_path / "lab.db"), name="lab")
    for take in (pickle.dumps, cloudpickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match=r"lives in its storage\. Open 'lab' again"):
            take(study)
    assert copy.copy(study).name == "lab"
    with pytest.raises(SpecError, match=r"study = <study 'lab': .* lives in its storage"):
        optimize(lambda trial: study.best.value, Space({"x": Float(0, 1)}), budget=2)
