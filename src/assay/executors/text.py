"""Text from user code, made safe to store and to show."""

from __future__ import annotations

import os
import re
import reprlib
import traceback

REASON_LENGTH = 4000
_FRAMES_SHOWN = 6
_OUR_CODE = os.path.dirname(os.path.dirname(__file__))
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)")
_LINE_ENDS = re.compile(r"\r\n?")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def harmless(text: str) -> str:
    r"""The text without terminal codes; any other control character becomes U+FFFD.

    Line ends become "\n". What is left can be printed on a terminal and encoded as UTF-8.

    >>> harmless("\x1b[31mred\x1b[0m\rline\x00")
    'red\nline\ufffd'
    """
    plain = _LINE_ENDS.sub("\n", _ANSI.sub("", text))
    if plain.isprintable():
        return plain
    return "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in plain)


def short(value: object) -> str:
    """A repr of at most a line, whatever the value; never raises.

    >>> short("x" * 1000)
    "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'"
    """
    try:
        text = _SHORT.repr(value)
    except Exception:  # a repr may raise anything; reprlib catches it at the top level only
        text = f"<{type(value).__name__}, which has no working repr>"
    return harmless(text).replace("\n", " ")[:200]


def account(error: BaseException) -> str:
    """What was raised and where in the user's code: "ValueError: …", then the last frames."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = 0 if _is_a_bug(error) else len(frames)
    theirs = next((i for i, f in enumerate(frames) if not f.filename.startswith(_OUR_CODE)), ours)
    where = "".join(traceback.format_list(frames[theirs:][-_FRAMES_SHOWN:]))
    return harmless(f"{headline(error)}\n{where}".rstrip())[:REASON_LENGTH]


def _is_a_bug(error: BaseException) -> bool:
    """Whether an error that our code raised on its own is not a sentence of ours, written for users."""
    return not type(error).__module__.startswith("assay.")


def headline(error: BaseException) -> str:
    """The error on one line, as "ValueError: what it says"; never raises.

    >>> headline(ValueError("no such depth"))
    'ValueError: no such depth'
    """
    name = type(error).__name__
    try:
        said = str(error)
    except Exception:  # an error's __str__ is user code, too
        said = "(its message cannot be printed)"
    line = f"{name}: {said}" if said else name
    return harmless(line[:REASON_LENGTH]).replace("\n", " ")[: REASON_LENGTH // 2]
