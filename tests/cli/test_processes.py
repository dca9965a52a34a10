"""A study as a process: stopped once, stopped twice, killed, watched, and read by a pipe that closes."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assay import open_study
from assay.core.errors import AssayError

COMMON = (
    *("tune", "small.csv", "--target", "bought", "--splits", "kfold:3", "--storage", "lab.db"),
    *("--evidence", "repeats=1", "--evidence", "seeds=1", "--evidence", "rechecks=3"),
    *("--evidence", "top=1", "--evidence", "refits=1"),
)
SLOW = (*COMMON, "--model", "random_forest", "--trials", "60")
FAST = (*COMMON, "--model", "decision_tree", "--trials", "8", "--quiet")
PATIENCE_S = 60


def ended(process, at_least, storage="lab.db"):
    """Wait until so many trials have ended; how many have."""
    for _ in range(PATIENCE_S * 20):
        try:
            with open_study(storage, readonly=True) as study:
                if study.history.n_ended >= at_least or process.poll() is not None:
                    return study.history.n_ended
        except AssayError:
            assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("the study does not go on")


def outcome(storage):
    """What a study came to: everything in its log but where, when and how long."""
    with open_study(storage, readonly=True) as study:
        trials = [(dict(t.config), t.values, t.origin) for t in study.trials]
        return trials, study.best.number, study.verdict and study.verdict.sentence


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_prints_the_command_that_goes_on(times, start):
    process = start(*SLOW)
    ended(process, 2)
    for _ in range(times):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    line = said.rstrip().splitlines()[-1].strip()
    assert line == "assay resume --storage lab.db small"
    study = open_study("lab.db", readonly=True)
    history = study.history
    assert study.verify() == []
    assert study.verdict is None
    if times == 1:
        assert history.running() == [], "the running trial was let to its end"
        again = start(*shlex.split(line)[1:])
        assert ended(again, history.n_ended + 1) > history.n_ended


def test_ctrl_c_stops_a_study_of_a_program_in_the_same_way(start, folder):
    process = start(
        "run", "--command", "sh -c 'sleep 0.2; echo value: {x}'", "--param", "x=0.0..1.0 default=0.5",
        "--study", "p", "--storage", "p.db", "--json",
    )  # fmt: skip
    ended(process, 2, "p.db")
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, ""), said
    assert said.rstrip().splitlines()[-1].strip() == "assay resume --storage p.db p"
    assert "same call" not in said


def test_ctrl_c_before_the_study_began(start):
    process = start(*SLOW)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode in (130, -signal.SIGINT, 1)
    assert "bug in Assay" not in said


def test_killed_and_resumed_is_as_never_killed(start, run, folder):
    killed = start(*FAST)
    ended(killed, 2)
    killed.kill()
    killed.wait(timeout=PATIENCE_S)
    resumed = run("resume", "--storage", "lab.db", "--quiet")
    assert resumed.exit_code == 0, resumed.output
    (folder / "home").rename(folder / "old-home")
    whole = run(*(word.replace("lab.db", "whole.db") for word in FAST))
    assert whole.exit_code == 0, whole.output
    assert outcome("lab.db") == outcome("whole.db")
    assert open_study("lab.db", readonly=True).verify() == []


def test_a_running_study_is_watched_and_has_one_driver(start, run):
    process = start(*SLOW)
    ended(process, 1)
    status = run("status", "--storage", "lab.db")
    assert f"process {process.pid}" in status.output
    for look in (("trials",), ("log",), ("report", "-o", "-"), ("verify",)):
        assert run(*look, "--storage", "lab.db").exit_code == 0
    second = run("resume", "--storage", "lab.db")
    assert second.exit_code == 2
    assert f"driven by process {process.pid}" in " ".join(second.stderr.split())
    assert run("note", "seen", "--storage", "lab.db").exit_code == 0
    before = open_study("lab.db", readonly=True).history.n_ended
    assert ended(process, before + 1) > before, "a note does not stop the study"


def test_a_pipe_that_closes_is_no_error(start, folder):
    process = start("models")
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=PATIENCE_S)
    assert said == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--version",), 0), (("tunr",), 2), (("status",), 2), (("status", "--storage", "bad.db"), 3)],
)
def test_exit_codes(words, code, start, folder):
    Path("bad.db").write_text("x" * 9999)
    process = start(*words)
    process.communicate(timeout=PATIENCE_S)
    assert process.returncode == code


def test_a_terminal_that_knows_few_letters(folder):
    env = os.environ | {"PYTHONIOENCODING": "latin-1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "assay", "models"], env=env, capture_output=True, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stderr
    assert b"\\u" not in done.stdout, "a letter that it lacks is shown by one that it has"
    assert re.search(rb"maxdepth\s+1-30", done.stdout), "such as a range, with a plain dash"


def test_a_full_disk_is_said_plainly_and_the_study_goes_on_when_there_is_space(start, run, folder):
    """A file that may not grow stands for the disk; SQLite calls both a failed write."""
    resource = pytest.importorskip("resource")

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (140_000, 140_000))

    process = start(*FAST, "--trials", "12", preexec_fn=full)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3, said
    assert "Traceback" not in said
    assert "disk" in said
    assert said.rstrip().splitlines()[-1].strip() == "assay resume --storage lab.db small"
    before = open_study("lab.db", readonly=True).history
    assert 0 < before.length
    done = run("resume", "--storage", "lab.db", "--quiet")
    assert done.exit_code == 0, done.output
    study = open_study("lab.db", readonly=True)
    assert study.verdict is not None
    assert study.history.n_ended == 12
    assert run("verify", "--storage", "lab.db").exit_code == 0


def test_a_disk_that_is_full_from_the_start_leaves_nothing_in_the_way(start, run):
    resource = pytest.importorskip("resource")

    def full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start(*FAST, preexec_fn=full)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 3, said
    assert "Traceback" not in said
    assert "disk" in said
    done = run(*FAST)
    assert done.exit_code == 0, done.output
    assert run("verify", "--storage", "lab.db").exit_code == 0
