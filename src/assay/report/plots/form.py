"""The form that every figure has: panels with two axes, and marks on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

Kind: TypeAlias = Literal["points", "crosses", "line", "steps", "band", "bars", "spans", "heat"]
"""`spans` are horizontal intervals from `low` to `high` at height y; `bars` lie, from 0 to x."""


@dataclass(frozen=True)
class Axis:
    """An axis. With `ticks` (position, text) positions are what the texts say, not numbers to print.

    `low` and `high` bound what is shown; None: whatever the marks need.
    """

    label: str
    ticks: tuple[tuple[float, str], ...] = ()
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Mark:
    """Things of one kind and one meaning.

    Attributes:
        role: what they stand for; each way of drawing gives a role its colour.
        name: the role in words, for the legend; empty: not in the legend.
        x, y: positions, equally many; for `heat` the centres of columns and rows.
        low, high: both ends of a band (in y) or of spans and of the intervals of bars (in x).
        trials: the trial behind each position, where there is one.
        shade: a number from 0 to 1 for each position (for `heat` row by row; None: nothing known).
        at: the values of the parameter behind `x`, as it was tried.
    """

    kind: Kind
    role: str
    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    trials: tuple[int, ...] = ()
    shade: tuple[float | None, ...] = ()
    at: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Panel:
    """One pair of axes."""

    x: Axis
    y: Axis
    marks: tuple[Mark, ...]
    title: str = ""


@dataclass(frozen=True)
class Table:
    """The numbers behind a figure; the first column names the row."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Lines:
    """Trials as lines across parallel axes; `rows` hold a position on each axis, None: not active."""

    axes: tuple[Axis, ...]
    names: tuple[str, ...]
    rows: tuple[tuple[float | None, ...], ...]
    trials: tuple[int, ...]
    shade: tuple[float | None, ...]


@dataclass(frozen=True)
class Plot:
    """A figure: what it shows, and the numbers as a table.

    Attributes:
        kind: its name, such as "history".
        about: what it shows, in a sentence, for those who do not see it.
        notes: what a reader must know, such as that not all points are drawn.
    """

    kind: str
    title: str
    about: str
    panels: tuple[Panel, ...]
    table: Table
    lines: Lines | None = None
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        drawn = any(mark.x for panel in self.panels for mark in panel.marks)
        return not drawn and not (self.lines and self.lines.rows)

    def with_notes(self, *notes: str) -> Plot:
        """The same with more notes; empty ones are left out."""
        return replace(self, notes=(*self.notes, *(note for note in notes if note)))


def points(
    role: str,
    name: str,
    xy: Sequence[tuple[float, float]],
    trials: Sequence[int] = (),
    **more: Any,
) -> Mark:
    """Points from pairs."""
    x, y = zip(*xy, strict=True) if xy else ((), ())
    return Mark("points", role, name, tuple(x), tuple(y), trials=tuple(trials), **more)


def line(role: str, name: str, xy: Sequence[tuple[float, float]], *, steps: bool = False) -> Mark:
    """A line through pairs; with `steps` it goes sideways first."""
    x, y = zip(*xy, strict=True) if xy else ((), ())
    return Mark("steps" if steps else "line", role, name, tuple(x), tuple(y))
