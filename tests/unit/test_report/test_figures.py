"""The figures: nothing collides, nothing that matters is left out."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest

from assay.report import chart, figures
from assay.report.course import shown_range, thinned
from assay.report.evidence import Course, Point


def boxes(svg):
    for element in ET.fromstring(svg).iter("text"):
        look = element.get("class")
        size = 20 if "big" in look else 12 if look in ("tick", "note") else 13
        words_of = "".join(element.itertext())
        width = chart.width_of(words_of, size, strong="strong" in look)
        x, y = float(element.get("x")), float(element.get("y"))
        left = {"start": x, "middle": x - width / 2, "end": x - width}[element.get("text-anchor")]
        yield words_of, left, y - 0.75 * size, left + width, y + 0.2 * size


def collisions(svg):
    found = list(boxes(svg))
    _, _, width, height = map(float, ET.fromstring(svg).get("viewBox").split())
    outside = [
        b[0] for b in found if b[1] < -1 or b[3] > width + 1 or b[2] < -1 or b[4] > height + 1
    ]
    pairs = [
        (a[0], b[0])
        for i, a in enumerate(found)
        for b in found[i + 1 :]
        if a[1] < b[3] and b[1] < a[3] and a[2] < b[4] and b[2] < a[4]
    ]
    return outside + pairs


def test_labels_do_not_collide_or_leave_the_chart(kind, study, view):
    shown = view(*study(kind))
    drawn = [
        draw(part)
        for draw, part in (
            (figures.four_numbers, shown.numbers),
            (figures.flow, shown.flow),
            (figures.history, shown.course),
            (figures.noise, shown.noise),
            (figures.cost, shown.cost),
        )
        if part is not None
    ]
    for figure in drawn:
        assert collisions(figure.wide) == []
        assert collisions(figure.narrow) == []
        assert figure.table.rows


def course_of(ys, **changes):
    points = tuple(Point(i, y, "better") for i, y in enumerate(ys))
    best = [
        p for i, p in enumerate(points) if p.y > max((q.y for q in points[:i]), default=-math.inf)
    ]
    course = Course("score", True, True, points, tuple(best), None, (), (), None)
    return replace(course, **changes)


@pytest.mark.parametrize(
    "ys", [[0.0], [0.0, 0.0, 0.0], [0.0, 1e-9], [-1e6, 5.0, 1e6], [0.0, -3.0, -1e12, 2.0]]
)
def test_any_history_can_be_drawn(ys):
    figure = figures.history(course_of(ys))
    for svg in (figure.wide, figure.narrow):
        numbers = re.findall(r'\s[xy][12]?="([^"]+)"', svg)
        assert all(math.isfinite(float(n)) for n in numbers)
        assert collisions(svg) == []


def test_bad_trials_do_not_flatten_the_chart():
    low, high, beyond = shown_range(course_of([0.0, 0.1, 0.05, 0.12, 0.08, -1e9]))
    assert low > -1
    assert high > 0.12
    assert beyond == 1


def test_thinning_keeps_records_and_extremes():
    rng = np.random.default_rng(0)
    course = course_of(list(rng.standard_normal(6000)))
    kept = thinned(course.points, course.records)
    assert len(kept) < 2000
    assert set(course.records) <= set(kept)
    assert min(course.points, key=lambda p: p.y) in kept
    assert [p.trial for p in kept] == sorted(p.trial for p in kept)
    assert thinned(course.points[:2000], []) == list(course.points[:2000])


def test_long_numbers_on_an_axis_are_left_out_not_overprinted():
    scale = chart.Scale(0, 1, 0, 100)
    parts = chart.bottom_axis(scale, 0, 10, lambda x: f"{x:.8f}", 5)
    shown = sum(part.startswith("<text") for part in parts)
    assert collisions(f'<svg viewBox="0 0 100 30">{"".join(parts)}</svg>') == []
    assert 1 <= shown < 5


def test_names_do_not_break_a_drawing():
    figure = figures.history(replace(course_of([0.0, 1.0]), metric="<b>&\"'"))
    assert "".join(ET.fromstring(figure.wide).itertext()).count("<b>&\"'") >= 2
