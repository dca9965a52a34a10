"""`assay importance`: a table to read, and JSON that holds the same."""

from __future__ import annotations

import json

import pytest

from assay import Float, Space, Study


@pytest.fixture
def lab(folder):
    with Study(
        Space({"rate": Float(0, 1), "an\x1b[2J": Float(0, 1)}), sampler="random", storage="lab.db"
    ) as study:
        for _ in range(60):
            trial = study.ask()
            study.tell(trial, trial.config["rate"])
    return "lab.db"


@pytest.mark.parametrize("method", ["ped-anova", "gp"])
def test_a_table_with_the_most_important_first(method, run, lab):
    done = run("importance", "--storage", lab, "--method", method)
    assert done.exit_code == 0, done.output
    names = [line.split()[0] for line in done.output.partition("──\n")[2].splitlines()]
    assert names == ["rate", "an\\x1b[2J"]
    assert "95 % interval" in done.output
    assert "\x1b" not in done.output
    assert "█" in done.output


def test_a_narrow_terminal_is_enough(run, lab, monkeypatch):
    monkeypatch.setenv("COLUMNS", "56")
    done = run("importance", "--storage", lab, "--method", "gp")
    assert max(map(len, done.output.splitlines())) <= 56


@pytest.mark.parametrize("method", ["ped-anova", "gp"])
def test_json_holds_what_python_gives(method, run, lab):
    done = run("importance", "--storage", lab, "--method", method, "--format", "json")
    found = json.loads(done.output)
    with Study(
        Space({"rate": Float(0, 1), "an\x1b[2J": Float(0, 1)}), sampler="random", storage=lab
    ) as s:
        expected = s.importance(method)
    assert found["trials"] == 60
    assert {name: one["value"] for name, one in found["parameters"].items()} == {
        name: one.value for name, one in expected.items()
    }


def test_too_few_trials_are_said_so(run, folder):
    with Study(Space(rate=Float(0, 1)), sampler="random", storage="few.db") as study:
        study.tell(study.ask(), 0.5)
    done = run("importance", "--storage", "few.db")
    assert done.exit_code == 2
    assert "at least 10 trials" in done.output


def test_of_several_objectives_the_option_that_chooses_one_is_named(run, tmp_path):
    db, space = str(tmp_path / "two.db"), Space({"x": Float(0, 1, default=0.5)})
    study = Study(space, direction={"a": "minimize", "b": "minimize"}, storage=db, name="two")
    study.tell(study.ask(), {"a": 1.0, "b": 2.0})
    study.close()
    done = run("importance", "--storage", db)
    assert done.exit_code == 2
    assert "--objective NAME" in " ".join(done.output.split())
