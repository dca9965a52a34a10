"""A table to learn from, and the checks that it passes before anything is fitted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError

FEWEST_ROWS = 20
_MOST_CLASSES = 20
_ROWS_PER_CLASS = 5
_NOTHING = ("nan", "np.float64(nan)", "<NA>", "NaT")  # how the kinds of missing values print


@dataclass(frozen=True)
class Table:
    """Rows to learn from.

    Attributes:
        X: (n, d) features, a DataFrame or an array.
        y: (n,) target; class labels as they were given.
        target: the target's name.
        names: the features' names.
        groups: (n,) labels of rows that belong together, or None.
        time: (n,) values that order the rows (the rows are sorted by them), or None.
        notes: what was done to the data, and what looks odd, in sentences.
    """

    X: Any
    y: NDArray[Any]
    target: str
    names: tuple[str, ...]
    groups: NDArray[Any] | None = None
    time: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.y)

    def take(self, rows: NDArray[np.intp]) -> Table:
        """The same table with only these rows."""
        return replace(
            self,
            X=_take(self.X, rows),
            y=self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            time=None if self.time is None else self.time[rows],
        )

    def columns(self) -> dict[str, NDArray[Any]]:
        """Features and target by name, for fingerprints."""
        return _columns(self.X) | {self.target: self.y}


class Task(NamedTuple):
    """What is to be learnt, "classification" or "regression", and why we think so."""

    kind: str
    reason: str


def from_arrays(
    X: Any, y: Any, *, groups: Any = None, time: Any = None, target: str = "target"
) -> Table:
    """The table of arrays, DataFrames (pandas, polars) or lists already in memory.

    The features stay as they are, so that any pipeline made for them works. Rows without a target
    are dropped; with `time`, rows are sorted by it. Both are in `notes`.

    Raises:
        DataError: shapes that do not fit, a sparse matrix, or content that cannot be learnt from.

    >>> from_arrays([[float(i)] for i in range(20)], [0, 1] * 10).names
    ('x0',)
    """
    if hasattr(X, "tocsr"):
        raise DataError(
            "Sparse matrices are not supported. Use X.toarray(), or fewer columns (TruncatedSVD)."
        )
    X = _dense(X)
    if len(X.shape) != 2:
        raise DataError(
            f"X must be a table of shape (rows, columns), got {X.shape}. "
            "A single column needs X.reshape(-1, 1)."
        )
    columns = {
        role: None if values is None else _vector(role, values, len(X))
        for role, values in (("y", y), ("groups", groups), ("time", time))
    }
    if columns["y"] is None:
        raise DataError("y is None: a target is needed to learn from.")
    names = tuple(_columns(X))
    for role in ("groups", "time"):
        if (values := columns[role]) is not None and _missing(values).any():
            raise DataError(f"{role} has missing values. Fill them, or drop these rows.")
    return checked(Table(X, columns["y"], target, names, columns["groups"], columns["time"]))


def task(y: NDArray[Any], kind: str | None = None) -> Task:
    """Whether `y` holds classes or numbers, with the reason in words.

    Args:
        kind: "classification" or "regression" to decide it yourself.

    Raises:
        DataError: `kind` is neither, or regression was asked for a target that is text.

    >>> task(np.array(["no", "yes"] * 10))
    Task(kind='classification', reason='the target is text with 2 distinct values')
    """
    numeric = y.dtype.kind in "iuf"
    if kind is not None:
        if kind not in ("classification", "regression"):
            raise DataError(f'The task is "classification" or "regression", got {kind!r}.')
        if kind == "regression" and y.dtype.kind not in "iufb":
            raise DataError(f"Regression needs a target of numbers; this one has {y[0]!r}.")
        return Task(kind, "as you said")
    values = np.unique(y)
    count, rows = len(values), len(y)
    if not numeric:
        what = "true or false" if y.dtype.kind == "b" else "text"
        return Task("classification", f"the target is {what} with {count} distinct values")
    found = f"{count} distinct values in {rows:,} rows"
    whole = bool(np.all(values == np.round(values)))
    few = count <= _MOST_CLASSES and rows >= _ROWS_PER_CLASS * count
    if count == 2 or (whole and few):
        return Task("classification", f"{found}: classification; --task regression to change it")
    return Task("regression", f"{found}: regression; --task classification to change it")


def checked(table: Table) -> Table:
    """The table without rows that lack a target, sorted by time, with notes on what looks odd.

    Raises:
        DataError: too few rows, a target that is constant or has infinite values, an infinite
            feature, or a feature that repeats the target.
    """
    missing = _missing(table.y)
    if missing.all():
        raise DataError(f"The target {table.target!r} has no value in any row.")
    if missing.any():
        note = f"{int(missing.sum()):,} of {len(table):,} rows have no target: dropped."
        table = replace(table.take(np.flatnonzero(~missing)), notes=(*table.notes, note))
    if table.y.dtype == object:
        table = replace(table, y=table.y.astype(str).astype(object))
    _check_target(table)
    if not table.names:
        raise DataError("There is no feature to learn from: every column is dropped or has a role.")
    notes = [
        note for name, values in _columns(table.X).items() for note in _look(name, values, table)
    ]
    if table.time is not None and np.any(table.time[1:] < table.time[:-1]):
        table = table.take(np.argsort(table.time, kind="stable"))
        notes.append("The rows were sorted by time.")
    return replace(table, notes=(*table.notes, *notes))


def _check_target(table: Table) -> None:
    y, name = table.y, table.target
    if len(y) < FEWEST_ROWS:
        raise DataError(f"{len(y)} rows with a target are too few; {FEWEST_ROWS} are the least.")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        bad = int((~np.isfinite(y)).sum())
        raise DataError(f"The target {name!r} is infinite in {bad:,} rows. Mend or drop them.")
    if len(np.unique(y)) == 1:
        raise DataError(
            f"The target {name!r} is {y.tolist()[0]!r} in all {len(y):,} rows: there is nothing to predict. "
            "Give another target, or rows of another class."
        )


def _look(name: str, values: NDArray[Any], table: Table) -> list[str]:
    """What is odd about one feature; DataError if it cannot be used."""
    if values.dtype.kind == "f" and (infinite := int(np.isinf(values).sum())):
        raise DataError(
            f"Column {name!r} is infinite in {infinite:,} rows. Replace these values, or drop it."
        )
    gaps = _missing(values)
    known = values[~gaps]
    if not len(known):
        return [f"Column {name!r} has no value at all."]
    if values.dtype.kind in "OUS":
        known = known.astype(str)
    distinct, codes = np.unique(known, return_inverse=True)
    if len(distinct) == 1 and not gaps.any():
        return [f"Column {name!r} is {distinct[0].item()!r} in every row: it tells nothing."]
    if not gaps.any() and _same(distinct, codes, table.y):
        raise DataError(
            f"Column {name!r} repeats the target {table.target!r}: any model would read the answer "
            f"from it. Drop it (--drop {name}), or say which of the two is the target."
        )
    if values.dtype.kind in "iuf" and not gaps.any() and np.all(np.abs(np.diff(values)) == 1):
        return [f"Column {name!r} counts the rows, like an id: --drop {name}?"]
    return []


def _same(distinct: NDArray[Any], codes: NDArray[Any], y: NDArray[Any]) -> bool:
    """Whether a column equals the target, or names the same classes differently."""
    labels, targets = np.unique(y, return_inverse=True)
    if len(labels) != len(distinct):
        return False
    classes = len(labels) <= min(_MOST_CLASSES, len(y) / _ROWS_PER_CLASS)
    if classes:
        return len(np.unique(codes * len(labels) + targets)) == len(labels)  # one to one
    return np.array_equal(codes, targets) and np.array_equal(
        distinct.astype(str), labels.astype(str)
    )


def _missing(values: NDArray[Any]) -> NDArray[np.bool_]:
    missing: Any = np.zeros(len(values), dtype=bool)
    if values.dtype.kind == "f":
        missing = np.isnan(values)
    elif values.dtype.kind in "Mm":
        missing = np.isnat(values)
    elif values.dtype.kind == "O":
        missing = [value is None or repr(value) in _NOTHING for value in values]
    return np.asarray(missing, dtype=bool)


def _dense(X: Any) -> Any:
    """A pandas DataFrame or an array of at least numbers."""
    if hasattr(X, "iloc") and hasattr(X, "columns"):
        _check_names(list(X.columns))
        return X
    if hasattr(X, "to_pandas"):
        return _dense(X.to_pandas())
    try:
        return np.asarray(X)
    except ValueError as error:
        raise DataError(f"X is no table: its rows have unequal lengths ({error}).") from None


def _check_names(names: list[Any]) -> None:
    """DataError if two columns cannot be told apart by the text of their names, or if kinds are mixed."""
    seen: dict[str, Any] = {}
    for name in names:
        text = str(name)
        if text in seen and seen[text] == name:
            raise DataError(f"X has two columns called {name!r}. Rename or drop one.")
        if text in seen:  # such as 1 and "1": logs and reports know a column by its text
            raise DataError(
                f"X has a column {seen[text]!r} and a column {name!r}, which are the same as text. "
                "Rename or drop one."
            )
        seen[text] = name
    other = next((name for name in names if not isinstance(name, str)), None)
    if other is not None and any(isinstance(name, str) for name in names):
        raise DataError(
            f"Some column names of X are text and some are not ({other!r}), which scikit-learn refuses. "
            "Write X.columns = X.columns.astype(str)."
        )


def _vector(role: str, values: Any, rows: int) -> NDArray[Any]:
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (rows,):
        raise DataError(
            f"{role} must have one value for each of {rows} rows, got {_shape(values, array)}."
        )
    return array


def _shape(values: Any, array: NDArray[Any]) -> str:
    """The shape of what should be one column, and what to do where it can be told."""
    if isinstance(values, str):
        return f"the text {values!r:.40}. Give the column itself, such as X.pop({values!r:.40})"
    if array.ndim == 2 and array.shape[1] > 1:
        return f"{array.shape}. Tune for one column at a time: several targets are not supported"
    return str(array.shape)


def _columns(X: Any) -> dict[str, NDArray[Any]]:
    if hasattr(X, "iloc"):
        return {str(name): np.asarray(X[name]) for name in X.columns}
    return {f"x{i}": X[:, i] for i in range(X.shape[1])}


def _take(X: Any, rows: NDArray[np.intp]) -> Any:
    return X.iloc[rows] if hasattr(X, "iloc") else X[rows]
