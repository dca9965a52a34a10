"""Each check on data with its fault and without it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import assay
from assay.api import preflight
from assay.api.inspecting import check_overrides
from assay.api.measuring import quick_findings, subject_of
from assay.api.prepare import Wishes, prepare
from assay.checks import model, target
from assay.checks.finding import QUICK, TITLES, Finding, verdict_of
from assay.core.errors import DataError, SpecError, StateError
from assay.core.events import Deviated, Inspected
from assay.inputs import Table, from_arrays
from assay.math.intervals import student

PAGES = Path(__file__).resolve().parents[2] / "docs" / "checks"


def table(n=240, d=4, noise=0.5, classes=True):
    rng = np.random.default_rng(n + d)
    X = rng.normal(size=(n, d))
    score = X @ np.linspace(1, 0.5, d) + noise * rng.normal(size=n)
    return X, (score > 0).astype(int) if classes else score


def quick(X, y, **wishes):
    groups, time = wishes.pop("groups", None), wishes.pop("time", None)
    prepared = prepare(
        from_arrays(X, y, groups=groups, time=time), "decision_tree", Wishes(**wishes)
    )
    return {f.code: f for f in quick_findings(prepared, subject_of(prepared))}


@pytest.fixture(scope="module")
def sound():
    return quick(*table())


@pytest.mark.parametrize("code", QUICK)
def test_sound_data_raises_no_alarm(sound, code):
    assert sound[code].level in ("ok", "skipped", "note")


def copies():
    X, y = table()
    return np.vstack([X, X[:60]]), np.concatenate([y, y[:60]])


def contradictions():
    X, y = table(300)
    return np.round(X[:, :2] > 0), y ^ (np.arange(300) % 3 == 0)


def units():
    rng = np.random.default_rng(1)
    centre, level = rng.normal(size=(40, 3)), rng.normal(size=40)
    unit = np.repeat(np.arange(40), 8)
    return np.column_stack([centre[unit], rng.normal(size=320)]), level[unit] + 0.1 * rng.normal(
        size=320
    )


def leak():
    X, y = table(classes=False)
    return np.column_stack([X, y + 0.01 * np.random.default_rng(2).normal(size=len(y))]), y


def gaps():
    X, y = table(400, noise=5)
    X[(y == 1) & (np.arange(400) % 10 > 0), 0] = np.nan
    return X, y


def drift():
    rng = np.random.default_rng(3)
    day = np.sort(rng.random(400)) * 30
    y = np.cumsum(rng.normal(size=400))
    return np.column_stack([day, rng.normal(size=400)]), y


def rare():
    X, _ = table(300)
    rare_y = np.zeros(300, int)
    rare_y[np.argsort(X[:, 0])[-8:]] = 1
    return X, rare_y


@pytest.mark.parametrize(
    ("make", "code", "levels"),
    [
        (copies, "PF01", {"fix"}),
        (contradictions, "PF02", {"care"}),
        (units, "PF03", {"fix"}),
        (leak, "PF04", {"fix"}),
        (gaps, "PF05", {"care", "fix"}),
        (drift, "PF06", {"fix", "care"}),
        (rare, "PF10", {"fix"}),
    ],
)
def test_a_fault_is_found(make, code, levels):
    assert quick(*make())[code].level in levels


def test_groups_that_are_given_settle_repeated_units():
    X, y = units()
    assert quick(X, y, groups=np.repeat(np.arange(40), 8))["PF03"].level == "ok"


@pytest.mark.parametrize(
    ("column", "rows_each", "shuffled"), [("code", 3, False), ("firm", 8, True)]
)
def test_units_are_known_by_a_column_in_blocks_and_by_its_name_in_any_order(
    column, rows_each, shuffled
):
    """A number alone says nothing of a unit; that it stands in blocks, or what it is called, does."""
    rng = np.random.default_rng(4)
    of_row = np.repeat(np.arange(320 // rows_each), rows_each)[1:]  # one unit has a row less
    y = rng.normal(size=of_row[-1] + 1)[of_row] + 0.1 * rng.normal(size=len(of_row))
    X = pd.DataFrame({column: of_row, "x": rng.normal(size=len(of_row))})
    order = rng.permutation(len(y)) if shuffled else np.arange(len(y))
    found = quick(X.iloc[order].reset_index(drop=True), y[order])["PF03"].numbers
    assert found["units"] == pytest.approx(of_row[-1] + 1, abs=5)  # some rows are left out
    assert found["random"] > found["grouped"]


def test_coarse_rows_may_be_equal_by_chance():
    X, y = table(400)
    found = quick((X[:, :2] > 0).astype(float), y)
    assert found["PF01"].level == "note"
    assert found["PF01"].numbers["validation"] > 0.5


def test_useless_features_and_gaps_are_told():
    X, y = table()
    X = np.column_stack([X, np.ones(len(X)), X[:, 0]])
    X[: len(X) * 2 // 3, 1] = np.nan
    found = quick(X, y)
    assert (found["PF07"].numbers["constant"], found["PF07"].numbers["copies"]) == (1, 1)
    assert found["PF08"].level == "note"


def test_the_columns_are_read_as_often_of_a_wide_table_as_of_a_narrow_one(monkeypatch):
    read, columns = [], Table.columns
    monkeypatch.setattr(Table, "columns", lambda self: read.append(1) or columns(self))
    times = []
    for d in (3, 30):
        read.clear()
        quick(*table(60, d))
        times.append(len(read))
    assert times[0] == times[1]


def test_standardised_tables_are_told():
    X, y = table()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    assert quick(X, y)["PF18"].level == "note"


def test_a_shift_in_time_is_told():
    X, y = table(300)
    X[:, 0] += np.linspace(0, 20, 300)
    assert quick(X, y, time=np.arange(300))["PF12"].level == "care"


def test_wrong_labels_need_a_measured_gain_to_refuse():
    better = student(0.05, 0.01, 4, "t", 5, 0.95)
    unsure = student(0.05, 0.05, 4, "t", 5, 0.95)
    assert target.wrong_labels(200, 1000, True, better, 0.005).level == "fix"
    assert target.wrong_labels(200, 1000, True, unsure, 0.005).level == "care"
    assert target.wrong_labels(200, 1000, False, better, 0.005).level == "note"
    assert target.wrong_labels(20, 1000, True, better, 0.005).level == "ok"


def test_wrong_labels_are_looked_for_in_a_part_of_a_long_table(monkeypatch):
    """Forests of all rows took minutes on 100,000."""
    monkeypatch.setattr(preflight, "MOST_ROWS", 120)
    X, y = table(400, noise=0.05)
    flipped = np.arange(400) % 8 == 0
    y[flipped] = 1 - y[flipped]
    said = []
    found = preflight.preflight_of(
        prepare(from_arrays(X, y), "decision_tree", Wishes(test=0)), said.append
    )["PF09"]
    assert " of 120 labels looked at" in found.text
    assert 5 < found.numbers["suspect"] < 30
    assert "looking for wrong labels" in said


def test_a_smallest_gain_that_was_assumed_never_refuses():
    given = {
        "spread": 0.1,
        "units": 10,
        "ratio": 0.25,
        "smallest": 0.005,
        "rows": 100,
        "metric": "accuracy",
    }
    assert model.detectable(chosen=False, **given).level == "note"
    assert model.detectable(chosen=True, **given).level == "fix"
    assert model.detectable(chosen=True, **{**given, "smallest": 0.1}).level == "care"
    assert model.detectable(chosen=True, **{**given, "smallest": 0.5}).level == "ok"


def test_the_same_seed_has_to_give_the_same_score():
    assert [model.repeatable(*s).level for s in ((1, 1, 1), (1, 1, 2), (1, 2, 3))] == [
        "ok",
        "note",
        "care",
    ]


def test_a_learning_curve_foretells_what_more_rows_bring():
    rows = [50, 100, 150, 200]
    _, gain = model.more_rows(rows, [0.1 + 2 / n for n in rows])
    assert gain == pytest.approx(2 / 200 - 2 / 250, rel=0.05)
    assert model.more_rows(rows, [0.3, 0.1, 0.4, 0.2])[1] is None


def test_a_better_family_is_told():
    above, other = (student(x, 0.01, 4, "t", 5, 0.95) for x in (0.3, 0.1))
    assert model.family(above, {"linear model": other}, 0.005, None).level == "care"
    assert model.family(above, {"linear model": other}, 0.5, None).level == "ok"
    assert model.family(student(0.0, 0.1, 4, "t", 5, 0.95), {}, 0.005, None).level == "care"
    best = model.family(student(-0.1, 0.1, 4, "t", 5, 0.95), {}, 0.005, None, unbeatable=True)
    assert best.level == "note"


def test_what_random_configs_show_is_shrunk_by_their_noise():
    _, gain = model.tunable([0.1, -0.1, 0.1, -0.1], 0.05, 0.01)
    assert 0 < gain < 0.1
    assert model.tunable([0.01, -0.01, 0.01], 0.05, 0.01)[1] == 0


def test_the_direction_of_a_metric_is_checked():
    assert target.sane_metric(0.0, 1.0, 1, None, None).level == "ok"
    assert target.sane_metric(0.0, 1.0, -1, None, None).level == "fix"
    told = np.array([0.2, 0.25, 0.22]), np.array([1.0, 1.0, 1.0])
    assert target.sane_metric(0.0, 1.0, 1, *told).level == "fix"


def test_the_worst_finding_is_the_verdict():
    assert verdict_of([Finding("PF01", "care", ""), Finding("PF02", "fix", "")]) == "FIX FIRST"
    assert verdict_of([Finding("PF01", "note", "")]) == "TUNE"


@pytest.mark.parametrize("code", TITLES)
def test_every_check_has_a_page(code):
    assert (PAGES / f"{code}.md").read_text("utf-8").startswith(f"# {code} {TITLES[code]}\n")


def test_all_checks_in_one_call():
    from sklearn.linear_model import LogisticRegression

    found = assay.preflight(LogisticRegression(), *table(), smallest_gain=0.2)
    assert [f.code for f in found.findings] == list(TITLES)
    assert found.verdict == "TUNE"
    assert "What to do first" in str(found)
    assert found.to_json()["findings"][0]["code"] == "PF01"


def tuned(X, y, **more):
    return assay.tune(
        "decision_tree", X, y, budget=2, test=0, isolation="none", progress=False,
        evidence=assay.Evidence(repeats=1, seeds=1, top=1, rechecks=2), **more,
    )  # fmt: skip


def test_a_study_is_not_begun_on_faulty_data_and_an_override_is_kept():
    X, y = copies()
    with pytest.raises(DataError, match="PF01"):
        tuned(X, y)
    study = tuned(X, y, overrides={"PF01": "they are different people"})
    assert study.history.last(Inspected).verdict == "FIX FIRST"
    assert study.preflight()["PF01"].level == "fix"
    kept = study.history.last(Deviated)
    assert (kept.what, kept.reason) == ("check PF01", "they are different people")
    assert tuned(X, y, checks=False).preflight() is None


def test_an_override_needs_a_known_code_and_a_reason():
    with pytest.raises(SpecError, match="PF99"):
        check_overrides({"PF99": "x"})
    with pytest.raises(SpecError, match="reason"):
        check_overrides({"PF01": " "})


def test_the_page_says_what_was_found():
    from assay.api.reporting import view

    found = view(tuned(*copies(), overrides={"PF01": "known"})).preflight
    assert (found.checks[0].code, found.checks[0].level) == ("PF01", "fix first")
    assert found.checks[0].override == "known"


def test_all_checks_are_kept_when_asked_for():
    study = tuned(*table(), checks="full")
    event = study.history.last(Inspected)
    assert event.scope == "full"
    assert [f["code"] for f in event.findings] == list(TITLES)
    assert "What more rows would bring" in study.report()
    assert len(assay.plot.learning_curve(study).panels[0].marks[0].x) == 4
    with pytest.raises(StateError, match="full"):
        assay.plot.learning_curve(tuned(*table()))
    with pytest.raises(SpecError, match="some"):
        tuned(*table(), checks="some")


@pytest.mark.parametrize("metric", ["f1", "recall"])
def test_shuffled_targets_of_a_rarer_positive_class_are_no_leak(metric):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(240, 3))
    y = (X[:, 0] + rng.normal(size=240) > 0.3).astype(int)
    prepared = prepare(from_arrays(X, y), "decision_tree", Wishes(metric=metric))
    assert preflight._sanity(prepared, subject_of(prepared), -1.0).level == "ok"
