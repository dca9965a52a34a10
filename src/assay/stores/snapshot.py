"""The fold of a long log, kept beside the study file: a cache that may be deleted at any time.

Of a log in a database it is kept on the machine that reads it.

The log alone decides. A snapshot is used when it is whole, of this study, of this layout, and when
the event that it ends with has the hash that the log gives it; otherwise it is ignored and made
anew. `verify` never looks at it.
"""

from __future__ import annotations

import os
import sys
from array import array
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from assay import __version__
from assay.core.columns import Columns, Move
from assay.core.events import Broke, Enqueued, Event, Measured, Retried
from assay.core.history import History
from assay.core.packed import Packed, kept_once
from assay.stores.chain import genesis
from assay.stores.entry import check_name

LAYOUT = 3
"""Raised by whoever changes what `Columns` holds, or how an event changes it."""

_ARRAYS = {
    "asked_at": "q", "seen": "q", "ended_at": "q", "order": "q", "order_at": "q", "looks": "q",
    "cpu_s": "d", "sampled": "q", "given": "q", "report_at": "q", "report_step": "q",
    "report_value": "d", "report_others": "d", "report_before": "q", "last_report": "q", "granted": "q",
}  # fmt: skip
_PACKED = ("configs", "whys", "ends")
_LISTS = ("origins", "queue", "measured", "broke", "retries", "milestones", "moves")
_PackedForm: TypeAlias = tuple[list[Any], list[int], list[list[Any]], bytes, bytes]


class _Form(Struct, frozen=True):
    study: str
    length: int
    head: str
    arrays: dict[str, bytes]
    packed: dict[str, _PackedForm]
    origins: list[str]
    queue: list[tuple[int, Enqueued]]
    measured: dict[int, list[tuple[int, Measured]]]
    broke: list[tuple[int, Broke]]
    retries: dict[int, list[tuple[int, Retried]]]
    milestones: list[tuple[int, Event]]
    moves: dict[int, list[tuple[int, Move]]]


def snapshot_path(path: Path, study: str) -> Path:
    """Where the snapshot of a study lies: beside its study file."""
    return path.with_name(f"{path.name}-fold-{genesis(study)[:12]}")


def recall(path: Path, study: str, hash_of: Callable[[int], str | None]) -> History | None:
    """The history of the log's first events; None if there is no snapshot that fits the log.

    Args:
        path: of the study file.
        hash_of: the hash of the event with a number, as the log has it.

    Raises:
        StoreError: no study can have this name.
    """
    try:
        content = snapshot_path(path, check_name(study)).read_bytes()
    except OSError:
        return None
    body = memoryview(content)[_START_LENGTH:]
    if content[:_START_LENGTH] != _start(body):
        return None
    try:
        form = msgspec.msgpack.decode(body, type=_Form)
        if form.study != study or form.length < 1 or form.head != hash_of(form.length - 1):
            return None
        return History(_columns(form), form.length)
    except (msgspec.MsgspecError, ValueError, KeyError, IndexError, TypeError):
        return None  # whole, but not of our making


def remember(path: Path, study: str, history: History, head: str) -> bool:
    """Keep a history; `head` is the hash of its last event. False if that cannot be done."""
    target = snapshot_path(path, study)
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        body = msgspec.msgpack.encode(_form(history, study, head))
        with part.open("wb") as file:
            file.write(_start(body))
            file.write(body)
        os.replace(part, target)
    except (OSError, TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        part.unlink(missing_ok=True)
        return False
    return True


def _start(body: bytes | memoryview) -> bytes:
    """What a snapshot begins with: who can read it, and the hash of what follows."""
    reader = f"assay {__version__}, fold {LAYOUT}, {sys.byteorder} endian"
    return f"{reader}\n{sha256(body).hexdigest()}\n".encode()


_START_LENGTH = len(_start(b""))


def _form(history: History, study: str, head: str) -> _Form:
    past = history._columns
    if past.length != history.length:
        past = past.until(history.length)
    return _Form(
        study,
        history.length,
        head,
        {name: getattr(past, name).tobytes() for name in _ARRAYS},
        {name: _packed_form(getattr(past, name)) for name in _PACKED},
        *(getattr(past, name) for name in _LISTS),
    )


def _packed_form(rows: Packed) -> _PackedForm:
    shapes, sizes, tables, which, place = rows.parts
    columns = [[c.tobytes() if isinstance(c, array) else c for c in table] for table in tables]
    return list(shapes), sizes, columns, which.tobytes(), place.tobytes()


def _columns(form: _Form) -> Columns:
    past = Columns()
    past.length = form.length
    for name, code in _ARRAYS.items():
        setattr(past, name, _array(code, form.arrays[name]))
    for name in _PACKED:
        setattr(past, name, _packed(form.packed[name]))
    for name in _LISTS:
        setattr(past, name, getattr(form, name))
    past.origins = list(map(kept_once, past.origins))
    past.find_open()
    for entry in past.milestones:
        past.kinds.setdefault(type(entry[1]), []).append(entry)
    return past


def _packed(form: _PackedForm) -> Packed:
    shapes, sizes, tables, which, place = form
    columns = [
        [_array("d", c) if isinstance(c, bytes) else [_once(v) for v in c] for c in table]
        for table in tables
    ]
    parts = (list(map(_tupled, shapes)), sizes, columns, _array("i", which), _array("i", place))
    return Packed(parts)


def _array(code: str, content: bytes) -> array[Any]:
    found = array(code)
    found.frombytes(content)
    return found


def _once(value: Any) -> Any:
    return kept_once(value) if type(value) is str else value


def _tupled(shape: Any) -> Any:
    return tuple(map(_tupled, shape)) if isinstance(shape, list) else shape
