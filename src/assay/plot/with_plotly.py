"""Figures drawn with plotly; its only home."""

from __future__ import annotations

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from assay.plot.colours import HIGH, LOW, colour, inert
from assay.report.plots.form import Axis, Lines, Mark, Plot

_SCALE = [[0.0, LOW], [1.0, HIGH]]


def draw(plot: Plot) -> go.Figure:
    """The figure."""
    if plot.lines:
        figure = go.Figure(_parallel(plot.lines))
    else:
        count = max(len(plot.panels), 1)
        across = min(count, 3)
        figure = make_subplots(rows=-(-count // across), cols=across)
        for i, panel in enumerate(plot.panels):
            place = {"row": i // across + 1, "col": i % across + 1}
            for mark in panel.marks:
                for trace in _traces(mark):
                    trace.showlegend = bool(mark.name) and count == 1 and mark.kind != "heat"
                    figure.add_trace(trace, **place)
            figure.update_xaxes(**_axis(panel.x), **place)
            figure.update_yaxes(**_axis(panel.y), **place)
    figure.update_layout(title=inert(plot.title), template="plotly_white")
    if not plot.lines and not plot.panels:  # says why there is nothing to see
        figure.add_annotation(text=inert(plot.about), showarrow=False)
        figure.update_xaxes(visible=False).update_yaxes(visible=False)
    return figure


def _axis(axis: Axis) -> dict[str, Any]:
    found: dict[str, Any] = {"title": inert(axis.label)}
    if axis.ticks:
        found |= {
            "tickvals": [at for at, _ in axis.ticks],
            "ticktext": [inert(text) for _, text in axis.ticks],
        }
    if axis.low is not None and axis.high is not None:
        found["range"] = [axis.low, axis.high]
    return found


def _traces(mark: Mark) -> list[Any]:
    tone, name = colour(mark.role), inert(mark.name)
    said = [f"trial {number}" for number in mark.trials] or None
    if mark.kind in ("points", "crosses"):
        look: dict[str, Any] = {"size": 6, "color": tone, "symbol": "circle"}
        if mark.shade:
            look |= {"color": list(mark.shade), "colorscale": _SCALE, "cmin": 0, "cmax": 1}
        if mark.kind == "crosses":
            look["symbol"] = "x"
        if mark.role == "marked":
            look |= {"symbol": "circle-open", "size": 12}
        return [go.Scatter(x=mark.x, y=mark.y, mode="markers", marker=look, name=name, text=said)]
    if mark.kind in ("line", "steps"):
        line = {"color": tone, "shape": "hv" if mark.kind == "steps" else "linear"}
        if mark.role == "luck":
            line["dash"] = "dash"
        return [go.Scatter(x=mark.x, y=mark.y, mode="lines", line=line, name=name)]
    if mark.kind == "band":
        edge: dict[str, Any] = {"mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
        return [
            go.Scatter(x=mark.x, y=mark.low, **edge),
            go.Scatter(x=mark.x, y=mark.high, fill="tonexty", fillcolor=tone, name=name, **edge),
        ]
    if mark.kind == "heat":
        rows = [
            list(mark.shade[k : k + len(mark.x)]) for k in range(0, len(mark.shade), len(mark.x))
        ]
        scale = {"colorscale": _SCALE, "zmin": 0, "zmax": 1, "opacity": 0.55, "showscale": False}
        return [go.Heatmap(x=mark.x, y=mark.y, z=rows, **scale)]
    return [_lying(mark, tone, name, said)]


def _lying(mark: Mark, tone: str, name: str, said: list[str] | None) -> Any:
    if mark.kind == "bars":
        up = [max(h - x, 0.0) for x, h in zip(mark.x, mark.high, strict=True)] if mark.high else []
        down = (
            [max(x - low, 0.0) for x, low in zip(mark.x, mark.low, strict=True)] if mark.low else []
        )
        error = {"type": "data", "array": up, "arrayminus": down} if mark.low else None
        return go.Bar(
            x=mark.x, y=mark.y, orientation="h", error_x=error, marker={"color": tone}, name=name
        )
    wide = [high - low for low, high in zip(mark.low, mark.high, strict=True)]
    return go.Bar(
        x=wide, y=mark.y, base=mark.low, orientation="h", width=0.5, marker={"color": tone},
        name=name, text=said, textposition="none",
    )  # fmt: skip


def _parallel(lines: Lines) -> Any:
    columns = []
    for i, axis in enumerate(lines.axes):
        low, high = axis.low or 0.0, 1.0 if axis.high is None else axis.high
        column = {
            "label": inert(axis.label),
            "range": [low, high],
            # plotly has no gaps: what is not active lies below the axis
            "values": [low - 0.05 * (high - low) if r[i] is None else r[i] for r in lines.rows],
        }
        if axis.ticks:
            column["tickvals"] = [at for at, _ in axis.ticks]
            column["ticktext"] = [inert(text) for _, text in axis.ticks]
        columns.append(column)
    line = {"color": list(lines.shade), "colorscale": _SCALE, "cmin": 0, "cmax": 1}
    return go.Parcoords(line=line, dimensions=columns)
