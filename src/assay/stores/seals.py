"""The user's memory of test sets: which rows were sealed or used before, in whichever study.

Only keyed hashes of rows are remembered (see `assay.evaluation.fingerprint`), with a key of the
user's own: the registry says nothing about the rows. Whatever is wrong with it, tuning goes on.
"""

from __future__ import annotations

import os
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from assay.core.errors import StoreError
from assay.math.sketches import Hashes, contained, sketch

Kind: TypeAlias = Literal["test", "dev"]

_LEAST_SHARE = 0.01
_PATIENCE_S = 5.0
"""How long to wait for another process; both only ever write a few rows."""
_KEY_BYTES = 32
_LONGEST_NAME = 200
_PLAIN_NAME = re.compile(r"[\w.:-]+( [\w.:-]+)*")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_APPLICATION = 0x41534C53  # "ASLS"
_VERSION = 1
_SCHEMA = (
    """create table seal (
        id text not null, kind text not null, study text not null, time text not null,
        rows integer not null, sketch blob not null check (length(sketch) % 8 = 0),
        primary key (id, kind))""",
    """create table look (
        seal text not null, look integer not null, time text not null,
        primary key (seal, look))""",
    f"pragma application_id = {_APPLICATION}",
    f"pragma user_version = {_VERSION}",
)
_MEND = (
    "See that its folder can be written and that no program keeps the file locked, or set "
    "ASSAY_HOME to another folder."
)
_REPLACE = "Move the file away to start a new one."

_FIND = """
    select study, coalesce((select max(time) from look where seal = id), time),
        (select count(*) from look where seal = id), rows, id, sketch
    from seal where kind = ?"""


@dataclass(frozen=True)
class Overlap:
    """Rows that an earlier study had already set apart.

    Attributes:
        share: estimated share of the new rows that are among the earlier ones, 0.01 to 1.
        study: name of the earlier study.
        when: when its test set was last looked at, or set apart if it never was; UTC, ISO 8601.
        looks: how often its test set was opened.
        rows: how many rows were set apart then.
        kind: what for: "test", or "dev" for tuning.
        seal_id: name of the earlier seal.
    """

    share: float
    study: str
    when: str
    looks: int
    rows: int
    kind: Kind
    seal_id: str


def message(overlap: Overlap) -> str:
    """The overlap as a sentence for people.

    >>> message(Overlap(0.41, "churn-2", "2026-11-03T09:41:07Z", 2, 500, "test", "s1"))
    '41 % of these rows were already used as a test set on 3 Nov 2026 (study churn-2, 2 looks).'
    """
    share = 100 if overlap.share == 1 else min(round(100 * overlap.share), 99)
    study, day = f"study {_shown(overlap.study)}", _day(overlap.when)
    if overlap.kind == "dev":
        return (
            f"{share} % of these rows were already used for tuning on {day} ({study}): they cannot "
            "be an unseen test set. Test on rows that no study was tuned on."
        )
    if not overlap.looks:
        return (
            f"{share} % of these rows were already set apart as a test set on {day} "
            f"({study}, not opened yet)."
        )
    looks = "1 look" if overlap.looks == 1 else f"{overlap.looks} looks"
    return f"{share} % of these rows were already used as a test set on {day} ({study}, {looks})."


def home() -> Path:
    """The folder for what Assay remembers of a user across studies.

    `$ASSAY_HOME`, else `$XDG_DATA_HOME/assay`, else `~/.local/share/assay`.

    Raises:
        RuntimeError: nobody can say where the user's home is.
    """
    own = os.environ.get("ASSAY_HOME")
    if own:
        return Path(own).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME", "")
    shared = Path(data) if os.path.isabs(data) else Path.home() / ".local" / "share"
    return shared / "assay"


