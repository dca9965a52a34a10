"""What the errors of a PostgreSQL server mean for a study, and the way out."""

from __future__ import annotations

import re

from assay.core.errors import DeniedError, StoreError

PATIENCE_S = 300.0
LOST_SEAT = "AS001"
_DENIED = "42501"

_PASSING = ("08", "57P", "40", "25P03", "55P03", "57014", "53300")
"""Codes, or their beginnings, of what may be gone a moment later: no connection, a restart, a
deadlock, a timeout, too many connections."""
_MEANING = {
    "28": "the server refuses this user or password. Check both; a password is best kept in "
    "~/.pgpass or PGPASSWORD",
    "3D000": "there is no such database. Make it (createdb), or check its name",
    "25006": "this server only reads, as a standby does. Name the one that writes",
    "53100": "the server's disk is full. Nothing of this change was written. Free some space and go "
    "on; what was stored before is safe",
    "53": "the server has not enough memory or room. What was stored before is safe",
    "58": "the server's disk did not do what was asked of it. Look into its log",
    "XX001": "the database is damaged. Look into the server's log, and restore a backup",
    "XX002": "an index of the database is damaged. Look into the server's log",
    "23001": "a stored row cannot be changed: a log is only appended to",
    "22P05": "this text cannot be kept by the database",
}
_WORDS = (
    (r"password authentication failed|no password supplied|authentication failed", "28"),
    (r'role ".*" does not exist|not permitted to log in|no pg_hba.conf entry', "28"),
    (r'database ".*" does not exist', "3D000"),
    (r"too many clients|too many connections|remaining connection slots", "53300"),
    (r"starting up|shutting down|recovery mode|not yet accepting", "57P03"),
)
"""A connection that fails has no code: its words are all there is, and only in English."""


def code_of(code: str | None, said: str) -> str:
    """The SQLSTATE of an error; told from its words where it has none, "08" where they are not known."""
    if code:
        return code
    return next((known for words, known in _WORDS if re.search(words, said)), "08")


def is_passing(code: str) -> bool:
    """Whether to try again is of use.

    >>> is_passing("57P03"), is_passing("28P01")
    (True, False)
    """
    return code.startswith(_PASSING)


def is_starting(code: str) -> bool:
    """Whether the server says that it will be there in a moment."""
    return code in ("57P03", "57P02", "57P01")


def explain(
    shown: str, code: str, said: str, waited_s: float = 0.0, *, role: str = "ROLE"
) -> StoreError:
    """The error to raise; `shown` is the address without its password, `role` who asked."""
    words = " ".join(said.split()).rstrip(".")
    if code == _DENIED:
        return DeniedError(
            f"{shown}: the role {role!r} lacks a right there: {words}. Have the owner of the database"
            f" run: assay grant {role} --as worker (or driver, or reader). ({code}.)"
        )
    if is_passing(code):
        waited = f" for {waited_s:.0f} s" if waited_s >= 1 else ""
        meaning = (
            f"the server did not answer{waited}. Check the address, and that it runs and lets this "
            "machine in. What was acknowledged is safe there; go on when it is back"
        )
    else:
        found = [text for start, text in _MEANING.items() if code.startswith(start)]
        meaning = found[0] if found else "the server refused"
    return StoreError(f"{shown}: {meaning}. (PostgreSQL says: {words}; {code}.)")
