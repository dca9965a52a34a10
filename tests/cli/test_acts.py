"""One of the six acts, and what is said where data is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.cli import acts

ROOT = Path(__file__).parents[2]


def test_an_act_is_played_by_its_number(run, folder):
    done = run("demo", "--act", "4")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("Act 4. The ablation that fools people")
    assert "tuning effect, not a contribution" in done.output
    assert "Act 5" not in done.output
    assert (folder / "assay-demo" / "act4" / "ablation.db").exists()


def test_an_act_without_its_data_says_what_to_install(monkeypatch, run):
    def missing(folder):
        raise ModuleNotFoundError("No module named 'river'", name="river")

    plain = acts.Act("A play", "About nothing.", "river", missing)
    monkeypatch.setattr(acts, "ACTS", (plain,))
    done = run("demo", "--acts")
    assert done.exit_code == 0, done.output
    assert "pip install 'assay[proofs]'" in done.output


def test_another_missing_module_is_no_excuse(monkeypatch, tmp_path):
    def missing(folder):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(acts, "ACTS", (acts.Act("A play", "About nothing.", "river", missing),))
    with pytest.raises(ModuleNotFoundError):
        acts.play(tmp_path)


def test_the_page_shows_what_was_printed():
    page = (ROOT / "docs" / "acts.md").read_text("utf-8")
    assert (ROOT / "tests" / "slow" / "results" / "acts.txt").read_text("utf-8").strip() in page
