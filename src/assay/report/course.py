"""The chart of a study's history: what is drawn where. Thinned where trials are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from assay.report import chart, words
from assay.report.evidence import Course, Point

T = TypeVar("T")

_MOST = 2000
_BUCKETS = 200
_SAMPLE = 1200
_MARKS = 100
_HEIGHT = {True: 320.0, False: 260.0}
_LOOKS = ("unclear", "worse", "inside noise", "better", "control", "")


def course_chart(course: Course, what: str, width: float) -> tuple[float, list[str]]:
    """Height and parts of the chart at this width."""
    height = _HEIGHT[width > 400]
    low, high, _ = shown_range(course)
    marks = chart.ticks(low, high, 6)
    left = max(chart.width_of(words.number(y), 12) for y in marks) + 10
    trials = _last_trial(course)
    x = chart.Scale(-0.5, trials + 0.5, left, width - 8)
    y = chart.Scale(low, high, height - 42, 30)
    parts = [
        *_frame(course, what, x, y, marks, width),
        *_bands(course, x, y),
        *_points(course, x, y),
    ]
    return height, parts


def shown_range(course: Course) -> tuple[float, float, int]:
    """The bounds of the chart, and how many points lie beyond them.

    A few trials that went badly wrong must not flatten the rest: the bad side ends where it is as
    far from the 20 % point as that is from the best.
    """
    sign = 1.0 if course.higher_is_better else -1.0
    goodness = sorted(sign * point.y for point in course.points)
    bad, best = goodness[len(goodness) // 5], goodness[-1]
    fence = bad - max(best - bad, 1e-12 + abs(bad) * 1e-6)
    kept = [sign * g for g in goodness if g >= fence]
    extra = [0.0] if course.of_gains else []
    if course.band:
        extra += [course.band, -course.band]
    extra += [gain for _, gain in course.luck[-1:]]
    low, high = chart.around([*kept, *extra])
    return low, high, sum(1 for p in course.points if not low <= p.y <= high)


def thinned(points: Sequence[Point], keep: Sequence[Point]) -> list[Point]:
    """All points, or where they are too many, `keep`, a fair sample, and the extremes of each stretch."""
    if len(points) <= _MOST:
        return list(points)
    first, last = points[0].trial, max(p.trial for p in points)
    ends: dict[int, tuple[Point, Point]] = {}
    for point in points:
        bucket = (point.trial - first) * _BUCKETS // (last - first + 1)
        low, high = ends.get(bucket, (point, point))
        ends[bucket] = (min(low, point, key=lambda p: p.y), max(high, point, key=lambda p: p.y))
    kept = [*_every(points, _SAMPLE), *(p for pair in ends.values() for p in pair), *keep]
    by_trial = {p.trial: p for p in kept}
    return [by_trial[trial] for trial in sorted(by_trial)]


def _last_trial(course: Course) -> int:
    return max([p.trial for p in course.points] + list(course.failed))


def _frame(
    course: Course, what: str, x: chart.Scale, y: chart.Scale, marks: Sequence[float], width: float
) -> list[str]:
    better = "↑ better" if course.higher_is_better else "↓ better"
    room = width - chart.width_of(better) - 20
    parts = [
        chart.text(0, 14, chart.clipped(what, room), look="label strong"),
        chart.text(width - 8, 14, better, look="note", anchor="end"),
    ]
    for mark in marks:
        parts.append(chart.line(x.start, y(mark), x.end, y(mark), "grid"))
        parts.append(
            chart.text(x.start - 6, y(mark) + 4, words.number(mark), look="tick", anchor="end")
        )
    if course.of_gains:
        parts.append(chart.line(x.start, y(0), x.end, y(0), "zero"))
    last = _last_trial(course)
    shown = [t for t in chart.ticks(0, last, 6) if t.is_integer()] if last else [0.0]
    for mark in shown:
        anchor = "end" if x(mark) > width - 24 else "middle"
        parts.append(
            chart.text(
                min(x(mark), x.end), y.start + 18, f"{mark:,.0f}", look="tick", anchor=anchor
            )
        )
    parts.append(
        chart.text((x.start + x.end) / 2, y.start + 36, "trial", look="note", anchor="middle")
    )
    return parts


def _bands(course: Course, x: chart.Scale, y: chart.Scale) -> list[str]:
    parts = []
    if course.band:
        top, bottom = y(course.band), y(-course.band)
        parts.append(chart.box(x.start, top, x.end - x.start, bottom - top, "band"))
    last = max(_last_trial(course), 1)
    luck = [(x(min(n, last)), y(gain)) for n, gain in course.luck]
    parts.append(chart.path(luck, "luck"))
    return parts


def _points(course: Course, x: chart.Scale, y: chart.Scale) -> list[str]:
    marked = [p for p in course.points if p.trial == course.marked]
    shown = thinned(course.points, [*course.records, *marked])
    inside = [p for p in shown if y.low <= p.y <= y.high]
    beyond = [p for p in shown if not y.low <= p.y <= y.high]
    parts = [
        chart.dots(
            [(x(p.trial), y(p.y)) for p in inside if p.standing == standing],
            f"dot dot-{standing.replace(' ', '-') or 'inside-noise'}",
        )
        for standing in _LOOKS
    ]
    edge = y.end if course.higher_is_better is False else y.start
    parts.append(chart.dots([(x(p.trial), edge) for p in _every(beyond, _MARKS)], "dot dot-beyond"))
    failed = [(x(n), y.start + 3) for n in _every(course.failed, _MARKS)]
    parts.append(chart.crosses(failed, "failed"))
    steps = [(x(p.trial), y(p.y)) for p in course.records if y.low <= p.y <= y.high]
    if steps:
        parts.append(chart.path([*steps, (x.end, steps[-1][1])], "record", steps=True))
    parts += [
        f'<circle class="marked" cx="{x(p.trial):.1f}" cy="{y(p.y):.1f}" r="6"/>'
        for p in marked
        if p in inside
    ]
    return parts


def _every(found: Sequence[T], most: int) -> Sequence[T]:
    """Evenly spaced ones, at most so many."""
    return found[:: max(1, -(-len(found) // most))]
