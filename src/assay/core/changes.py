"""What differs between two plans or two configs, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ABSENT = object()


def changes(before: Any, after: Any, path: str = "") -> list[tuple[str, Any, Any]]:
    """The entries that differ between two JSON values, as (path, before, after); absent is None.

    >>> changes({"budget": {"trials": 60}, "seed": 0}, {"budget": {"trials": 100}, "seed": 0})
    [('budget.trials', 60, 100)]
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        found: list[tuple[str, Any, Any]] = []
        for key in dict.fromkeys([*before, *after]):
            inner = f"{path}.{key}" if path else str(key)
            found += changes(before.get(key, _ABSENT), after.get(key, _ABSENT), inner)
        return found
    if type(before) is type(after) and before == after:
        return []
    return [(path, _known(before), _known(after))]


def _known(value: Any) -> Any:
    return None if value is _ABSENT else value


def in_words(found: list[tuple[str, Any, Any]]) -> str:
    """The same on one line.

    >>> in_words([('budget.trials', 60, 100)])
    'budget.trials: 60 → 100'
    >>> in_words([("data.fingerprint.rows", 9, 8), ("data.fingerprint.content", "aa", "bb")])
    'the data'
    """
    said = (
        "the data"  # its hashes tell nobody anything
        if path.startswith("data.fingerprint")
        else f"{path}: {before!r:.60} → {after!r:.60}"
        for path, before, after in found
    )
    return "; ".join(dict.fromkeys(said))
