"""README.md and docs/evidence.md say what the committed results say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "tests" / "slow" / "results"
README = (ROOT / "README.md").read_text("utf-8")
EVIDENCE = (ROOT / "docs" / "evidence.md").read_text("utf-8")


def rows_of(text):
    return [
        [cell.strip(" *") for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]


def of_kind(prefix):
    return {f.stem.removeprefix(prefix): json.loads(f.read_text("utf-8"))
            for f in sorted(RESULTS.glob(f"{prefix}*.json"))}  # fmt: skip


def percent(share):
    return f"{100 * share:.1f} %"


def shown(page, *cells):
    """Whether one row has cells that begin so, in this order."""
    for row in rows_of(page):
        left = iter(row)
        if all(any(cell.startswith(wanted) for cell in left) for wanted in cells):
            return True
    return False


A_A = of_kind("aa_data_")
FINAL = of_kind("final_")
BBC = of_kind("bbc_")
SKEWED = json.loads((RESULTS / "skewed_rmse.json").read_text("utf-8"))


@pytest.mark.parametrize("kind", A_A)
def test_each_a_a_study_of_data_stands_in_the_table(kind):
    found = A_A[kind]
    shares = [percent(found[key]) for key in
              ("claimed_better", "claimed_worse", "advised_to_use_the_tuned", "coverage")]  # fmt: skip
    seen = f"{found['mean_gain_seen_by_the_search']:.3f}"
    spread = f"{found['spread_of_errors_over_standard_error']:.2f}"
    assert shown(EVIDENCE, *shares, spread, seen), (kind, shares, spread, seen)


@pytest.mark.parametrize("kind", FINAL)
def test_each_kind_of_whole_studies_stands_in_the_table(kind):
    found = FINAL[kind]
    below, above = (percent(found[f"truth_{side}_the_interval"]) for side in ("below", "above"))
    means = [f"{found[key]:.4f}" for key in ("mean_gain_measured", "mean_true_gain")]
    refits = str(found["studies_by_number_of_refits"].get("1", 0))
    wanted = (str(found["rows"]), percent(found["coverage"]), f"{below} / {above}", *means, refits)
    assert shown(EVIDENCE, *wanted), (kind, wanted)


@pytest.mark.parametrize("kind", BBC)
def test_each_kind_of_studies_by_bbc_stands_in_the_table(kind):
    found = BBC[kind]
    held, narrow, own = (
        percent(found[f"coverage{of}"])
        for of in ("", "_if_narrower", "_of_the_gain_on_its_own_rows")
    )
    below, above = (percent(found[f"truth_{side}_the_interval"]) for side in ("below", "above"))
    means = [f"{found[key]:.4f}" for key in ("mean_gain_estimated", "mean_true_gain")]
    wanted = (str(found["rows"]), held, f"{below} / {above}", narrow, own, *means)
    assert shown(EVIDENCE, *wanted), (kind, wanted)


@pytest.mark.parametrize("kind", SKEWED)
def test_each_interval_that_was_tried_for_rmse_stands_in_the_decision(kind):
    page = (ROOT / "docs" / "decisions" / "0054-intervals-left-as-they-are.md").read_text("utf-8")
    every = SKEWED[kind]["intervals"].values()
    held = [f"{100 * one['coverage']:.1f}" for one in every]
    widths = [f"{one['median_width']:.2f}" for one in every][1:]
    assert shown(page, kind, *held), (kind, held)
    assert shown(page, kind, *widths), (kind, widths)


def test_readme_has_the_range_of_false_claims():
    noise = [one for f in RESULTS.glob("aa_*.json") if not f.stem.startswith("aa_data_")
             for one in json.loads(f.read_text("utf-8")) if one["gain_of_the_best_config"] == 0]  # fmt: skip
    every = [one["claimed_better"] for one in (*noise, *A_A.values())]
    assert min(one["studies"] for one in (*noise, *A_A.values())) >= 400
    said = re.search(r"400 studies each of (\d+) kinds, ([\d.]+) to ([\d.]+) %", README)
    assert said is not None
    assert said[1] == str(len(every))
    assert (said[2], said[3]) == (f"{100 * min(every):.1f}", f"{100 * max(every):.1f}")


@pytest.mark.parametrize(
    ("page", "words"), [("search", "24 problems seen"), ("search-fresh", "22 problems never")]
)
def test_readme_has_the_regrets_of_the_benchmark(page, words):
    text = (
        (ROOT / "benchmarks" / "results" / f"{page}.md")
        .read_text("utf-8")
        .split("## Two objectives")[0]
    )
    regret = {r[0]: r for r in reversed(rows_of(text)) if len(r) == 8 and r[1].isdigit()}
    less = next(r for r in rows_of(text) if r[0] == "optuna-tpe" and len(r) == 5 and "/" in r[2])
    row = next(i for i, r in enumerate(rows_of(README)) if r[0].startswith(words))
    for line, column in zip(rows_of(README)[row : row + 2], (3, 4), strict=True):
        assert line[2:5] == [
            f"{float(regret[name][column].split()[0]):.2f}"
            for name in ("assay-auto", "optuna-tpe", "random")
        ]
        numbers = [float(x) for x in re.findall(r"[-+]?\d\.\d+", less[column - 1])][:3]
        said = [float(x.replace("−", "-")) for x in re.findall(r"[−+]?\d\.\d+", line[5])]
        assert said == [pytest.approx(round(x, 2), abs=0.0051) for x in numbers], line
