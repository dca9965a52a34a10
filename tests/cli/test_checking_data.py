"""assay check: what it says while it fits, and what it leaves to programs."""

import json

from assay.cli import preflight

CHECK = ("check", "small.csv", "--target", "bought", "--model", "decision_tree")


def test_check_says_what_it_is_at_once_one_has_to_wait(run, monkeypatch):
    monkeypatch.setattr(preflight, "_PATIENCE_S", -1.0)
    done = run(*CHECK)
    assert "Verdict: " in done.stdout
    said = done.stderr.splitlines()
    assert any("fitting 10 random configs, each on 5 of 5 folds" in line for line in said)
    assert all(" s: " in line for line in said)


def test_check_says_nothing_of_it_where_it_is_quick_or_a_program_reads(run, monkeypatch):
    assert run(*CHECK, "--quick").stderr == ""
    monkeypatch.setattr(preflight, "_PATIENCE_S", -1.0)
    done = run(*CHECK, "--json")
    assert done.stderr == ""
    assert len(json.loads(done.stdout)["findings"]) == 18
