"""The sealed test rows, kept away from the working data until the final test.

A vault guards against forgetfulness and wishful thinking, not against sabotage: its rows are one
file away, but nobody meets them by accident, and whoever changes them is found out.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn, Protocol, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core.errors import DataError, SealError, StoreError, TamperError
from assay.core.jsonform import canonical

Arrays: TypeAlias = Mapping[str, NDArray[Any]]
Content: TypeAlias = tuple[dict[str, NDArray[Any]], dict[str, Any]]

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_STORABLE = "biufcSUMm"
"""Kinds of arrays that need no pickle: numbers, text and times."""
_LABEL = "label"


class Vault(Protocol):
    """Keeps sealed test sets by name; see `FileVault`."""

    def put(self, seal_id: str, arrays: Arrays, meta: Mapping[str, Any]) -> str:
        """Keep a test set; returns the SHA-256 that opens it, as hex.

        Args:
            seal_id: up to 100 letters, digits, `-` and `_`.
            arrays: name → (n, …) numbers, text or times.
            meta: anything that JSON can hold.

        Raises:
            DataError: an array cannot be kept as it is; the message names it.
            SealError: another test set has, or had, this name; nothing was written.
            StoreError: it could not be written.
        """
        ...

    def get(self, seal_id: str, sha256: str) -> Content:
        """The arrays and the meta that were put.

        Raises:
            SealError: it is missing, or was given up.
            TamperError: it is not what was put.
            StoreError: it cannot be read.
        """
        ...

    def void(self, seal_id: str) -> None:
        """Give a test set up: it can neither be opened nor replaced any more. Twice does no harm.

        Raises:
            SealError: there is no such test set.
            StoreError: it could not be written.
        """
        ...


def refuse_pickle(vault: object, protocol: SupportsIndex) -> NoReturn:
    """Vaults do not travel."""
    raise SealError(
        f"A {type(vault).__name__} holds sealed test rows and is not copied or sent to other "
        "processes. Keep it out of the objective: what is evaluated during the search must not "
        "know the test set."
    )


class FileVault:
    """Test sets as files `<seal_id>.npz` that only their owner can read.

    A crash at any moment leaves the whole file or none. A test set that was given up is renamed to
    `<seal_id>.void`, not deleted: these may be the only copies of its rows.

    Args:
        folder: made, with mode 0700, when the first test set is put.

    >>> vault = FileVault("no/such/folder")
    >>> vault.get("lost", "00")
    Traceback (most recent call last):
    ...
    assay.core.errors.SealError: The sealed test set 'lost' is missing: there is no file ...
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).absolute()

    def __repr__(self) -> str:
        return f"FileVault({str(self._folder)!r})"

    __reduce_ex__ = refuse_pickle

    def put(self, seal_id: str, arrays: Arrays, meta: Mapping[str, Any]) -> str:
        path, voided = self._paths(seal_id)
        content = _labelled(arrays, meta)
        if voided.exists():
            raise was_voided(seal_id)
        try:
            _make_folder(self._folder)
            return self._place(seal_id, path, content)
        except OSError as error:
            raise StoreError(
                f"The sealed test set cannot be written to {path}: {error.strerror}. Nothing was "
                "sealed. Free space or allow writing there, then start again."
            ) from error

    def get(self, seal_id: str, sha256: str) -> Content:
        path, voided = self._paths(seal_id)
        try:
            with path.open("rb") as file:
                return opened(file, sha256, str(path))
        except FileNotFoundError:
            raise was_voided(seal_id) if voided.exists() else missing(seal_id, path) from None
        except OSError as error:
            raise StoreError(
                f"The sealed test set {path} cannot be read: {error.strerror}. It belongs to the "
                "user who sealed it, with mode 0600."
            ) from error

    def void(self, seal_id: str) -> None:
        path, voided = self._paths(seal_id)
        try:
            os.replace(path, voided)
            _flush_folder(self._folder)
        except FileNotFoundError:
            if not voided.exists():
                raise missing(seal_id, path) from None
        except OSError as error:
            raise StoreError(
                f"The sealed test set {path} cannot be given up: {error.strerror}. Allow writing "
                "in its folder."
            ) from error

    def _paths(self, seal_id: str) -> tuple[Path, Path]:
        check_id(seal_id)
        return self._folder / f"{seal_id}.npz", self._folder / f"{seal_id}.void"

    def _place(self, seal_id: str, path: Path, content: Arrays) -> str:
        """Write beside the place, then rename; whatever an earlier crash left is removed."""
        temporary = self._folder / f".{seal_id}.{secrets.token_hex(4)}.tmp"
        try:
            sha256 = _written(temporary, content)
            if not path.exists():
                os.replace(temporary, path)
                _flush_folder(self._folder)
            elif _file_digest(path) != sha256:
                raise is_taken(seal_id)
            return sha256
        finally:
            for left in self._folder.glob(f".{seal_id}.*.tmp"):
                left.unlink(missing_ok=True)


