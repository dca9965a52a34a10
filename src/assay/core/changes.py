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


_PRINT = "data.fingerprint"
_PARAMETERS = "space.parameters."
_MOST = 2


def plan_in_words(found: list[tuple[str, Any, Any]]) -> str:
    """The same of two plans, by subject and short: what a reader has to know to choose.

    >>> plan_in_words([("space.parameters.lr.low", 0.1, 0.2), ("space.parameters.n", None, {}), ("seed", 0, 3)])
    'the space (lr: low 0.1 → 0.2; n is new), the seed (0 → 3)'
    >>> plan_in_words([("data.fingerprint.rows", 9, 8), ("data.metric.name", "rmse", "mae")])
    "the data, the metric (name 'rmse' → 'mae')"
    """
    subjects: dict[str, list[str]] = {}
    for where, before, after in found:
        path = where if where.startswith(_PRINT) else where.removeprefix("data.")
        subject, _, entry = path.partition(".")
        subjects.setdefault(subject, []).append(_entry_in_words(path, entry, before, after))
    if "space" in subjects:
        subjects.pop("control", None)  # its values come with the space's
    return ", ".join(map(_subject_in_words, subjects, subjects.values()))


def _entry_in_words(path: str, entry: str, before: Any, after: Any) -> str:
    if path.startswith(_PRINT):
        return ""  # its hashes tell nobody anything
    if path.startswith(_PARAMETERS):
        name, _, entry = path.removeprefix(_PARAMETERS).rpartition(".")
        if before is None or after is None or not name:
            return f"{name or entry} {_fate(before, after)}"
        return f"{name}: {entry} {before!r:.30} → {after!r:.30}"
    return f"{entry} {before!r:.30} → {after!r:.30}".lstrip()


def _fate(before: Any, after: Any) -> str:
    return "is new" if before is None else "is gone" if after is None else "is another"


def _subject_in_words(subject: str, said: list[str]) -> str:
    entries = list(filter(None, dict.fromkeys(said)))
    rest = f"; and {len(entries) - _MOST} more" if len(entries) > _MOST else ""
    shown = f" ({'; '.join(entries[:_MOST])}{rest})" if entries else ""
    return f"the {subject.replace('_', ' ')}{shown}"


def in_words(found: list[tuple[str, Any, Any]]) -> str:
    """The same on one line.

    >>> in_words([('budget.trials', 60, 100)])
    'budget.trials: 60 → 100'
    >>> in_words([("data.fingerprint.rows", 9, 8), ("data.fingerprint.content", "aa", "bb")])
    'the data'
    """
    said = (
        "the data"  # its hashes tell nobody anything
        if path.startswith(_PRINT)
        else f"{path}: {before!r:.60} → {after!r:.60}"
        for path, before, after in found
    )
    return "; ".join(dict.fromkeys(said))
