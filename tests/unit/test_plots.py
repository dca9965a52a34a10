"""Figures: true to the log whatever is in it, inert, thinned where trials are many, drawn by all."""

from __future__ import annotations

import json
import math
import re
import warnings
import xml.etree.ElementTree as ET
from dataclasses import asdict, replace

import msgspec
import numpy as np
import pytest
from benchmarks.web.studies import events_of, spec_of
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay.analysis.overtuning import Incumbent, Overtuning
from assay.core.errors import SpecError
from assay.core.events import Asked, Created, Failed, Paused, Reported, Selected, Stopped, Told
from assay.core.fidelity import Fidelity
from assay.core.history import fold
from assay.core.parameters import Choice, Float, Int, When
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.plot.drawing import Drawing
from assay.report.answer import Gain
from assay.report.evidence import Recheck, Rechecked, recheck
from assay.report.influence import Influence
from assay.report.plots import course, gains, shadow, space
from assay.report.plots.draw import drawn
from assay.report.plots.outcomes import Outcomes, telling

HOSTILE = "<img src=x onerror=alert(1)>\u202e$x^{2}$ %{y}"
SPACE = Space(
    {
        "lr": Float(1e-4, 1.0, log=True, default=0.1),
        HOSTILE: Choice(["a", HOSTILE], default="a"),
        "depth": When(HOSTILE, "a", Int(1, 9, default=3)),
        "p": Float(0.1, 0.9, logit=True, default=0.5),
    }
)


def study_of(values, *, objectives=1, control=True, cpu_s=0.1):
    """A history of trials with these values; None: failed, "open": running."""
    ways = {"loss": "minimize"} if objectives == 1 else {"loss": "minimize", "gain": "maximize"}
    spec = StudySpec(SPACE, ways, control=SPACE.defaults() if control else None)
    rng = np.random.default_rng(0)
    events = [Created(spec.to_json(), spec.plan)]
    for i, value in enumerate(values):
        config = SPACE.from_unit(rng.random(4)) if i or not control else SPACE.defaults()
        events.append(Asked(i, config, 1, "control" if control and i == 0 else "sampler"))
        if value == "open":
            events += [Reported(i, 1, 0.5), Reported(i, 7, 0.25)]
        elif value is None:
            events.append(Failed(i, "raised", HOSTILE))
        else:
            events.append(Reported(i, 2, value))
            values = (value,) if objectives == 1 else (value, -value / 3)
            events.append(Told(i, values, None, cpu_s * (1 + i % 3)))
    return Outcomes(spec, fold(events))


def all_of(found):
    names = ["lr", HOSTILE]
    made = [
        course.history(found),
        course.edf({"one": found, HOSTILE: found}),
        course.intermediate_values(found),
        course.timeline(found, {i: (float(i), None) for i in range(found.history.n_trials)}),
        space.parallel_coordinate(found),
        space.slice_(found),
        space.contour(found, names),
        space.rank(found, names),
        gains.gain_and_cost(found),
        gains.best_so_far(found),
        gains.steps_to_best(found),
    ]
    return made if found.spec.single else [*made, gains.pareto_front(found)]


def check(plot):
    """It can be sent as JSON, every position is a number, and marks are as long as they say."""
    json.dumps(asdict(plot), allow_nan=False)
    msgspec.json.encode(plot)  # takes nothing of NumPy's
    for panel in plot.panels:
        for mark in panel.marks:
            assert all(map(math.isfinite, (*mark.x, *mark.y, *mark.low, *mark.high)))
            size = len(mark.x)
            if mark.kind != "heat":
                assert len(mark.y) == size
                for more in (mark.low, mark.high, mark.trials, mark.shade, mark.at):
                    assert len(more) in (0, size)
    if plot.lines:
        assert all(len(row) == len(plot.lines.axes) for row in plot.lines.rows)
        assert len(plot.lines.trials) == len(plot.lines.shade) == len(plot.lines.rows)
    if not plot.empty:
        for svg in (drawn(plot).wide, drawn(plot).narrow):
            assert "nan" not in svg
            assert "<img" not in svg
            ET.fromstring(svg)


