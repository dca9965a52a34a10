"""A search under a scheduler, from the objective to the verdict: the real engine, executors and stores."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from itertools import pairwise

import pytest

import assay
from assay import Budget, Fidelity, Float, Space
from assay.core.errors import SpecError, StateError
from assay.core.events import Asked, Paused, Reported, Resumed, Stopped, Told
from assay.core.history import fold

MOST = 27
SPACE = Space(x=Float(0, 1), fidelity=Fidelity("epochs", 1, MOST))


def level(x, step):
    """A loss that falls with the steps; good configs are good early."""
    return abs(x - 0.3) + 1.0 / step


def reporting(trial):
    """Knows nothing of steps to go to: it reports, and trains to the end."""
    for step in range(1, MOST + 1):
        trial.report(step, level(trial.config["x"], step))
    return level(trial.config["x"], MOST)


def resuming(trial):
    """Goes from step to step, with a file that says how far it is."""
    file = trial.checkpoint / "state.json"
    done = json.loads(file.read_text())["step"] if file.exists() else 0
    assert done == trial.from_step
    value = None
    for step in trial.steps:
        value = level(trial.config["x"], step)
        trial.report(step, value)
        file.write_text(json.dumps({"step": step}))
    return value


def search(objective, space=SPACE, **options):
    settings = {
        "budget": Budget(trials=20),
        "scheduler": "asha",
        "sampler": "random",
        "evidence": None,
        "isolation": "none",
        "progress": False,
    }
    return assay.optimize(objective, space, **(settings | options))


def log_of(study, *kinds):
    return [event for event in study.store.read(study.name) if isinstance(event, kinds)]


# --- what is cut


@pytest.mark.parametrize("isolation", ["none", "process"])
@pytest.mark.parametrize(
    ("scheduler", "objective"),
    [
        ("asha", resuming),
        ("asha", reporting),
        ("asha-stopping", reporting),
        ("hyperband", resuming),
        ("median", reporting),
    ],
)
def test_a_search_spends_less_and_only_complete_trials_have_a_value(
    scheduler, objective, isolation
):
    study = search(objective, scheduler=scheduler, isolation=isolation)
    runs = study.history.runs()
    assert {run.state for run in runs} <= {"done", "paused", "stopped"}
    assert {run.state for run in runs} & {"paused", "stopped"}
    assert sum(run.worked for run in runs) < 20 * MOST
    for run in runs:
        trial = study.trials[run.trial]
        assert (trial.value is not None) == (run.state == "done")
        if run.state == "done":
            assert run.curve[-1][0] == MOST
    assert study.best.state == "done"
    best_of_done = min(study.trials[r.trial].value for r in runs if r.state == "done")
    assert study.best.value == best_of_done
    assert study.verify() == []


@pytest.mark.parametrize("scheduler", ["asha-stopping", "median"])
def test_what_a_stopped_trial_would_have_said_later_is_not_heard(scheduler):
    study = search(reporting, scheduler=scheduler)
    stopped = log_of(study, Stopped)
    assert stopped
    for cut in stopped:
        steps = [step for step, _ in study.trials[cut.trial].curve]
        assert max(steps) == cut.step < MOST
        assert cut.reason


def test_each_cut_follows_the_report_that_led_to_it():
    study = search(reporting, scheduler="asha-stopping")
    events = log_of(study, Asked, Reported, Stopped, Told)
    for before, event in pairwise(events):
        if isinstance(event, Stopped):
            assert isinstance(before, Reported)
            assert (before.trial, before.step) == (event.trial, event.step)


# --- checkpoints


@pytest.mark.parametrize("scheduler", ["asha", "hyperband"])
def test_checkpoints_that_nobody_can_need_are_removed(scheduler):
    kept = []

    def objective(trial):
        kept.append(len(list(trial.checkpoint.parents[1].glob("trial-*/kept-*"))))
        return resuming(trial)

    study = search(objective, scheduler=scheduler, budget=Budget(trials=40))
    paused = sum(run.state == "paused" for run in study.history.runs())
    assert 0 < max(kept) < 0.7 * paused
    assert all(event.since for event in log_of(study, Resumed)), "who went on had its checkpoint"
    assert study.verify() == []


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_paused_trial_goes_on_from_what_it_left(isolation):
    study = search(resuming, isolation=isolation)
    resumed = log_of(study, Resumed)
    assert resumed
    assert all(event.since for event in resumed)
    runs = study.history.runs()
    assert all(run.worked == run.step for run in runs), "no step was trained twice"


def test_an_objective_that_leaves_nothing_begins_anew_and_that_is_counted():
    study = search(reporting)
    resumed = log_of(study, Resumed)
    assert resumed
    assert not any(event.since for event in resumed)
    again = {event.trial for event in resumed}
    runs = study.history.runs()
    assert all(runs[number].worked > runs[number].step for number in again)


def test_checkpoints_lie_beside_the_file_and_are_gone_at_the_end(tmp_path):
    seen = []

    def objective(trial):
        seen.append(trial.checkpoint)
        return resuming(trial)

    study = search(objective, storage=str(tmp_path / "lab.db"))
    folder = tmp_path / "lab.db-checkpoints" / "study"
    assert seen
    assert all(folder in path.parents for path in seen)
    assert not folder.parent.exists()
    assert study.best.state == "done"


def test_a_checkpoint_that_was_changed_is_not_taken_up(tmp_path):
    folder = tmp_path / "lab.db-checkpoints"

    def objective(trial):
        value = resuming(trial)
        for kept in folder.rglob("kept-*/state.json"):
            kept.write_text(json.dumps({"step": 99}))
        return value

    study = search(objective, storage=str(tmp_path / "lab.db"))
    assert not any(run.state == "failed" for run in study.history.runs())
    assert not all(event.since for event in log_of(study, Resumed))


# --- budgets


@pytest.mark.parametrize("scheduler", ["thaw", "asha", "asha-stopping", "halving", "hyperband"])
@pytest.mark.parametrize("control", [False, True])
def test_a_budget_of_steps_is_kept_and_somebody_is_complete(scheduler, control):
    x = Float(0, 1, default=0.9) if control else Float(0, 1)
    space = Space(x=x, fidelity=Fidelity("epochs", 1, MOST))
    for steps in (MOST, MOST + 1, 2 * MOST, 150):
        study = search(resuming, space, budget=Budget(steps=steps), scheduler=scheduler)
        runs = study.history.runs()
        assert steps / 2 < sum(run.worked for run in runs) <= steps
        done = [run for run in runs if run.state == "done"]
        assert len(done) > (control and steps >= 2 * MOST)


@pytest.mark.parametrize("scheduler", ["thaw", "asha", "asha-stopping"])
@pytest.mark.parametrize("drive", ["optimize", "ask"])
def test_a_trial_may_report_its_steps_in_any_order(scheduler, drive):
    def backwards(trial):
        for step in reversed(trial.steps):
            trial.report(step, level(trial.config["x"], step))
        return level(trial.config["x"], trial.to_step)

    if drive == "optimize":
        study = search(backwards, scheduler=scheduler)
    else:
        study = assay.Study(SPACE, sampler="random", scheduler=scheduler)
        for _ in range(40):
            trial = study.ask()
            for step in reversed(trial.steps):
                trial.report(step, level(trial.config["x"], step))
                if trial.should_stop():
                    break
            else:
                study.tell(trial, level(trial.config["x"], trial.to_step))
    runs = study.history.runs()
    assert not any(run.state == "running" for run in runs)
    assert any(run.state == "done" for run in runs)
    assert all(run.step == run.until for run in runs if run.state == "paused")
    assert study.verify() == []


def test_as_many_as_are_rechecked_get_the_full_fidelity():
    space = Space(x=Float(0, 1, default=0.9), fidelity=Fidelity("epochs", 1, MOST))
    study = assay.optimize(
        resuming,
        space,
        budget=12,
        scheduler="asha",
        sampler="random",
        isolation="none",
        progress=False,
    )
    done = [run.trial for run in study.history.runs() if run.state == "done"]
    assert 0 in done
    assert len(done) >= 1 + 3
    assert study.verdict is not None
    assert study.best.state == "done"
    assert study.verify() == []


def test_the_control_is_never_cut():
    space = Space(x=Float(0, 1, default=1.0), fidelity=Fidelity("epochs", 1, MOST))
    for scheduler in ("asha", "asha-stopping", "median"):
        study = assay.optimize(
            resuming, space, budget=20, scheduler=scheduler, sampler="random", isolation="none",
            evidence=None, progress=False,
        )  # fmt: skip
        assert study.trials[0].origin == "control"
        assert study.trials[0].state == "done"


# --- a fidelity of subsets


def test_more_of_a_subset_means_anew():
    space = Space(x=Float(0, 1), fidelity=Fidelity("rows", 100, 900, "subset"))
    asked = []

    def objective(trial):
        asked.append((trial.number, trial.from_step, trial.to_step))
        return level(trial.config["x"], trial.to_step)

    study = assay.optimize(
        objective,
        space,
        budget=20,
        sampler="random",
        isolation="none",
        evidence=None,
        progress=False,
    )
    assert study.spec.scheduler == {"name": "asha"}
    assert {from_step for _, from_step, _ in asked} == {0}
    assert {to_step for _, _, to_step in asked} == {100, 300, 900}
    worked = sum(run.worked for run in study.history.runs())
    assert worked == sum(to_step for _, _, to_step in asked)
    assert study.best.state == "done"


# --- ask and tell


def test_a_user_who_drives_the_study_is_told_to_stop():
    study = assay.Study(SPACE, sampler="random", scheduler="median")
    stopped = 0
    for _ in range(20):
        trial = study.ask()
        for step in trial.steps:
            trial.report(step, level(trial.config["x"], step))
            if trial.should_stop():
                stopped += 1
                break
        else:
            study.tell(trial, level(trial.config["x"], MOST))
    assert stopped == sum(run.state == "stopped" for run in study.history.runs()) > 0
    cut = log_of(study, Stopped)[0]
    with pytest.raises(StateError, match="was stopped at step"):
        study.tell(cut.trial, 0.0)
    with pytest.raises(StateError, match="was stopped at step"):
        study.report_step(cut.trial, MOST, 0.0)
    assert study.best.state == "done"
    assert study.verify() == []


def test_ask_gives_paused_trials_again():
    study = assay.Study(SPACE, sampler="random", scheduler="asha")
    given = []
    for _ in range(40):
        trial = study.ask()
        given.append((trial.number, trial.from_step, trial.to_step))
        study.tell(trial, level(trial.config["x"], trial.to_step))
    again = [entry for entry in given if entry[1]]
    assert again
    assert any(to_step == MOST for _, _, to_step in again)
    assert study.best.state == "done"
    assert study.verify() == []


def test_what_a_subset_gives_in_full_is_a_report_too():
    space = Space(x=Float(0, 1), fidelity=Fidelity("rows", 1, 9, "subset"))
    study = assay.Study(space, sampler="random")
    for _ in range(20):
        trial = study.ask()
        study.tell(trial, level(trial.config["x"], trial.to_step))
    done = [trial for trial in study.trials if trial.state == "done"]
    assert done
    assert all(trial.curve[-1] == (9, trial.value) for trial in done)


# --- after a death


DRIVER = """
import os, signal, sys
sys.path.insert(0, {here!r})
import test_fidelity_engine as lab

