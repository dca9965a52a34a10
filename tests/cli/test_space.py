"""`assay space convert`: every format through its own file, and what is refused."""

from __future__ import annotations

import json

import pytest

from assay import Choice, Float, Int, Space
from assay.spaces import FORMATS

SPACE = Space(lr=Float(1e-4, 1, log=True), units=Int(8, 64), kind=Choice(["adam", "s gd"]))
SUFFIX = {"dataclass": ".py", "scipy": ".py", "overrides": ".txt", "wandb": ".yaml"}


@pytest.mark.parametrize("kind", sorted(set(FORMATS) - {"configspace"}))
def test_there_and_back_through_a_file(kind, run, tmp_path):
    own, theirs = tmp_path / "own.json", tmp_path / f"theirs{SUFFIX.get(kind, '.json')}"
    own.write_text(json.dumps(SPACE.to_json()))
    there = run("space", "convert", str(own), "--from", "assay", "--to", kind, "-o", str(theirs))
    assert there.exit_code == 0, there.output
    back = run("space", "convert", str(theirs), "--from", kind)
    assert back.exit_code == 0, back.output
    assert Space.from_json(json.loads(back.stdout)) == SPACE


def test_a_loss_is_refused_and_an_unreadable_file_named(run, tmp_path):
    own = tmp_path / "own.json"
    own.write_text(json.dumps(Space(n=Int(1, 64, log=True)).to_json()))
    refused = run("space", "convert", str(own), "--from", "assay", "--to", "scipy")
    assert refused.exit_code == 2
    assert "Lost would be: n: its log scale. --allow-lossy goes on" in refused.output
    done = run("space", "convert", str(own), "--from", "assay", "--to", "scipy", "--allow-lossy")
    assert "'n': randint(1, 65)" in done.stdout
    (tmp_path / "bad.py").write_text("import os\nspace = {'a': os.listdir()}")
    refused = run("space", "convert", str(tmp_path / "bad.py"), "--from", "scipy")
    assert refused.exit_code == 2
    assert "Line 2: 'os.listdir()': it is read and not run" in refused.output
