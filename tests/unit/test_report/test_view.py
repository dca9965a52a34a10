"""What a view holds of each kind of study."""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest

from assay.core.events import (
    Broke,
    Concluded,
    Deviated,
    Failed,
    Frozen,
    Measured,
    Noted,
    Opened,
    Told,
    Voided,
)
from assay.core.history import fold
from assay.report import html
from assay.report.corrected import Honest, honest_curve
from assay.report.plots.gains import best_so_far
from assay.report.plots.outcomes import Outcomes
from assay.report.view import view_of


def headings(page):
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


@pytest.mark.parametrize(
    ("kind", "absent"),
    [
        ("created", {"numbers", "front", "flow", "course", "changes", "recheck", "cost", "noise", "test", "machine", "trials"}),
        ("one trial", {"numbers", "front", "recheck"}),
        ("running", {"numbers", "front", "recheck"}),
        ("rechecked", {"numbers", "front"}),
        ("whole", {"front"}),
        ("post-hoc", {"front"}),
        ("objective", {"front", "data_notes", "test"}),
        ("no control", {"numbers", "front", "recheck", "noise", "data_notes", "test"}),
        ("all failed", {"numbers", "front", "course", "changes", "recheck", "noise", "data_notes", "test"}),
        ("two objectives", {"numbers", "course", "changes", "recheck", "noise", "data_notes", "test", "machine"}),
    ],
)  # fmt: skip
def test_sections_without_facts_are_left_out(kind, absent, pages, study, view):
    shown = view(*study(kind))
    # some are for `study.report` to add; ablations have a test of their own
    absent = absent | {
        "importance",
        "steps",
        "worth",
        "ablations",
        "audit",
        "singles",
        "preflight",
        "procedure",
        "shadow",
    }
    assert {s.part for s in html.SECTIONS if getattr(shown, s.part) is None} == absent
    assert headings(pages[kind]) == [s.heading for s in html.SECTIONS if s.part not in absent]


def test_the_headings_of_a_whole_study(pages):
    assert headings(pages["whole"]) == [
        "What was measured", "How the trials went", "History", "What changed",
        "How the winner was chosen", "What it cost", "What reading the data showed", "Plan and deviations", "Noise",
        "The sealed test set", "Checklist", "Environment", "All trials",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "claim", "words_of"),
    [
        ("created", "NOT STARTED", "No trial"),
        ("running", "NO VERDICT YET", "21 of 60 trials ended"),
        ("no control", "NO VERDICT", "nothing was repeated"),
        ("all failed", "NO RESULT", "All 12 trials failed"),
        ("control failed", "NO RESULT", "The defaults failed"),
        ("two objectives", "NO VERDICT", "front"),
        ("whole", "BETTER", "Tuning improved"),
        ("post-hoc", "CANNOT TELL", ""),
    ],
)
def test_the_card_says_where_the_study_stands(kind, claim, words_of, study, view):
    card = view(*study(kind)).card
    assert card.claim == claim
    assert words_of in card.sentence


def test_the_four_numbers_are_those_of_the_log(study, view):
    spec, events = study("whole")
    found = view(spec, events).numbers
    result = next(e for e in events if isinstance(e, Opened)).results["contenders"]
    challenger = next(e for e in events if isinstance(e, Frozen)).contenders[1]
    told = next(e for e in events if isinstance(e, Told) and e.trial == challenger)
    scores = {bar.kind: bar.value for bar in found.bars}
    assert scores == {
        "control": result["0"]["score"],
        "selected": result[str(challenger)]["score"],
        "validation": told.values[0],
    }
    assert found.optimism == pytest.approx(told.values[0] - result[str(challenger)]["score"])


def test_optimism_has_the_same_sign_when_lower_is_better(study, view):
    found = view(*study("objective")).numbers
    scores = {bar.kind: bar.value for bar in found.bars}
    assert not found.higher_is_better
    assert found.optimism == pytest.approx(scores["selected"] - scores["validation"])


@pytest.mark.parametrize("kind", ["whole", "running", "objective", "all failed"])
def test_every_second_is_in_the_account(kind, study, view):
    spec, events = study(kind)
    told = {e.trial for e in events if isinstance(e, Told)} if spec.data else set()
    paid = [e for e in events if isinstance(e, Measured | Told | Failed) and hasattr(e, "cpu_s")]
    paid = [
        e for e in paid if not (isinstance(e, Told) and e.trial in told)
    ]  # the sum of its folds
    cost = view(spec, events).cost
    assert cost.total.cpu_s == pytest.approx(sum(e.cpu_s for e in paid))
    assert cost.total.wall_s == pytest.approx(sum(e.wall_s for e in paid))
    assert cost.total.cpu_s == pytest.approx(sum(stage.cpu_s for stage in cost.stages))


