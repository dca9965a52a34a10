"""What may enter a store: names, events, blobs. The same for every store."""

from __future__ import annotations

import hashlib

import msgspec

from assay.core.errors import ConflictError, StoreError, TamperError
from assay.core.events import Event, decode, encode
from assay.core.protocols import Blobs


def check_name(study: object) -> str:
    """The name itself, when it can name a study.

    Raises:
        StoreError: not text, empty, or with a NUL or a lone surrogate in it.
    """
    if not isinstance(study, str) or not study:
        raise StoreError(f"A study's name is a text of at least one character, not {study!r}.")
    if "\0" in study or not _is_unicode(study):
        shown = study if len(study) < 80 else study[:80] + "…"
        raise StoreError(
            f"The name {shown!r} holds a character that cannot be stored (NUL or half of a "
            "surrogate pair). Leave it out."
        )
    return study


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def body(event: Event) -> bytes:
    """The bytes to store for an event.

    Raises:
        StoreError: it has a value that JSON cannot hold, such as NaN where a number must be: what
            could not be read again is not written.
    """
    try:
        text = encode(event)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise StoreError(_unstorable(event, error)) from error
    try:
        decode(text)
    except StoreError as error:
        raise StoreError(_unstorable(event, error)) from error
    return text


def _unstorable(event: Event, error: Exception) -> str:
    return (
        f"This event cannot be stored: {error} Event: {event!r:.300}. Store plain numbers, texts, "
        "lists and dicts; a number that is not finite has no place in a log."
    )


def check_blobs(blobs: Blobs) -> None:
    """Nothing, when every blob is named by its own SHA-256.

    Raises:
        StoreError: a blob is not.
    """
    for name, data in blobs.items():
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(
                f"A blob of {len(data)} bytes was given as {name!r}, which is not its SHA-256. "
                "Name it hashlib.sha256(data).hexdigest()."
            )


def check_read(sha256: str, data: bytes | None, where: str) -> bytes:
    """The blob that was found under a hash, when it has that hash.

    Raises:
        TamperError: nothing was found, or something else.
    """
    if data is None:
        raise TamperError(f"{where} has no blob {sha256!r}, which its log may refer to.")
    if hashlib.sha256(data).hexdigest() != sha256:
        raise TamperError(f"The blob {sha256!r} in {where} was changed after it was written.")
    return data


def check_length(study: str, length: int, after: int) -> None:
    """Nothing, when the log is as long as the writer believes.

    Raises:
        ConflictError: it is not.
    """
    if length != after:
        raise ConflictError(
            f"The log of {study!r} has {length} events, not the {after} that this change was "
            "decided on: another writer was first. Read again and decide anew."
        )
