"""Shells complete commands: what each asks is answered."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = (sys.executable, "-c", "from assay.cli import main; main()")


def call(*words, **more):
    done = subprocess.run(words, capture_output=True, text=True, **more)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_complete_commands(shell):
    if shell == "bash" and call("bash", "-c", "echo $BASH_VERSION") < "4.4":
        pytest.skip("completion needs bash 4.4")
    script = call(*PROGRAM, env={**os.environ, "_ASSAY_COMPLETE": f"{shell}_source"})
    assert "_ASSAY_COMPLETE" in script
    words = {"COMP_WORDS": "assay st", "COMP_CWORD": "st" if shell == "fish" else "1"}
    told = call(*PROGRAM, env={**os.environ, "_ASSAY_COMPLETE": f"{shell}_complete", **words})
    assert "status" in told


def asked(line, storage=None):
    """What bash is answered for a line."""
    words = {
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
        "_ASSAY_COMPLETE": "bash_complete",
    }
    here = {"ASSAY_STORAGE": storage} if storage else {}
    return call(*PROGRAM, env={**os.environ, **words, **here}).split()


def test_names_of_studies_are_completed(finished):
    assert asked("assay status ", finished) == ["plain,small"]
    assert asked("assay status sm", finished) == ["plain,small"]
    assert asked(f"assay show --storage {finished} 0 ") == ["plain,small"]
    assert asked("assay status other", finished) == []
    assert asked("assay status ", "nowhere.db") == []


@pytest.mark.parametrize(
    "line",
    ["assay tune ", "assay status --storage ", "assay report --output ", "assay run --space "],
)
def test_names_of_files_are_completed_by_the_shell(line):
    assert asked(line) == ["file,"]
