"""Splits: disjoint, complete, reproducible; no group crosses, no future is seen."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import DataError, SpecError
from assay.evaluation.splits import Splits, hold_out, seal_share

rows = st.integers(40, 150)
seeds = st.integers(0, 2**31 - 1)
repeats = st.integers(0, 5)
RANDOM = [Splits.holdout(0.3), Splits.kfold(4), Splits.repeated(3, 2), Splits.grouped(4)]
EVERY = [*RANDOM, Splits.forward(3, gap=2), Splits.forward(4, horizon=5, mode="sliding")]


def divided(splits, n, seed=1, repeat=0, **columns):
    if splits.kind == "grouped":
        columns.setdefault("groups", np.arange(n) % 13)
    return splits.folds(repeat, n=n, seed=seed, **columns)


def same(one, other):
    return [[list(part) for part in fold] for fold in one] == [
        [list(part) for part in fold] for fold in other
    ]


@pytest.mark.parametrize("splits", EVERY, ids=repr)
@given(n=rows, seed=seeds, repeat=repeats)
def test_train_and_validation_are_disjoint_and_not_empty(splits, n, seed, repeat):
    folds = divided(splits, n, seed, repeat)
    assert len(folds) == splits.count
    for train, valid in folds:
        assert len(train)
        assert len(valid)
        assert not set(train) & set(valid)
        assert {*train, *valid} <= set(range(n))


@pytest.mark.parametrize("splits", [Splits.kfold(4), Splits.kfold(7), Splits.grouped(5)], ids=repr)
@given(n=rows, seed=seeds, repeat=repeats)
def test_every_row_validates_once_and_trains_otherwise(splits, n, seed, repeat):
    folds = divided(splits, n, seed, repeat)
    assert sorted(np.concatenate([valid for _, valid in folds])) == list(range(n))
    assert all(len(train) + len(valid) == n for train, valid in folds)


@pytest.mark.parametrize("splits", EVERY, ids=repr)
def test_the_same_seed_and_repeat_give_the_same_folds(splits):
    assert same(divided(splits, 100, 3, 2), divided(splits, 100, 3, 2))


@pytest.mark.parametrize("splits", EVERY, ids=repr)
def test_repeats_differ(splits):
    found = [divided(splits, 100, 3, r) for r in range(4)]
    assert not any(same(found[i], found[j]) for i in range(4) for j in range(i))


@pytest.mark.parametrize("splits", RANDOM, ids=repr)
def test_seeds_differ(splits):
    assert not same(divided(splits, 100, 3), divided(splits, 100, 4))


@given(
    sizes=st.lists(st.integers(8, 40), min_size=2, max_size=5),
    count=st.integers(2, 7),
    seed=seeds,
)
def test_folds_keep_class_shares_within_one_row(sizes, count, seed):
    y = np.repeat([f"class {i}" for i in range(len(sizes))], sizes)
    for _, valid in Splits.kfold(count).folds(0, n=len(y), y=y, seed=seed):
        assert abs(len(valid) - len(y) / count) < 1
        for i, size in enumerate(sizes):
            assert abs(np.sum(y[valid] == f"class {i}") - size / count) < 1


@given(sizes=st.lists(st.integers(10, 60), min_size=2, max_size=4), seed=seeds)
def test_a_holdout_keeps_class_shares_within_one_row(sizes, seed):
    y = np.repeat(np.arange(len(sizes)), sizes)
    _, valid = Splits.holdout(0.25).folds(0, n=len(y), y=y, seed=seed)[0]
    assert len(valid) == round(0.25 * len(y))
    for i, size in enumerate(sizes):
        assert abs(np.sum(y[valid] == i) - size * len(valid) / len(y)) < 1


@given(
    groups=st.lists(st.integers(0, 9), min_size=60, max_size=120).filter(lambda g: len(set(g)) > 5),
    seed=seeds,
)
def test_no_group_crosses_and_folds_differ_by_one_group_at_most(groups, seed):
    labels = np.array(groups)
    folds = Splits.grouped(3).folds(0, n=len(groups), groups=labels, seed=seed)
    for train, valid in folds:
        assert not set(labels[train]) & set(labels[valid])
    sizes = [len(valid) for _, valid in folds]
    assert max(sizes) - min(sizes) <= np.bincount(labels).max()


@pytest.mark.parametrize("mode", ["expanding", "sliding"])
@given(n=rows, gap=st.integers(0, 5), repeat=repeats, seed=seeds)
def test_forward_folds_train_on_the_past_before_the_gap(mode, n, gap, repeat, seed):
    folds = Splits.forward(4, gap=gap, mode=mode).folds(repeat, n=n, seed=seed)
    for train, valid in folds:
        assert train.max() + gap < valid.min()
        assert np.array_equal(valid, np.arange(valid[0], valid[0] + len(valid)))
    lengths = [len(train) for train, _ in folds]
    assert len(set(lengths)) == (1 if mode == "sliding" else 4)
    if repeat == 0:
        assert folds[-1][1][-1] == n - 1


def test_forward_folds_follow_the_time_and_leave_out_equal_moments():
    time = np.repeat(np.arange(20), 5)[::-1]
    for train, valid in Splits.forward(3).folds(1, n=100, time=time, seed=0):
        assert time[train].max() < time[valid].min()


def test_regression_targets_are_not_stratified_but_classes_are():
    y = np.linspace(0, 1, 60)
    assert Splits.kfold(5).folds(0, n=60, y=y, seed=0)
    assert Splits.kfold(5).for_task("regression").stratify is False
    many = np.repeat(np.arange(30), 4)
    folds = Splits.kfold(4).for_task("classification").folds(0, n=120, y=many, seed=0)
    assert all(len(np.unique(many[valid])) == 30 for _, valid in folds)


@pytest.mark.parametrize("splits", EVERY, ids=repr)
def test_json_round_trip(splits):
    assert Splits.from_json(splits.to_json()) == splits


@pytest.mark.parametrize(
    ("splits", "ratio"),
    [(Splits.kfold(5), 0.25), (Splits.repeated(10, 3), 1 / 9), (Splits.holdout(0.25), 1 / 3)],
)
def test_test_train_ratio(splits, ratio):
    assert splits.test_train_ratio(1200) == pytest.approx(ratio)


def test_test_train_ratio_of_forward_folds_is_that_of_its_folds():
    splits = Splits.forward(3)
    folds = splits.folds(0, n=100, seed=0)
    assert splits.test_train_ratio(100) == np.mean([len(v) / len(t) for t, v in folds])


@pytest.mark.parametrize(
    ("error", "words", "make"),
    [
        (SpecError, "folds to be a whole number >= 2", lambda: Splits.kfold(1)),
        (SpecError, "whole number", lambda: Splits.kfold(2.5)),
        (SpecError, "between 0 and 1", lambda: Splits.holdout(20)),
        (SpecError, "gap", lambda: Splits.forward(gap=-1)),
        (SpecError, "expanding", lambda: Splits.forward(mode="both")),
        (SpecError, "Did you mean 'kfold'", lambda: Splits.from_json({"kind": "k-fold"})),
        (SpecError, "Did you mean 'count'", lambda: Splits.from_json({"kind": "kfold", "cont": 3})),
        (DataError, "4 rows cannot make 5 folds", lambda: divided(Splits.kfold(5), 4)),
        (
            DataError,
            "2 groups cannot make 3 folds",
            lambda: divided(Splits.grouped(3), 10, groups=[0, 1] * 5),
        ),
        (SpecError, "need groups", lambda: Splits.grouped(3).folds(0, n=9, seed=0)),
        (SpecError, "tear them apart", lambda: divided(Splits.kfold(3), 9, groups=[0, 1, 2] * 3)),
        (
            DataError,
            "Class 'b' has 2 rows",
            lambda: divided(Splits.kfold(3), 12, y=["a"] * 10 + ["b"] * 2),
        ),
        (DataError, "smaller horizon or gap", lambda: divided(Splits.forward(3, gap=30), 40)),
        (DataError, "one value for each", lambda: divided(Splits.kfold(3), 12, y=[0, 1])),
        (SpecError, "needs y", lambda: divided(Splits.kfold(3, stratify=True), 12)),
    ],
)
def test_errors_say_what_is_wrong(error, words, make):
    with pytest.raises(error, match=words):
        make()


def test_advice_speaks_of_few_groups_few_rows_and_rare_classes():
    y = np.array(["a"] * 55 + ["b"] * 5)
    text = " ".join(Splits.grouped(4).advice(n=60, y=y, groups=np.arange(60) % 4))
    assert "Only 4 groups" in text
    assert "every repeat is the same" in text
    assert "about 15 rows" in text
    assert "Class 'b' has 5 rows" in text
    assert Splits.kfold(5).advice(n=5000) == []


@given(n=rows, test=st.floats(0.05, 0.6), seed=seeds)
def test_the_sealed_rows_and_the_others_are_all_rows(n, test, seed):
    dev, sealed = hold_out(test, n=n, seed=seed)
    assert sorted([*dev, *sealed]) == list(range(n))
    assert abs(len(sealed) - test * n) <= 1


def test_sealing_by_group_class_and_time():
    groups = np.repeat(np.arange(25), 4)
    dev, sealed = hold_out(0.2, n=100, groups=groups, seed=1)
    assert not set(groups[dev]) & set(groups[sealed])
    assert 16 <= len(sealed) <= 24
    y = np.array(["a"] * 90 + ["b"] * 10)
    assert np.sum(y[hold_out(0.2, n=100, y=y, seed=1)[1]] == "b") == 2
    time = np.repeat(np.arange(10), 10)
    dev, sealed = hold_out(0.25, n=100, time=time, seed=1)
    assert time[dev].max() < time[sealed].min()


def test_sealing_refuses_what_cannot_be_divided():
    with pytest.raises(SpecError, match="not both"):
        hold_out(0.2, n=4, groups=[0, 1, 0, 1], time=[0, 1, 2, 3], seed=0)
    with pytest.raises(DataError, match="one side"):
        hold_out(0.2, n=4, groups=[7] * 4, seed=0)
    with pytest.raises(DataError, match="one side"):
        hold_out(0.2, n=4, time=[7] * 4, seed=0)


@pytest.mark.parametrize(
    ("n", "share"), [(500, 0.3), (1_000, 0.2), (20_000, 0.2), (30_000, 0.2), (78_420, 0.1)]
)
def test_how_many_rows_are_worth_sealing(n, share):
    found, reasons = seal_share(n, smallest_gain=0.01)
    assert found == pytest.approx(share, abs=0.001)
    assert all(isinstance(reason, str) for reason in reasons)
