"""A folder of its own for every test, tiny data, and one finished study to look at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from assay.cli import assay

QUICK = (
    *("--model", "decision_tree", "--trials", "6", "--splits", "kfold:3", "--quiet"),
    *("--evidence", "repeats=1", "--evidence", "seeds=1", "--evidence", "rechecks=6"),
    *("--evidence", "top=2", "--evidence", "refits=1"),
)
SRC = str(Path(__file__).resolve().parents[2] / "src")


def write_data(path, rows=120, names=("a", "b", "c"), target="bought"):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, len(names)))
    y = (x[:, 0] + rng.normal(size=rows) > 0).astype(int)
    lines = [",".join([*names, target])]
    lines += [
        ",".join([*(f"{v:.4f}" for v in row), str(label)]) for row, label in zip(x, y, strict=True)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working folder of the test, with small.csv; nothing of the user's is touched."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("ASSAY_STORAGE", raising=False)
    write_data(tmp_path / "small.csv")
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """The storage of a study that has its verdict; not to be written to."""
    place = tmp_path_factory.mktemp("finished")
    data = write_data(place / "small.csv")
    storage = str(place / "lab.db")
    before = os.environ.get("ASSAY_HOME")
    os.environ["ASSAY_HOME"] = str(place / "home")
    try:
        words = ["tune", str(data), "--target", "bought", *QUICK, "--storage", storage]
        done = CliRunner().invoke(assay, words)
    finally:
        os.environ.pop("ASSAY_HOME")
        if before is not None:
            os.environ["ASSAY_HOME"] = before
    assert done.exit_code == 0, done.output
    return storage


@pytest.fixture
def run():
    """`run("status", "--storage", file)`: what the command printed, and its exit code."""

    def invoke(*words, **more):
        return CliRunner().invoke(assay, [str(word) for word in words], prog_name="assay", **more)

    return invoke


@pytest.fixture
def start():
    """`start("tune", …)`: the command as a process of its own, ended with the test."""
    started = []

    def popen(*words, **more):
        env = os.environ | {"PYTHONPATH": SRC}
        process = subprocess.Popen(
            [sys.executable, "-m", "assay", *map(str, words)],
            env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more,
        )  # fmt: skip
        started.append(process)
        return process

    yield popen
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()
