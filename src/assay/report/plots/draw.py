"""Any figure as static SVG, once for wide and once for narrow pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from assay.report import chart, words
from assay.report.plots.form import Axis, Lines, Mark, Panel, Plot, Table

WIDE, NARROW = 680.0, 340.0
_GAP = 24.0
_ROW = 26.0
_SHADES = 5
_MOST_PATHS = 150
COUNTED = ("trial", "trials", "trials ended", "step")
"""Axes of what has no parts and no negative number."""


class Figure:
    """A figure in two widths. `legend` pairs the class of a mark with what it means."""

    __slots__ = ("legend", "narrow", "notes", "table", "title", "wide")

    def __init__(
        self,
        title: str,
        wide: str,
        narrow: str,
        legend: tuple[tuple[str, str], ...],
        table: Table,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.title, self.wide, self.narrow = title, wide, narrow
        self.legend, self.table, self.notes = legend, table, notes


def drawn(plot: Plot) -> Figure:
    """The figure as SVG with its legend, its notes and its table."""
    wide, narrow = (_svg(plot, width, look) for width, look in ((WIDE, "wide"), (NARROW, "narrow")))
    return Figure(plot.title, wide, narrow, tuple(_legend(plot)), plot.table, plot.notes)


def _svg(plot: Plot, width: float, look: str) -> str:
    height, parts = _lines(plot.lines, width) if plot.lines else _panels(plot, width)
    return chart.svg(width, height, plot.title, plot.about, parts, f"chart {look}")


def _legend(plot: Plot) -> Iterator[tuple[str, str]]:
    seen = set()
    for panel in plot.panels:
        for mark in panel.marks:
            if mark.name and (mark.role, mark.name) not in seen:
                seen.add((mark.role, mark.name))
                yield f"key-{mark.role}", mark.name


# --- panels


def _panels(plot: Plot, width: float) -> tuple[float, list[str]]:
    """Panels below each other, two in a row where there are several and room."""
    across = 2 if len(plot.panels) > 1 and width > NARROW else 1
    each = (width - _GAP * (across - 1)) / across
    parts: list[str] = []
    top = 0.0
    for first in range(0, len(plot.panels), across):
        heights = []
        for i, panel in enumerate(plot.panels[first : first + across]):
            height, inner = _panel(panel, each, tall=len(plot.panels) == 1)
            heights.append(height)
            left = i * (each + _GAP)
            moved = f'<g transform="translate({left:.1f} {top:.1f})">' if left or top else "<g>"
            parts += [moved, *inner, "</g>"]
        top += max(heights) + _GAP
    return max(top - _GAP, 1.0), parts


def _panel(panel: Panel, width: float, *, tall: bool) -> tuple[float, list[str]]:
    listed = bool(panel.y.ticks) and all(m.kind in ("bars", "spans", "points") for m in panel.marks)
    rows = len(panel.y.ticks)
    height = 62 + _ROW * rows if listed else (320.0 if tall and width > 400 else 250.0)
    x_low, x_high = _bounds(panel.x, panel.marks, "x")
    y_low, y_high = _bounds(panel.y, panel.marks, "y")
    y_ticks = panel.y.ticks or tuple((t, words.number(t)) for t in chart.ticks(y_low, y_high, 6))
    room = 0.38 * width
    left = min(max((chart.width_of(text, 12) for _, text in y_ticks), default=0.0), room) + 10
    x = chart.Scale(x_low, x_high, left, width - 8)
    y = chart.Scale(y_low, y_high, height - 42, 24)
    parts = [
        chart.text(
            0, 13, chart.clipped(panel.y.label or panel.title, width - 4), look="label strong"
        )
    ]
    for at, text in y_ticks:
        if not y_low <= at <= y_high:
            continue
        if not listed:
            parts.append(chart.line(x.start, y(at), x.end, y(at), "grid"))
        shown = chart.clipped(text, left - 8, 12)
        parts.append(chart.text(x.start - 6, y(at) + 4, shown, look="tick", anchor="end"))
    parts += _bottom(panel.x, x, y)
    for mark in panel.marks:
        parts += _DRAW[mark.kind](mark, x, y)
    return height, parts


def _bottom(axis: Axis, x: chart.Scale, y: chart.Scale) -> list[str]:
    parts = [chart.line(x.start, y.start, x.end, y.start, "grid")]
    numbers = chart.ticks(x.low, x.high, 6)
    if axis.label in COUNTED:
        numbers = [t for t in numbers if t >= 0 and t == int(t)]
    found = axis.ticks or tuple((t, words.number(t)) for t in numbers)
    free = x.start - 30
    for at, text in found:
        half = chart.width_of(text, 12) / 2
        middle = min(max(x(at), x.start - 6 + min(half, 6)), x.end - half)
        if middle - half < free or not x.low <= at <= x.high:
            continue
        parts.append(chart.text(middle, y.start + 17, text, look="tick", anchor="middle"))
        free = middle + half + 8
    label = chart.clipped(axis.label, x.end - x.start, 12)
    middle = (x.start + x.end) / 2
    return [*parts, chart.text(middle, y.start + 36, label, look="note", anchor="middle")]


def _bounds(axis: Axis, marks: Sequence[Mark], which: str) -> tuple[float, float]:
    ends: list[float] = []
    for mark in marks:
        ends += mark.x if which == "x" else mark.y
        sideways = mark.kind in ("bars", "spans")
        if (which == "x") == sideways:
            ends += [*mark.low, *mark.high]
        if mark.kind == "bars" and which == "x":
            ends.append(0.0)
    low, high = chart.around(ends, 0.03 if which == "x" else 0.06) if ends else (0.0, 1.0)
    if axis.label in COUNTED and ends and min(ends) == max(ends):
        low, high = ends[0] - 0.5, ends[0] + 0.5
    low, high = (
        (axis.low if axis.low is not None else low),
        (axis.high if axis.high is not None else high),
    )
    return (low, high) if low < high else (low - 0.5, low + 0.5)


# --- marks


def _dots(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    inside = [
        (x(a), y(b), mark.shade[i] if mark.shade else None)
        for i, (a, b) in enumerate(zip(mark.x, mark.y, strict=True))
        if x.low <= a <= x.high and y.low <= b <= y.high
    ]
    if mark.role == "marked":
        return [f'<circle class="marked" cx="{a:.1f}" cy="{b:.1f}" r="6"/>' for a, b, _ in inside]
    if not mark.shade:
        return [chart.dots([(a, b) for a, b, _ in inside], f"dot dot-{mark.role}")]
    return [
        chart.dots([(a, b) for a, b, s in inside if _shade(s) == level], f"dot shade-{level}")
        for level in range(_SHADES)
    ]


def _shade(share: float | None) -> int:
    return min(int((share or 0.0) * _SHADES), _SHADES - 1)


def _crosses(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    return [chart.crosses([(x(a), y(b)) for a, b in zip(mark.x, mark.y, strict=True)], mark.role)]


def _path(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    at = [(x(a), min(max(y(b), y.end), y.start)) for a, b in zip(mark.x, mark.y, strict=True)]
    return [chart.path(at, f"line line-{mark.role}", steps=mark.kind == "steps")]


def _band(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    if mark.role.startswith("faint-"):
        there, back = (
            [(x(a), min(max(y(v), y.end), y.start)) for a, v in zip(mark.x, ends, strict=True)]
            for ends in (mark.high, mark.low)
        )
        return [chart.path([*there, *reversed(back)], mark.role)]
    top, bottom = (min(max(y(v), y.end), y.start) for v in (mark.high[0], mark.low[0]))
    return [chart.box(x.start, top, x.end - x.start, bottom - top, "band")]


def _bars(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    parts = []
    for i, (a, b) in enumerate(zip(mark.x, mark.y, strict=True)):
        start, end = sorted((x(max(x.low, 0.0)), x(a)))
        parts.append(chart.box(start, y(b) - 8, end - start, 16, "bar-quiet"))
        if mark.low:
            parts += chart.whisker(x(mark.low[i]), x(mark.high[i]), y(b), "whisker")
    return parts


def _spans(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    row = abs(y(1) - y(0))
    thick = {"band": row, "link": 4.0}.get(mark.role, max(min(row * 0.6, 14.0), 1.0))
    if mark.role == "quiet":
        return [
            part
            for low, high, b in zip(mark.low, mark.high, mark.y, strict=True)
            for part in chart.whisker(x(low), x(high), y(b), "whisker")
        ]
    return [
        chart.box(x(low), y(b) - thick / 2, x(high) - x(low), thick, f"span-{mark.role}")
        for low, high, b in zip(mark.low, mark.high, mark.y, strict=True)
    ]


def _heat(mark: Mark, x: chart.Scale, y: chart.Scale) -> list[str]:
    wide = (x(1) - x(0)) / len(mark.x)
    high = (y(0) - y(1)) / len(mark.y)
    cells: dict[int, list[str]] = {}
    for k, shade in enumerate(mark.shade):
        if shade is not None:
            row, column = divmod(k, len(mark.x))
            left, top = x(mark.x[column]) - wide / 2, y(mark.y[row]) - high / 2
            cells.setdefault(_shade(shade), []).append(
                f"M{left:.1f} {top:.1f}h{wide:.1f}v{high:.1f}h-{wide:.1f}z"
            )
    return [f'<path class="cell-{level}" d="{"".join(d)}"/>' for level, d in sorted(cells.items())]


_DRAW: dict[str, Callable[[Mark, chart.Scale, chart.Scale], list[str]]] = {
    "points": _dots,
    "crosses": _crosses,
    "line": _path,
    "steps": _path,
    "band": _band,
    "bars": _bars,
    "spans": _spans,
    "heat": _heat,
}


# --- parallel axes


def _lines(lines: Lines, width: float) -> tuple[float, list[str]]:
    """Trials across parallel axes; the better ones on top."""
    height, top, bottom = 300.0, 44.0, 270.0
    count = len(lines.axes)
    step = (width - 60) / max(count - 1, 1)
    at = [30 + i * step for i in range(count)]
    scales = [
        chart.Scale(axis.low or 0.0, 1.0 if axis.high is None else axis.high, bottom, top)
        for axis in lines.axes
    ]
    ordered = sorted(range(len(lines.rows)), key=lambda i: lines.shade[i] or 0.0)[-_MOST_PATHS:]
    parts = []
    for i in ordered:
        xy = [
            (x, scale(value))
            for x, scale, value in zip(at, scales, lines.rows[i], strict=True)
            if value is not None
        ]
        parts.append(chart.path(xy, f"line shade-{_shade(lines.shade[i])}"))
    for i, (axis, x) in enumerate(zip(lines.axes, at, strict=True)):
        parts.append(chart.line(x, top, x, bottom, "zero"))
        label = chart.clipped(axis.label, step * 0.95, 12)
        anchor = "start" if i == 0 else "end" if i == count - 1 else "middle"
        across = 0.0 if i == 0 else width if i == count - 1 else x
        parts.append(chart.text(across, 14 + 14 * (i % 2), label, look="note", anchor=anchor))
        ends = axis.ticks or tuple(
            (v, words.number(v, 3)) for v in (axis.low or 0.0, axis.high or 0.0)
        )
        for value, text in (ends[0], ends[-1]):
            shown = chart.clipped(text, step * 0.9, 12)
            y = bottom + 16 if value == ends[0][0] else top - 4
            parts.append(chart.text(across, y, shown, look="tick", anchor=anchor))
    return height, parts
