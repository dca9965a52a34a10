"""A table as plain arrays and back."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from assay.core.errors import DataError
from assay.inputs.packing import pack, unpack
from assay.inputs.table import Table

Y = np.array([0, 1] * 10)


def back(table):
    """The table after it was stored: the arrays without pickles, the rest as JSON."""
    arrays, meta = pack(table)
    for array in arrays.values():
        assert array.dtype.kind in "iufbMmUS"
    return unpack(arrays, json.loads(json.dumps(meta)))


def same(one, two):
    assert type(one.X) is type(two.X)
    if hasattr(one.X, "iloc"):
        pd.testing.assert_frame_equal(one.X.reset_index(drop=True), two.X)
    else:
        np.testing.assert_array_equal(one.X, two.X)
        assert one.X.dtype == two.X.dtype
    for role in ("y", "groups", "time"):
        before, after = getattr(one, role), getattr(two, role)
        assert (before is None) == (after is None)
        if before is not None:
            np.testing.assert_array_equal(before, after)
            assert before.dtype == after.dtype
    assert (one.target, one.names) == (two.target, two.names)


@pytest.mark.parametrize("kind", ["f8", "f4", "i8", "u1", "?"])
def test_arrays_of_numbers_come_back(kind):
    X = np.random.default_rng(0).integers(0, 2, (20, 3)).astype(kind)
    table = Table(X, Y, "t", ("a", "b", "c"))
    same(table, back(table))


@pytest.mark.parametrize(
    "y",
    [
        Y,
        Y.astype(float),
        Y.astype(bool),
        np.array(["no", "yes"] * 10),
        np.array(["no", "yes"] * 10, dtype=object),
    ],
    ids=lambda y: str(y.dtype),
)
def test_targets_groups_and_times_of_every_kind_come_back(y):
    X = np.zeros((20, 1))
    time = np.arange("2024-01-01", "2024-01-21", dtype="M8[D]")
    table = Table(X, y, "t", ("a",), groups=np.array(list("abcd") * 5), time=time)
    same(table, back(table))


COLUMNS = {
    "float": pd.Series([0.5, np.nan, -1e300, 5e-324] * 5),
    "int": pd.Series([1, 2**62, -3, 0] * 5),
    "int32": pd.Series([1, 2, 3, 4] * 5, dtype="int32"),
    "bool": pd.Series([True, False] * 10),
    "text": pd.Series(["a", "ü\u2028", "", "c"] * 5, dtype=object),
    "text with gaps": pd.Series(["a", None, "b", "c"] * 5, dtype=object),
    "string": pd.Series(["a", None, "b", "c"] * 5, dtype="string"),
    "category": pd.Series(pd.Categorical(["a", "b", None, "a"] * 5)),
    "numbers in category": pd.Series(pd.Categorical([3, 1, 2, 1] * 5)),
    "ordered": pd.Series(pd.Categorical(["s", "l"] * 10, categories=["s", "m", "l"], ordered=True)),
    "Int64": pd.Series([1, None, 3, 4] * 5, dtype="Int64"),
    "boolean": pd.Series([True, None, False, True] * 5, dtype="boolean"),
    "time": pd.Series(pd.date_range("2024-01-01", periods=20)),
    "time with gaps": pd.Series([pd.Timestamp("2024-01-01"), pd.NaT] * 10),
    "zone": pd.Series(pd.date_range("2024-01-01", periods=20, tz="Europe/Zurich")),
    "span": pd.Series(pd.to_timedelta(range(20), unit="h")),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_columns_of_every_kind_come_back_with_their_type(kind):
    frame = pd.DataFrame({"c": COLUMNS[kind], "x": np.arange(20.0)})
    table = Table(frame, Y, "t", ("c", "x"))
    same(table, back(table))


def test_the_order_of_columns_and_rows_stays():
    frame = pd.DataFrame({"b": np.arange(20.0), "a": np.arange(20.0)[::-1]}, index=range(50, 70))
    found = back(Table(frame, Y, "t", ("b", "a")))
    assert list(found.X.columns) == ["b", "a"]
    assert found.X["a"].tolist() == frame["a"].tolist()


def test_whole_numbers_as_names_come_back_as_they_were():
    frame = pd.DataFrame(np.zeros((20, 2))).set_axis([7, 3], axis=1)
    assert back(Table(frame, Y, "t", ("7", "3"))).X.columns.tolist() == [7, 3]


@pytest.mark.parametrize("name", [0.5, True, ("a", "b")], ids=str)
def test_other_names_that_are_no_text_are_refused(name):
    with pytest.raises(DataError, match="Column names"):
        pack(Table(pd.Series(np.zeros(20), name=name).to_frame(), Y, "t", (str(name),)))


def test_missing_values_among_objects_stay_missing_and_nan_stays_nan():
    frame = pd.DataFrame({"c": pd.Series(["a", np.nan, pd.NA, None] * 5, dtype=object)})
    found = back(Table(frame, Y, "t", ("c",))).X["c"]
    assert found.isna().tolist() == [False, True, True, True] * 5
    assert isinstance(found[1], float), "an encoder tells NaN and None apart"
    assert found[3] is None


def test_a_table_without_target_is_refused():
    arrays, meta = pack(Table(np.zeros((20, 1)), Y, "t", ("a",)))
    del meta["y"]
    with pytest.raises(DataError, match="target"):
        unpack(arrays, meta)