def test_what_broke_outside_the_search_is_paid_too(study, view):
    spec, events = study("rechecked")
    broken = Broke(3, "recheck", ((1, 0, 0),), "timeout", "too slow", cpu_s=100.0, wall_s=100.0)
    more = view(spec, [*events, broken]).cost.total.cpu_s - view(spec, events).cost.total.cpu_s
    assert more == pytest.approx(100)


def test_the_control_pays_for_itself(study, view):
    stages = {stage.stage: stage.evaluations for stage in view(*study("whole")).cost.stages}
    # dummy model 5, search of trial 0 5, probes 2, repeats 3 * 3 * 5 less the 5 of the search
    assert stages == {"control": 52, "search": 57 * 5 + 2, "recheck": 60, "test": 10}


@pytest.mark.parametrize(("kind", "best"), [("whole", max), ("objective", min)])
def test_the_ranking_begins_with_the_best(kind, best, study, view):
    table = view(*study(kind)).trials
    values = [row.values[0] for row in table.best(1000)]
    assert values[0] == best(values)
    assert values == sorted(values, reverse=best is max)


def test_the_flow_counts_the_trials(study, view):
    steps = {step.label: step.count for step in view(*study("whole")).flow}
    assert steps == {
        "proposed": 60,
        "complete": 58,
        "rechecked": 6,
        "contenders": 2,
        "test opened": 1,
    }


def test_a_second_look_shows_everywhere(pages, study, view):
    shown = view(*study("post-hoc"))
    assert shown.card.badge == "POST-HOC (look 2)"
    assert [d.reason for d in shown.plan.deviations] == ["a reviewer asked"]
    answers = {item.question: item.answer for item in shown.checklist}
    assert answers["Was the test set opened once only?"] == "N"
    assert "a reviewer asked" in pages["post-hoc"]


def test_off_plan_acts_are_listed(study, view):
    spec, events = study("running")
    events += [
        Deviated("budget", {"trials": 60}, {"trials": 90}, "more time"),
        Voided("broken"),
        Noted("hm"),
    ]
    plan = view(spec, events).plan
    assert [d.what for d in plan.deviations] == ["budget", "seal"]
    assert plan.remarks == ("hm",)


def test_gains_are_those_of_the_effects(study, view):
    spec, events = study("whole")
    shown = view(spec, events)
    points = {p.trial: p.y for p in shown.course.points}
    gains = {row.number: row.gain.estimate for row in shown.trials.rows if row.gain}
    assert {n: y for n, y in points.items() if n} == gains
    assert shown.course.records[-1].y == max(points.values())
    heights = [gain for _, gain in shown.course.luck]
    assert heights == sorted(heights)
    assert heights[0] > 0


@pytest.mark.parametrize(
    "event",
    [Concluded({}), Concluded({"claim": None, "gain": None}), Concluded({"gain": {"estimate": 1}})],
)
def test_a_verdict_with_little_in_it_is_shown(event, study, view):
    spec, events = study("running")
    assert "<h1>" in html.page(view(spec, [*events, event]))


def test_a_test_result_with_nothing_in_it_is_shown(study, view):
    spec, events = study("whole")
    events = [Opened(1, {}) if isinstance(e, Opened) else e for e in events]
    shown = view(spec, events)
    assert shown.numbers is None
    assert "The sealed test set" in html.page(shown)


def test_a_plan_on_data_may_say_little(view, made):
    spec = made.plan_on_data(data={"folds": 5, "ratio": 0.25})
    assert "Plan and deviations" in html.page(view(spec, made.searched(spec, 5)))


def with_rows(events, *, turned):
    """The same events with per-row losses whose mean recomposes each search value."""
    rng = np.random.default_rng(3)
    blobs, new = {}, []
    for event in events:
        if isinstance(event, Measured) and event.stage == "search":
            rows = rng.random(80)
            mean = 1 - event.value if turned else event.value
            sha = f"{len(blobs):064d}"
            blobs[sha] = (rows - rows.mean() + mean).astype(np.float32)
            event = msgspec.structs.replace(event, rows=sha)  # noqa: PLW2901
        new.append(event)
    return new, blobs


