"""Small parts of static charts: scales, ticks, and SVG elements as text.

Text is real text, colours are classes whose values the page's style sheet sets for light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_CHAR = 0.56
"""Mean width of a character of the system fonts, in units of the font size."""


@dataclass(frozen=True)
class Scale:
    """A straight line from data to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, x: float) -> float:
        return self.start + (x - self.low) / (self.high - self.low) * (self.end - self.start)


def around(values: Iterable[float], margin: float = 0.06) -> tuple[float, float]:
    """Bounds that hold all values with some room; never empty.

    >>> around([1.0, 2.0], 0.1)
    (0.9, 2.1)
    """
    found = [v for v in values if math.isfinite(v)]
    low, high = min(found), max(found)
    room = (high - low) * margin or abs(high) * margin or 1.0
    return low - room, high + room


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two bounds, at most so many.

    >>> ticks(-0.013, 0.031)
    [-0.01, 0.0, 0.01, 0.02, 0.03]
    """
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * m for m in (1, 2, 2.5, 5, 10) if size * m >= rough)
    places = max(0, 1 - math.floor(math.log10(step)))
    first = math.ceil(low / step)
    found = [round(i * step, places) + 0.0 for i in range(first, first + most + 2)]
    return [x for x in found if x <= high][: most + 1]


def width_of(text: str, size: float = 13, *, strong: bool = False) -> float:
    """About how wide a text will be."""
    return len(text) * size * _CHAR * (1.1 if strong else 1.0)


def clipped(text: str, width: float, size: float = 13) -> str:
    """The text, cut to about this width.

    >>> clipped("validation score", 60)
    'validat…'
    """
    room = max(int(width / (size * _CHAR)), 2)
    return text if len(text) <= room else f"{text[: room - 1]}…"


def svg(
    width: float, height: float, title: str, about: str, parts: Sequence[str], look: str
) -> str:
    """A whole drawing; `look` is its class, `title` and `about` are read out by screen readers."""
    body = "".join(parts)
    return (
        f'<svg class="{look}" viewBox="0 0 {_n(width)} {_n(height)}" role="img">'
        f"<title>{escape(title)}</title><desc>{escape(about)}</desc>{body}</svg>"
    )


def text(x: float, y: float, content: str, *, look: str = "label", anchor: str = "start") -> str:
    """A line of text with its baseline at y."""
    return f'<text class="{look}" x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}">{escape(content)}</text>'


def headed(x: float, y: float, head: str, note: str) -> str:
    """A strong text with a note after it, set by the browser, which alone knows their widths."""
    after = f'<tspan class="note" dx="8">{escape(note)}</tspan>' if note else ""
    inner = f'<tspan class="strong">{escape(head)}</tspan>{after}'
    return f'<text class="label" x="{_n(x)}" y="{_n(y)}" text-anchor="start">{inner}</text>'


def line(x1: float, y1: float, x2: float, y2: float, look: str) -> str:
    """A straight line."""
    return f'<line class="{look}" x1="{_n(x1)}" y1="{_n(y1)}" x2="{_n(x2)}" y2="{_n(y2)}"/>'


def box(x: float, y: float, width: float, height: float, look: str) -> str:
    """A rectangle; one pixel is the least width, so that nothing vanishes."""
    size = f'width="{_n(max(width, 1))}" height="{_n(height)}"'
    return f'<rect class="{look}" x="{_n(x)}" y="{_n(y)}" {size}/>'


def hatched(x: float, y: float, width: float, height: float, look: str) -> list[str]:
    """An outlined rectangle with slanted lines; a pattern would need an id of its own in the page."""
    drawn = ""
    for offset in range(-int(height), int(width), 6):
        start, end = max(0.0, -offset), min(height, width - offset)
        if end > start:
            run = _n(end - start)
            drawn += f"M{_n(x + offset + start)} {_n(y + height - start)}l{run} -{run}"
    return [f'<path class="{look}" d="{drawn}"/>' if drawn else "", box(x, y, width, height, look)]


def path(points: Sequence[tuple[float, float]], look: str, *, steps: bool = False) -> str:
    """A line through points; with `steps` it goes sideways first, then up."""
    if not points:
        return ""
    x, y = points[0]
    drawn = [f"M{_n(x)} {_n(y)}"]
    for x, y in points[1:]:
        drawn.append(f"H{_n(x)}V{_n(y)}" if steps else f"L{_n(x)} {_n(y)}")
    return f'<path class="{look}" d="{"".join(drawn)}"/>'


def dots(points: Sequence[tuple[float, float]], look: str) -> str:
    """Many dots as one path: a line of no length with round ends each, to keep the page small."""
    drawn = "".join(f"M{_n(x)} {_n(y)}h0" for x, y in points)
    return f'<path class="{look}" d="{drawn}"/>' if drawn else ""


def crosses(points: Sequence[tuple[float, float]], look: str, size: float = 3) -> str:
    """Many small crosses as one path."""
    d = _n(2 * size)
    drawn = "".join(f"M{_n(x - size)} {_n(y - size)}l{d} {d}m0 -{d}l-{d} {d}" for x, y in points)
    return f'<path class="{look}" d="{drawn}"/>' if drawn else ""


def whisker(x_low: float, x_high: float, y: float, look: str, size: float = 4) -> list[str]:
    """A horizontal interval with ends."""
    return [
        line(x_low, y, x_high, y, look),
        line(x_low, y - size, x_low, y + size, look),
        line(x_high, y - size, x_high, y + size, look),
    ]


def bottom_axis(
    scale: Scale, top: float, bottom: float, shown: Callable[[float], str], most: int
) -> list[str]:
    """Grid lines with numbers below; numbers that would touch are left out."""
    parts: list[str] = []
    free = -math.inf
    for tick in ticks(scale.low, scale.high, most):
        x, label = scale(tick), shown(tick)
        parts.append(line(x, top, x, bottom, "grid"))
        half = width_of(label, 12) / 2
        x = min(max(x, scale.start + half), scale.end - half)
        if x - half > free:
            parts.append(text(x, bottom + 16, label, look="tick", anchor="middle"))
            free = x + half + 6
    return parts


def _n(x: float) -> str:
    return f"{x:.1f}".removesuffix(".0")
