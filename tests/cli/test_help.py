"""What is there, what it costs to ask, and what happens to a typing mistake."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest

from assay.api.options import read_options
from assay.api.programs import schema
from assay.cli import assay
from assay.cli.demonstration import demo
from assay.learners.diabetes import diabetes_csv

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    "check", "tune", "run", "resume", "worker", "ablate", "dashboard", "watch", "status", "trials", "best", "show", "log", "diff", "importance", "changes", "pause", "continue", "stop", "note", "unseal",
    "verify", "export", "import", "report", "create", "ask", "tell", "result", "mcp", "grant", "models", "known", "space", "schema", "doctor", "demo",
]  # fmt: skip
SUBJECT = {"status", "trials", "best", "log", "unseal", "verify", "export", "report", "resume"}


def test_the_commands_in_their_order(run):
    done = run("--help")
    assert done.exit_code == 0
    listed = done.output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed if line.strip()] == COMMANDS
    assert not any(line.endswith("...") for line in listed), "a summary is too long for its line"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, run):
    done = run(name, "--help")
    assert done.exit_code == 0
    assert "--debug" in done.output
    assert "\\b" not in done.output, "a mark for click is shown to the user"
    for parameter in assay.commands[name].params:
        if isinstance(parameter, click.Option) and parameter.name not in ("quiet", "task"):
            assert parameter.help or parameter.name in ("sort", "form"), parameter.name


@pytest.mark.parametrize("name", sorted(SUBJECT))
def test_the_study_and_the_storage_may_be_left_out(name):
    parameters = {parameter.name: parameter for parameter in assay.commands[name].params}
    assert not parameters["study"].required
    assert not parameters["storage"].required


def test_the_page_lists_every_option():
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    wanted = {f"assay {name}" for name in COMMANDS}
    wanted |= {
        option
        for command in assay.commands.values()
        for parameter in command.params
        for option in parameter.opts
        if option.startswith("--")
    }
    assert [word for word in sorted(wanted) if word not in page] == []


def test_help_loads_nothing_heavy():
    code = "import sys, assay.cli; print(*sorted({m.partition('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    heavy = {"numpy", "scipy", "sklearn", "pandas", "rich", "msgspec", "jinja2", "psutil"}
    assert done.returncode == 0, done.stderr
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["tunr"], "tune"),
        (["tune", "x.csv", "--traget", "y"], "--target"),
        (["trials", "--sort", "gian"], "gain"),
    ],
)
def test_a_typing_mistake_is_understood(words, hint, run):
    done = run(*words)
    assert done.exit_code == 2
    assert hint in done.output


def test_the_schema_in_the_docs_is_the_present_one(run):
    written = json.loads((ROOT / "docs" / "study.schema.json").read_text("utf-8"))
    assert written == schema()
    assert json.loads(run("schema").output) == written


def test_the_example_is_a_study(folder):
    from assay.api.files import prepared_from

    (folder / "diabetes.csv").write_text(diabetes_csv())
    (folder / "study.toml").write_text((ROOT / "examples" / "study.toml").read_text("utf-8"))
    options = read_options(folder / "study.toml")
    prepared = prepared_from(options)
    assert list(prepared.spec.space) == ["min_samples_leaf", "max_features"]
    assert prepared.spec.space.settle(options.given[0]["config"])


def test_the_models_with_ranges_and_sources(run):
    done = run("models", "--task", "regression")
    assert done.exit_code == 0
    assert "logistic_regression" not in done.output
    assert "ridge: linear model" in done.output
    assert "arXiv:2107.05847" in done.output
    assert "max_depth" in run("models").output


def test_the_demo_belongs_to_the_commands():
    assert assay.commands["demo"] is demo
