"""The picture of the splits shows what the splits do, and the checklist names its events."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.test_report.conftest import DATA, plan_on_data

from assay.core.errors import DataError
from assay.core.events import Created, Environment, Inspected, Opened, Sealed, Selected
from assay.evaluation.splits import Splits
from assay.report.plots.splits import splits


def drawn(rule, rows, sealed=0):
    """The training spans and the validation span of each fold, as drawn."""
    seal = {"rows": sealed} if sealed else None
    data = {**DATA, "rows": rows, "splits": rule.to_json(), "seal": seal}
    plot = splits(replace(plan_on_data(), data=data))
    marks = {mark.role: mark for mark in plot.panels[0].marks}
    names = dict(plot.panels[0].y.ticks)
    found = {}
    for role, mark in marks.items():
        for y, low, high in zip(mark.y, mark.low, mark.high, strict=True):
            found.setdefault(names[y], {}).setdefault(role, []).append((int(low), int(high)))
    return found, plot


@given(
    rows=st.integers(20, 400), count=st.integers(1, 8), gap=st.integers(0, 5),
    horizon=st.none() | st.integers(1, 6), mode=st.sampled_from(["expanding", "sliding"]),
)  # fmt: skip
def test_forward_folds_are_drawn_to_the_row(rows, count, gap, horizon, mode):
    rule = Splits.forward(count, gap, horizon, mode)
    try:
        folds = rule.folds(0, n=rows, seed=3)
    except DataError:
        return
    found, _ = drawn(rule, rows)
    for i, (train, valid) in enumerate(folds):
        fold = found[f"fold {i + 1}"]
        assert fold["train"] == [(train[0], train[-1] + 1)]
        assert fold["valid"] == [(valid[0], valid[-1] + 1)]


@given(rows=st.integers(20, 400), count=st.integers(2, 10))
def test_dealt_folds_have_their_sizes_and_share_no_row(rows, count):
    rule = Splits.kfold(count, stratify=False)
    found, _ = drawn(rule, rows)
    real = sorted(len(valid) for _, valid in rule.folds(0, n=rows, seed=3))
    seen = np.zeros(rows, dtype=int)
    sizes = []
    for fold in found.values():
        ((start, stop),) = fold["valid"]
        sizes.append(stop - start)
        seen[start:stop] += 1
        assert sum(b - a for a, b in fold["train"]) == rows - (stop - start)
        assert all(b <= start or a >= stop for a, b in fold["train"])
    assert sorted(sizes) == real
    assert (seen == 1).all(), "each row validates once"


@given(rows=st.integers(4, 400), test=st.floats(0.05, 0.6))
def test_a_hold_out_has_its_size(rows, test):
    rule = Splits.holdout(test, stratify=False)
    ((_, valid),) = rule.folds(0, n=rows, seed=3)
    found, _ = drawn(rule, rows)
    ((start, stop),) = found["fold 1"]["valid"]
    assert stop - start == len(valid)


def test_sealed_rows_come_after_all_others_and_are_judged_once():
    found, plot = drawn(Splits.kfold(5), 398, 171)
    assert found["at the end"] == {"train": [(0, 398)], "sealed": [(398, 569)]}
    assert all("sealed" not in fold for name, fold in found.items() if name != "at the end")
    assert "171 rows are sealed" in plot.about
    _, none = drawn(Splits.kfold(5), 398)
    assert "no row is sealed" in none.about


def test_of_many_folds_the_first_are_drawn_and_it_is_said():
    found, plot = drawn(Splits.kfold(20), 398)
    assert len(found) == 10
    assert plot.notes == ("Of 20 folds the first 10 are drawn.",)


@pytest.mark.parametrize("data", [None, {}, {"rows": 10}, {**DATA, "splits": {"kind": "newer"}}])
def test_what_is_not_known_is_not_drawn(data):
    assert splits(replace(plan_on_data(), data=data)) is None


def test_answers_name_the_row_of_their_event(study, view):
    """Each row that the checklist names holds an event of the kind that it speaks of."""
    kinds = {
        "Was the plan fixed before the first trial?": Created,
        "Was test data set apart before the first fit?": Sealed,
        "Is the rule of selection stated?": Selected,
        "Does the result have an interval?": Opened,
        "Are the versions of the software given?": Environment,
        "Was it checked that no row stands on both sides of a split?": Inspected,
    }
    spec, events = study("whole")
    shown = {item.question: item.row for item in view(spec, events).checklist}
    for question, kind in kinds.items():
        places = [row for row, event in enumerate(events) if isinstance(event, kind)]
        assert shown[question] == (places[-1] if places else None), question
    assert sum(row is not None for row in shown.values()) >= 8