class MemoryVault:
    """Test sets in the memory of this process, for studies that have no files.

    >>> vault = MemoryVault()
    >>> sha256 = vault.put("s1", {"x": np.array([1.5, 2.5])}, {"target": "x"})
    >>> vault
    MemoryVault(s1: 2 rows, sha256 ...)
    >>> vault.get("s1", sha256)
    ({'x': array([1.5, 2.5])}, {'target': 'x'})
    """

    def __init__(self) -> None:
        self._sets: dict[str, _Kept | None] = {}

    def __repr__(self) -> str:
        sets = ", ".join(f"{seal_id}: {kept or 'given up'}" for seal_id, kept in self._sets.items())
        return f"MemoryVault({sets})"

    __reduce_ex__ = refuse_pickle

    def put(self, seal_id: str, arrays: Arrays, meta: Mapping[str, Any]) -> str:
        sha256, content = packed(seal_id, arrays, meta)
        kept = self._sets.setdefault(seal_id, _Kept(_rows(arrays), sha256, content))
        if kept is None:
            raise was_voided(seal_id)
        if kept.sha256 != sha256:
            raise is_taken(seal_id)
        return sha256

    def get(self, seal_id: str, sha256: str) -> Content:
        kept = self._sets[self._known(seal_id)]
        if kept is None:
            raise was_voided(seal_id)
        return opened(io.BytesIO(kept.content), sha256, f"{seal_id!r} in memory")

    def void(self, seal_id: str) -> None:
        self._sets[self._known(seal_id)] = None

    def _known(self, seal_id: str) -> str:
        check_id(seal_id)
        if seal_id not in self._sets:
            raise missing(seal_id, None)
        return seal_id


@dataclass(frozen=True)
class _Kept:
    rows: int
    sha256: str
    content: bytes

    def __repr__(self) -> str:
        return f"{self.rows} rows, sha256 {self.sha256[:8]}..."


def packed(seal_id: str, arrays: Arrays, meta: Mapping[str, Any]) -> tuple[str, bytes]:
    """The hash of a test set, and its bytes.

    Raises:
        DataError: an array cannot be kept as it is.
        SealError: the name is none.
    """
    check_id(seal_id)
    file = io.BytesIO()
    _write(file, _labelled(arrays, meta))
    return _digest(file), file.getvalue()


def check_id(seal_id: str) -> None:
    """Nothing, when this can name a test set; else SealError."""
    if not _ID.fullmatch(seal_id):
        raise SealError(
            f"{seal_id!r:.120} cannot name a sealed test set. Use up to 100 letters, digits, "
            "'-' and '_'."
        )


def _labelled(arrays: Arrays, meta: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """The arrays under plain names, and a label with their real names and the meta."""
    _rows(arrays)
    label = canonical({"names": list(arrays), "meta": dict(meta)}).encode()
    content = {f"array{i}": array for i, array in enumerate(arrays.values())}
    return {_LABEL: np.frombuffer(label, dtype=np.uint8), **content}


def _rows(arrays: Arrays) -> int:
    """The number of rows that all arrays share."""
    for name, array in arrays.items():
        # a masked array would lose its mask, so subclasses are refused with the objects
        if type(array) is not np.ndarray or array.dtype.kind not in _STORABLE or not array.ndim:
            raise DataError(
                f"{name!r} cannot be sealed: it is a {_described(array)}. Make it an array of "
                "numbers, text or times with one entry for each row."
            )
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) != 1:
        raise DataError(f"A sealed test set needs arrays of one length, got {lengths or 'none'}.")
    return next(iter(lengths.values()))


def _described(array: object) -> str:
    kind = type(array).__name__
    if isinstance(array, np.ndarray):
        return f"{kind} of dtype {array.dtype} and shape {array.shape}"
    return kind


def opened(file: io.BufferedIOBase, sha256: str, where: str) -> Content:
    """The test set in a file; TamperError when it is another one."""
    found = _digest(file)
    if found != sha256:
        raise TamperError(
            f"The sealed test set {where} is not the one that was sealed: its SHA-256 is {found}, "
            f"the study says {sha256}. Restore the file from a backup, or give the seal up and "
            "seal fresh rows in a new study."
        )
    with np.load(file, allow_pickle=False) as stored:
        label = json.loads(stored[_LABEL].tobytes())
        arrays = {name: stored[f"array{i}"] for i, name in enumerate(label["names"])}
    return arrays, label["meta"]


def _digest(file: io.BufferedIOBase) -> str:
    """The hash of a whole file, which is then at its beginning."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    file.seek(0)
    return digest


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return _digest(file)


def _make_folder(folder: Path) -> None:
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        _flush_folder(folder.parent)


def _written(path: Path, content: Arrays) -> str:
    """Write a new file through to the disk; its hash."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w+b") as file:
        _write(file, content)
        file.flush()
        os.fsync(descriptor)
        return _digest(file)


def _write(file: IO[bytes], content: Arrays) -> None:
    """An npz file; equal arrays give equal bytes."""
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in content.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _flush_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    if not hasattr(os, "O_DIRECTORY"):
        return  # Windows opens no folder; a rename there is the file system's own matter
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def missing(seal_id: str, path: Path | str | None) -> SealError:
    """What to say of a test set that is not there; `path` is where; None: in memory."""
    if path is None:
        return SealError(
            f"The sealed test set {seal_id!r} is missing: a vault in memory ends with its process."
            " Give the study a storage to keep its test set."
        )
    where = f"file {path}" if isinstance(path, Path) else f"such set in {path}"
    return SealError(
        f"The sealed test set {seal_id!r} is missing: there is no {where}. Without it the "
        "final test cannot be made. Put the file back if it was moved, or give the seal up and "
        "seal fresh rows in a new study."
    )


def was_voided(seal_id: str) -> SealError:
    """What to say of one that was given up."""
    return SealError(
        f"The sealed test set {seal_id!r} was given up and stays closed. Seal fresh rows in a new "
        "study."
    )


def is_taken(seal_id: str) -> SealError:
    """What to say when the name is another's."""
    return SealError(
        f"The vault already holds another test set named {seal_id!r}; it was left as it is. Seal "
        "under a new name, or keep the vault of each study in a folder of its own."
    )
