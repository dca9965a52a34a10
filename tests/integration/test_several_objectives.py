"""Several objectives under a scheduler, from `trial.report` to the front."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner

import assay
from assay import Budget, Fidelity, Float, Space, Study, open_study
from assay.cli import assay as command
from assay.core.errors import SpecError, StateError
from assay.core.events import Created, Paused, Reported, Stopped
from assay.core.history import fold
from assay.core.spec import StudySpec
from assay.stores.snapshot import recall, remember
from assay.testing.simulator import simulate
from assay.testing.simulator_workers import Crew

SPACE = Space(x=Float(0, 1), y=Float(0, 1), fidelity=Fidelity("epochs", 1, 9))
BOTH = {"loss": "minimize", "speed": "maximize"}


def values(config, step):
    loss = config["x"] ** 2 + config["y"] / 4 + 1 / step
    return {"loss": loss, "speed": 10 * config["x"] - config["y"] - 1 / step}


def objective(trial):
    for step in trial.steps:
        now = values(trial.config, step)
        trial.report(step, now)
    return now


def search(objective=objective, **options):
    settings = {
        "direction": BOTH,
        "budget": Budget(trials=20),
        "sampler": "random",
        "evidence": None,
        "isolation": "none",
        "progress": False,
    }
    return assay.optimize(objective, SPACE, **(settings | options))


@pytest.mark.parametrize(
    "scheduler", ["auto", "asha", "halving", "hyperband", "median", "percentile"]
)
def test_a_search_saves_steps_and_its_front_is_of_whole_trials(scheduler):
    study = search(scheduler=scheduler)
    cut = [t for t in study.trials if t.state in ("paused", "stopped")]
    assert cut
    assert all(trial.values is None for trial in cut)
    assert study.front
    assert all(trial.state == "done" for trial in study.front)
    assert study.verify() == []
    told = [event for event in study.store.read(study.name) if isinstance(event, Reported)]
    assert all(len(event.others) == 1 for event in told)


def test_auto_is_a_scheduler_that_compares_by_fronts():
    assert search().spec.scheduler == {"name": "asha-stopping", "eta": 2, "parts": 13}


def test_a_report_in_a_process_comes_back_whole():
    study = search(isolation="process", budget=Budget(trials=4), scheduler="asha")
    reports = study.history.reports(0)
    assert reports[1] == tuple(values(study.trials[0].config, 1).values())


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (0.5, "needs a value for each of"),
        ({"loss": 0.5}, "a number for each objective"),
        ({"loss": 0.5, "speed": 1.0, "size": 2.0}, "and no others"),
        ({"loss": 0.5, "speed": float("nan")}, "speed"),
        ({"loss": 0.5, "speed": "fast"}, "text"),
    ],
)
@pytest.mark.parametrize("isolation", ["none", "process"])
def test_a_report_in_part_fails_the_trial_and_says_why(report, words, isolation):
    def wrong(trial):
        trial.report(1, report if trial.number == 1 else values(trial.config, 1))
        return values(trial.config, trial.to_step)

    study = search(wrong, budget=Budget(trials=3), scheduler="asha", isolation=isolation)
    trial = study.trials[1]
    assert trial.state == "failed"
    assert trial.failure.kind == "invalid"
    assert words in trial.failure.reason


def asked(scheduler="asha", **more):
    return Study(SPACE, direction=BOTH, scheduler=scheduler, sampler="random", **more)


def test_ask_and_tell_take_reports_by_name_or_in_order():
    study = asked()
    trial = study.ask()
    trial.report(1, {"speed": 2.0, "loss": 0.5})
    assert study.history.reports(0) == {1: (0.5, 2.0)}
    study.tell(trial, [0.5, 2.0])
    assert study.trials[0].state == "paused"
    study.report_step(study.ask().number, 1, [0.25, 3.0])
    assert study.history.runs()[1].others == ((3.0,),)


@pytest.mark.parametrize(
    "report", [0.5, {"loss": 0.5}, [0.5], [0.5, float("nan")], {"loss": 1, "speed": None}]
)
def test_ask_and_tell_refuse_reports_in_part(report):
    study = asked()
    with pytest.raises(SpecError):
        study.ask().report(1, report)
    assert study.history.reports(0) == {}
    assert study.trials[0].state == "running"


def test_without_a_scheduler_one_number_may_be_reported_as_ever():
    study = asked(scheduler=None)
    trial = study.ask()
    trial.report(1, 0.5)
    trial.report(2, {"loss": 0.4, "speed": 1.0})
    assert study.history.reports(0) == {1: (0.5,), 2: (0.4, 1.0)}
    assert study.history.curve(0) == ((1, 0.5), (2, 0.4))
    assert study.history.runs()[0].others == ((), (1.0,))


def test_the_log_the_snapshot_and_a_shorter_history_tell_the_same(tmp_path):
    study = search(scheduler="asha", storage=str(tmp_path / "lab.db"), name="lab")
    past = study.history
    again = fold(study.store.read("lab"))
    assert [again.reports(n) for n in range(20)] == [past.reports(n) for n in range(20)]
    assert remember(tmp_path / "lab", "lab", past, "head")
    kept = recall(tmp_path / "lab", "lab", lambda _: "head")
    assert [run.others for run in kept.runs()] == [run.others for run in past.runs()]
    middle = past.length // 2
    shorter = fold(study.store.read("lab")[:middle])
    assert past.at(middle).runs() == list(shorter.runs())
    on = fold([Reported(0, 9, 1.0, (2.0,))], fold(list(study.store.read("lab"))[:3]))
    assert on.reports(0)[9] == (1.0, 2.0)


def test_the_fold_refuses_too_many_values():
    begun = fold([Created(asked().spec.to_json(), "plan"), *open_asked()])
    with pytest.raises(StateError, match=r"3 values at step 1.*2 objectives"):
        fold([Reported(0, 1, 0.5, (1.0, 2.0))], begun)


def open_asked():
    study = asked()
    study.ask()
    return study.store.read(study.name)[1:]


def test_constraints_on_objectives_hold_on_the_way():
    study = search(scheduler="asha", constraints=["speed >= 2"], budget=Budget(trials=30))
    assert study.front
    assert all(trial.values[1] >= 2 for trial in study.front)
    more = [n for n in range(30) if any(not isinstance(m, Paused) for m in study.history.moves(n))]
    kept = [values(study.trials[n].config, 1)["speed"] >= 2 for n in more]
    assert np.mean(kept) > 0.5


@pytest.mark.parametrize("sampler", ["auto", "tpe", "evolution"])
def test_samplers_see_all_objectives_at_one_rung(sampler):
    study = search(sampler=sampler, scheduler="asha-stopping", budget=Budget(trials=24))
    seen = [t.why["at"] for t in study.trials if t.why and "at" in t.why]
    assert seen
    assert study.verify() == []


def test_a_simulated_study_takes_steps_of_several_numbers():
    spec = StudySpec(
        SPACE,
        BOTH,
        sampler={"name": "random"},
        scheduler={"name": "asha-stopping"},
        budget=Budget(trials=20),
    )

    def course(job):
        return [values(job.config, step) for step in range(job.since + 1, job.until + 1)]

    found = simulate(spec, course, Crew(workers=2))
    assert found.events["stopped"] > 0


def test_the_command_line_and_the_report_show_it(tmp_path):
    path = str(tmp_path / "lab.db")
    with asked(storage=path, name="lab", scheduler="asha-stopping") as study:
        study.ask()
    told = ["tell", "lab", "0", '{"loss": 0.5, "speed": 2}', "--step", "1", "--storage", path]
    said = CliRunner().invoke(command, told, prog_name="assay")
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["step"] == 1
    with open_study(path, "lab", readonly=True) as study:
        assert study.history.reports(0) == {1: (0.5, 2.0)}
    shown = CliRunner().invoke(command, ["log", "lab", "--storage", path], prog_name="assay")
    assert "0.5, 2" in shown.output
    assert isinstance(search(scheduler="asha-stopping").report(), str)
    assert any(isinstance(m, Stopped) for n in range(20) for m in search().history.moves(n))
