"""The checks before a study on its page: lights, numbers, thresholds, what each means, overrides."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from assay.checks.about import ABOUT, page
from assay.checks.finding import QUICK, TITLES, Finding, verdict_of
from assay.checks.model import more_rows
from assay.core.events import Deviated, Inspected
from assay.core.history import fold
from assay.report import html
from assay.report.markdown import markdown
from assay.report.preflight import preflight
from assay.report.view import view_of

DOCS = Path(__file__).resolve().parents[3] / "docs" / "checks"
CURVE = more_rows([100, 200, 300, 400], [0.5 + 3 / n for n in (100, 200, 300, 400)])[0]
FINDINGS = (
    *(Finding(code, "ok", "Nothing.") for code in QUICK if code not in ("PF01", "PF08")),
    Finding("PF01", "fix", "Twins: 12 % of rows.", "Drop the copies.", {"validation": 0.12}),
    Finding("PF08", "care", "They moved.", "", {"most": 0.3}),
    CURVE,
)


def checked(made, findings=FINDINGS, overrides=("PF01",)):
    spec, events = made.whole()
    forms = tuple(f.to_json() for f in findings)
    went_on = [Deviated(f"check {c}", "FIX FIRST", "overridden", "<b>known</b>") for c in overrides]
    found = [Inspected("full", verdict_of(findings), forms), *went_on]
    return spec, [events[0], *found, *events[1:]]


@pytest.mark.parametrize("code", TITLES)
def test_the_page_of_a_check_in_the_documentation_is_its_text(code):
    assert (DOCS / f"{code}.md").read_text("utf-8") == page(code), (
        "docs/checks/*.md are assay.checks.about.page(code)"
    )


def test_every_check_is_shown_with_its_light_numbers_threshold_and_override(made):
    spec, events = checked(made)
    found = preflight(spec, fold(events))
    assert (found.verdict, found.light) == ("FIX FIRST", "bad")
    assert [c.code for c in found.checks[:2]] == ["PF01", "PF08"]
    assert {c.code for c in found.checks} == {*QUICK, "PF14"}
    first = found.checks[0]
    assert (first.light, first.level, first.numbers) == ("bad", "fix first", "validation 0.12")
    assert first.threshold == ABOUT["PF01"].levels
    assert first.override == "<b>known</b>"
    assert all(not c.override for c in found.checks[1:])
    shown = html.page(view_of("lab", spec, fold(events)))
    section = re.search(r'<section id="preflight".*?</section>', shown, re.DOTALL).group()
    assert "Overridden:</strong> <bdi>&lt;b&gt;known&lt;/b&gt;" in section
    for link in re.findall(r'href="#([\w-]+)"', section):
        assert section.count(f'id="{link}"') == 1
    assert section.count("<details id=") == len(found.checks)
    assert "light-bad" in section
    assert "FIX FIRST" in markdown(view_of("lab", spec, fold(events)))


def test_a_study_without_checks_has_no_such_section(made):
    spec, events = made.whole()
    assert preflight(spec, fold(events)) is None


def test_the_checklist_says_what_the_checks_found(made):
    spec, events = checked(made)
    items = {i.question: i for i in view_of("lab", spec, fold(events)).checklist}
    twins = items["Was it checked that no row stands on both sides of a split?"]
    assert (twins.answer, twins.detail) == ("Y", "PF01: Twins: 12 % of rows.")
    assert "Wh (" in items["Is the energy used given?"].detail
    spec, events = made.whole()
    items = {i.question: i for i in view_of("lab", spec, fold(events)).checklist}
    assert items[twins.question].answer == "not recorded"


def test_the_learning_curve_forecasts_what_was_fitted(made):
    spec, events = checked(made)
    plot = preflight(spec, fold(events)).learning
    points, fitted, forecast = plot.panels[0].marks
    # the metric is one to maximize, so losses are turned around
    assert np.allclose(points.y, [-0.5 - 3 / n for n in (100, 200, 300, 400)])
    assert (fitted.x[-1], forecast.x[0], forecast.x[-1]) == pytest.approx((400, 400, 800))
    assert forecast.y[-1] == pytest.approx(-0.5 - 3 / 800, abs=1e-3)
    assert forecast.y[-1] > fitted.y[-1] > fitted.y[0]
    assert [row[2] for row in plot.table.rows] == ["measured"] * 4 + ["forecast"] * 2


def test_a_flat_curve_is_shown_without_a_forecast(made):
    flat = more_rows([10, 20, 30, 40], [0.1, 0.4, 0.1, 0.4])[0]
    assert flat.level == "ok"
    spec, events = checked(made, (flat,), ())
    plot = preflight(spec, fold(events)).learning
    assert [mark.name for mark in plot.panels[0].marks] == [
        "measured, on parts of the training rows"
    ]


def test_findings_of_another_version_are_shown(made):
    spec, events = made.whole()
    forms = ({"code": "PF99", "level": "grave", "text": "New."}, {"code": "PF02", "level": "ok"})
    history = fold([events[0], Inspected("deep", "MAYBE", forms), *events[1:]])
    found = preflight(spec, history)
    assert [(c.code, c.level) for c in found.checks] == [("PF99", "note"), ("PF02", "ok")]
    assert "New." in html.page(view_of("lab", spec, history))
