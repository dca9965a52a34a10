"""What a program prints, read as numbers: JSON lines, `name: number`, or a pattern of one's own."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from assay.core.errors import SpecError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf(?:inity)?)"
# "1,000.5" and "0,25" are no number rather than 1 and 0.
_NUMBER_AT_END = re.compile(rf"\s*[:=]\s*({_NUMBER})(?![\w.]|,\d)", re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
Report = Callable[[int, float], None]


def _nobody(step: int, value: float) -> None:
    """Nobody wants to know."""


@dataclass
class Reading:
    r"""Takes lines of output and keeps the newest value of each wanted number.

    A line that is a JSON object is read whole, and every number in it counts; one with a "step" is an
    intermediate result. Any other line is searched for `name: number` and `name = number` of the wanted
    names, or for the pattern.

    Args:
        wanted: the names of the objectives, and of what constraints speak of. The first is reported.
        pattern: a regular expression with groups named as the numbers are, `loss=(?P<loss>\\S+)`, or
            with one group for the first; a group `step` is the step.
        report: called with each intermediate value.

    Raises:
        SpecError: a pattern that is none, or without a group.

    >>> reading = Reading(["loss"])
    >>> reading.line('{"loss": 0.5, "rows": 10}')
    >>> reading.line("final loss = 0.25 after 3 s")
    >>> reading.values
    {'loss': 0.25, 'rows': 10.0}
    """

    wanted: Collection[str]
    pattern: str | None = None
    report: Report = _nobody
    values: dict[str, float] = field(default_factory=dict)
    _search: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        self.first = next(iter(self.wanted))
        self._search = compiled(self.pattern) if self.pattern is not None else None

    def line(self, text: str) -> None:
        """Read one line."""
        text = _COLOUR.sub("", text)
        if self._search is not None:
            self._by_pattern(text, self._search)
        elif text.lstrip().startswith("{") and (found := _json(text)) is not None:
            self._take(found, found.get("step"))
        else:
            self._take(
                {name: value for name in self.wanted if (value := _named(name, text)) is not None}
            )

    def whole(self, text: str) -> None:
        """Read a file: one JSON object, or lines."""
        found = _json(text)
        if found is not None:
            self._take(found, None)
            return
        for line in text.splitlines():
            self.line(line)

    def _by_pattern(self, text: str, search: re.Pattern[str]) -> None:
        for match in search.finditer(text):
            groups = match.groupdict() or {self.first: match.group(1)}
            found = {
                name: value for name, raw in groups.items() if (value := _float(raw)) is not None
            }
            self._take(found, found.pop("step", None))

    def _take(self, found: dict[str, float], step: float | None = None) -> None:
        found.pop("step", None)
        self.values |= found
        value = found.get(self.first)
        if step is None or value is None or not math.isfinite(value):
            return
        if step >= 0 and step == int(step):
            self.report(int(step), value)


def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression.

    Raises:
        SpecError: it is none, or has no group.
    """
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise SpecError(
            f"The pattern {pattern!r:.200} is no regular expression: {error}."
        ) from None
    if not search.groups:
        raise SpecError(
            f"The pattern {pattern!r:.200} needs a group around the number, such as 'loss=(\\S+)'."
        )
    return search


def _json(text: str) -> dict[str, float] | None:
    """The numbers of a JSON object; None if the text is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    return {name: value for name, raw in found.items() if (value := _float(raw)) is not None}


def _float(raw: object) -> float | None:
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        return float(raw)
    except (ValueError, OverflowError):
        return None


def _named(name: str, text: str) -> float | None:
    """The last number that the text gives this name."""
    found = None
    for match in re.finditer(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text):
        if number := _NUMBER_AT_END.match(text, match.end()):
            found = float(number.group(1))
    return found
