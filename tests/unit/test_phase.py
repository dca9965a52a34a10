"""Where a study stands, from its log alone: a search that is over is known to be over."""

from __future__ import annotations

from time import sleep

import pytest

import assay
from assay.core.errors import StateError
from assay.report.phase import phase, standing

SPACE = assay.Space(x=assay.Float(0, 1, default=0.5))
BY_EPOCHS = assay.Space({"x": assay.Float(0, 1)}, fidelity=assay.Fidelity("epochs", 1, 9))


def search(objective, space=SPACE, **given):
    return assay.optimize(objective, space, evidence=None, isolation="none", **given)


def on_the_way(trial):
    for epoch in range(trial.from_step + 1, trial.to_step + 1):
        trial.report(epoch, trial.config["x"] + 1 / epoch)
    return trial.config["x"] + 1 / 9


def test_a_search_whose_time_is_up_is_finished():
    study = search(lambda trial: trial.config["x"], budget=assay.Budget(seconds=0.05))
    assert phase(study.spec, study.history) == "finished"


@pytest.mark.parametrize("seconds", [1e-6, 0.3])
def test_a_search_that_failed_until_its_time_was_up_is_stopped(tmp_path, seconds):
    storage = f"sqlite:///{tmp_path}/lab.db"

    def fails(trial):
        sleep(0.1)
        raise ValueError("no")

    untold = assay.Space(x=assay.Float(0, 1))
    with pytest.raises(StateError, match="no trial ended with a value"):
        search(fails, untold, budget=assay.Budget(seconds=seconds), storage=storage, name="a")
    study = assay.open_study(storage, "a")
    assert phase(study.spec, study.history) == "stopped"


def test_what_a_scheduler_left_paused_goes_on_no_more_once_the_search_is_over():
    study = search(on_the_way, BY_EPOCHS, scheduler="asha", budget=assay.Budget(trials=12))
    assert {run.state for run in study.history.runs()} == {"paused", "done"}
    assert phase(study.spec, study.history) == "finished"
    assert standing(study.spec, study.history).done == study.history.n_ended


def test_it_goes_on_with_a_larger_budget(tmp_path):
    where = {"storage": f"sqlite:///{tmp_path}/lab.db", "name": "a"}
    first = search(lambda trial: trial.config["x"], budget=assay.Budget(seconds=0.02), **where)
    begun = first.history.n_trials
    again = search(lambda trial: trial.config["x"], budget=assay.Budget(seconds=0.02), **where)
    assert again.history.n_trials == begun, "its time was up before"
    more = search(lambda trial: trial.config["x"], budget=assay.Budget(seconds=2), **where)
    assert more.history.n_trials > begun
    assert phase(more.spec, more.history) == "finished"
    assert more.verify() == []
