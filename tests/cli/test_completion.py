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
