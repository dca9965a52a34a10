"""A table as plain arrays and back, for the vault: no pickles, the same values and column types."""

from __future__ import annotations

import json
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError
from assay.inputs.table import Table

Arrays = dict[str, NDArray[Any]]


def pack(table: Table) -> tuple[Arrays, dict[str, Any]]:
    """The table as named arrays of numbers and text, and what is needed to put it together again."""
    arrays: Arrays = {}
    meta: dict[str, Any] = {"target": table.target, "names": list(table.names), "columns": []}
    meta["frame"] = hasattr(table.X, "iloc")
    if meta["frame"]:
        for i, name in enumerate(table.X.columns):
            meta["columns"].append([_name(name), *_put(arrays, f"x{i}", table.X[name])])
    else:
        arrays["x"] = np.asarray(table.X)
    for role in ("y", "groups", "time"):
        values = getattr(table, role)
        if values is not None:
            meta[role] = _put(arrays, role, values)
    return arrays, meta


def unpack(arrays: Arrays, meta: dict[str, Any]) -> Table:
    """The table that `pack` took apart."""
    X: Any = arrays.get("x")
    if meta["frame"]:
        import pandas as pd

        columns = {}
        for i, (name, *how) in enumerate(meta["columns"]):
            values = _get(arrays, f"x{i}", *how)
            # pandas would make text of objects
            columns[name] = pd.Series(values, dtype=object) if how[1] == "object" else values
        X = pd.DataFrame(columns)
    y, groups, time = (
        np.asarray(_get(arrays, role, *meta[role])) if role in meta else None
        for role in ("y", "groups", "time")
    )
    if y is None:
        raise DataError("The packed table has no target.")
    return Table(X, y, meta["target"], tuple(meta["names"]), groups, time)


def _name(name: Any) -> str | int:
    """The name as JSON keeps it: a model that was fitted on whole numbers as names is given these again."""
    if isinstance(name, Integral) and not isinstance(name, bool):
        return int(name)
    if not isinstance(name, str):
        raise DataError(
            f"Column names must be text or whole numbers to be sealed, got {name!r}. Rename the columns."
        )
    return name


def _put(arrays: Arrays, key: str, column: Any) -> list[Any]:
    """Store a column; returns [kind, dtype] that `_get` needs."""
    dtype = str(getattr(column, "dtype", "object"))
    if hasattr(column, "cat"):
        arrays[key] = column.cat.codes.to_numpy()
        categories = [_plain(value) for value in column.cat.categories]
        return ["category", {"values": categories, "ordered": bool(column.cat.ordered)}]
    values = column.to_numpy() if hasattr(column, "to_numpy") else np.asarray(column)
    if values.dtype.kind in "iufbMmU":
        arrays[key] = values
        return ["plain", dtype]
    texts = [json.dumps(_plain(value)) for value in values.tolist()]
    arrays[key] = np.array(texts, dtype=np.str_)
    return ["json", dtype]


def _get(arrays: Arrays, key: str, kind: str, how: Any) -> Any:
    values = arrays[key]
    if kind == "plain":
        return _typed(values, how)
    if kind == "json":
        cells = np.empty(len(values), dtype=object)
        cells[:] = [json.loads(str(text)) for text in values]
        return _typed(cells, how)
    import pandas as pd

    return pd.Categorical.from_codes(values, categories=how["values"], ordered=how["ordered"])


def _typed(values: NDArray[Any], dtype: str) -> Any:
    if str(values.dtype) == dtype or dtype.startswith(("<U", "object")):
        return values
    import pandas as pd

    return pd.array(values, dtype=dtype)


def _plain(value: Any) -> Any:
    """A JSON value; what pandas has for a missing one becomes null, NaN stays."""
    if value is None or repr(value) in ("<NA>", "NaT"):
        return None
    if isinstance(value, str | bool | int | float):
        return value
    return value.item() if hasattr(value, "item") else str(value)
