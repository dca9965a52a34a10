"""Tables from CSV, Parquet and NumPy files.

The only place that imports pandas and pyarrow, and only when a file is read.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError, did_you_mean
from assay.inputs.table import FEWEST_ROWS, Table, checked, from_arrays

_GROWTH = 6  # a table takes up to about six times its file in memory while it is read
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$")
_COMMAS = re.compile(r"[-+]?\d*(,\d+)+(\.\d*)?$")
_READERS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".npy": "npy", ".npz": "npz",
}  # fmt: skip


def load(
    path: str | os.PathLike[str],
    target: str | int | None = None,
    *,
    groups: str | None = None,
    time: str | None = None,
    drop: Sequence[str] = (),
    encoding: str = "utf-8",
) -> Table:
    """The table in a CSV, Parquet, NPY or NPZ file.

    In CSV and Parquet files text becomes categories, ISO dates become days since 1970-01-01, and
    booleans 0 and 1; columns without any value are dropped. Every such change is in `notes`.

    Args:
        path: .csv, .tsv, .txt (the delimiter is found), .parquet, .npy (a matrix) or .npz with
            arrays X and y, and groups and time if there are.
        target: name of the column to predict; for .npy its number, by default the last.
        groups, time: names of columns with these roles; they are not features.
        drop: names of columns to leave out.
        encoding: of a CSV file.

    Raises:
        DataError: the file or its content cannot be used; says where and what to do.
    """
    name = os.fspath(path)
    kind = _READERS.get(os.path.splitext(name)[1].lower())
    if kind is None:
        known = ", ".join(_READERS)
        raise DataError(f"{name!r} is of no known kind. Give a file that ends in {known}.")
    _check_file(name)
    if kind in ("npy", "npz"):
        if groups or time or drop:
            raise DataError(
                f"A .{kind} file has no named columns for groups, time or drop. Use CSV or Parquet, "
                "or arrays called groups and time in an .npz file."
            )
        return _load_arrays(name, kind, target)
    frame = _read_csv(name, encoding) if kind == "csv" else _read_parquet(name)
    return _from_frame(frame, name, target, groups, time, drop)


def _check_file(name: str) -> None:
    import psutil

    if not os.path.exists(name):
        folder = os.path.dirname(name) or "."
        others = os.listdir(folder) if os.path.isdir(folder) else []
        same = [f for f in others if os.path.splitext(f)[1].lower() in _READERS]
        hint = did_you_mean(os.path.basename(name), same) if same else ""
        raise DataError(f"There is no file {name!r}. {hint}".strip())
    if os.path.isdir(name):
        raise DataError(f"{name!r} is a folder. Give one file.")
    size = os.path.getsize(name)
    if not size:
        raise DataError(f"{name!r} is empty.")
    free = psutil.virtual_memory().available
    if size * _GROWTH > free:
        raise DataError(
            f"{name!r} has {size / 1e9:.1f} GB and would need about {size * _GROWTH / 1e9:.1f} GB of "
            f"memory; {free / 1e9:.1f} GB are free. Take a sample of its rows, or fewer columns."
        )


def _read_csv(name: str, encoding: str) -> Any:
    import pandas as pd

    encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        with open(name, encoding=encoding, newline="") as file:
            delimiter = _delimiter(file.read(65_536))
            file.seek(0)
            _check_lines(name, csv.reader(file, delimiter=delimiter, skipinitialspace=True))
        return pd.read_csv(
            name,
            sep=delimiter,
            encoding=encoding,
            na_values=["?"],
            skipinitialspace=True,
            **_exact(),
        )
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"{name!r} is not {error.encoding} text: it has the byte 0x{byte:02x}. "
            "Say how it is encoded, often --encoding latin-1 or cp1252."
        ) from None
    except LookupError:
        raise DataError(
            f"No encoding is called {encoding!r}. Try utf-8, latin-1 or cp1252."
        ) from None
    except (csv.Error, pd.errors.ParserError) as error:
        raise DataError(f"{name!r} cannot be read as CSV: {error}.") from None


def _exact() -> dict[str, Any]:
    """What makes pandas read a number as Python does, so that equal files are equal data.

    From 3.1 on it always does. Before, a third of all numbers with 16 digits came out one bit off, and
    the fingerprint of the data would have depended on the version of pandas.
    """
    import pandas as pd

    old = tuple(int(part) for part in pd.__version__.split(".")[:2]) < (3, 1)
    return {"float_precision": "round_trip"} if old else {}


def _delimiter(sample: str) -> str:
    """The delimiter that divides the header most often, and the first lines as often."""
    lines = sample.splitlines()[:20]
    best, most = ",", 1
    for candidate in (",", ";", "\t", "|"):
        widths = [
            len(row) for row in csv.reader(lines, delimiter=candidate, skipinitialspace=True) if row
        ]
        common = widths[0] if widths else 1  # the header has no commas of numbers such as 0,5
        if widths and widths.count(common) >= 0.8 * len(widths) and common > most:
            best, most = candidate, common
    return best


def _check_lines(name: str, lines: Any) -> None:
    """DataError unless there is a header of distinct names and each line has as many cells."""
    header: list[str] = next((row for row in lines if row), [])
    names = [cell.strip() for cell in header]
    if names and all(_is_number(cell) for cell in names):
        raise DataError(
            f"The first line of {name!r} holds numbers: {', '.join(names[:4])}. "
            "A CSV file needs a first line with column names."
        )
    if twice := {cell for cell in names if cell and names.count(cell) > 1}:
        raise DataError(
            f"{name!r} has two columns called {sorted(twice)[0]!r}. Rename or drop one."
        )
    empty = True
    for row in lines:
        if row and len(row) != len(header):
            raise DataError(
                f"Line {lines.line_num} of {name!r} has {len(row)} cells, the header has "
                f"{len(header)}. Quote cells that contain the delimiter, or mend the line."
            )
        empty = empty and not row
    if empty:
        raise DataError(f"{name!r} has a header and no rows.")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _read_parquet(name: str) -> Any:
    try:
        import pandas as pd
        import pyarrow as pa
    except ImportError as error:
        raise DataError(
            f"Reading {name!r} needs {error.name}: pip install 'assay[parquet]'."
        ) from None
    try:
        return pd.read_parquet(name)
    except (pa.ArrowException, ValueError, OSError) as error:
        raise DataError(f"{name!r} cannot be read as Parquet: {error}.") from None


def _load_arrays(name: str, kind: str, target: str | int | None) -> Table:
    try:
        content = np.load(name, allow_pickle=False)
        arrays: Mapping[str, Any] = dict(content) if kind == "npz" else {}
    except (ValueError, OSError, EOFError) as error:
        raise DataError(f"{name!r} cannot be read as a NumPy file: {error}.") from None
    if kind == "npz":
        if missing := {"X", "y"} - set(arrays):
            raise DataError(
                f"{name!r} has no array {sorted(missing)[0]!r}: it holds {sorted(arrays)}."
            )
        roles = {role: arrays.get(role) for role in ("groups", "time")}
        return from_arrays(arrays["X"], arrays["y"], **roles, target=str(target or "y"))
    if content.ndim != 2 or content.shape[1] < 2:
        raise DataError(f"{name!r} must hold a matrix of 2 columns or more, got {content.shape}.")
    width = content.shape[1]
    try:
        column = width - 1 if target is None else range(width)[int(target)]
    except (ValueError, IndexError):
        raise DataError(
            f"The target of a .npy file is a column number from 0 to {width - 1}, got {target!r}."
        ) from None
    return from_arrays(np.delete(content, column, axis=1), content[:, column], target=f"x{column}")


def _from_frame(
    frame: Any,
    source: str,
    target: str | int | None,
    groups: str | None,
    time: str | None,
    drop: Sequence[str],
) -> Table:
    frame.columns = [str(name).strip() for name in frame.columns]
    names = list(frame.columns)
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"{source!r} has two columns called {twice!r}. Rename or drop one.")
    if target is None:
        raise DataError(f"Which column of {source!r} is to be predicted? Give --target: {names}.")
    roles = {"target": str(target), "groups": groups, "time": time}
    for role, name in [*roles.items(), *(("drop", name) for name in drop)]:
        if name is not None and name not in names:
            raise DataError(
                f"{source!r} has no column {name!r} ({role}). {did_you_mean(name, names)}"
            )
    used = [name for name in roles.values() if name is not None]
    if len(set(used)) < len(used) or set(used) & set(drop):
        raise DataError(f"One column has two roles: {roles}, drop: {list(drop)}.")
    features, notes = _typed(frame.drop(columns=[*used, *drop]))
    return checked(
        Table(
            X=features,
            y=_labels(frame[roles["target"]]),
            target=str(target),
            names=tuple(features.columns),
            groups=None if groups is None else _labels(_complete(frame[groups], "groups")),
            time=None if time is None else _moments(_complete(frame[time], "time")),
            notes=tuple(notes),
        )
    )


def _typed(frame: Any) -> tuple[Any, list[str]]:
    """Columns as numbers or categories; those without any value are dropped."""
    import pandas as pd

    notes: list[str] = []
    columns: dict[str, Any] = {}
    for name in frame.columns:
        column = frame[name]
        if column.isna().all():
            notes.append(f"Column {name!r} has no value at all: dropped.")
        elif pd.api.types.is_numeric_dtype(column):  # booleans are numbers here: 0 and 1
            columns[name] = column.astype("float64")
        elif (days := _days(column)) is not None:
            columns[name] = days
            notes.append(f"Column {name!r} holds dates: used as days since 1970-01-01.")
        else:
            text = column.astype(object).where(column.notna(), None)
            columns[name] = text.map(lambda v: v if v is None else str(v)).astype("category")
            notes += _odd_text(name, columns[name])
    return pd.DataFrame(columns, index=frame.index), notes


def _days(column: Any) -> Any:
    """Days since 1970 of a column of dates; None if it holds something else."""
    import pandas as pd

    if not pd.api.types.is_datetime64_any_dtype(column):
        texts = column.dropna().astype(str)
        if not texts.str.match(_DATE).all():
            return None
        column = pd.to_datetime(column, errors="coerce", utc=True, format="ISO8601")
    zone = getattr(column.dtype, "tz", None)
    column = column if zone is None else column.dt.tz_convert(None)
    return (column - pd.Timestamp(0)) / pd.Timedelta(days=1)


def _odd_text(name: str, column: Any) -> list[str]:
    values = list(column.cat.categories)
    numbers = [value for value in values if _is_number(value)]
    commas = [value for value in values if _COMMAS.match(value)]
    if commas and len(set(commas) | set(numbers)) == len(values):
        said = (
            f"Column {name!r} is text because of numbers with commas such as {commas[0]!r}: write "
        )
        return [said + "a decimal point, and nothing between thousands."]
    if len(values) > len(numbers) >= 0.9 * len(values):
        other = next(value for value in values if not _is_number(value))
        return [
            f"Column {name!r} is text because of values such as {other!r}; the others are numbers."
        ]
    if len(values) == int(column.notna().sum()) > FEWEST_ROWS:
        return [f"Column {name!r} has a different text in every row, like an id: --drop {name}?"]
    return []


def _labels(column: Any) -> NDArray[Any]:
    """Numbers and booleans as they are, everything else as text; None where missing."""
    import pandas as pd

    missing = column.isna()
    if pd.api.types.is_bool_dtype(column) and not missing.any():
        return np.asarray(column, dtype=bool)
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return np.asarray(
            column if isinstance(column.dtype, np.dtype) else column.astype("float64")
        )
    pairs = zip(column, missing, strict=True)
    return np.array([None if absent else str(value) for value, absent in pairs], dtype=object)


def _complete(column: Any, role: str) -> Any:
    if missing := int(column.isna().sum()):
        raise DataError(
            f"Column {column.name!r} ({role}) has no value in {missing:,} rows. Fill or drop them."
        )
    return column


def _moments(column: Any) -> NDArray[Any]:
    """Numbers that order the rows: the column's own, or days of its dates."""
    import pandas as pd

    if pd.api.types.is_numeric_dtype(column):
        return np.asarray(column, dtype=float)
    days = _days(column)
    if days is None:
        raise DataError(
            f"Column {column.name!r} (time) holds neither numbers nor dates like 2024-05-31: "
            f"{column.iloc[0]!r}."
        )
    return np.asarray(days, dtype=float)
