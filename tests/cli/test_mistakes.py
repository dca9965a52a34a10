"""Everything that people get wrong: one clear message, the way out, no traceback, the right code."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from tests.cli.conftest import SRC

from assay import Float, Space, Study, open_study
from assay.cli import assay
from assay.cli.commands import BUG, STORAGE, WRONG_USE
from assay.cli.familiar import COMMANDS, OPTIONS

GOOD = ("tune", "small.csv", "--target", "bought")


def refused(done, code, *parts):
    assert done.exit_code == code, done.output
    assert done.stderr.startswith(("Error: ", "Usage: "))
    assert "Traceback" not in done.output
    for part in parts:
        assert part in " ".join(done.stderr.split())
    assert not os.path.exists("assay.db"), "a mistake leaves no study behind"


@pytest.mark.parametrize("package", ["pandas", "sklearn"])
def test_a_package_of_an_extra_that_is_missing_is_named(package):
    program = (
        f"import sys; sys.modules[{package!r}] = None; sys.argv = ['assay', *{GOOD!r}]\n"
        "from assay.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": SRC},
    )
    assert done.returncode == WRONG_USE
    said = " ".join(done.stderr.split())
    assert said.startswith(f"Error: This needs {package}")
    assert "pip install 'assay[sklearn]'" in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("tune", "smal.csv", "--target", "bought"), "smal.csv"),
        (("tune", "small.csv", "--target", "bougth"), "Did you mean 'bought'"),
        (("tune", "small.csv"), "target"),
        ((*GOOD, "--model", "decision_treee"), "Did you mean 'decision_tree'"),
        ((*GOOD, "--model", "ridge"), "not for classification"),
        ((*GOOD, "--metric", "roc_acu"), "roc_auc"),
        ((*GOOD, "--metric", "rmse"), "rmse"),
        ((*GOOD, "--sampler", "sobl"), "Did you mean 'sobol'"),
        ((*GOOD, "--splits", "kfould:5"), "kfold:5"),
        ((*GOOD, "--splits", "kfold:1"), "fold"),
        ((*GOOD, "--splits", "kfold:500"), "500"),
        ((*GOOD, "--test", "1.5"), "1.5"),
        ((*GOOD, "--trials", "0"), "trials"),
        ((*GOOD, "--trials", "many"), "many"),
        ((*GOOD, "--workers", "0"), "workers"),
        ((*GOOD, "--seed", "-1"), "seed"),
        ((*GOOD, "--drop", "bb"), "bb"),
        ((*GOOD, "--groups", "aa"), "aa"),
        ((*GOOD, "--timeout", "-1"), "seconds"),
        ((*GOOD, "--smallest-gain", "nan"), "smallest_gain"),
        ((*GOOD, "--evidence", "repeat=3"), "Did you mean 'repeats'"),
        ((*GOOD, "--evidence", "repeats"), "KEY=NUMBER"),
        ((*GOOD, "--evidence", "repeats=x"), "KEY=NUMBER"),
        ((*GOOD, "--evidence", "none", "--test", "0.2"), "test=0.2 asks for a verdict"),
        ((*GOOD, "--evidence", "none", "--select", "one_se"), "--select chooses by evidence"),
        ((*GOOD, "--kgco2e", "1"), "--rate region=DEU"),
        ((*GOOD, "--money", "1"), "--rate price_per_kwh=0.3"),
        ((*GOOD, "--rate", "region=Germny"), "Did you mean 'Germany'?"),
        ((*GOOD, "--rate", "region=DUE"), "Did you mean 'DEU'?"),
        ((*GOOD, "--name", "lab"), "Did you mean '--study'?"),
        ((*GOOD, "--n-trials", "3"), "Did you mean '--trials'?"),
        ((*GOOD, "--space", "none.json"), "none.json"),
        ((*GOOD, "--given", "small.csv"), "not valid JSON"),
        ((*GOOD, "--encoding", "utf-99"), "utf-99"),
        ((*GOOD, "--storage", "mysql://x"), "sqlite:///lab.db"),
        (("run", "none.toml"), "none.toml"),
        (("status",), "assay.db"),
        (("resume",), "--storage"),
        (("show", "-1"), "-1"),
        (("verify", "none.jsonl", "--name", "x"), "none.jsonl"),
        (("export",), "--to"),
    ],
    ids=lambda value: " ".join(value)[-28:] if isinstance(value, tuple) else "",
)
def test_wrong_words(words, part, run):
    refused(run(*words), WRONG_USE, part)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("trails = 3", "Did you mean 'trials'"),
        ("trials = 'three'", "trials = 'three' should be a whole number"),
        ("trials = ", "not valid"),
        ("open_test = 1", "true or false"),
        ("[space.max_depth]\ntype='int'\nlow=5\nhigh=1", "max_depth"),
        ("[space.max_dept]\ntype='int'\nlow=1\nhigh=5\ndefault=2", "Did you mean 'max_depth'"),
        ('study = "a\\u0000b"', "NUL"),
    ],
)
def test_wrong_study_files(text, part, run, folder):
    head = 'data = "small.csv"\ntarget = "bought"\nmodel = "decision_tree"\n'
    (folder / "study.toml").write_text(head + text)
    done = run("run", "study.toml")
    assert done.exit_code in (WRONG_USE, STORAGE)
    assert part in " ".join(done.stderr.split()), done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("workers = 0", "workers"),
        ("retries = -1", "retries"),
        ("memory_mb = -5", "memory"),
        ("trials = 0", "trials"),
        ("gap = -1", "gap"),
        ("test = 2.0", "2.0"),
        ("seed = -1", "seed"),
        ('study = "a\\u0000b"', "NUL"),
        ('study = ""', "at least one character"),
        ('storage = "mysql://x"', "sqlite:///lab.db"),
        ("evidence = {repeats = 0}", "repeats"),
        ("evidence = {repeats = 'three'}", "repeats"),
        ("given = [{max_dept = 3}]", "Did you mean 'max_depth'"),
        ("given = [{max_depth = -3}]", "max_depth"),
        ("given = [{config = 3}]", "config"),
        ('sampler = "cmaes"', "CMA-ES"),
        ('encoding = "utf-99"', "utf-99"),
        ("space = {parameters = 3}", "parameters"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_sealed_or_written(text, part, run, folder):
    head = 'data = "small.csv"\ntarget = "bought"\nmodel = "decision_tree"\ntrials = 2\n'
    head = head.replace("trials = 2\n", "") if "trials" in text else head
    (folder / "study.toml").write_text(head + text)
    done = run("run", "study.toml", "--quiet")
    assert done.exit_code in (WRONG_USE, STORAGE), done.output
    assert part in " ".join(done.stderr.split()), done.output
    assert "Traceback" not in done.output
    nothing_happened(folder)


def test_a_report_that_cannot_be_written_is_refused_before_the_study_runs(run, folder):
    refused(run(*GOOD, "--report", "no/such/page.html"), WRONG_USE, "no/such/page.html")
    refused(run(*GOOD, "--report", "."), WRONG_USE, "'.'")
    nothing_happened(folder)


def nothing_happened(folder):
    """Nothing was sealed, no study was begun, and no test set is remembered."""
    assert not list(folder.glob("*.vault"))
    for storage in folder.glob("*.db"):
        with closing(sqlite3.connect(storage)) as db:
            assert db.execute("select count(*) from event").fetchone() == (0,)
    for memory in folder.glob("home/seals.sqlite"):
        with closing(sqlite3.connect(memory)) as db:
            assert db.execute("select count(*) from seal").fetchone() == (0,)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "empty"),
        ("a,bought\n", "row"),
        ("a,bought\n1,0\n2,1\n", "rows"),
        ("a,bought\n" + "1,0\n" * 90, "nothing to predict"),
        ("a,bought\n" + "1,\n" * 90, "bought"),
        ("a,a,bought\n" + "1,2,0\n2,3,1\n" * 45, "'a'"),
        ("caf\xe9,bought\n" + "1,0\n2,1\n" * 45, "encoding"),
    ],
    ids=["empty", "header only", "two rows", "one class", "no target values", "twins", "latin-1"],
)  # fmt: skip
def test_wrong_data(text, part, run, folder):
    (folder / "bad.csv").write_bytes(text.encode("latin-1"))
    refused(run("tune", "bad.csv", "--target", "bought", "--trials", "2"), WRONG_USE, part)


def test_another_plan_under_a_known_name_is_refused(run):
    spaces = Space(x=Float(0, 1)), Space(x=Float(0, 2))
    Study(spaces[0], storage="lab.db", name="lab").close()
    words = (*GOOD, "--model", "decision_tree", "--study", "lab", "--storage", "lab.db")
    refused(run(*words), WRONG_USE, "another plan", "another name")


@pytest.fixture
def lab(folder):
    """A storage with a study of no trial."""
    Study(Space(x=Float(0, 1)), storage="lab.db", name="lab").close()
    return folder / "lab.db"


def test_a_truncated_storage(run, lab):
    lab.write_bytes(lab.read_bytes()[:5000])
    refused(run("status", "--storage", lab), STORAGE, "lab.db")


@pytest.mark.parametrize("verb", ["status", "trials", "best", "watch", "verify", "report"])
def test_a_storage_in_the_place_of_a_study(verb, run, lab):
    refused(run(verb, lab), WRONG_USE, "is a storage, not a study", f"--storage {lab}")


def test_a_file_that_is_no_storage(run, lab):
    lab.write_text("not a database, but long enough to be looked at" * 100)
    refused(run("trials", "--storage", lab), STORAGE, "not a study file")
    refused(run(*GOOD, "--storage", lab), STORAGE, "not a study file")


def test_a_storage_of_a_newer_version(run, lab):
    with sqlite3.connect(lab) as db:
        db.execute("pragma user_version = 99")
    db.close()
    refused(run("trials", "--storage", lab), STORAGE, "newer")


def test_a_storage_in_a_folder_that_is_not_there(run):
    refused(run(*GOOD, "--storage", "nowhere/lab.db"), STORAGE, "nowhere")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_storage_that_may_not_be_written(run, lab):
    lab.chmod(0o400)
    refused(run("note", "hello", "--storage", lab), STORAGE, "cannot be written")


def test_a_report_that_cannot_be_written(run, lab):
    refused(run("report", "-o", "nowhere/page.html", "--storage", lab), WRONG_USE, "nowhere")


def test_a_second_driver_is_refused(run, finished, folder):
    for file in ("lab.db", "small.csv"):
        source = finished if file == "lab.db" else os.path.join(os.path.dirname(finished), file)
        shutil.copy(source, folder / file)
    shutil.copytree(f"{finished}.vault", folder / "lab.db.vault")
    with open_study("lab.db") as study:
        study.store.acquire("small")
        done = run("unseal", "--reason", "more", "--yes", "--storage", "lab.db")
    refused(done, WRONG_USE, "driven by")


def test_changed_data_cannot_be_resumed(run, finished):
    data = os.path.join(os.path.dirname(finished), "small.csv")
    with open(data, encoding="utf-8") as file:
        whole = file.read()
    try:
        with open(data, "w", encoding="utf-8") as file:
            file.write(whole.replace("0.", "1.", 1))
        done = run("resume", "--storage", finished)
    finally:
        with open(data, "w", encoding="utf-8") as file:
            file.write(whole)
    refused(done, WRONG_USE, "has changed", "Restore it")


def test_a_bug_says_that_it_is_one(run, lab, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("planted")

    monkeypatch.setattr("assay.cli.status.status_text", broken)
    done = run("status", "--storage", lab)
    assert done.exit_code == BUG
    assert "Traceback" in done.stderr
    assert "planted" in done.stderr
    assert "a bug in Assay" in done.stderr


def test_debug_shows_where_an_error_arose(run):
    plain, debug = (run("status", *more) for more in ((), ("--debug",)))
    assert "Traceback" not in plain.output
    assert "Traceback" in debug.stderr
    assert plain.exit_code == debug.exit_code == WRONG_USE
    assert debug.stderr.endswith(plain.stderr)


HOSTILE = "x\x1b[2J\x1b]0;owned\x07\u202egpj\u200f\x9b31m<img src=x onerror=alert(1)>"
OBEYED = ("\x1b", "\x07", "\u202e", "\u200f", "\x9b")


def test_hostile_names_are_inert(run, folder):
    study = Study(
        Space({HOSTILE: Float(0, 1, default=0.5)}),
        storage="lab.db",
        name=HOSTILE,
        direction="minimize",
    )
    for value in (0.3, 0.2, 0.1):
        study.tell(study.ask(), value)
    study.tell(study.ask(), failed=HOSTILE)
    study.note(HOSTILE)
    study.close()
    looks = (
        *(["status"], ["status", HOSTILE], ["trials"], ["best"], ["show", "3"], ["log"]),
        *(["diff", "0", "1"], ["verify"], ["report", "-o", "-"], ["status", HOSTILE + "x"]),
        *(["resume"], ["note", HOSTILE], ["export", "--to", "out\u202e"], ["unseal"]),
    )
    for words in looks:
        done = run(*words, "--storage", "lab.db")
        assert done.exit_code in (0, WRONG_USE), done.output
        assert not any(mark in done.output for mark in OBEYED), words
    assert run("verify", "out\u202e/log.jsonl").exit_code == 0


def test_hostile_columns_are_inert(run, folder):
    rng = np.random.default_rng(0)
    rows = "\n".join(f"{x:.3f},{x:.3f},{int(x > 0)}" for x in rng.normal(size=90))
    (folder / "bad.csv").write_text(f'"{HOSTILE}","{HOSTILE}",bought\n{rows}\n', encoding="utf-8")
    for words in (["bought"], [HOSTILE], ["missing"]):
        done = run("tune", "bad.csv", "--target", *words, "--drop", HOSTILE + "y")
        assert done.exit_code == WRONG_USE
        assert not any(mark in done.output for mark in OBEYED)


def test_a_warning_is_a_sentence_and_no_place_in_our_code(tmp_path):
    words = ("--param", "x=0.0..1.0 default=0.5", "--param", "y=1..3 default=2", "--trials", "1")
    done = subprocess.run(  # pytest would take the warning
        [sys.executable, "-m", "assay", "run", "--command", "echo value: {x}", *words, "--evidence", "none"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("Warning: The command does not name {y}: ")
    assert ".py" not in done.stderr


@pytest.mark.parametrize("word", sorted(COMMANDS))
def test_a_command_of_another_tuner_is_told_its_name_here(word, run):
    done = run(word, "x")
    assert done.exit_code == 2
    assert f"No such command {word!r}. Here: {COMMANDS[word]}." in done.output
    for named in re.findall(r"assay (\w+)", COMMANDS[word]):
        assert named in assay.commands
    assert word not in assay.commands


@pytest.mark.parametrize("word", sorted(OPTIONS))
def test_an_option_of_another_tuner_is_told_its_name_here(word, run):
    lacking = next(
        name for name, command in assay.commands.items() if word not in command_options(command)
    )
    done = run(lacking, word, "x")
    assert done.exit_code == 2
    assert f"No such option {word!r}. Here: {OPTIONS[word]}." in done.output


def command_options(command):
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize(
    "words", [("run", "sweep.yaml"), ("create", "lab", "--space", "sweep.yaml")], ids=" ".join
)
def test_a_sweep_is_told_the_way_in(words, run, folder):
    (folder / "sweep.yaml").write_text("method: bayes\nparameters: {x: {min: 0, max: 1}}\n")
    done = run(*words)
    assert done.exit_code == 2
    assert "assay space convert sweep.yaml --from wandb" in done.output


def test_a_study_without_parameters_is_told_the_option(run):
    done = run("create", "lab")
    assert done.exit_code == 2
    assert "--param 'lr=1e-4..1 log" in done.output
