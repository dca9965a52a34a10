"""When a worker goes home, and what it finishes before."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing

import pytest

import assay
from assay.api.files import tune_file
from assay.api.options import TuneOptions
from assay.api.programs import ProgramOptions, run_program
from assay.api.study import Study
from assay.api.working import work, work_on_file
from assay.core.events import Asked, Concluded, Told
from assay.core.spec import StudySpec
from assay.learners.diabetes import diabetes_csv
from assay.stores.sqlite import SqliteStore


def objective(trial):
    return (trial.config["x"] - 0.3) ** 2


@pytest.fixture
def unsaid(tmp_path):
    """A study whose driver died after its last result and before its verdict."""
    space = assay.Space(x=assay.Float(-1, 1, default=0.9))
    whole = assay.optimize(objective, space, budget=4, isolation="none")
    events = list(whole.store.read(whole.name))
    assert isinstance(events[-1], Concluded)
    store = SqliteStore(tmp_path / "lab.db")
    store.append("study", events[:-1], after=0)
    store.close()
    return str(tmp_path / "lab.db")


def test_a_worker_that_may_drive_says_the_verdict_that_a_dead_driver_did_not(unsaid):
    assert work(objective, storage=unsaid, wait_s=0, drive=True) == "it was driven from here"
    with assay.open_study(unsaid) as study:
        assert study.verdict is not None
        assert study.verify() == []
    assert work(objective, storage=unsaid, wait_s=0, drive=True) == "complete"


def test_a_worker_that_is_interrupted_while_it_drives_says_that_it_was_stopped(unsaid, monkeypatch):
    monkeypatch.setattr("assay.api.working._Rest.finish", lambda rest: None)
    monkeypatch.setattr("assay.api.objective.run_objective", lambda *args, **options: None)
    said = []
    reason = work(objective, storage=unsaid, wait_s=0, drive=True, say=said.append)
    assert reason == "stopped"
    assert said[-1] == "Nobody drives study 'study': it is driven from here now."


def test_a_worker_that_may_not_drive_has_nothing_to_do_there(unsaid):
    assert work(objective, storage=unsaid, wait_s=0) == "complete"
    with assay.open_study(unsaid) as study:
        assert study.verdict is None


def test_wishes_that_do_not_fit_are_refused_before_it_waits_for_a_study(tmp_path):
    with pytest.raises(assay.SpecError, match="workers needs a whole number"):
        work(objective, storage=str(tmp_path / "none.db"), workers=0, wait_s=1000)


def test_a_trial_of_a_worker_has_the_cores_that_it_was_given(tmp_path):
    storage = str(tmp_path / "lab.db")

    def threads(trial):
        return float(os.environ["OMP_NUM_THREADS"])

    space = assay.Space(x=assay.Float(0, 1))
    spec = StudySpec(space, {"value": "minimize"}, budget=assay.Budget(trials=2), evidence=None)
    with closing(SqliteStore(storage)) as store:
        Study.of(spec, store, "study")
    work(threads, storage=storage, cpus_per_trial=1, wait_s=0, drive=True)
    with assay.open_study(storage) as study:
        assert {trial.value for trial in study.trials} == {1.0}


def test_a_worker_on_a_data_file_loads_it_again_and_refuses_another(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    data = tmp_path / "data.csv"
    table = "\n".join(diabetes_csv().splitlines()[:101])
    data.write_text(table)
    options = TuneOptions(
        data=str(data), target="progression", model="ridge", trials=2, test=0.0,
        splits="holdout:0.3", storage=str(tmp_path / "whole.db"), study="lab",
        evidence={"repeats": 1, "top": 1, "rechecks": 1},
    )  # fmt: skip
    with closing(tune_file(options, progress=False).store) as store:
        events = list(store.read("lab"))
    begun = str(tmp_path / "begun.db")
    with closing(SqliteStore(begun)) as store:
        asked = [isinstance(event, Asked) for event in events].index(True)
        store.append("lab", events[:asked], after=0)

    assert work_on_file(begun, "lab", wait_s=0, drive=True) == "it was driven from here"
    with assay.open_study(begun) as study:
        told = [event.values for event in study.store.read("lab") if isinstance(event, Told)]
        assert told == [event.values for event in events if isinstance(event, Told)]
        assert study.verdict is not None
    data.write_text(table.replace("59", "58", 1))
    with pytest.raises(assay.DataError, match="has changed since study 'lab' began"):
        work_on_file(begun, "lab", wait_s=0)


def test_a_worker_of_a_program_starts_it_as_the_driver_does_where_it_is(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "square.sh").write_text("echo value: $1")
    options = ProgramOptions(
        "sh square.sh {x}", {"x": "0.0..1.0 default=0.5"}, trials=3, evidence=False,
        directory=str(folder), study="lab", storage=str(tmp_path / "whole.db"),
    )  # fmt: skip
    with closing(run_program(options, progress=False).store) as store:
        events = list(store.read("lab"))
    begun = str(tmp_path / "begun.db")
    with closing(SqliteStore(begun)) as store:
        store.append("lab", events[:2], after=0)

    assert work_on_file(begun, "lab", wait_s=0, drive=True) == "it was driven from here"
    with assay.open_study(begun) as study:
        assert [trial.values for trial in study.trials] == [
            event.values for event in events if isinstance(event, Told)
        ]
    folder.rename(tmp_path / "elsewhere")
    with pytest.raises(assay.SpecError, match="here', which is not there"):
        work_on_file(begun, "lab", wait_s=0)


def test_an_objective_needs_no_scikit_learn():
    program = "import sys, assay.api.objective, assay.api.working; print('sklearn' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
