"""tune, run, resume, unseal, note: from a file to a verdict, and on."""

from __future__ import annotations

import json

import pytest

from assay import open_study
from assay.core.events import Concluded, Enqueued, Noted, Opened

QUICK = """
model = "decision_tree"
target = "bought"
trials = 6
splits = "kfold:3"
evidence = {repeats = 1, seeds = 1, rechecks = 6, top = 2, refits = 1}
"""


def test_from_a_file_to_a_verdict_and_a_second_look(run, folder, monkeypatch):
    """The whole life of a study, in order: one study serves all that can be asked of it."""
    monkeypatch.setenv("COLUMNS", "80")
    (folder / "study.toml").write_text(f'data = "small.csv"\nopen_test = false\n{QUICK}')

    done = run("run", "study.toml", "--study", "shop", "--storage", "lab.db")
    assert done.exit_code == 0, done.output
    for option in ("--task", "--metric", "--model", "--splits", "--test", "--smallest-gain"):
        assert option in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "searching" in done.stderr
    assert "still sealed" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("still sealed")
    for verb in ("report", "trials", "unseal"):
        assert f"assay {verb} --storage lab.db shop" in done.stdout
    assert open_study("lab.db", readonly=True).verdict is None

    again = run("resume", "--storage", "lab.db", "--quiet")
    assert again.exit_code == 0, again.output
    assert open_study("lab.db", readonly=True).history.looks == 0, "kept sealed stays kept sealed"

    first = run("unseal", "--storage", "lab.db", "--yes")
    assert first.exit_code == 0, first.output
    assert "once" in first.stdout
    assert "opening the test set: " in first.stderr
    assert "assay report --storage lab.db shop" in first.stdout
    verdict = open_study("lab.db", readonly=True).verdict
    assert verdict is not None

    refused = run("unseal", "--storage", "lab.db", "--yes")
    assert refused.exit_code == 2
    said = " ".join(refused.stderr.split())
    assert "opened before" in said
    assert "--reason" in said
    earlier = verdict.sentence.partition(" Warning: ")[0]
    assert " ".join(earlier.split()) in said, "the earlier result is shown"

    words = ("--yes", "--quiet", "--reason", "a new idea", "--trial", "1")
    second = run("unseal", "--storage", "lab.db", *words)
    assert second.exit_code == 0, second.output
    assert (second.stderr, "looked at before" in second.stdout) == ("", False)
    assert "POST-HOC" in second.stdout
    history = open_study("lab.db", readonly=True).history
    assert history.looks == history.last(Opened).look == 2
    assert "a new idea" in run("log", "--off-plan", "--storage", "lab.db").stdout
    assert run("verify", "--storage", "lab.db").exit_code == 0


def test_options_and_files_say_the_same(run, folder):
    (folder / "space.json").write_text(
        json.dumps({"min_samples_leaf": {"type": "int", "low": 1, "high": 4, "default": 1}})
    )
    (folder / "given.json").write_text(
        json.dumps([{"config": {"min_samples_leaf": 2}, "source": "https://example.org/a"}])
    )
    words = (
        *("tune", "small.csv", "--target", "bought", "--model", "tree", "--space", "space.json"),
        *("--given", "given.json", "--trials", "4", "--splits", "kfold:3", "--quiet"),
        *("--evidence", "repeats=1", "--evidence", "seeds=1", "--evidence", "rechecks=6"),
        *("--evidence", "refits=1", "--drop", "c", "--seed", "3", "--report", "page.html"),
    )
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "--trials" not in done.stdout, "quiet prints the result only"
    assert (folder / "page.html").exists()
    study = open_study("assay.db", readonly=True)
    assert study.name == "small"
    assert list(study.spec.space) == ["min_samples_leaf"]
    assert study.spec.seed == 3
    assert [trial.origin for trial in study.trials][:2] == ["control", "given"]
    assert [t.why for t in study.trials][1]["source"] == "https://example.org/a"
    assert any(isinstance(event, Enqueued) for event in study.store.read("small"))
    assert study.history.last(Concluded)
    assert len(study.trials) == 4, "the space has four configs"

    same = run(*words)
    assert same.exit_code == 0
    assert open_study("assay.db", readonly=True).history.length == study.history.length


def test_a_note_goes_to_the_log(run, folder):
    from assay import Float, Space, Study

    Study(Space(x=Float(0, 1)), storage="lab.db", name="lab").close()
    assert run("note", "too slow", "--storage", "lab.db").exit_code == 0
    assert open_study("lab.db", readonly=True).history.last(Noted).text == "too slow"
    assert run("note", "?", "--trial", "7", "--storage", "lab.db").exit_code == 2
    assert "too slow" in run("log", "--storage", "lab.db").output


def test_a_study_made_in_python_is_resumed_in_python(run):
    from assay import Float, Space, Study

    Study(Space(x=Float(0, 1)), storage="lab.db", name="lab").close()
    done = run("resume", "--storage", "lab.db")
    assert done.exit_code == 2
    assert "Python" in done.output


@pytest.mark.slow
def test_the_demo_shows_two_verdicts_and_a_refusal(run, folder):
    done = run("demo", "--report", "report.html")
    assert done.exit_code == 0, done.output
    assert "The tree:   use the tuned settings." in done.stdout
    assert "The ridge:  keep the defaults." in done.stdout
    assert "Error: The test set was opened before" in done.stdout
    assert (folder / "report.html").exists()
    assert (folder / "assay-demo" / "ridge.html").exists()
    assert not (folder / "home").exists(), "the user's own memory of test sets is left alone"
    assert run("demo").exit_code == 0
    assert (folder / "assay-demo-2" / "tree.html").exists()


def test_strict_order_is_planned_printed_and_the_same_for_any_workers(run, folder):
    words = ("tune", "small.csv", "--target", "bought", "--model", "tree", "--trials", "6",
             "--splits", "kfold:3", "--evidence", "repeats=1", "--evidence", "rechecks=3",
             "--test", "0", "--order", "strict")  # fmt: skip
    hashes = []
    for workers in ("1", "2"):
        done = run(*words, "--lag", "2", "--workers", workers, "--storage", f"{workers}.db")
        assert done.exit_code == 0, done.output
        assert "strict, lag 2" in done.stdout
        assert "--order, --lag" in done.stdout
        hashes.append(run("verify", "--storage", f"{workers}.db").stdout.splitlines()[-1])
    assert hashes[0].startswith("Trials ")
    assert hashes[0] == hashes[1]
    refused = run(*words, "--seconds", "9", "--lag", "2", "--storage", "3.db")
    assert (refused.exit_code, "A budget of seconds ends" in refused.stderr) == (2, True)
    refused = run(*words, "--storage", "3.db")
    assert "needs lag, a whole number" in refused.stderr
    refused = run(*words[:-2], "--lag", "2", "--storage", "3.db")
    assert "belongs to order='strict'" in refused.stderr


@pytest.mark.parametrize("verb", ["pause", "continue", "stop"])
def test_nobody_is_asked_when_nobody_drives(run, finished, verb):
    done = run(verb, "--storage", finished)
    assert done.exit_code == 2
    assert "Nobody drives study 'small'" in done.output
