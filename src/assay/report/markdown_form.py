"""Texts and tables as Markdown writes them."""

from __future__ import annotations

from collections.abc import Sequence

_SPECIAL = str.maketrans({c: f"\\{c}" for c in "\\`*_{}[]<>#|~!&$"})


def text(given: str) -> str:
    """A text as Markdown shows it, to the letter."""
    return given.translate(_SPECIAL).replace("\n", " ")


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of texts; empty without rows."""
    if not rows:
        return ""
    lines = [f"| {' | '.join(text(str(cell)) for cell in row)} |" for row in (heads, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(heads)}", *lines[1:]])
