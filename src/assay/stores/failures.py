"""What SQLite's errors mean for a study, and the way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from assay.core.errors import StoreError

_MEANING = {
    "SQLITE_FULL": "the disk is full. Nothing of this change was written. Free some space and go "
    "on; what was stored before is safe",
    "SQLITE_READONLY": "the file, or the folder that it is in, cannot be written. Give yourself the "
    "right to write, or copy the study elsewhere; to look at it, open it read-only",
    "SQLITE_NOTADB": "this is not a study file. Give another path, or remove the file if it is not "
    "needed",
    "SQLITE_CORRUPT": "the file is damaged or was cut short. Keep a copy, then take a backup, or "
    "save what can be read with `sqlite3 FILE .recover`",
    "SQLITE_CANTOPEN": "it cannot be opened. See that its folder exists and that you may read and "
    "write there",
    "SQLITE_BUSY": "another program kept it locked for 30 s. End that program and try again",
    "SQLITE_IOERR": "the disk did not do what was asked of it. See that it is not full and look "
    "into the system's log; what was stored before is safe as far as the disk is",
    "SQLITE_CONSTRAINT": "a stored row cannot be changed: a log is only appended to",
}


def explain(path: Path, error: sqlite3.Error) -> StoreError:
    """The error to raise for one of SQLite's."""
    name = getattr(error, "sqlite_errorname", None) or type(error).__name__
    family = "_".join(name.split("_")[:2])
    meaning = _MEANING.get(family, "SQLite refused")
    return StoreError(f"{path}: {meaning}. (SQLite says: {error}, {name}.)")


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turns SQLite's errors within into ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise explain(path, error) from error
