"""The figures of the report: static SVG, once for wide and once for narrow pages.

Each comes with a legend and with the table of the numbers that it shows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from assay.report import chart, words
from assay.report.answer import Bar, Numbers
from assay.report.evidence import Course, NoiseTable, Recheck, Step
from assay.report.influence import Influence
from assay.report.plots import gains
from assay.report.plots.course import of_course
from assay.report.plots.draw import NARROW, WIDE, Figure, drawn
from assay.report.plots.form import Table
from assay.report.plots.space import param_importances
from assay.report.record import Cost

_MEANS = {
    "control": "the score of the defaults; bars start there",
    "selected": "measured on data that no choice has seen",
    "validation": "the score by which it was chosen",
    "corrected": "what the best of such a search is worth",
}


def _both(
    title: str, about: str, draw: Callable[[float], tuple[float, Sequence[str]]]
) -> tuple[str, str]:
    both = []
    for width, look in ((WIDE, "wide"), (NARROW, "narrow")):
        height, parts = draw(width)
        both.append(chart.svg(width, height, title, about, parts, f"chart {look}"))
    return both[0], both[1]


# --- the four numbers


def four_numbers(numbers: Numbers) -> Figure:
    """Each score as a bar that starts at the control's: its length is the gain that it claims."""
    title = f"{numbers.metric} {numbers.where}"
    shown = "; ".join(f"{bar.label}: {numbers.shown(bar.value)}" for bar in numbers.bars)
    better = "higher" if numbers.higher_is_better else "lower"
    about = f"{shown}. {better.capitalize()} is better."
    wide, narrow = _both(title, about, lambda width: _four_numbers(numbers, width))
    kinds = dict.fromkeys(bar.kind for bar in numbers.bars)
    legend = [(f"key-{kind}", _MEANS[kind]) for kind in kinds]
    rows = tuple((f"{bar.label}, {bar.note}", _scored(numbers, bar)) for bar in numbers.bars)
    table = Table(f"{title} ({better} is better)", ("score of", numbers.metric), rows)
    return Figure(title, wide, narrow, tuple(legend), table)


def _scored(numbers: Numbers, bar: Bar) -> str:
    if bar.low is None or bar.high is None:
        return numbers.shown(bar.value)
    return words.span(bar.value, bar.low, bar.high, sign=False)


def _four_numbers(numbers: Numbers, width: float) -> tuple[float, list[str]]:
    ends = [x for b in numbers.bars for x in (b.value, b.low, b.high) if x is not None]
    scale = chart.Scale(*chart.around(ends), 4, width - 4)
    base = scale(numbers.bars[0].value)
    parts: list[str] = []
    top = 0.0
    for bar in numbers.bars:
        parts += _number_bar(bar, numbers.shown(bar.value), scale, base, top, width)
        top += 50
        if bar.kind == "validation" and _gap_shows(numbers, scale):
            parts += _bracket(numbers, scale, top, width)
            top += 26
    most = 6 if width > NARROW else 4
    parts += chart.bottom_axis(scale, top, top + 4, words.number, most)
    parts.append(chart.line(scale.start, top + 4, scale.end, top + 4, "zero"))
    return top + 28, parts


def _number_bar(
    bar: Bar, value: str, scale: chart.Scale, base: float, top: float, width: float
) -> list[str]:
    room = width - chart.width_of(value, strong=True) - 16
    label = chart.clipped(bar.label, room)
    free = room - chart.width_of(label, strong=True) - 8
    note = bar.note if chart.width_of(bar.note, 12) <= free else ""
    parts = [
        chart.headed(4, top + 15, label, note),
        chart.text(width - 4, top + 15, value, look="label strong", anchor="end"),
        chart.line(base, top + 20, base, top + 42, "zero"),
    ]
    end = scale(bar.value)
    left, length = min(base, end), abs(end - base)
    if bar.kind == "validation":
        parts += chart.hatched(left, top + 23, length, 16, "bar-validation")
    elif bar.kind == "control":
        parts.append(chart.box(end - 2, top + 23, 4, 16, "bar-control"))
    else:
        parts.append(chart.box(left, top + 23, length, 16, f"bar-{bar.kind}"))
    if bar.low is not None and bar.high is not None and bar.low < bar.high:
        parts += chart.whisker(scale(bar.low), scale(bar.high), top + 31, "whisker")
    return parts


def _gap_shows(numbers: Numbers, scale: chart.Scale) -> bool:
    """A bracket of a few pixels says nothing."""
    seen, told = _pair(numbers)
    return numbers.optimism > 0 and abs(scale(told) - scale(seen)) >= 6


def _pair(numbers: Numbers) -> tuple[float, float]:
    by_kind = {bar.kind: bar.value for bar in numbers.bars}
    return by_kind["selected" if numbers.on_unseen else "corrected"], by_kind["validation"]


def _bracket(numbers: Numbers, scale: chart.Scale, y: float, width: float) -> list[str]:
    left, right = sorted(map(scale, _pair(numbers)))
    label = f"optimism {words.number(numbers.optimism, 2)}"
    half = chart.width_of(label, 12) / 2
    middle = min(max((left + right) / 2, half + 4), width - half - 4)
    return [
        chart.path([(left, y - 6), (left, y), (right, y), (right, y - 6)], "bracket"),
        chart.text(middle, y + 14, label, look="note", anchor="middle"),
    ]


# --- the flow of trials


