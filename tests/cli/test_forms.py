"""One convention for output: --json and --format json everywhere, and letters that every terminal knows."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import click
import pytest

from assay.cli import assay

SAYS_JSON = [
    ("status",), ("trials",), ("best",), ("show", "0"), ("diff", "0", "1"), ("verify",), ("result",), ("changes", "--look-only"),
]  # fmt: skip
WITHOUT_STUDY = [("models",), ("known", "xgboost"), ("schema",), ("doctor",)]


def both(run, words, *more):
    """What the two ways of asking print."""
    done = [run(*words, *more, *way) for way in (("--json",), ("--format", "json"))]
    assert [one.exit_code for one in done] == [0, 0], done[0].output + done[1].output
    return [json.loads(one.stdout) for one in done]


@pytest.mark.parametrize("words", SAYS_JSON, ids=" ".join)
def test_json_is_asked_for_in_one_way(words, run, finished):
    one, other = both(run, words, "--storage", finished)
    assert one == other
    assert one


@pytest.mark.parametrize("words", WITHOUT_STUDY, ids=" ".join)
def test_json_without_a_study(words, run, monkeypatch):
    from assay.api import doctor

    monkeypatch.setattr(doctor, "_process", list)
    one, other = both(run, words)
    assert type(one) is type(other)
    assert len(one) == len(other) > 0


def test_every_command_with_one_way_has_the_other():
    for name, command in assay.commands.items():
        options = {option for p in command.params for option in p.opts}
        forms = [p for p in command.params if "--format" in p.opts]
        json_forms = [p for p in forms if "json" in getattr(p.type, "choices", ())]
        assert ("--json" in options) == bool(json_forms), name
        assert all(isinstance(p.type, click.Choice) for p in forms)


def test_two_wishes_are_not_one(run, finished):
    done = run("trials", "--json", "--format", "csv", "--storage", finished)
    assert done.exit_code == 2
    assert "not both" in done.output


def test_what_json_says_of_a_trial_of_two_and_of_a_log(run, finished):
    db = ("--storage", finished)
    shown = json.loads(run("show", "1", "--json", *db).stdout)
    row = json.loads(run("trials", "--json", *db).stdout)[1]
    assert row.items() <= shown.items()
    assert {one["stage"] for one in shown["evaluations"]} >= {"search"}
    found = json.loads(run("diff", "0", "1", "--json", *db).stdout)
    assert found["trials"] == [0, 1]
    assert found["differs"]
    assert all(pair[1] == row["config"].get(name) for name, pair in found["differs"].items())
    assert found["gain"]["low"] <= found["gain"]["estimate"] <= found["gain"]["high"]
    checked = json.loads(run("verify", "--json", *db).stdout)
    assert (checked["ok"], checked["findings"]) == (True, [])


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
def test_a_terminal_without_our_letters(finished, encoding):
    env = {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    words = (sys.executable, "-m", "assay", "trials", "--storage", finished)
    done = subprocess.run(words, capture_output=True, env=env)
    said = done.stdout.decode(encoding)
    assert done.returncode == 0, said
    assert " -> " in said
    assert "\\u" not in said
