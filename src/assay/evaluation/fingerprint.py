"""Fingerprints of data: has this table changed, and were these rows a test set before?

A row is known by a keyed hash of its sorted cell values, rounded to 12 significant digits: it stays
the same when columns are renamed or reordered, and says nothing about the row without the key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError
from assay.math.sketches import Hashes

Columns: TypeAlias = Mapping[str, Any]

_PUBLIC_KEY = b"assay data fingerprint 1"
_KEY_COLUMNS = 3
_UNIQUE = 0.99


@dataclass(frozen=True)
class Fingerprint:
    """What a table is known by.

    Attributes:
        rows: number of rows.
        columns: (name, kind) of each column; kind is "number", "boolean", "time" or "text".
        content: hex hash of the rows, whatever their order and the order and names of columns.
        order: hex hash of the same rows in their order.
    """

    rows: int
    columns: tuple[tuple[str, str], ...]
    content: str
    order: str

    def to_json(self) -> dict[str, Any]:
        """A form for the plan of a study."""
        columns = [list(column) for column in self.columns]
        return {"rows": self.rows, "columns": columns, "content": self.content, "order": self.order}


def fingerprint(columns: Columns) -> Fingerprint:
    """The fingerprint of a table; equal for equal tables on every machine.

    Args:
        columns: name → (n,) values, target included.

    Raises:
        DataError: no columns, or columns of unequal length.

    >>> one = fingerprint({"a": [1, 2], "b": ["x", "y"]})
    >>> other = fingerprint({"B": ["y", "x"], "A": [2, 1]})
    >>> one.content == other.content, one.order == other.order
    (True, False)
    """
    hashes = row_hashes(columns, _PUBLIC_KEY)
    kinds = tuple((str(name), _kind(np.asarray(values))) for name, values in columns.items())
    return Fingerprint(len(hashes), kinds, _digest(np.sort(hashes)), _digest(hashes))


def row_hashes(columns: Columns, key: bytes) -> Hashes:
    """(n,) the first 64 bits of HMAC-SHA256 of each row under `key`.

    Equal numbers are equal whatever their type; missing values of all kinds are equal.

    Raises:
        DataError: no columns, or columns of unequal length.
    """
    texts = [_texts(np.asarray(values)) for values in columns.values()]
    if not texts:
        raise DataError("A table without columns has no fingerprint.")
    if len({len(text) for text in texts}) > 1:
        lengths = {name: len(text) for name, text in zip(columns, texts, strict=True)}
        raise DataError(f"The columns have unequal lengths: {lengths}.")
    rows = ("\x1f".join(sorted(cells)).encode() for cells in zip(*texts, strict=True))
    raw = b"".join(hmac.digest(key, row, "sha256")[:8] for row in rows)
    return np.frombuffer(raw, dtype="<u8").astype(np.uint64)


def key_hashes(columns: Columns, key: bytes) -> Hashes | None:
    """Row hashes over the three columns with the most distinct values, or None.

    They still know a row after other columns were added or dropped. None if these three do not
    tell more than 99 % of rows apart: different rows would then look alike. Compute them on a whole
    table, before it is divided, so that the same columns are chosen again.
    """
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    chosen = dict(sorted(arrays.items(), key=_by_cardinality)[:_KEY_COLUMNS])
    hashes = row_hashes(chosen, key)
    return hashes if len(np.unique(hashes)) > _UNIQUE * len(hashes) else None


def sketch_to_text(sketch: Hashes) -> str:
    """The sketch as text, for events and files."""
    return base64.b64encode(sketch.astype("<u8").tobytes()).decode()


def sketch_from_text(text: str) -> Hashes:
    """The sketch that `sketch_to_text` wrote.

    Raises:
        DataError: not such a text.
    """
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), dtype="<u8").astype(np.uint64)
    except ValueError as error:
        raise DataError(f"This is not the sketch of a test set ({error}): {text!r:.60}") from None


def _digest(hashes: Hashes) -> str:
    return hashlib.sha256(hashes.astype("<u8").tobytes()).hexdigest()


def _kind(values: NDArray[Any]) -> str:
    return {"b": "boolean", "M": "time", "m": "time"}.get(
        values.dtype.kind, "number" if values.dtype.kind in "iufc" else "text"
    )


def _texts(values: NDArray[Any]) -> list[str]:
    """One text for each cell; equal for values that are equal to 12 significant digits."""
    if values.dtype.kind in "iufb":
        # adding 0.0 turns -0.0 into 0.0
        numbers: list[float] = (values.astype(float) + 0.0).tolist()
        return ["" if isnan(x) else f"{x:.12g}" for x in numbers]
    if values.dtype.kind in "Mm":
        return ["" if text == "NaT" else text for text in values.astype(str).tolist()]
    return [_text(value) for value in values.tolist()]


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return "" if isnan(value) else f"{float(value) + 0.0:.12g}"
    # a missing value of pandas is neither equal nor clearly unequal to itself
    return "" if value is None or repr(value) in ("<NA>", "NaT") else str(value)


def _by_cardinality(column: tuple[str, NDArray[Any]]) -> tuple[float, str]:
    """Most distinct values first, in whole per cent so that a few lost rows change nothing."""
    name, values = column
    return -round(len(set(_texts(values))) / max(len(values), 1), 2), name