count = 0
def objective(trial):
    global count
    count += 1
    if count == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return lab.resuming(trial)

lab.search(objective, storage={storage!r})
"""


def test_a_study_goes_on_after_kill_9(tmp_path):
    storage = str(tmp_path / "lab.db")
    here = os.path.dirname(__file__)
    for at in (4, 9):
        code = textwrap.dedent(DRIVER).format(here=here, at=at, storage=storage)
        died = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
        assert died.returncode == -signal.SIGKILL, died.stderr.decode()[-2000:]
    study = search(resuming, storage=storage)
    whole = search(resuming)
    assert all(event.since for event in log_of(study, Resumed))
    assert {run.state for run in study.history.runs()} <= {"done", "paused"}
    assert study.best.config == whole.best.config
    assert study.verify() == []
    assert fold(study.store.read("study")) == study.history


# --- what is refused


def test_a_scheduler_needs_a_fidelity():
    with pytest.raises(SpecError, match="fidelity"):
        assay.optimize(
            reporting, Space(x=Float(0, 1)), budget=5, scheduler="asha", isolation="none"
        )
    with pytest.raises(SpecError, match="Did you mean 'asha'"):
        search(reporting, scheduler="ahsa")
    with pytest.raises(SpecError, match="steps of a fidelity"):
        assay.optimize(reporting, Space(x=Float(0, 1)), budget=Budget(steps=10), isolation="none")


@pytest.mark.parametrize("objective", [reporting, resuming])
def test_without_a_scheduler_everything_is_evaluated_in_full(objective):
    study = search(objective, scheduler=None)
    assert not log_of(study, Paused, Stopped, Resumed)
    assert all(trial.state == "done" for trial in study.trials)
