"""The facts that a sampler left in the log with a proposal, to be taken out one by one. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from assay.report import words

_MOST = 1e300


class Facts:
    """What a sampler said; `left` is what nobody has put into words yet."""

    def __init__(self, why: Mapping[str, Any]) -> None:
        self.left = dict(why)

    def number(self, name: str) -> float | None:
        """A finite number, and None where there is none."""
        return float(self.left.pop(name)) if _is_number(self.left.get(name)) else None

    def whole(self, name: str) -> int | None:
        """A whole number, such as that of a trial."""
        value = self.left.get(name)
        known = isinstance(value, int) and not isinstance(value, bool)
        return int(self.left.pop(name)) if known else None

    def text(self, name: str, known: Collection[str] | None = None) -> str:
        """A text as it may be shown; empty where there is none, or none of the `known`."""
        value = self.left.get(name)
        if not isinstance(value, str) or not value or (known is not None and value not in known):
            return ""
        del self.left[name]
        return words.name(value)

    def flag(self, name: str) -> bool:
        """Whether it is set."""
        return isinstance(self.left.get(name), bool) and bool(self.left.pop(name))

    def numbers(self, name: str) -> list[float | None]:
        """Several numbers, where one may be unknown; of one number a list of one."""
        value = self.left.get(name)
        listed: list[Any] = value if isinstance(value, list) else [value]
        if value is None or not all(x is None or _is_number(x) for x in listed):
            return []
        del self.left[name]
        return [None if x is None else float(x) for x in listed]

    def texts(self, name: str, known: Collection[str] | None = None) -> list[str]:
        """Several texts, as by `text`; of one text a list of one."""
        value = self.left.get(name)
        listed: list[Any] = value if isinstance(value, list) else [value]
        if not all(isinstance(x, str) and (known is None or x in known) for x in listed):
            return []
        del self.left[name]
        return [words.name(x) for x in listed]


def _is_number(value: Any) -> bool:
    """Whether it is a number of a size that a float has; not one that is not finite."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST
