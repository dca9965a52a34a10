"""What stands for a letter that the terminal, or the file that takes our output, does not know."""

from __future__ import annotations

import codecs

PLAINLY = "assay.plainly"
_PLAIN = {
    "−": "-", "–": "-", "─": "-", "→": "->", "±": "+/-", "×": "x", "≤": "<=", "≥": ">=", "…": "...",
    "·": "|", "█": "#", "░": ".", "₂": "2", "’": "'", "“": '"', "”": '"', "│": "|", "●": "*", "✓": "ok",
}  # fmt: skip


def _plainly(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    plain = "".join(
        _PLAIN.get(c) or c.encode("ascii", "backslashreplace").decode() for c in letters
    )
    return plain, error.end


codecs.register_error(PLAINLY, _plainly)
