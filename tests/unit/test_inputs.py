"""Data files: read as people mean them, or refused with the way out."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import psutil
import pytest

from assay.core.errors import DataError
from assay.inputs import from_arrays, load, task

N = 30


def frame(**columns):
    rng = np.random.default_rng(0)
    base = {
        "age": rng.integers(18, 80, N),
        "income": rng.normal(3e4, 5e3, N).round(2),
        "city": rng.choice(["Paris", "Köln", "Łódź"], N),
        "churned": np.array(["no", "yes", "no"] * 10),
    }
    return pd.DataFrame(base | columns)


@pytest.fixture
def write(tmp_path):
    def write(data, name="data.csv", **options):
        path = tmp_path / name
        if isinstance(data, bytes):
            path.write_bytes(data)
        elif name.endswith("parquet"):
            data.to_parquet(path)
        else:
            data.to_csv(path, index=False, **options)
        return path

    return write


def refused(words, *args, **options):
    with pytest.raises(DataError, match=words):
        load(*args, **options)


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_with_any_delimiter_and_with_a_byte_order_mark(write, sep, encoding):
    table = load(write(frame(), sep=sep, encoding=encoding), "churned")
    assert table.names == ("age", "income", "city")
    assert len(table) == N
    assert table.target == "churned"
    assert set(table.y) == {"no", "yes"}
    assert table.X["city"].dtype == "category"
    assert set(table.X["city"].cat.categories) == {"Paris", "Köln", "Łódź"}
    assert table.notes == ()


def test_numbers_are_read_to_the_last_bit(write):
    values = np.random.default_rng(0).normal(size=200).tolist()
    lines = "".join(f"{v!r},{i % 2}\n" for i, v in enumerate(values))
    table = load(write(f"a,y\n{lines}".encode()), "y")
    assert np.asarray(table.X)[:, 0].tolist() == values


def test_parquet_gives_the_same_table_as_csv(write):
    one = load(write(frame()), "churned")
    two = load(write(frame(), "data.parquet"), "churned")
    pd.testing.assert_frame_equal(one.X, two.X)
    assert np.array_equal(one.y, two.y)


def test_numpy_files(tmp_path):
    X = np.random.default_rng(0).normal(size=(N, 3))
    y = np.arange(N) % 3
    np.save(tmp_path / "a.npy", np.column_stack([X, y]))
    np.savez(tmp_path / "a.npz", X=X, y=y, groups=np.arange(N) // 3)
    assert np.array_equal(load(tmp_path / "a.npy").X, X)
    assert np.array_equal(load(tmp_path / "a.npy", "0").y, X[:, 0])
    table = load(tmp_path / "a.npz")
    assert table.names == ("x0", "x1", "x2")
    assert np.array_equal(table.y, y)
    assert len(np.unique(table.groups)) == 10
    refused("column number from 0 to 3", tmp_path / "a.npy", "y")
    refused("no named columns", tmp_path / "a.npz", groups="g")
    np.savez(tmp_path / "b.npz", X=X)
    refused("no array 'y'", tmp_path / "b.npz")
    np.save(tmp_path / "c.npy", y)
    refused("matrix of 2 columns", tmp_path / "c.npy")
    (tmp_path / "d.npy").write_bytes(b"nonsense")
    refused("cannot be read as a NumPy file", tmp_path / "d.npy")


def test_booleans_dates_and_numbers_become_numbers_and_are_noted(write):
    data = frame(
        active=np.arange(N) % 3 == 0,
        signup=[f"2024-01-{i + 1:02d}" for i in range(N)],
        count=pd.array([None, *range(N - 1)], dtype="Int64"),
    )
    for name in ("a.csv", "a.parquet"):
        table = load(write(data, name), "churned")
        assert all(table.X[name].dtype == float for name in ("active", "signup", "count"))
        assert table.X["signup"].iloc[1] - table.X["signup"].iloc[0] == 1
        assert table.X["signup"].iloc[0] == 19723  # 2024-01-01
        assert np.isnan(table.X["count"].iloc[0])
        assert any("'signup' holds dates" in note for note in table.notes)


def test_roles_and_drop(write):
    data = frame(
        customer=[f"c{i % 5}" for i in range(N)],
        day=[f"2024-03-{30 - i:02d}" for i in range(N)],
        secret=range(N),
    )
    table = load(write(data), "churned", groups="customer", time="day", drop=["secret"])
    assert table.names == ("age", "income", "city")
    assert np.all(np.diff(table.time) > 0)
    assert list(table.groups) == [f"c{i % 5}" for i in reversed(range(N))]
    assert any("sorted by time" in note for note in table.notes)
    refused(
        "One column has two roles", write(data), "churned", groups="customer", drop=["customer"]
    )
    refused("no column 'cust'.*Did you mean 'customer'", write(data), "churned", groups="cust")
    refused(r"neither numbers nor dates", write(data), "churned", time="city")
    holes = data.assign(customer=["", *data["customer"][1:]])
    refused("no value in 1 rows", write(holes), "churned", groups="customer")


def test_what_looks_odd_is_noted(write):
    data = frame(
        empty=np.nan,
        same=1,
        number=range(7, N + 7),
        id=[f"u{i}" for i in range(N)],
        nearly=[*range(N - 1), "n.a.!"],
    )
    data.loc[0, "churned"] = None
    table = load(write(data), "churned")
    notes = " ".join(table.notes)
    assert "'empty' has no value at all: dropped" in notes
    assert "empty" not in table.names
    assert "'same' is 1.0 in every row" in notes
    assert "'number' counts the rows" in notes
    assert "'id' has a different text in every row" in notes
    assert "'nearly' is text because of values such as 'n.a.!'" in notes
    assert "1 of 30 rows have no target: dropped" in notes
    assert len(table) == len(table.X) == N - 1


@pytest.mark.parametrize("sep", [";", "\t"])
def test_decimal_commas_divide_no_columns_and_are_told(write, sep):
    lines = [f"{i},5{sep}{i % 7},25{sep}{i % 2}" for i in range(N)]
    table = load(write("\n".join([sep.join("aby"), *lines]).encode()), "y")
    assert table.names == ("a", "b")
    assert "'a' is text because of numbers with commas such as '0,5'" in table.notes[0]


def test_text_as_objects_in_a_numpy_file_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.zeros((N, 2)), y=np.array(["a", "b"] * N, dtype=object))
    refused("Object arrays cannot be loaded", tmp_path / "a.npz")


def test_spaces_after_the_delimiter_and_quoted_delimiters(write):
    lines = [f'{i}.5, "a, {i % 2}", {i * i % 7}' for i in range(N)]
    table = load(write("\n".join(["x, text, y", *lines]).encode()), "y")
    assert table.names == ("x", "text")
    assert list(table.X["text"].cat.categories) == ["a, 0", "a, 1"]


def test_a_question_mark_is_a_missing_value(write):
    table = load(write(frame(age=["?", *range(N - 1)])), "churned")
    assert np.isnan(table.X["age"].iloc[0])


def test_take_and_columns():
    X = np.arange(60.0).reshape(30, 2)
    table = from_arrays(X, np.arange(30) % 2, groups=np.arange(30))
    some = table.take(np.array([3, 5]))
    assert np.array_equal(some.X, X[[3, 5]])
    assert list(some.groups) == [3, 5]
    assert list(table.columns()) == ["x0", "x1", "target"]


def test_files_that_cannot_be_used(write, tmp_path, monkeypatch):
    write(frame(), "churn.csv")
    refused("Did you mean 'churn.csv'", tmp_path / "chrn.csv", "y")
    refused("no known kind", write(b"x", "data.xlsx"), "y")
    refused("is a folder", _folder(tmp_path), "y")
    refused("is empty", write(b""), "y")
    refused("header and no rows", write(b"a,b\n\n"), "a")
    refused("holds numbers", write(b"1,2\n3,4\n"), "a")
    refused("two columns called 'a'", write(b"a,b,a\n1,2,3\n"), "a")
    refused("Line 3 .* has 2 cells, the header has 3", write(b"a,b,c\n1,2,3\n1,2\n1,2,3,4\n"), "a")
    twice = frame().rename(columns={"age": "city "})
    refused("two columns called 'city'", write(twice, "data.parquet"), "churned")
    refused("cannot be read as Parquet", write(b"nonsense", "a.pq"), "a")
    latin = write(frame().to_csv(index=False).replace("Łódź", "Lodz").encode("latin-1"))
    refused("byte 0xf6.*--encoding latin-1", latin, "churned")
    assert "Köln" in set(load(latin, "churned", encoding="latin-1").X["city"])
    refused("No encoding is called", latin, "churned", encoding="latin-99")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=100))
    refused("GB of memory", write(frame()), "churned")


def _folder(tmp_path):
    (tmp_path / "x.csv").mkdir()
    return tmp_path / "x.csv"


@pytest.mark.parametrize(
    ("words", "data", "target"),
    [
        ("no column 'churn' .*Did you mean 'churned'", frame(), "churn"),
        ("Which column", frame(), None),
        ("no value in any row", frame(y=np.nan), "y"),
        ("nothing to predict", frame(churned="no"), "churned"),
        ("nothing to predict", frame(y=1.5), "y"),
        ("are too few", frame().head(12), "churned"),
        ("'age' is infinite in 1 rows", frame(age=[np.inf] + [1.0] * (N - 1)), "churned"),
        ("target 'y' is infinite", frame(y=[np.inf] + [1.0] * (N - 1)), "y"),
        ("'copy' repeats the target", frame(copy=frame()["churned"]), "churned"),
        ("'copy' repeats the target", frame(copy=(frame()["churned"] == "yes") * 1), "churned"),
        ("'copy' repeats the target", frame(copy=frame()["income"]), "income"),
        ("no feature", frame()[["churned"]], "churned"),
    ],
)
def test_content_that_cannot_be_learnt_from(write, words, data, target):
    refused(words, write(data), target)


def test_a_feature_with_the_same_values_in_other_rows_is_no_leak():
    y = np.random.default_rng(0).normal(size=N)
    assert from_arrays(np.sort(y)[:, None], y).notes == ()


@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, np.ndarray.tolist])
def test_arrays_and_frames_stay_as_they_are(form):
    X = np.random.default_rng(0).normal(size=(N, 2))
    table = from_arrays(form(X), list(range(N)))
    assert isinstance(table.X, pd.DataFrame) == (form is pd.DataFrame)
    assert np.array_equal(np.asarray(table.X), X)


def test_a_frame_that_offers_to_pandas_is_taken():
    class Polars:
        def to_pandas(self):
            return frame().drop(columns="churned")

    assert from_arrays(Polars(), frame()["churned"]).names == ("age", "income", "city")


def test_arrays_that_do_not_fit():
    class Sparse:
        tocsr = None

    X, y = np.ones((N, 2)), np.arange(N)
    for words, args, options in [
        ("Sparse", (Sparse(), y), {}),
        ("reshape", (y, y), {}),
        ("unequal lengths", ([[1], [1, 2]], [1, 2]), {}),
        ("y must have one value", (X, y[1:]), {}),
        ("y is None", (X, None), {}),
        ("groups must have one value", (X, y), {"groups": [1]}),
        ("time has missing", (X, y), {"time": np.full(N, np.nan)}),
        ("two columns called 'a'", (pd.DataFrame(X, columns=["a", "a"]), y), {}),
        (
            "a column 1 and a column '1', which are the same",
            (pd.DataFrame(X, columns=[1, "1"]), y),
            {},
        ),
        ("astype", (pd.DataFrame(X, columns=[1, "a"]), y), {}),
    ]:
        with pytest.raises(DataError, match=words):
            from_arrays(*args, **options)


@pytest.mark.parametrize(
    ("y", "kind", "words"),
    [
        (np.array(["a", "b"] * 20, dtype=object), "classification", "text"),
        (np.array([True, False] * 20), "classification", "true or false"),
        (np.array([0.0, 1.0] * 20), "classification", "2 distinct values in 40 rows"),
        (np.arange(6366) % 12, "classification", "12 distinct values in 6,366 rows.*--task"),
        (np.arange(40), "regression", "40 distinct values.*--task"),
        (np.arange(40) / 7 % 1, "regression", "distinct values"),
        (np.arange(40) % 12, "regression", "12 distinct"),
    ],
)
def test_the_task_and_why(y, kind, words):
    found = task(y)
    assert found.kind == kind
    assert re.search(words, found.reason)


def test_the_task_can_be_set_but_not_against_the_data():
    assert task(np.arange(40), "classification").kind == "classification"
    with pytest.raises(DataError, match="Regression needs"):
        task(np.array(["a", "b"]), "regression")
    with pytest.raises(DataError, match="got 'cluster'"):
        task(np.arange(4), "cluster")


def test_a_target_that_is_no_column_is_refused_with_what_to_do():
    X = np.zeros((4, 2))
    with pytest.raises(DataError, match=r"the text 'age'. Give the column itself, such as X\.pop"):
        from_arrays(X, "age")
    with pytest.raises(DataError, match=r"\(4, 2\). Tune for one column at a time"):
        from_arrays(X, np.zeros((4, 2)))
    with pytest.raises(DataError, match=r"each of 4 rows, got \(3,\)\."):
        from_arrays(X, np.zeros(3))
