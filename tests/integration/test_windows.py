"""Without fork, fcntl and resource, as on Windows: the main jobs are done, the rest is refused in words."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SRC = str(HERE.parents[1] / "src")
DATA = "a,b,y\n" + "".join(f"{i % 7},{i % 3},{i % 7 > 3:d}\n" for i in range(80))
STUDY = """
import assay
study = assay.optimize(
    lambda trial: (trial.config["x"] - 0.2) ** 2, assay.Space(x=assay.Float(0, 1, default=0.5)),
    budget=assay.Budget(trials=5), storage="lab.db", name="lab", progress=False, {said}
)
assert len(study.trials) == 5 and study.verify() == [] and study.best.cpu_s >= 0
"""
OWN_LOOP = """
import assay
study = assay.Study(assay.Space(x=assay.Float(0, 1, default=0.5)), storage="lab.db", name="own")
for _ in range(3):
    trial = study.ask()
    study.tell(trial, trial.config["x"])
study.close()
again = assay.open_study("lab.db", "own")
again.tell(again.ask(), 0.5)
assert len(again.trials) == 4 and again.verify() == []
"""
TWO_AT_ONCE = """
import sys
from pathlib import Path
from assay.core.errors import StoreError
from assay.stores.locks import FileLock
from assay.stores.turns import turn
one, other = FileLock(Path("lock")), FileLock(Path("lock"), timeout_s=0.05)
with one:
    try:
        with other:
            sys.exit("two hold the lock")
    except StoreError as error:
        assert "locked" in str(error)
with other:
    pass
for expected in (1, 2):
    with turn(Path("turns")) as mine:
        assert mine and int.from_bytes(Path("turns").read_bytes(), "big") == expected
with turn(Path("turns")), turn(Path("turns"), patience_s=0.05) as mine:
    assert not mine
"""


def ran(folder, *words, script=None, ok=True):
    if script is not None:
        (folder / "script.py").write_text(script, encoding="utf-8")
        words = ("script.py", *words)
    env = {**os.environ, "PYTHONPATH": SRC, "USERNAME": "u", "ASSAY_HOME": str(folder / "home")}
    done = subprocess.run(
        [sys.executable, str(HERE / "without_posix.py"), *words],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return " ".join((done.stdout + done.stderr).split())


def test_the_package_imports_and_a_function_is_tuned_with_its_log_in_sqlite(tmp_path):
    said = ran(tmp_path, script=STUDY.format(said=""))
    assert "cannot fork, so trials run in this process" in said


def test_a_loop_of_ones_own_goes_on(tmp_path):
    ran(tmp_path, script=OWN_LOOP)


def test_locks_and_turns_hold_by_windows_locks(tmp_path):
    ran(tmp_path, script=TWO_AT_ONCE)


@pytest.mark.parametrize("said", ["workers=2", "limits=assay.Limits(seconds=9)"])
def test_what_needs_processes_is_refused_in_words(tmp_path, said):
    assert "need a system that forks" in ran(tmp_path, script=STUDY.format(said=said), ok=False)


@pytest.mark.parametrize("cluster", ["dask://local", "ray://auto"])
def test_a_cluster_is_refused_in_words(tmp_path, cluster):
    refused = ran(tmp_path, script=STUDY.format(said=f"executor={cluster!r}"), ok=False)
    assert f"Drive studies at '{cluster}' from Linux" in refused


def test_as_many_workers_as_fit_is_one(tmp_path):
    ran(tmp_path, script=STUDY.format(said='workers="auto"'))


def test_without_any_lock_sqlite_is_refused_and_memory_works(tmp_path):
    refused = ran(tmp_path, "--no-msvcrt", script=OWN_LOOP, ok=False)
    assert "neither fcntl nor msvcrt" in refused
    assert "PostgreSQL" in refused
    in_memory = STUDY.format(said="").replace('storage="lab.db", ', "")
    ran(tmp_path, "--no-msvcrt", script=in_memory)


def test_the_commands_tune_a_model_and_a_program(tmp_path):
    (tmp_path / "rows.csv").write_text(DATA, encoding="utf-8")
    evidence = ("repeats=1", "seeds=1", "rechecks=3", "top=1", "refits=1")
    words = ["tune", "rows.csv", "--target", "y", "--model", "decision_tree", "--trials", "4"]
    words += ["--splits", "kfold:3", "--no-checks", "--storage", "lab.db"]
    words += [word for rule in evidence for word in ("--evidence", rule)]
    assert "What to do" in ran(tmp_path, "-m", "assay", *words)
    assert "nothing wrong" in ran(tmp_path, "-m", "assay", "verify", "--storage", "lab.db")
    program = (sys.executable, "-c", "print('loss=', ({x} - 0.3) ** 2)")
    command = " ".join(f'"{word}"' for word in program)
    words = ["run", "--command", command, "--param", "x=0.0..1.0 default=0.5", "--trials", "3"]
    words += ["--minimize", "loss", "--evidence", "none", "--storage", "lab.db"]
    assert "3 trials" in ran(tmp_path, "-m", "assay", *words)
    assert "cannot fork" in ran(tmp_path, "-m", "assay", "doctor")
