"""A study file that is only looked at: nothing is written, no file is made."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NoReturn, TypeVar

from assay.core.errors import StoreError
from assay.stores.database import connect, size
from assay.stores.failures import explained
from assay.stores.filesystems import refuse_network
from assay.stores.schema import recognise

T = TypeVar("T")
_ATTEMPTS = 20


class Reader:
    """Reads a study file, also while another process writes it, and from a read-only disk.

    SQLite, asked to read a file in WAL mode that nobody has open, makes a `-wal` and a `-shm` file
    and leaves them behind. So such a file is read as one that cannot change, and read again in
    case that it did.

    Raises:
        StoreError: there is no study file, or it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_dir():
            raise StoreError(f"{path} is a folder. Name a study file in it.")
        if not path.exists():
            raise StoreError(f"There is no study file at {path}. Check the path, or start a study.")
        self.read(_nothing)

    def read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """The answer to `question`, which sees the file as it is at one moment."""
        for attempt in range(_ATTEMPTS):
            if size(self.path, "-wal"):
                if self._lacks_index() and attempt < _ATTEMPTS - 1:
                    time.sleep(0.01)  # whoever closes it last removes the index first
                    continue
                return self._asked("ro", question)
            before = self._state()
            try:
                answer = self._asked("ro&immutable=1", question)
            except StoreError:
                if self._state() == before:
                    raise
            else:
                if self._state() == before:
                    return answer
            time.sleep(0.01)
        raise StoreError(f"{self.path} changes all the time. Try again in a moment.")

    def _asked(self, mode: str, question: Callable[[sqlite3.Connection], T]) -> T:
        if mode == "ro":
            refuse_network(self.path)
            self._refuse_unmerged()
        with closing(connect(self.path, mode)) as db, explained(self.path):
            db.execute("pragma query_only = on")
            if not recognise(db, self.path):
                raise StoreError(
                    f"{self.path} is empty: nothing was ever stored in it, or it was cut off. "
                    "Start a study there, or restore a backup."
                )
            return question(db)

    def _refuse_unmerged(self) -> None:
        if self._lacks_index():
            raise StoreError(
                f"{self.path}-wal holds changes that are not merged into the file, and its index "
                f"({self.path.name}-shm) is missing, perhaps after a copy. Open the study for "
                "writing once, in a folder where you may write: that merges them."
            )

    def _lacks_index(self) -> bool:
        return not os.path.exists(f"{self.path}-shm")

    def _state(self) -> tuple[int, int, int, int]:
        found = self.path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns, size(self.path, "-wal")

    def write(self, volume: int = 0, *, waits: bool = True) -> NoReturn:
        """Refused."""
        raise StoreError(f"{self.path} was opened read-only. Open it without readonly to write.")

    def close(self) -> None:
        """Nothing is kept open."""


def _nothing(db: sqlite3.Connection) -> None:
    """Only opening the file and recognising it."""
