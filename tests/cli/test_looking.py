"""Looking at a finished study: what is shown is what is stored, and nothing is written."""

from __future__ import annotations

import csv
import io
import json
import shutil
from hashlib import sha256

import pytest

from assay import open_study
from assay.core.events import Deviated

LOOKS = [
    ("status",), ("trials",), ("trials", "--sort", "gain", "--limit", "2"), ("best",), ("show", "0"),
    ("log",), ("log", "--off-plan"), ("diff", "0", "1"), ("verify",), ("trials", "--format", "csv"),
    ("best", "--format", "json"), ("log", "--format", "json"), ("report", "-o", "-"),
]  # fmt: skip


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_looking_writes_nothing(words, run, finished, folder):
    alone = folder / "alone" / "lab.db"
    alone.parent.mkdir()
    shutil.copy(finished, alone)
    before = sha256(alone.read_bytes()).hexdigest()
    done = run(*words, "--storage", alone)
    assert done.exit_code == 0, done.output
    assert sha256(alone.read_bytes()).hexdigest() == before
    assert list(alone.parent.iterdir()) == [alone]


def test_the_storage_may_come_from_the_environment(run, finished, monkeypatch):
    monkeypatch.setenv("ASSAY_STORAGE", finished)
    assert "small" in run("status").output


def test_status_says_phase_trials_and_driver(run, finished):
    said = run("status", "small", "--storage", finished).output.splitlines()
    line = said[2].split()
    assert line[:3] == ["small", "finished", "6"]
    assert line[-1] == "nobody"
    verdict = str(open_study(finished, readonly=True).verdict)
    assert " ".join(said[3:]).startswith(" ".join(verdict.split()))
    assert "Spent so far: 6 trials" in said[-1]
    with open_study(finished) as study:
        study.store.acquire("small")
        try:
            assert "process" in run("status", "--storage", finished).output
        finally:
            study.store.release("small")


def test_trials_in_three_formats_agree(run, finished):
    table = run("trials", "--storage", finished).output
    rows = json.loads(run("trials", "--format", "json", "--storage", finished).output)
    text = run("trials", "--format", "csv", "--storage", finished).output
    sheet = list(csv.DictReader(io.StringIO(text)))
    assert [row["number"] for row in rows] == [int(row["number"]) for row in sheet] == [*range(6)]
    assert all(str(row["number"]) in table for row in rows)
    assert [row["config"]["max_depth"] for row in rows] == [
        json.loads(row["config max_depth"] or "null") for row in sheet
    ]


def test_trials_by_gain_begin_with_the_best(run, finished):
    words = ("trials", "--sort", "gain", "--format", "json", "--storage", finished)
    gains = [row["gain"] for row in json.loads(run(*words).output)]
    assert gains == sorted(gains, reverse=True)
    assert [r["gain"] for r in json.loads(run(*words, "--limit", "2").output)] == gains[:2]


def test_best_is_the_trial_of_the_study(run, finished):
    best = json.loads(run("best", "--format", "json", "--storage", finished).output)
    study = open_study(finished, readonly=True)
    assert best["number"] == study.best.number
    assert best["config"] == dict(study.best.config)
    assert f"Trial {study.best.number}\n" in run("best", "--storage", finished).output


def test_show_and_diff_name_what_differs(run, finished):
    study = open_study(finished, readonly=True)
    changed = next(n for n, v in study.trials[0].config.items() if v != study.trials[1].config[n])
    assert changed in run("diff", "0", "1", "--storage", finished).output
    assert f"{changed} = " in run("show", "1", "--storage", finished).output


def test_show_lists_what_is_apart_from_the_search_too(run, finished):
    said = run("show", "0", "--storage", finished).output
    assert {line.split()[-1] for line in said.splitlines() if line.startswith("  (")} >= {
        "search",
        "probe",
    }


def test_diff_is_better_in_one_direction_only(run, finished):
    there = run("diff", "0", "1", "--storage", finished).output.splitlines()[-1]
    back = run("diff", "1", "0", "--storage", finished).output.splitlines()[-1]
    assert "common evaluations" in there
    assert "over trial 0" in there
    assert "over trial 1" in back
    assert there.split("gains ")[1][0] != back.split("gains ")[1][0]


def test_the_log_can_be_narrowed(run, finished):
    told = run("log", "--kind", "told", "--storage", finished).output.splitlines()
    assert len(told) == 6
    both = run("log", "--kind", "told", "--kind", "sealed", "--storage", finished).output
    assert len(both.splitlines()) == 7
    lines = run("log", "--format", "json", "--storage", finished).output.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [*range(len(lines))]


def test_the_log_knows_what_was_off_plan(run, finished):
    assert run("log", "--off-plan", "--storage", finished).output == "Nothing was done off plan.\n"
    assert (
        run("log", "--kind", "voided", "--storage", finished).output == "No event of this kind.\n"
    )
    assert run("log", "--off-plan", "--format", "json", "--storage", finished).output == ""


def test_a_deviation_is_off_plan(run, folder):
    from assay import Float, Space, Study

    with Study(Space(x=Float(0, 1)), storage="lab.db", name="lab") as study:
        study.ledger.decide(lambda _: [Deviated("splits", 3, 5, "more time")])
    assert "more time" in run("log", "--off-plan", "--storage", "lab.db").output


def test_the_report_is_a_page(run, finished, folder):
    done = run("report", "-o", "page.html", "--storage", finished)
    assert done.output == "page.html\n"
    assert "<html" in (folder / "page.html").read_text("utf-8")[:200]


def test_several_studies_need_a_name(run):
    from assay import Float, Space, Study

    for name in ("one", "two"):
        Study(Space(x=Float(0, 1)), storage="lab.db", name=name).close()
    done = run("trials", "--storage", "lab.db")
    assert done.exit_code == 2
    assert "'one', 'two'" in done.output
    assert run("trials", "one", "--storage", "lab.db").exit_code == 0
    status = run("status", "--storage", "lab.db").output
    assert "one" in status
    assert "two" in status
    assert "Did you mean 'two'" in run("trials", "twoo", "--storage", "lab.db").output


def test_a_study_without_a_trial_can_be_looked_at(run):
    from assay import Float, Space, Study

    Study(Space(x=Float(0, 1)), storage="lab.db", name="lab").close()
    for words in (("status",), ("trials",), ("log",), ("verify",), ("report", "-o", "-")):
        assert run(*words, "--storage", "lab.db").exit_code == 0
    assert "has a value yet" in run("best", "--storage", "lab.db").output


def test_an_ablation_is_shown_as_one(run, tmp_path):
    from assay import Component, Float, Space, ablate

    storage = str(tmp_path / "parts.db")
    ablate(
        lambda t: (t.config["x"] - 0.5) ** 2 + (0 if t.config["a"] else 1),
        space=Space(x=Float(0, 1, default=0.4)), components=[Component("a")], searches=1,
        budget=4, smallest_gain=0.1, isolation="none", storage=storage, name="parts",
    )  # fmt: skip
    table, said = run("status", "parts", "--storage", storage).output.split("Without", 1)
    assert table.splitlines()[2].split()[:4] == ["parts", "finished", "2", "searches"]
    assert "the a contributes" in " ".join(said.split())
    assert "verdict" in run("best", "parts", "--storage", storage).output
    (result,) = json.loads(run("best", "parts", "--format", "json", "--storage", storage).output)
    assert result["effects"][0]["flag"] == "contributes"
    assert "such as parts/full" in run("trials", "parts", "--storage", storage).output
    assert "2 searches begun" in run("watch", "parts", "--storage", storage).output
