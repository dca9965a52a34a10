"""A Hydra application, swept by our sweeper, in a process of its own as its users run it."""

from __future__ import annotations

import subprocess
import sys

import pytest

import assay

pytest.importorskip("hydra")
APP = """
import hydra

@hydra.main(version_base="1.3", config_path=None, config_name="config")
def main(cfg):
    if cfg.model.kind == "bad":
        raise ValueError("no such kind")
    return (cfg.lr - 0.01) ** 2 + cfg.model.depth / 100 + (1 if cfg.model.kind == "slow" else 0)

if __name__ == "__main__":
    from hydra.core.config_store import ConfigStore
    ConfigStore.instance().store("config", {"lr": 0.1, "model": {"kind": "fast", "depth": 5}})
    main()
"""
SWEPT = ["lr=tag(log,interval(1e-4,1))", "model.kind=choice(fast,slow,bad)", "model.depth=range(1,9)"]  # fmt: skip


def swept(folder, *words):
    (folder / "app.py").write_text(APP)
    command = [sys.executable, "app.py", "-m", "hydra/sweeper=assay", "hydra.sweep.dir=out", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


def test_a_sweep_is_a_study_with_the_config_as_its_control_and_goes_on(tmp_path):
    first = swept(tmp_path, "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=2", *SWEPT)
    assert first.returncode == 0, first.stderr
    with assay.open_study(str(tmp_path / "out" / "assay.db")) as study:
        assert study.control.config == {"lr": 0.1, "model.kind": "fast", "model.depth": 5}
        assert study.control.value == pytest.approx(0.09**2 + 0.05)
        assert study.history.n_ended == 6
        failed = [t for t in study.trials if t.state == "failed"]
        assert all("no such kind" in t.failure.reason for t in failed)
        assert {t.config["model.kind"] for t in failed} <= {"bad"}
        assert study.verify() == []
        before = [t.config for t in study.trials]
    again = swept(tmp_path, "hydra.sweeper.n_trials=8", *SWEPT)
    assert again.returncode == 0, again.stderr
    with assay.open_study(str(tmp_path / "out" / "assay.db")) as study:
        assert [t.config for t in study.trials][:6] == before
        assert study.history.n_ended == 8
        best = study.best
    text = (tmp_path / "out" / "optimization_results.yaml").read_text()
    assert f"best_evaluated_result: {best.value}" in text
    assert f"lr: {best.config['lr']}" in text


def test_what_is_fixed_on_the_command_line_is_not_searched(tmp_path):
    done = swept(
        tmp_path, "hydra.sweeper.n_trials=2", "+hydra.sweeper.params.lr='interval(0.001,0.1)'",
        "+hydra.sweeper.params.model.depth='range(1,9)'", "model.depth=2", "model.kind=fast",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with assay.open_study(str(tmp_path / "out" / "assay.db")) as study:
        assert list(study.spec.space) == ["lr"]
        assert study.control.value == pytest.approx(0.09**2 + 0.02)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["hydra.sweeper.n_trials=0", "lr=interval(0,1)"], "n_trials needs a number >= 1"),
        (["lr=0.1"], "Nothing is to be searched. Give ranges"),
        (["hydra.sweeper.direction=max", "lr=interval(0,1)"], "needs 'minimize' or 'maximize'"),
    ],
)
def test_a_mistake_is_named_before_anything_runs(tmp_path, words, says):
    done = swept(tmp_path, *words)
    assert done.returncode == 1
    assert says in done.stderr
    assert 'File "' not in done.stderr, "a sentence, and no lines of code"
    assert "Launching" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("returned", "says"),
    [("None", "returned nothing"), ("'good'", "'good', which is no number")],
)
def test_who_returns_no_number_is_told_so(tmp_path, monkeypatch, returned, says):
    monkeypatch.setattr(
        f"{__name__}.APP", APP.replace("return (cfg.lr", f"return {returned}  # (cfg.lr")
    )
    done = swept(tmp_path, "hydra.sweeper.n_trials=2", "lr=interval(0,1)")
    assert done.returncode == 1
    assert "Trial 0 failed: the function returned" in done.stdout + done.stderr
    assert says in done.stderr
    assert "No trial gave a value" in done.stderr


def test_trials_that_fail_are_said_and_where_to_look(tmp_path):
    done = swept(tmp_path, "hydra.sweeper.n_trials=6", "model.kind=choice(fast,bad)")
    assert done.returncode == 0, done.stderr
    said = done.stdout + done.stderr
    assert "failed: ValueError: no such kind" in said
    assert "assay report --storage out/assay.db sweep" in said
