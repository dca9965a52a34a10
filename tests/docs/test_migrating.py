"""Every line of the page for those who come from another tuner is run, with the other tuner's own library."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "migrating.md").read_text("utf-8")
BLOCKS = re.findall(r"(?:<!-- needs ([\w.]+) -->\n)?```(\w+)( [\w.]+)?\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


def test_both_sides_run_in_order(capsys):
    pytest.importorskip("optuna")
    names: dict[str, object] = {"__name__": "page"}
    ran = 0
    for needs, kind, file, text in BLOCKS:
        if (
            kind == "python" and not file and not needs
        ):  # what is large has a test of its own: below
            exec(compile(text, "migrating.md", "exec", dont_inherit=True), names)
            ran += 1
    assert ran == 12
    assert "svc__C" in capsys.readouterr().out


def test_a_sweep_of_wandb_runs_as_a_study(tmp_path):
    pytest.importorskip("yaml")
    for _, kind, file, text in BLOCKS:
        if kind == "yaml":
            (tmp_path / "sweep.yaml").write_text(text)
        elif file:
            (tmp_path / file.strip()).write_text(text)
    (commands,) = [text for _, kind, _, text in BLOCKS if kind == "console"]
    for line in commands.splitlines():
        words = shlex.split(line.replace("python train.py", f"{sys.executable} train.py"))
        assert words[0] == "assay"
        done = subprocess.run(
            [sys.executable, "-m", *words], capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
    assert "acc" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "package", ["ray.tune", "keras_tuner", "ax", "smac", "flaml", "neps", "skore"]
)
def test_the_lines_of_what_is_large_run_too(package):
    pytest.importorskip(package)
    first = next(text for _, kind, _, text in BLOCKS if kind == "python")
    (theirs,) = [text for needs, _, _, text in BLOCKS if needs == package]
    program = f"{first}\nfrom sklearn.model_selection import cross_val_score\n{theirs}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "gamma" in done.stdout or "Accuracy" in done.stdout
