"""Values as HTML text that does nothing, for the few words that the core says in a notebook."""

from __future__ import annotations

from html import escape
from typing import Any

_LONGEST = 2000


def shown(value: Any) -> str:
    r"""A value as text of a page, on one line and not too long, whatever it holds.

    >>> shown("<b>\n\x1b")
    '&lt;b&gt;··'
    """
    text = value if isinstance(value, str) else repr(value)
    short = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return escape("".join(c if c.isprintable() else "·" for c in short))