values = st.one_of(
    st.floats(-1e9, 1e9), st.just(0.0), st.floats(-1e-6, 1e-6), st.none(), st.just("open")
)


@given(st.lists(values, max_size=25), st.booleans(), st.sampled_from([1, 2]))
def test_any_study_has_figures(found, control, objectives):
    for plot in all_of(study_of(found, control=control, objectives=objectives)):
        check(plot)


def test_outcomes_grow_as_if_they_were_made_at_once():
    spec = spec_of(60)
    events = events_of(spec, 60)
    growing = Outcomes(spec, fold(events[:3]))
    past = growing.history
    for start in range(3, len(events), 7):
        past = fold(events[start : start + 7], past)
        growing.update(past)
    whole = Outcomes(spec, fold(events))
    assert growing.numbers == whole.numbers
    assert growing.effects == whole.effects
    assert course.history(growing) == course.history(whole)
    assert np.array_equal(growing.coordinates, whole.coordinates, equal_nan=True)


def test_of_many_trials_the_best_are_drawn():
    spec = spec_of(6000)
    found = Outcomes(spec, fold(events_of(spec, 6000)))
    places = telling(found, 300)
    assert len(places) <= 300
    assert set(map(int, found.order[:150])) <= set(places)
    for plot in all_of_large(found):
        check(plot)
        size = len(json.dumps(asdict(plot)))
        assert size < 500_000, (plot.kind, size)
        assert any("drawn" in note for note in plot.notes), plot.kind
    best = found.numbers[int(found.order[0])]
    assert best in space.parallel_coordinate(found).lines.trials
    assert best in {n for m in course.history(found).panels[0].marks for n in m.trials}


def test_what_more_trials_bring_counts_every_trial():
    spec = spec_of(3000)
    found = Outcomes(spec, fold(events_of(spec, 3000)))
    seen = gains.best_so_far(found).panels[0].marks[0]
    best = max(effect.gain for effect in found.effects.values())
    assert (seen.x[-1], seen.y[-1]) == (len(found.effects), pytest.approx(best))


@pytest.mark.parametrize(("saw", "said"), [(0.25, "0.15 more"), (0.05, "0.05 less")])
def test_what_the_search_saw_too_much_or_too_little_is_said_in_words(saw, said):
    row = Rechecked(1, saw, Gain(0.1, 0.05, 0.15, 0.05), 5, "selected")
    assert said in gains.overtuning(Recheck("rule", "reason", (row,))).about


def test_one_trial_has_a_cost_but_nothing_to_compare():
    spec = spec_of(1)
    assert gains.gain_and_cost(Outcomes(spec, fold(events_of(spec, 1)))).about == "Too few trials."


def test_one_trial_has_no_neighbours_on_its_axis():
    spec = spec_of(1)
    shown = drawn(course.history(Outcomes(spec, fold(events_of(spec, 1)))))
    ticks = re.findall(r'class="tick"[^>]*text-anchor="middle">([^<]*)<', shown.wide)
    assert ticks == ["0"]


def test_many_failed_trials_are_no_bar():
    spec = spec_of(6000)
    plot = course.history(Outcomes(spec, fold(events_of(spec, 6000))))
    failed = next(mark for mark in plot.panels[0].marks if mark.role == "failed")
    assert failed.name == "206 failed"
    assert len(failed.x) <= 60


def all_of_large(found):
    return [
        course.history(found), space.parallel_coordinate(found), space.slice_(found),
        space.contour(found), space.rank(found),
    ]  # fmt: skip


def test_the_filter_leaves_what_it_says():
    found = study_of([float(i) for i in range(20)])
    within = found.values[:, 0] < 5
    plot = space.parallel_coordinate(found, within=within)
    assert set(plot.lines.trials) == set(range(5))


