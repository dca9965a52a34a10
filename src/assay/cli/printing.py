"""Text for the terminal: inert whatever it holds, and files written whole."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from textwrap import fill, wrap

from assay.core.errors import AssayError, SpecError
from assay.report.words import name

_LEAST = 40
_GAP = 2


def inert(text: str) -> str:
    r"""A text of several lines without anything that a terminal would obey.

    >>> inert("a\x1b[2Jb\nc")
    'a\\x1b[2Jb\nc'
    """
    return "\n".join(name(line, len(line)) if line else "" for line in text.splitlines())


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return max(shutil.get_terminal_size((80, 24)).columns, _LEAST)


def columns(rows: Sequence[Sequence[str]], limits: Sequence[int], total: int) -> str:
    """Rows of cells side by side, the first row underlined; long cells go on below.

    Args:
        limits: most columns of each cell; the last takes what is left of `total`.
    """
    shown = [[name(cell, len(cell)) if cell else "" for cell in row] for row in rows]
    widest = [max(map(_cells, column)) for column in zip(*shown, strict=True)]
    sizes = [min(one, limit) for one, limit in zip(widest, limits, strict=False)]
    left = total - sum(sizes) - _GAP * len(sizes)
    sizes.append(min(widest[-1], max(left, 10)))
    lines = [line for row in shown for line in _beside(row, sizes)]
    header = len(_beside(shown[0], sizes))
    rule = (" " * _GAP).join("─" * size for size in sizes)
    return "\n".join([*lines[:header], rule, *lines[header:]])


def _beside(row: Sequence[str], sizes: Sequence[int]) -> list[str]:
    wrapped = [_wrapped(cell, size) for cell, size in zip(row, sizes, strict=True)]
    height = max(map(len, wrapped))
    padded = [cell + [""] * (height - len(cell)) for cell in wrapped]
    return [
        (" " * _GAP)
        .join(text + " " * (size - _cells(text)) for text, size in zip(line, sizes, strict=True))
        .rstrip()
        for line in zip(*padded, strict=True)
    ]


def _wrapped(cell: str, size: int) -> list[str]:
    indent = cell[: len(cell) - len(cell.lstrip())]
    return wrap(cell, size, initial_indent="", subsequent_indent=indent) or [""]


def _cells(text: str) -> int:
    """How many columns a text takes: wide letters two, combining marks none."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def write_whole(path: str | os.PathLike[str], text: str | bytes) -> Path:
    """Write a file, or leave what was there.

    Raises:
        SpecError: it cannot be written.
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    try:
        part.write_bytes(text.encode() if isinstance(text, str) else text)
        os.replace(part, target)
    except OSError as error:
        raise _unwritable(target, error.strerror or str(error)) from None
    return target


def check_writable(path: str | os.PathLike[str]) -> None:
    """Refuse a file that could not be written later, when the work that leads to it is done.

    Raises:
        SpecError: it is a folder, or its folder does not exist or may not be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise _unwritable(target, "it is a folder")
    if not target.parent.is_dir() or not os.access(target.parent, os.W_OK):
        raise _unwritable(target, f"there is no folder {str(target.parent)!r} to write to")


def _unwritable(target: Path, why: str) -> SpecError:
    return SpecError(
        f"Cannot write {str(target)!r}: {why}. Name a file in a folder that exists and that you may "
        "write to."
    )


def paragraph(text: str, total: int) -> str:
    """One line of text, inert and wrapped between words."""
    if not text:
        return ""
    return fill(name(text, len(text)), total, break_long_words=False, break_on_hyphens=False)


def refusal(error: AssayError) -> str:
    """What a person is told of an error, with its code behind the first line.

    A last line may be a command to paste, so it stays as it is.

    >>> from assay.core.errors import StateError
    >>> refusal(StateError("The study is over."))
    'Error: The study is over. [A104]'
    """
    said, *more = str(error).splitlines() or [""]
    return "\n".join([f"Error: {said} [{error.code}]", *more])
