"""The numbers that figures draw, against the rows of a real study's log, which are read here by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from math import comb

import numpy as np
import pytest
from msgspec.structs import replace

import assay
from assay.api.reporting import whole
from assay.core.events import Told, decode
from assay.core.history import fold
from assay.report import figures
from assay.report.html import page
from assay.report.plots import course, gains
from assay.report.plots.outcomes import Outcomes


@pytest.fixture(scope="module")
def told(home):
    """A study on data whose metric is the mean of its rows, and its log as plain JSON."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(240, 8))
    study = assay.tune(
        "ridge", X, X[:, 0] + rng.normal(size=240), metric="mae", budget=14, test=0.25,
        isolation="none", progress=False, storage=str(home / "lab.db"), name="told",
    )  # fmt: skip
    events = [json.loads(row.body) for row in study.store.rows("told")]
    return study, Log(events)


class Log:
    """What the log says, in the plainest way."""

    def __init__(self, events):
        self.of = defaultdict(list)
        for event in events:
            self.of[event["type"]].append(event)
        self.values = {e["trial"]: e["values"][0] for e in self.of["told"]}
        self.cpu_s = {e["trial"]: e["cpu_s"] for e in self.of["told"]}

    def measured(self, stage):
        """The values of each trial of a stage by their unit."""
        found = defaultdict(dict)
        for event in self.of["measured"]:
            if event["stage"] == stage:
                found[event["trial"]][tuple(event["unit"])] = event["value"]
        return found

    def gain(self, trial, stage):
        """How much lower its error is than that of the control, on the same units."""
        control = self.measured("search")[0] | self.measured("control")[0] | self.measured(stage)[0]
        mine = self.measured(stage)[trial]
        return float(np.mean([control[unit] - value for unit, value in mine.items()]))


def drawn_by_trial(plot):
    return {
        trial: (x, y)
        for mark in plot.panels[0].marks
        if mark.kind == "points" and mark.role != "marked"
        for trial, x, y in zip(mark.trials, mark.x, mark.y, strict=True)
    }


def test_the_four_numbers_are_control_selected_seen_and_corrected(told):
    study, log = told
    numbers = whole(study).numbers
    challenger = log.of["selected"][0]["challenger"]
    tested = log.of["opened"][0]["results"]["contenders"]
    shown = {bar.kind: bar.value for bar in numbers.bars}
    assert list(shown) == ["control", "selected", "validation", "corrected"]
    assert shown["control"] == tested["0"]["score"]
    assert shown["selected"] == tested[str(challenger)]["score"]
    assert shown["validation"] == log.values[challenger]
    assert shown["corrected"] >= shown["validation"], "an error without its selection luck"
    assert numbers.optimism == pytest.approx(shown["selected"] - shown["validation"])
    assert len(figures.four_numbers(numbers).table.rows) == 4


def test_a_missing_fourth_number_is_explained(told, pages):
    study, _ = told
    assert "is not corrected for its luck" not in page(whole(study))
    assert "is not corrected for its luck" in pages["whole"]


def test_the_flow_counts_what_the_log_holds(told):
    study, log = told
    counts = {step.label: step.count for step in whole(study).flow}
    assert counts["proposed"] == len(log.of["asked"])
    assert counts["complete"] == len(log.of["told"])
    assert counts["rechecked"] == len(log.of["selected"][0]["table"])
    assert counts["test opened"] == len(log.of["opening"])


def test_the_history_shows_the_gain_of_each_trial_on_common_folds(told):
    study, log = told
    drawn = drawn_by_trial(course.history(Outcomes(study.spec, study.history)))
    assert drawn
    for trial, (x, gain) in drawn.items():
        assert x == trial
        assert gain == pytest.approx(log.gain(trial, "search"), abs=1e-12)


def test_what_fresh_data_show_are_means_of_the_recheck(told):
    study, log = told
    for row in whole(study).recheck.rows:
        assert row.search_gain == pytest.approx(log.gain(row.trial, "search"), abs=1e-12)
        assert row.fresh.estimate == pytest.approx(log.gain(row.trial, "recheck"), abs=1e-9)


def test_the_expected_best_is_over_all_ways_to_draw_the_trials(told):
    study, log = told
    curve = gains.best_so_far(Outcomes(study.spec, study.history)).panels[0].marks[0]
    found = sorted(log.gain(trial, "search") for trial in log.values)
    for n, shown in zip(map(int, curve.x), curve.y, strict=True):
        ways = [comb(rank, n - 1) / comb(len(found), n) for rank in range(len(found))]
        assert shown == pytest.approx(np.dot(ways, found), abs=1e-12)


def test_the_steps_to_the_best_add_up_to_its_gain(told):
    study, log = told
    plot = gains.steps_to_best(Outcomes(study.spec, study.history))
    spans = next(mark for mark in plot.panels[0].marks if mark.role == "step")
    best = max(log.gain(trial, "search") for trial in log.values)
    assert sum(np.subtract(spans.high, spans.low)) == pytest.approx(best)


def test_gain_and_cost_are_those_of_each_trial(told):
    study, log = told
    events = [decode(row.body) for row in study.store.rows("told")]
    costs = {trial: 1.0 + trial for trial in log.cpu_s}  # measured ones may be as good as equal
    history = fold(
        replace(event, cpu_s=costs[event.trial]) if isinstance(event, Told) else event
        for event in events
    )
    drawn = drawn_by_trial(gains.gain_and_cost(Outcomes(study.spec, history)))
    assert drawn
    for trial, (cost, gain) in drawn.items():
        assert cost == pytest.approx(costs[trial])
        assert gain == pytest.approx(log.gain(trial, "search"), abs=1e-12)