@pytest.mark.parametrize("library", ["matplotlib", "plotly"])
def test_a_figure_without_anything_to_see_says_why(library):
    pytest.importorskip(library)
    plot = gains.gain_and_cost(study_of([3.0, 1.0, 2.0], cpu_s=0.0))
    assert not plot.panels
    drawn = getattr(Drawing(plot), library)()
    said = (
        drawn.texts[-1].get_text() if library == "matplotlib" else drawn.layout.annotations[0].text
    )
    assert said == plot.about == "No costs are recorded."


def test_a_front_is_beaten_by_none():
    spec = spec_of(300, objectives=2)
    found = Outcomes(spec, fold(events_of(spec, 300)))
    marks = gains.pareto_front(found).panels[0].marks
    front = next(m for m in marks if m.role == "front" and m.kind == "points")
    values = dict(zip(found.numbers, found.values.tolist(), strict=True))
    for number in front.trials:
        a = values[number]
        assert not any(b[0] <= a[0] and b[1] <= a[1] and b != a for b in values.values())
    assert len(front.trials) >= 2


def test_only_what_measures_the_same_is_drawn_beside_each_other():
    low = study_of([1.0, 0.5])
    high = Outcomes(replace(low.spec, directions={"auc": "maximize"}), low.history)
    plot = course.compared({"a": low, "b": high, "c": low})
    assert {mark.name for panel in plot.panels for mark in panel.marks} == {"a", "c"}
    assert plot.notes == ("Not drawn: b, which measures something else.",)
    assert course.compared({"a": low, "c": low}).notes == ()


@pytest.mark.parametrize(("way", "ends"), [("minimize", (0.0, 1.0)), ("maximize", (1.0, 0.0))])
def test_one_trial_has_a_distribution_that_is_seen(way, ends):
    one = study_of([1.0])
    found = Outcomes(replace(one.spec, directions={"loss": way}), one.history)
    (mark,) = course.edf({"a": found}).panels[0].marks
    assert (mark.y[0], mark.y[-1]) == ends


def test_names_that_do_not_exist_are_refused():
    found = study_of([1.0, 2.0])
    with pytest.raises(SpecError, match=r"no parameter 'lrr'.*'lr'"):
        space.slice_(found, ["lrr"])
    with pytest.raises(SpecError, match="two parameters, got 1"):
        space.contour(found, ["lr"])
    with pytest.raises(SpecError, match="two objectives, and this study has 1"):
        gains.pareto_front(found)


def drawings():
    found = study_of([3.0, 1.0, None, "open", *np.linspace(2, 4, 12)])
    two = study_of([3.0, 1.0, 2.0, 0.5], objectives=2)
    shares = Influence(((HOSTILE, 0.5, 0.3, 0.7), ("b", 0.1, 0.0, 0.2)), 0.95, 5, 50)
    plots = [*all_of(found), gains.pareto_front(two), space.param_importances(shares)]
    return {f"{i} {plot.kind}": plot for i, plot in enumerate(plots)}


@pytest.mark.parametrize("name", drawings())
def test_matplotlib_draws_it(name, tmp_path):
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    plot = drawings()[name]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        figure = Drawing(plot).matplotlib()
        FigureCanvasAgg(figure).print_png(tmp_path / "x.png")
    assert (tmp_path / "x.png").stat().st_size > 5000
    assert len(figure.axes) == (1 if plot.lines else len(plot.panels))


@pytest.mark.parametrize("name", drawings())
def test_plotly_draws_it(name):
    pytest.importorskip("plotly")
    plot = drawings()[name]
    text = Drawing(plot).plotly().to_json()
    assert "<img" not in text
    if not plot.empty:
        assert json.loads(text)["data"]


@pytest.mark.parametrize("name", drawings())
def test_a_notebook_shows_it_inertly(name):
    html = Drawing(drawings()[name])._repr_html_()
    assert "<img" not in html
    assert "<script" not in html
    assert html.count("<div") == html.count("</div>")


