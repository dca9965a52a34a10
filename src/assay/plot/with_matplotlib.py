"""Figures drawn with matplotlib; its only home."""

from __future__ import annotations

from typing import Any

from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from assay.plot.colours import HIGH, LOW, colour, inert
from assay.report.plots.form import Axis, Lines, Mark, Panel, Plot

_SHADES = LinearSegmentedColormap.from_list("assay", [LOW, HIGH])


def draw(plot: Plot) -> Figure:
    """The figure, on a canvas of its own: nothing of pyplot's state is touched."""
    if plot.lines:
        return _parallel(plot, plot.lines)
    count = max(len(plot.panels), 1)
    across = min(count, 3)
    down = -(-count // across)
    figure = Figure(figsize=(max(7.0, 4.0 * across), 4.2 * down), layout="constrained")
    for i, panel in enumerate(plot.panels):
        _panel(figure.add_subplot(down, across, i + 1), panel, legend=count == 1)
    figure.suptitle(inert(plot.title))
    if not plot.panels:  # says why there is nothing to see
        figure.text(0.5, 0.5, inert(plot.about), ha="center", va="center", wrap=True)
    return figure


def _panel(axes: Any, panel: Panel, *, legend: bool) -> None:
    for mark in panel.marks:
        _mark(axes, mark)
    _axis(axes.xaxis, axes.set_xlim, panel.x)
    _axis(axes.yaxis, axes.set_ylim, panel.y)
    axes.set_xlabel(inert(panel.x.label))
    axes.set_ylabel(inert(panel.y.label))
    named = [mark for mark in panel.marks if mark.name and mark.kind != "heat"]
    if legend and named:
        axes.legend(fontsize="small", frameon=False, loc="best")


def _axis(side: Any, limit: Any, axis: Axis) -> None:
    if axis.ticks:
        side.set_ticks([at for at, _ in axis.ticks], [inert(text) for _, text in axis.ticks])
    if axis.low is not None and axis.high is not None:
        limit(axis.low, axis.high)


def _mark(axes: Any, mark: Mark) -> None:
    name = inert(mark.name) or "_"
    look: dict[str, Any] = {"color": colour(mark.role), "label": name}
    if mark.kind == "points" and mark.shade:
        axes.scatter(mark.x, mark.y, c=mark.shade, cmap=_SHADES, vmin=0, vmax=1, s=14, label=name)
    elif mark.kind == "points" and mark.role == "marked":
        axes.scatter(mark.x, mark.y, s=90, facecolors="none", edgecolors=look["color"], label=name)
    elif mark.kind in ("points", "crosses"):
        axes.scatter(mark.x, mark.y, s=14, marker="x" if mark.kind == "crosses" else "o", **look)
    elif mark.kind in ("line", "steps"):
        style = "--" if mark.role == "luck" else "-"
        where = "steps-post" if mark.kind == "steps" else "default"
        axes.plot(mark.x, mark.y, style, drawstyle=where, **look)
    elif mark.kind == "band":
        axes.fill_between(mark.x, mark.low, mark.high, zorder=0, **look)
    elif mark.kind == "bars":
        ends = [
            [max(x - low, 0.0) for x, low in zip(mark.x, mark.low, strict=True)],
            [max(high - x, 0.0) for x, high in zip(mark.x, mark.high, strict=True)],
        ]
        axes.barh(mark.y, mark.x, height=0.6, xerr=ends if mark.low else None, capsize=3, **look)
    elif mark.kind == "spans":
        axes.hlines(mark.y, mark.low, mark.high, linewidth=4, colors=look["color"], label=name)
    elif mark.kind == "heat":
        rows = [
            [float("nan") if s is None else s for s in mark.shade[k : k + len(mark.x)]]
            for k in range(0, len(mark.shade), len(mark.x))
        ]
        axes.pcolormesh(mark.x, mark.y, rows, cmap=_SHADES, vmin=0, vmax=1, alpha=0.55)


def _parallel(plot: Plot, lines: Lines) -> Figure:
    """Every axis scaled to 0…1, its values written beside it."""
    figure = Figure(figsize=(max(7.0, 1.5 * len(lines.axes)), 4.6), layout="constrained")
    axes = figure.add_subplot()
    ends = [(axis.low or 0.0, 1.0 if axis.high is None else axis.high) for axis in lines.axes]
    for i in sorted(range(len(lines.rows)), key=lambda i: lines.shade[i] or 0.0):
        at = [
            float("nan") if value is None else (value - low) / (high - low)
            for value, (low, high) in zip(lines.rows[i], ends, strict=True)
        ]
        axes.plot(range(len(at)), at, color=_SHADES(lines.shade[i] or 0.0), linewidth=0.8)
    for i, axis in enumerate(lines.axes):
        axes.axvline(i, color="#585d63", linewidth=0.8)
        low, high = ends[i]
        for value, text in axis.ticks or ((low, f"{low:.3g}"), (high, f"{high:.3g}")):
            axes.annotate(inert(text), (i, (value - low) / (high - low)), fontsize="x-small")
    axes.set_xticks(range(len(lines.axes)), [inert(a.label) for a in lines.axes], rotation=20)
    axes.set_yticks([])
    figure.suptitle(inert(plot.title))
    return figure