class SealRegistry:
    """Test sets (and the rows of their studies that were tuned on), remembered for one user.

    One SQLite file with a rollback journal. Each call has its own connection, so threads, forks and
    other processes may use the registry at once. Nothing is ever deleted from it.

    Args:
        folder: where `seals.sqlite` and `seals.key` lie, made if need be; None: `home()`.

    Attributes:
        key: the user's key for `row_hashes`; 32 random bytes, made once.

    Raises:
        StoreError: the registry cannot be used; the message is a warning for the user, as it is
            for every other method. `SealRegistry.open` gives it back instead.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        try:
            self._folder = home() if folder is None else Path(folder).absolute()
        except RuntimeError as error:
            raise StoreError(_warning("of this user", f"{error} Set ASSAY_HOME.")) from error
        self._file = self._folder / "seals.sqlite"
        self._key_file = self._folder / "seals.key"
        with self._explained():
            self._make_file()
        with self._database() as database:
            self._set_up(database)
            self.key = self._read_key()

    def __repr__(self) -> str:
        return f"SealRegistry({str(self._folder)!r})"

    @classmethod
    def open(
        cls, folder: str | os.PathLike[str] | None = None
    ) -> tuple[SealRegistry | None, str | None]:
        """The registry and None, or None and a warning that says why there is none."""
        try:
            return cls(folder), None
        except StoreError as error:
            return None, str(error)

    def remember(
        self, seal_id: str, study: str, when: str, rows: int, hashes: Hashes, kind: Kind = "test"
    ) -> None:
        """Remember rows that were set apart. What is remembered under a name already stays.

        Args:
            seal_id: name of the seal; a test set and its dev set share it.
            study: name of the study, shown when the rows come back.
            when: now, in UTC, ISO 8601.
            rows: how many rows.
            hashes: of the rows under `key`, or the 1,024 smallest of them.
            kind: "test", or "dev" for the rows that are tuned on.
        """
        name = study[:_LONGEST_NAME].encode(errors="backslashreplace").decode()
        smallest = sketch(hashes).astype("<u8").tobytes()
        with self._database() as database:
            database.execute(
                "insert into seal values (?, ?, ?, ?, ?, ?) on conflict do nothing",
                (seal_id, kind, name, when, int(rows), smallest),
            )

    def look(self, seal_id: str, look: int, when: str) -> None:
        """Count a look at a test set; the same look again (after a crash) counts once."""
        with self._database() as database:
            database.execute(
                "insert into look values (?, ?, ?) on conflict do nothing",
                (seal_id, int(look), when),
            )

    def overlap(self, row_hashes: Hashes, kind: Kind) -> list[Overlap]:
        """The remembered sets of `kind` with at least 1 % of these rows, largest share first.

        Args:
            row_hashes: (n,) hashes of the new rows under `key`.
            kind: "test" to ask whether the rows were a test set before, "dev" whether they were
                tuned on.
        """
        ordered = np.sort(row_hashes)
        with self._database() as database:
            rows = database.execute(_FIND, (kind,))
            found = [
                Overlap(_share(ordered, stored), str(study), str(when), looks, size, kind, seal_id)
                for study, when, looks, size, seal_id, stored in rows
            ]
        common = [overlap for overlap in found if overlap.share >= _LEAST_SHARE]
        return sorted(common, key=lambda one: (one.share, one.looks, one.when), reverse=True)

    def _make_file(self) -> None:
        if not self._file.exists():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600))

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection for one transaction; falls back to reading where writing is not allowed."""
        with self._explained():
            address = f"{self._file.as_uri()}?mode=rw"
            database = sqlite3.connect(address, uri=True, timeout=_PATIENCE_S, isolation_level=None)
            with closing(database):
                yield database

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        # damage that SQLite does not see shows as values of a wrong type or form
        except (sqlite3.Error, OSError, TypeError, ValueError) as error:
            way_out = _MEND if isinstance(error, sqlite3.OperationalError | OSError) else _REPLACE
            raise StoreError(_warning(str(self._file), f"{error}. {way_out}")) from error

    def _set_up(self, database: sqlite3.Connection) -> None:
        """Make tables and key; the transaction lets one process do it while others wait."""
        if _is_ours(database, self._file) and self._key_file.exists():
            return
        database.execute("begin immediate")
        if not _is_ours(database, self._file):
            for statement in _SCHEMA:
                database.execute(statement)
        if not self._key_file.exists():
            self._make_key(database)
        database.execute("commit")

    def _make_key(self, database: sqlite3.Connection) -> None:
        (seals,) = database.execute("select count(*) from seal").fetchone()
        if seals:
            raise StoreError(
                _warning(
                    str(self._file),
                    f"its key {self._key_file} is missing, without which nothing in it can be "
                    "recognised. Restore the key from a backup.",
                )
            )
        temporary = self._folder / "seals.key.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, self._key_file)

    def _read_key(self) -> bytes:
        key = self._key_file.read_bytes()
        if len(key) != _KEY_BYTES:
            problem = (
                f"its key {self._key_file} has {len(key)} bytes instead of {_KEY_BYTES}. Restore "
                "the key from a backup."
            )
            raise StoreError(_warning(str(self._file), problem))
        return key


def _is_ours(database: sqlite3.Connection, file: Path) -> bool:
    """Whether the file has our tables; False for a new one.

    Raises:
        StoreError: it is somebody else's, or of a newer version.
    """
    # tables first: if another process makes them just now, the numbers are there a moment later
    (tables,) = database.execute("select count(*) from sqlite_master").fetchone()
    (application,) = database.execute("pragma application_id").fetchone()
    (version,) = database.execute("pragma user_version").fetchone()
    if application == _APPLICATION and version > _VERSION:
        raise StoreError(_warning(str(file), "a newer Assay wrote it. Update this one."))
    if application == _APPLICATION:
        return True
    if tables:
        raise StoreError(_warning(str(file), f"it is a database of another program. {_REPLACE}"))
    return False


def _share(ordered: Hashes, stored: bytes) -> float:
    """The share of rows, given by their ascending hashes, that are in the set of a stored sketch."""
    return contained(ordered, np.frombuffer(stored, dtype="<u8"))


def _warning(where: str, problem: str) -> str:
    return (
        f"The memory of used test sets ({where}) cannot be used: {problem} Tuning goes on, but a "
        "test set that was used before may not be noticed."
    )


def _shown(study: str) -> str:
    """A name as it is if nothing in it can mislead, else quoted and escaped."""
    return study if _PLAIN_NAME.fullmatch(study) else repr(study)


def _day(when: str) -> str:
    try:
        day = datetime.fromisoformat(when)
    except ValueError:
        return _shown(when)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