def test_the_public_functions_draw_a_study():
    made = assay.Study(
        assay.Space(a=assay.Float(0, 1, default=0.5), b=assay.Float(0, 1, default=0.5))
    )
    for i in range(12):
        trial = made.ask()
        trial.report(1, 2.0)
        made.tell(trial, i % 5 + trial.config["a"])
    for draw in [
        "history",
        "parallel_coordinate",
        "slice",
        "contour",
        "rank",
        "param_importances",
        "intermediate_values",
        "edf",
        "timeline",
        "gain_and_cost",
        "expected_best",
        "steps_to_best",
    ]:
        figure = getattr(assay.plot, draw)(made)
        assert figure.title
        assert "<figure" in repr(figure)
    with pytest.raises(assay.StateError, match="no selection"):
        assay.plot.overtuning(made)
    assert recheck(made.history) is None


def cut_short():
    """Three trials that reported: one paused, one stopped, one that ended."""
    spec = StudySpec(Space(x=Float(0, 1), fidelity=Fidelity("epochs", 1, 9)), {"loss": "minimize"})
    events = [Created(spec.to_json(), spec.plan)]
    for i in range(3):
        events += [Asked(i, {"x": 0.2 * i}, 1, "sampler"), Reported(i, 1, 1.0)]
    events += [Paused(0, 1, "place 2"), Stopped(1, 1, "place 3"), Told(2, (0.5,), None, 0.1)]
    return Outcomes(spec, fold(events))


def test_a_trial_that_was_cut_short_neither_runs_nor_failed():
    found = cut_short()
    plot = course.timeline(found, dict.fromkeys(range(3), (0.0, 1.0)))
    shown = {mark.role: mark.trials for mark in plot.panels[0].marks}
    assert shown == {"paused": (0,), "stopped": (1,), "done": (2,)}


def test_trials_that_were_cut_short_have_their_curves():
    plot = course.intermediate_values(cut_short())
    shown = {mark.trials[0]: mark.role for mark in plot.panels[0].marks}
    assert shown == {0: "early", 1: "early", 2: "record"}
    assert not plot.notes


def test_defaults_outside_the_constraints_give_no_gains():
    spec = StudySpec(
        Space(x=Float(0, 1, default=0.5)), {"loss": "minimize"}, control={"x": 0.5},
        constraints=("ms <= 1",),
    )  # fmt: skip
    events = [Created(spec.to_json(), spec.plan)]
    for i in range(6):
        origin = "sampler" if i else "control"
        told = Told(i, (1.0 - i / 9,), {"ms": 0.5 if i else 2.0}, 0.1)
        events += [Asked(i, {"x": 0.5 - i / 99}, 1, origin), told]
    found = Outcomes(spec, fold([*events, Selected(5, 5, "best", "the search", [])]))
    for figure in (gains.steps_to_best, gains.gain_and_cost, gains.best_so_far):
        assert figure(found).about == "No gains: the defaults do not meet the constraints."
    names = [mark.name for mark in course.history(found).panels[0].marks]
    assert "trial 5, selected by the search alone" in names


def test_no_colour_is_called_dark_which_is_light_in_the_dark_theme():
    found = study_of([3.0, 1.0, 2.0])
    for plot in (space.slice_(found), space.contour(found), space.rank(found)):
        assert "dark" not in json.dumps(asdict(plot))


def test_without_a_known_noise_no_folds_are_said_to_disagree():
    plot = course.history(study_of([3.0, 1.0, 2.0]))
    names = [mark.name for mark in plot.panels[0].marks if mark.role == "unclear"]
    assert names == ["unclear: its noise is not known"]


def test_a_table_has_no_column_that_is_always_empty():
    plot = gains.best_so_far(study_of([3.0, 1.0, 2.0, 2.5, 2.2, 1.1]))
    assert plot.table.heads == ("trials", "expected best gain")


@pytest.mark.parametrize(("saw", "said"), [(-6.8, "worse"), (6.8, "better")])
def test_what_the_shadow_set_shows_is_said_in_words(saw, said):
    one = study_of([3.0, 1.0])
    found = Overtuning((Incumbent(1, 1.0, 1.0 + saw),), saw, 0.0, None)
    about = shadow.trace(one.spec, one.history, found).about
    assert about.endswith(f"the last looks {said} in the search than on the shadow set by 6.8.")