def test_the_corrected_estimate_is_the_fourth_number(study):
    spec, events = study("whole")
    events, blobs = with_rows(events, turned=True)
    shown = view_of("churn", spec, fold(events), rows=blobs.__getitem__).numbers
    bars = {bar.kind: bar for bar in shown.bars}
    assert list(bars) == ["control", "selected", "validation", "corrected"]
    assert bars["corrected"].low < bars["corrected"].value < bars["corrected"].high
    assert bars["corrected"].value < bars["validation"].value


def test_the_honest_curve_lies_beside_the_plain_one(study):
    spec, events = study("whole")
    events, blobs = with_rows(events, turned=True)
    history = fold(events)
    honest = honest_curve(spec, history, blobs.__getitem__)
    complete = [n for n, _ in history.told()]
    assert (honest[0].n, honest[-1].n) == (1, len(complete))
    assert all(at.low <= at.gain <= at.high for at in honest)
    plot = best_so_far(Outcomes(spec, history), honest)
    plain, fresh = plot.panels[0].marks[:2]
    assert (fresh.x[-1], fresh.y[-1]) == (honest[-1].n, honest[-1].gain)
    assert fresh.y[-1] < plain.y[-1], "what one sees flatters"
    assert all(row[2] != "–" for row in plot.table.rows)
    assert honest_curve(spec, history, None) == ()
    assert "on other rows" not in best_so_far(Outcomes(spec, history)).table.heads


def test_where_the_honest_curve_falls_it_is_said(study):
    outcomes = Outcomes(study("whole")[0], fold(study("whole")[1]))
    falling = [Honest(n, gain, gain - 1, gain + 1) for n, gain in ((1, 0.0), (9, 0.1), (50, 0.05))]
    assert "more trials chose noise" in best_so_far(outcomes, falling).notes[1]
    rising = [Honest(n, n / 50, 0.0, 2.0) for n in (1, 9, 50)]
    assert len(best_so_far(outcomes, rising).notes) == 1


def test_without_a_test_set_the_corrected_estimate_stands_in(made):
    spec = made.plan_on_data(data={**made.DATA, "seal": None})
    events = made.rechecked(spec, made.searched(spec, 20))
    events, blobs = with_rows(events, turned=True)
    assert view_of("churn", spec, fold(events)).numbers is None
    shown = view_of("churn", spec, fold(events), rows=blobs.__getitem__)
    assert [bar.kind for bar in shown.numbers.bars] == ["control", "validation", "corrected"]
    assert "the corrected estimate" in html.page(shown)


def test_nothing_is_corrected_where_rows_do_not_make_the_metric(study):
    spec, events = study("whole")
    events, blobs = with_rows(events, turned=False)
    assert len(view_of("churn", spec, fold(events), rows=blobs.__getitem__).numbers.bars) == 3


def test_rows_that_belong_together_are_not_corrected_as_if_they_did_not(study):
    spec, events = study("whole")
    events, blobs = with_rows(events, turned=True)
    grouped = replace(spec, data={**spec.data, "splits": {"kind": "grouped", "count": 5}})
    assert len(view_of("churn", grouped, fold(events), rows=blobs.__getitem__).numbers.bars) == 3


def test_settings_that_the_verdict_refuses_are_not_called_selected(study, view):
    spec, events = study("whole")
    assert view(spec, events).changes.title == "Trial 24, selected"
    refused = [*events, Concluded({"claim": "WORSE", "action": "KEEP_DEFAULTS"})]
    found = view(spec, refused).changes
    assert found.title == "Trial 24, the best found, was not kept"
    assert not found.kept


def test_without_a_region_the_report_gives_the_range_of_carbon(study):
    from assay.analysis.spending import Spending
    from assay.report.record import carbon

    spent = Spending(1, 3600.0, 3600.0, 0.0, 2.0, 0.0, None, None, "EUR")
    assert carbon(spent).startswith(
        "60 g CO2e where electricity is as in Norway (30 g/kWh), 1,400 g"
    )
    assert carbon(replace(spent, kgco2e=0.8)) == ""
    assert carbon(replace(spent, kwh=0.0)) == ""
    spec, events = study("whole")
    assert "no region was given" in html.page(view_of("churn", spec, fold(events)))
