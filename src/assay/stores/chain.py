"""The hash chain of a log: each row names, by its hash, all that came before it.

A chain shows what was changed by accident or in part. Whoever can rewrite the whole file can also
write new hashes, and a log whose end was cut off is a whole shorter log: both are found only with a
head, the hash of the last row, that was kept elsewhere: printed in a report, in a commit message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from assay.core.errors import TamperError
from assay.core.protocols import Row

VERSION = 1
"""The version of the stored form of events and rows."""

_MOST_TRACED = 100
"""Rows that were moved are looked for among this many suspects; the search is quadratic."""


class Finding(NamedTuple):
    """One thing that is wrong with a log: the number of the row, and what it is in words."""

    row: int
    problem: str

    def __str__(self) -> str:
        return self.problem


def genesis(study: str) -> str:
    """What the first row of a study is chained to: the SHA-256 of its name, as hex."""
    return hashlib.sha256(b"assay log of " + study.encode()).hexdigest()


def link(study: str, prev: str, row: Row) -> str:
    """The hash that `row` must carry when it follows the row with hash `prev`.

    SHA-256, as hex, of the fields prev, study, seq, time, actor, version and body. Each is written
    as its length in bytes, a colon, its UTF-8 bytes and a comma (a netstring), so that no two
    different rows give the same text. The row's own `hash` is not looked at.

    >>> link("s", genesis("s"), Row(0, "2026-11-23T09:41:07Z", "ann@lab", 1, b"{}", ""))[:12]
    '338b463093ae'
    """
    header = (prev, study, str(row.seq), row.time, row.actor, str(row.version))
    fields = [field.encode(errors="surrogatepass") for field in header]
    fields.append(row.body)
    framed = b"".join([b"%d:%b," % (len(field), field) for field in fields])
    return hashlib.sha256(framed).hexdigest()


def extend(
    study: str, prev: str, bodies: Iterable[bytes], *, after: int, time: str, actor: str
) -> list[Row]:
    """New rows for `bodies`, numbered from `after` and chained to the row with hash `prev`."""
    rows = []
    for seq, text in enumerate(bodies, after):
        row = Row(seq, time, actor, VERSION, text, "")
        prev = link(study, prev, row)
        rows.append(row._replace(hash=prev))
    return rows


def head(study: str, rows: Sequence[Row]) -> str:
    """The hash of the last row: kept elsewhere, it lets `verify` find a cut or rewritten log."""
    return rows[-1].hash if rows else genesis(study)


def verify(
    study: str,
    rows: Sequence[Row],
    *,
    anchored_head: str | None = None,
    anchored_length: int | None = None,
) -> list[Finding]:
    """What is wrong with a log, by row number; nothing when it is as it was written.

    Args:
        study: the name that the log was written under.
        rows: all rows, in the order in which they are stored.
        anchored_head: the log's `head` as it was noted elsewhere; it may have grown since.
        anchored_length: how many rows the log had then.

    >>> verify("s", extend("s", genesis("s"), [b"{}"], after=0, time="t", actor="a"))
    []
    """
    findings = _out_of_place(rows)
    log: dict[int, Row] = {}
    suspects: list[int] = []
    expected = 0
    for seq, same in groupby(sorted(rows, key=_number), key=_number):
        group = list(same)
        if seq < 0:
            findings.append(Finding(seq, f"Row {seq} was put in: rows are numbered from 0."))
            continue
        if seq > expected:
            findings.append(_missing(expected, seq))
        if len(group) > 1:
            findings.append(Finding(seq, f"Row {seq} is there {len(group)} times: one was put in."))
        prev = _before(study, log, seq)
        fits = [row for row in group if prev is None or link(study, prev, row) == row.hash]
        if not fits:
            suspects.append(seq)
        log[seq] = (fits or group)[0]
        expected = seq + 1
    findings += _suspected(study, log, suspects)
    findings += _against(study, log, expected, anchored_head, anchored_length)
    return sorted(findings)


def _before(study: str, log: dict[int, Row], seq: int) -> str | None:
    """The hash that row `seq` is chained to, if that is known."""
    if seq == 0:
        return genesis(study)
    return log[seq - 1].hash if seq - 1 in log else None


def _number(row: Row) -> int:
    return row.seq


def _out_of_place(rows: Sequence[Row]) -> list[Finding]:
    """Rows that stand where another number belongs."""
    return [
        Finding(right.seq, f"Row {right.seq} is out of place: row {row.seq} stands there.")
        for row, right in zip(rows, sorted(rows, key=_number), strict=True)
        if row.seq != right.seq
    ]


def _missing(first: int, end: int) -> Finding:
    which = f"Row {first} is" if end == first + 1 else f"Rows {first} to {end - 1} are"
    return Finding(first, f"{which} missing; row {end} cannot be checked.")


def _suspected(study: str, log: dict[int, Row], suspects: list[int]) -> list[Finding]:
    """What happened to the rows that do not follow from the row before."""
    origin = _traced(study, log, suspects) if len(suspects) <= _MOST_TRACED else {}
    findings = []
    for seq in suspects:
        place = origin.get(seq)
        if place is None:
            what = "it was changed, or it belongs to another log" if seq == 0 else "it was changed"
            findings.append(Finding(seq, f"Row {seq} does not have its hash: {what}."))
        elif place != seq:
            findings.append(Finding(seq, f"Row {seq} was moved: it stands as row {place}."))
    return findings


def _traced(study: str, log: dict[int, Row], suspects: list[int]) -> dict[int, int]:
    """Where the row that belongs at each suspect place stands now, as far as one fits there.

    Places are settled in order: a place can be judged once the row before it is known.
    """
    hashes = {seq: row.hash for seq, row in log.items()}
    origin: dict[int, int] = {}
    for seq in suspects:
        prev = genesis(study) if seq == 0 else hashes[seq - 1]
        for place in suspects:
            if link(study, prev, log[place]._replace(seq=seq)) == log[place].hash:
                origin[seq], hashes[seq] = place, log[place].hash
                break
    return origin


def _against(
    study: str, log: dict[int, Row], length: int, head: str | None, anchored: int | None
) -> list[Finding]:
    """Whether the log still goes through the head that was noted elsewhere."""
    if anchored is not None and length < anchored:
        text = f"The log ends before row {length}, but it had {anchored} rows: its end was cut off."
        return [Finding(length, text)]
    if head is None:
        return []
    hashes = {row.hash for row in log.values()} | {genesis(study)}
    if anchored is None and head not in hashes:
        text = "No row has the anchored hash: the end was cut off, or the log was rewritten."
        return [Finding(length, text)]
    if anchored and (anchored - 1) in log and log[anchored - 1].hash != head:
        text = f"Row {anchored - 1} does not have the anchored hash: the log was rewritten."
        return [Finding(anchored - 1, text)]
    return []


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """One line of an exported log. `event` is kept as the very bytes that were hashed."""

    seq: int
    time: str
    actor: str
    v: int
    prev: str
    hash: str
    event: msgspec.Raw


_line_encoder = msgspec.json.Encoder()
_line_decoder = msgspec.json.Decoder(_Line)


def to_line(prev: str, row: Row) -> bytes:
    r"""A row as one line of JSON, without the line's end; `prev` is the hash of the row before.

    >>> to_line("00", Row(0, "2026-11-23T09:41:07Z", "ann@lab", 1, b'{"type":"noted"}', "ff"))
    b'{"seq":0,"time":"2026-11-23T09:41:07Z","actor":"ann@lab","v":1,"prev":"00","hash":"ff","event":{"type":"noted"}}'
    """
    line = _Line(row.seq, row.time, row.actor, row.version, prev, row.hash, msgspec.Raw(row.body))
    return _line_encoder.encode(line)


def from_line(line: bytes) -> tuple[str, Row]:
    """The hash of the row before, and the row, that `to_line` wrote.

    Raises:
        TamperError: it is not such a line.
    """
    try:
        read = _line_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise TamperError(f"Not a line of an exported log: {error}. Line: {line!r:.200}") from None
    return read.prev, Row(read.seq, read.time, read.actor, read.v, bytes(read.event), read.hash)


def to_lines(study: str, rows: Iterable[Row]) -> Iterable[bytes]:
    """A whole log as lines of JSON, each with its end."""
    prev = genesis(study)
    for row in rows:
        yield to_line(prev, row) + b"\n"
        prev = row.hash


def verify_lines(
    study: str,
    lines: Iterable[bytes],
    *,
    anchored_head: str | None = None,
    anchored_length: int | None = None,
) -> list[Finding]:
    """What is wrong with an exported log: as `verify`, and every `prev` must agree with its row.

    Raises:
        TamperError: a line is not a row at all; the message names it.
    """
    rows, prevs = [], {}
    for number, line in enumerate(lines):
        try:
            prev, row = from_line(line)
        except TamperError as error:
            raise TamperError(f"Line {number + 1}: {error}") from None
        rows.append(row)
        prevs[row.seq] = (prev, row)
    findings = verify(study, rows, anchored_head=anchored_head, anchored_length=anchored_length)
    named = {finding.row for finding in findings}
    for seq, (prev, row) in prevs.items():
        if seq not in named and link(study, prev, row) != row.hash:
            findings.append(
                Finding(seq, f"Row {seq} does not name the row before it: it was changed.")
            )
    return sorted(findings)
