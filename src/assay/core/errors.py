"""Every error that Assay raises on purpose, each with a code that stays, and its section in docs/errors.md.

AssayError
├── SpaceError      the search space, or a config given for it, is wrong   (ValueError)
├── SpecError       the plan of a study is wrong or cannot be run          (ValueError)
├── DataError       the data cannot be used as given                       (ValueError)
├── StateError      the call does not fit the study's present state        (RuntimeError)
│   └── SealError   the sealed test set may not be opened like this
└── StoreError      the study file cannot be read or written               (RuntimeError)
    ├── ConflictError  another writer appended first; read again and retry
    ├── DeniedError    this user may not do that there; waiting does not help
    └── TamperError    the log is not what was written
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import ClassVar


class AssayError(Exception):
    """Base of all deliberate errors.

    Attributes:
        code: of its section in docs/errors.md. Python shows it below the message, which stays as it
            is: messages are also quoted in others, and kept in logs.

    >>> StateError("The study is over.").code
    'A104'
    """

    code: ClassVar[str] = "A100"

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self.add_note(f"[{self.code}: docs/errors.md]")


class SpaceError(AssayError, ValueError):
    """The search space, or a config given for it, is wrong."""

    code = "A101"


class SpecError(AssayError, ValueError):
    """The plan of a study is wrong, or cannot be run as written."""

    code = "A102"


class DataError(AssayError, ValueError):
    """The data cannot be used as given."""

    code = "A103"


class StateError(AssayError, RuntimeError):
    """The call does not fit the study's present state."""

    code = "A104"


class SealError(StateError):
    """The sealed test set may not be opened like this."""

    code = "A105"


class StoreError(AssayError, RuntimeError):
    """The study file cannot be read or written."""

    code = "A106"


class ConflictError(StoreError):
    """Another writer appended to the log first; read again and retry."""

    code = "A107"


class DeniedError(StoreError):
    """This user lacks a right at the storage, which somebody else has to give."""

    code = "A108"


class TamperError(StoreError):
    """The log differs from what was written."""

    code = "A109"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint that names the closest known word, or all of them when none is close.

    >>> did_you_mean("learnig_rate", ["learning_rate", "depth"])
    "Did you mean 'learning_rate'?"
    >>> did_you_mean("x", ["learning_rate", "depth"])
    "Known: 'depth', 'learning_rate'."
    """
    words = sorted(set(known))
    close = get_close_matches(given, words, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return "Known: " + ", ".join(repr(word) for word in words) + "."