def flow(steps: Sequence[Step]) -> Figure:
    """How many trials came how far."""
    title = "From proposal to test"
    about = ", ".join(f"{step.label}: {_station(step)}" for step in steps)
    wide, narrow = _both(title, about, lambda width: _flow(steps, width))
    rows = []
    for step in steps:
        rows += [(f"of these {why}", f"{n:,}") for why, n in step.lost]
        rows.append((step.label, _station(step)))
    return Figure(title, wide, narrow, (), Table(title, ("stage", "trials"), tuple(rows)))


def _station(step: Step) -> str:
    return f"{step.count:,}×" if step.label == "test opened" else f"{step.count:,}"


def _flow(steps: Sequence[Step], width: float) -> tuple[float, list[str]]:
    across = width > NARROW
    gap, tall = 30.0, 56.0
    wide = min((width - gap * (len(steps) - 1)) / len(steps), 120.0) if across else 140.0
    parts: list[str] = []
    lost_below = False
    for i, step in enumerate(steps):
        x, y = (i * (wide + gap) + 1, 1.0) if across else (1.0, i * (tall + gap) + 1)
        parts.append(chart.box(x, y, wide - 2, tall, "station"))
        parts.append(chart.text(x + wide / 2, y + 25, _station(step), look="big", anchor="middle"))
        parts.append(chart.text(x + wide / 2, y + 43, step.label, look="note", anchor="middle"))
        if i:
            parts += (
                _arrow(x - gap, y + tall / 2, gap)
                if across
                else _arrow_down(wide / 2, y - gap, gap)
            )
        if step.lost:
            said = ", ".join(f"{n:,} {why}" for why, n in step.lost)
            at = (x - gap / 2, tall + 22) if across else (wide / 2 + 12, y - gap / 2 + 4)
            anchor = "middle" if across else "start"
            parts.append(chart.text(*at, f"− {said}", look="note", anchor=anchor))
            lost_below = across
    height = tall + 2 + (28 if lost_below else 0) if across else len(steps) * (tall + gap) - gap + 2
    return height, parts


def _arrow(x: float, y: float, length: float) -> list[str]:
    tip = x + length - 4
    return [
        chart.line(x + 2, y, tip, y, "arrow"),
        chart.path([(tip - 5, y - 4), (tip, y), (tip - 5, y + 4)], "arrow"),
    ]


def _arrow_down(x: float, y: float, length: float) -> list[str]:
    tip = y + length - 4
    return [
        chart.line(x, y + 2, x, tip, "arrow"),
        chart.path([(x - 4, tip - 5), (x, tip), (x + 4, tip - 5)], "arrow"),
    ]


# --- the history


def history(course: Course) -> Figure:
    """Every trial's gain, the record, the noise band and the luck line."""
    return drawn(of_course(course))


def overtuning(found: Recheck) -> Figure:
    """What the search saw of its best trials, and what fresh evaluations show."""
    return drawn(gains.overtuning(found))


# --- bars


def noise(found: NoiseTable) -> Figure:
    """Where the noise of the control comes from, beside the gain that is wanted."""
    rows = [
        ("between seeds", found.seed, "bar-plain"),
        ("between splits", found.split, "bar-plain"),
        ("rest", found.rest, "bar-plain"),
        ("noise floor of a comparison", found.floor, "bar-selected"),
        ("smallest gain that can be shown", found.detectable, "bar-quiet"),
        ("smallest gain worth having", found.smallest_gain or None, "bar-quiet"),
    ]
    known = [(label, x, look) for label, x, look in rows if x is not None]
    return _bars(
        "Noise of the control", known, lambda x: words.number(x, 3), "standard deviation or gain"
    )


def cost(account: Cost) -> Figure:
    """CPU time by stage."""
    rows = [(stage.stage, stage.cpu_s, "bar-plain") for stage in account.stages]
    return _bars("CPU time by stage", rows, words.seconds, "CPU time")


def importance(found: Influence) -> Figure:
    """The share of each parameter, with its interval."""
    return drawn(param_importances(found))


def _bars(
    title: str, rows: Sequence[tuple[str, float, str]], shown: Callable[[float], str], unit: str
) -> Figure:
    about = "; ".join(f"{label}: {shown(x)}" for label, x, _ in rows)
    wide, narrow = _both(title, about, lambda width: _bar_rows(rows, shown, width))
    table = Table(title, ("source", unit), tuple((label, shown(x)) for label, x, _ in rows))
    return Figure(title, wide, narrow, (), table)


def _bar_rows(
    rows: Sequence[tuple[str, float, str]],
    shown: Callable[[float], str],
    width: float,
) -> tuple[float, list[str]]:
    most = max(x for _, x, _ in rows) or 1.0
    names = max(chart.width_of(label) for label, _, _ in rows) + 12
    figures = max(chart.width_of(shown(x), strong=True) for _, x, _ in rows) + 8
    beside = width - names - figures > 0.4 * width
    left, row = (names, 26.0) if beside else (0.0, 42.0)
    scale = chart.Scale(0, most, left, width - figures)
    parts = []
    for i, (label, x, look) in enumerate(rows):
        top = i * row + (0 if beside else 18)
        parts.append(chart.text(0, top + (14 if beside else -4), label))
        parts.append(chart.box(left, top + 2, scale(x) - left, 16, look))
        parts.append(chart.text(scale(x) + 6, top + 14, shown(x), look="label strong"))
    return len(rows) * row + 2, parts
