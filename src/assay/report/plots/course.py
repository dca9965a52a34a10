"""How a study went: its history, the distribution of its values, the curves and times of its trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.course import shown_range, thinned
from assay.report.evidence import Course, Point, course
from assay.report.plots.axes import better, drawn_of, objective_axis
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table, line, points
from assay.report.plots.outcomes import Outcomes, telling

_STANDINGS = ("unclear", "worse", "inside noise", "better", "control", "")
_STATES = ("done", "stopped", "paused", "failed", "running")
_MOST_CURVES = 60
_MOST_STEPS = 200
_MOST_SPANS = 400
_MOST_FAILED = 60
_EDF_POINTS = 400

Times = Mapping[int, tuple[float, float | None]]
"""When each trial began and ended, in seconds since the first began; None: it runs."""


def history(outcomes: Outcomes) -> Plot:
    """Every trial's gain (without a control: its value), the record, the noise band, the luck line."""
    found = course(
        outcomes.spec, outcomes.history, outcomes.effects, outcomes.noise, looks=outcomes.looks,
        points=outcomes.points,
    )  # fmt: skip
    if found is None:
        return _nothing("history", "History", "No trial has a value yet.")
    return of_course(found)


def of_course(found: Course) -> Plot:
    """The history as a figure."""
    what = f"gain over the defaults, {found.metric}" if found.of_gains else found.metric
    low, high, beyond = shown_range(found)
    keep = [*found.records, *(p for p in found.points if p.trial == found.marked)]
    shown = thinned(found.points, keep)
    inside = [p for p in shown if low <= p.y <= high]
    last = max([p.trial for p in found.points] + list(found.failed))
    marks = []
    if found.band:
        name = f"inside noise, ±{words.number(found.band, 2)}"
        ends = (0.0, float(max(last, 1)))
        flat = (found.band,) * 2
        marks.append(Mark("band", "band", name, ends, (0.0, 0.0), tuple(-b for b in flat), flat))
    if found.luck:
        name = "luck line: the best of so many trials that are all as good as the defaults"
        marks.append(line("luck", name, [(float(n), gain) for n, gain in found.luck]))
    said = {
        "": "a trial",
        "unclear": f"unclear: {'the folds disagree' if found.band else 'its noise is not known'}",
        "control": "the defaults",
    }
    marks += [_standing(inside, standing, said.get(standing, standing)) for standing in _STANDINGS]
    records = [(float(p.trial), p.y) for p in found.records]
    if records:
        tail = [(float(last), records[-1][1])]
        marks.append(line("record", "best so far", [*records, *tail], steps=True))
    if len(found.shadow) > 1:
        xy = [(float(p.trial), p.y) for p in found.shadow]
        name = "the best so far on the shadow set, which the search never saw"
        marks.append(line("series-1", name, [*xy, (float(last), xy[-1][1])], steps=True))
    if found.failed:
        bottom = low if found.higher_is_better else high
        failed = found.failed[:: -(-len(found.failed) // _MOST_FAILED)]
        at = tuple(float(n) for n in failed)
        name = f"{len(found.failed):,} failed"
        marks.append(Mark("crosses", "failed", name, at, (bottom,) * len(at), trials=tuple(failed)))
    marked = [p for p in inside if p.trial == found.marked]
    what_of_it = "measured again at the end" if found.again else "selected by the search alone"
    name = f"trial {found.marked}, {what_of_it}"
    marks.append(_ring(name, [(float(p.trial), p.y) for p in marked], [p.trial for p in marked]))
    best = found.records[-1]
    way = "higher is better" if found.higher_is_better else "lower is better"
    about = (
        f"{words.count(len(found.points), 'trial')} with a value; {way}; "
        f"the record is {words.number(best.y)}, trial {best.trial}."
    )
    rows = tuple((f"trial {p.trial}", words.number(p.y)) for p in found.records)
    panel = Panel(Axis("trial"), Axis(what, low=low, high=high), tuple(m for m in marks if m.x))
    plot = Plot(
        "history", f"History: {what}", about, (panel,), Table("Records", ("trial", what), rows)
    )
    edge = f"{words.count(beyond, 'trial')} beyond the edge of the chart." if beyond else ""
    return plot.with_notes(drawn_of(len(shown), len(found.points)), edge)


def _standing(shown: Sequence[Point], standing: str, name: str) -> Mark:
    mine = [p for p in shown if p.standing == standing]
    return points(
        standing.replace(" ", "-") or "inside-noise",
        name,
        [(float(p.trial), p.y) for p in mine],
        [p.trial for p in mine],
    )


def _ring(name: str, xy: list[tuple[float, float]], trials: list[int]) -> Mark:
    return points("marked", name, xy, trials)


def edf(several: Mapping[str, Outcomes]) -> Plot:
    """The share of trials with at most (at least, where higher is better) each value.

    Args:
        several: one study or more, by name; their first objectives are compared.
    """
    shown = {name: found for name, found in several.items() if found.numbers}
    if not shown:
        return _nothing("edf", "Distribution of values", "No trial has a value yet.")
    spec = next(iter(shown.values())).spec
    marks, rows = [], []
    for i, (name, found) in enumerate(shown.items()):
        values = np.sort(found.values[:, 0])
        at = np.unique(np.linspace(0, len(values) - 1, _EDF_POINTS).astype(int))
        rising = spec.signs[0] > 0
        share = (at + 1) / len(values) if rising else 1 - at / len(values)
        xy = list(zip(values[at].tolist(), share.tolist(), strict=True))
        xy = [(xy[0][0], 0.0), *xy] if rising else [*xy, (xy[-1][0], 0.0)]
        marks.append(line(f"series-{i % 8}", words.name(name, 40), xy, steps=True))
        quarters = np.quantile(values, [0.0, 0.25, 0.5, 0.75, 1.0])
        rows.append((words.name(name, 40), *(words.number(float(q)) for q in quarters)))
    way = "at most" if spec.signs[0] > 0 else "at least"
    table = Table(
        "Quartiles",
        ("study", "lowest", "quarter", "middle", "three quarters", "highest"),
        tuple(rows),
    )
    about = f"The share of trials with {way} each value; {better(spec)}."
    y = Axis(f"share of trials with {way} this", low=0.0, high=1.0)
    panel = Panel(objective_axis(spec), y, tuple(marks))
    return Plot("edf", "Distribution of values", about, (panel,), table)


def _goal(spec: StudySpec) -> tuple[str, str]:
    """The first objective, and which way it goes."""
    name = spec.objectives[0]
    return name, spec.directions[name]


def compared(several: Mapping[str, Outcomes]) -> Plot:
    """Several studies beside each other: the best value so far, and the distribution of values.

    Those that measure another objective than the first one with a value are named, not drawn: on one
    axis they would say nothing.
    """
    with_values = {name: found for name, found in several.items() if found.numbers}
    if not with_values:
        return edf(several)
    spec = next(iter(with_values.values())).spec
    shown = {name: one for name, one in with_values.items() if _goal(one.spec) == _goal(spec)}
    spread = edf(shown)
    marks = []
    for i, (name, found) in enumerate(shown.items()):
        sign = found.spec.signs[0]
        best = np.minimum.accumulate(np.where(found.feasible, found.losses, np.inf))
        new = np.flatnonzero(np.append(True, best[1:] < best[:-1]) & np.isfinite(best))
        xy = [(float(at + 1), float(sign * best[at])) for at in new]
        last = [(float(len(best)), xy[-1][1])] if xy else []
        marks.append(line(f"series-{i % 8}", words.name(name, 40), [*xy, *last], steps=True))
    first = Panel(Axis("trials ended"), objective_axis(spec), tuple(m for m in marks if m.x))
    about = f"The best value so far, and the distribution of all; {better(spec)}."
    plot = Plot("compared", "Values", about, (first, *spread.panels), spread.table)
    others = [words.name(name, 40) for name in with_values if name not in shown]
    verb = "measures" if len(others) == 1 else "measure"
    return plot.with_notes(
        f"Not drawn: {', '.join(others)}, which {verb} something else." if others else ""
    )


def intermediate_values(outcomes: Outcomes) -> Plot:
    """The reported values of trials by step: the running ones, the best, and samples of the others."""
    past = outcomes.history
    title = "Learning curves"
    running = [n for n in past.running() if past.curve(n)]
    reported = np.zeros(past.n_trials, dtype=np.bool_)
    reported[past.reported] = True
    with_value = {*outcomes.numbers, *running}
    early = [n for n in past.reported if n not in with_value]
    early = early[:: -(-len(early) // _MOST_CURVES) or 1]
    chosen = telling(outcomes, _MOST_CURVES, reported[outcomes.numbers])
    best = {outcomes.numbers[int(i)] for i in outcomes.order[:1]}
    curves = {
        n: found
        for n in [*early, *(outcomes.numbers[i] for i in chosen), *running[-_MOST_CURVES:]]
        if (found := past.curve(n))
    }
    if not curves:
        return _nothing("intermediate_values", title, "No trial has reported a value on its way.")
    open_now, cut = set(running), set(early)
    complete = [n for n in curves if n not in open_now and n not in best and n not in cut]
    marks = []
    for role, name, mine in (
        ("early", "stopped, paused or failed", early),
        ("plain", "complete", complete),
        ("running", "running", [n for n in curves if n in open_now]),
        ("record", "the best", [n for n in curves if n in best and n not in open_now]),
    ):
        for first, number in enumerate(mine):
            xy = [(float(step), value) for step, value in _spread(curves[number])]
            drawn = line(role, name if first == 0 else "", xy)
            marks.append(_of_trial(drawn, number))
    rows = tuple(
        (f"trial {n}", f"{found[-1][0]:,}", words.number(found[-1][1]))
        for n, found in sorted(curves.items())
    )
    table = Table("The last report of each trial drawn", ("trial", "step", "value"), rows)
    about = (
        f"Reported values of {words.count(len(curves), 'trial')} by step; {better(outcomes.spec)}."
    )
    panel = Panel(Axis("step"), objective_axis(outcomes.spec), tuple(marks))
    plot = Plot("intermediate_values", title, about, (panel,), table)
    return plot.with_notes(drawn_of(len(curves), int(reported.sum())))


def _of_trial(mark: Mark, number: int) -> Mark:
    return Mark(mark.kind, mark.role, mark.name, mark.x, mark.y, trials=(number,) * len(mark.x))


def _spread(curve: Sequence[tuple[int, float]]) -> Sequence[tuple[int, float]]:
    step = -(-len(curve) // _MOST_STEPS)
    return [*curve[::step], curve[-1]] if step > 1 else curve


def timeline(outcomes: Outcomes, times: Times) -> Plot:
    """When each trial began and ended: a bar each, the newest ones where they are many."""
    past = outcomes.history
    title = "Timeline"
    if not times:
        return _nothing("timeline", title, "No trial has begun.")
    now = max(end if end is not None else begin for begin, end in times.values())
    shown = sorted(times)[-_MOST_SPANS:]
    groups: dict[str, list[int]] = {state: [] for state in _STATES}
    for number in shown:
        groups[_state(past, number)].append(number)
    marks = []
    for role, numbers in groups.items():
        ends = [(times[n][0], now if times[n][1] is None else times[n][1]) for n in numbers]
        x = tuple(float(end or 0.0) for _, end in ends)
        low = tuple(begin for begin, _ in ends)
        y = tuple(map(float, numbers))
        marks.append(Mark("spans", role, role, x, y, low, x, trials=tuple(numbers)))
    rows = tuple(
        (f"trial {n}", words.seconds(times[n][0]), _lasted(times[n], now), _state(past, n))
        for n in shown[-100:]
    )
    table = Table(
        "Begin and duration of the newest", ("trial", "began after", "took", "state"), rows
    )
    about = f"{words.count(len(times), 'trial')} over {words.seconds(now)}."
    panel = Panel(Axis("seconds since the start"), Axis("trial"), tuple(m for m in marks if m.x))
    plot = Plot("timeline", title, about, (panel,), table)
    left = len(times) - len(shown)
    return plot.with_notes(f"The newest {len(shown):,} trials are drawn." if left else "")


def _state(past: History, number: int) -> str:
    return past.state(number) if number < past.n_trials else "running"


def _lasted(span: tuple[float, float | None], now: float) -> str:
    begin, end = span
    return words.seconds(max((now if end is None else end) - begin, 0.0))


def _nothing(kind: str, title: str, why: str) -> Plot:
    return Plot(kind, title, why, (), Table(title, ("trial",), ()))
