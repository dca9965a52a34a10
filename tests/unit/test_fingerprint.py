"""Fingerprints: the same table is known whatever its form; another one is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_digits

from assay.core.errors import DataError
from assay.evaluation.fingerprint import (
    fingerprint,
    key_hashes,
    row_hashes,
    sketch_from_text,
    sketch_to_text,
)
from assay.math.sketches import containment, sketch

KEY = b"a user's own key"


def columns(X):
    return {f"x{i}": X[:, i] for i in range(X.shape[1])}


def share(new, old, key=KEY):
    return containment(row_hashes(columns(new), key), sketch(row_hashes(columns(old), key)))


@pytest.fixture(scope="module", params=[load_diabetes, load_digits], ids=["diabetes", "digits"])
def table(request):
    X, y = request.param(return_X_y=True)
    return np.column_stack([X, y])


def split(table, seed, share=0.3):
    chosen = np.random.default_rng(seed).permutation(len(table))[: round(share * len(table))]
    return table[chosen], chosen


def test_a_spent_test_set_is_recognised(table):
    spent, _ = split(table, 1)
    assert share(spent, spent) == 1.0
    assert share(np.delete(spent, 5, axis=0), spent) == 1.0
    order = np.random.default_rng(0).permutation(spent.shape[1])
    renamed = {f"other {i}": spent[:, j] for i, j in enumerate(order)}
    assert containment(row_hashes(renamed, KEY), sketch(row_hashes(columns(spent), KEY))) == 1.0


@pytest.mark.parametrize("seed", [2, 3])
def test_the_overlap_of_another_split_is_found(table, seed):
    spent, first = split(table, 1)
    again, second = split(table, seed)
    assert share(again, spent) == pytest.approx(np.isin(second, first).mean(), abs=0.02)


def test_disjoint_rows_are_not_taken_for_known(table):
    spent, chosen = split(table, 1)
    assert share(np.delete(table, chosen, axis=0), spent) == 0.0


def test_large_sets_are_estimated_from_a_sketch():
    values = np.random.default_rng(0).normal(size=(30_000, 2))
    assert len(sketch(row_hashes(columns(values[:20_000]), KEY))) == 1024
    assert share(values[15_000:], values[:20_000]) == pytest.approx(1 / 3, abs=0.045)


def test_another_key_knows_nothing(table):
    spent = sketch(row_hashes(columns(table), b"one"))
    assert containment(row_hashes(columns(table), b"other"), spent) == 0.0


def test_key_columns_survive_an_added_and_a_dropped_column():
    table = columns(load_diabetes().data)
    old = key_hashes(table, KEY)
    fewer = {name: values for name, values in table.items() if name != "x1"}
    more = table | {"added": np.arange(len(old)) % 7}
    for changed in (fewer, more):
        assert containment(key_hashes(changed, KEY), sketch(old)) == 1.0


def test_columns_that_do_not_tell_rows_apart_are_no_key():
    assert key_hashes(columns(load_digits().data), KEY) is None


values = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=8)


@given(numbers=values, seed=st.integers(0, 99))
def test_content_ignores_order_and_names_and_order_does_not(numbers, seed):
    column = np.array(numbers)
    other = np.arange(len(column))
    order = np.random.default_rng(seed).permutation(len(column))
    one = fingerprint({"a": column, "b": other})
    two = fingerprint({"c": other[order], "d": column[order]})
    assert one.content == two.content
    assert (one.order == two.order) == bool(np.all(order == other))
    assert one.rows == len(numbers)


def test_one_changed_cell_changes_the_content():
    base = {"a": np.arange(9.0), "b": np.array(list("abcdefghi"))}
    changed = {"a": base["a"] + np.eye(9)[4] * 1e-6, "b": base["b"]}
    assert fingerprint(base).content != fingerprint(changed).content


def test_equal_values_are_equal_whatever_their_type():
    forms = [
        np.array([0, 1, 2]),
        np.array([-0.0, 1.0, 2.0 + 1e-13]),
        np.array([0, 1.0, np.int8(2)], dtype=object),
        np.array(["0", "1", "2"]),
    ]
    assert len({fingerprint({"a": form}).content for form in forms}) == 1
    missing = [np.array([np.nan, 1]), np.array([None, 1], dtype=object), np.array(["", "1"])]
    assert len({fingerprint({"a": form}).content for form in missing}) == 1


def test_kinds_of_columns_are_told():
    found = fingerprint(
        {
            "n": np.arange(2),
            "b": np.array([True, False]),
            "t": np.array(["2024-01-01", "NaT"], dtype="datetime64[D]"),
            "s": np.array(["x", "y"]),
        }
    )
    assert [kind for _, kind in found.columns] == ["number", "boolean", "time", "text"]
    assert found.to_json()["rows"] == 2


def test_a_sketch_is_written_and_read():
    old = sketch(row_hashes({"a": np.arange(2000)}, KEY))
    assert np.array_equal(sketch_from_text(sketch_to_text(old)), old)
    with pytest.raises(DataError, match="not the sketch"):
        sketch_from_text("no base64!")


def test_what_is_no_table_is_refused():
    with pytest.raises(DataError, match="without columns"):
        fingerprint({})
    with pytest.raises(DataError, match="unequal lengths"):
        fingerprint({"a": np.arange(2), "b": np.arange(3)})
