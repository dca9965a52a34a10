"""assay changes: the audit of a stored study, once; what it shows without measuring; single changes."""

from __future__ import annotations

import json
import shutil

import pytest

from assay import open_study
from assay.core.events import Audited, Selected


@pytest.fixture
def lab(finished, folder):
    """A copy of the finished study beside its data, free to be written to."""
    return str(shutil.copy(finished, folder / "lab.db"))


def test_it_is_measured_once_and_then_read(run, lab):
    with open_study(lab, "small") as study:
        winner = study.history.last(Selected).challenger
    first = run("changes", "small", "--storage", lab, "--fresh", "3")
    assert first.exit_code == 0, first.output
    assert f"Which changes of trial {winner} did it" in first.output
    with open_study(lab, "small") as study:
        event = study.history.last(Audited)
        assert event.trial == winner
        rows = len(study.store.read(event.study))
    again = run("changes", "small", "--storage", lab, "--look-only", "--format", "json")
    assert json.loads(again.output)["audit"]["changes"] == event.result["changes"]
    with open_study(lab, "small") as study:
        assert len(study.store.read(event.study)) == rows
    page = run("report", "small", "--storage", lab, "-o", "-").output
    assert "From the control to the winner, one change at a time" in page
    for name in ("small", event.study):
        assert run("verify", name, "--storage", lab).exit_code == 0
    assert "changes of trial" in run("log", "small", "--storage", lab, "--kind", "audited").output


def test_looking_only_measures_nothing(run, finished):
    done = run("changes", "--storage", finished, "--look-only")
    assert done.exit_code == 0, done.output
    assert "It was not audited yet." in done.output


def test_every_trial_with_what_it_changed(run, finished):
    done = run("changes", "--storage", finished, "--trials")
    assert done.exit_code == 0, done.output
    heads = [line.split()[0] for line in done.output.splitlines() if not line.startswith(" ")]
    assert heads == [str(number) for number in range(6)]
    assert "from the control: " in done.output
    few = run("changes", "--storage", finished, "--trials", "--outside-noise").output
    assert len(few) < len(done.output)
