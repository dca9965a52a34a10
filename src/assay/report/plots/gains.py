"""What the search was worth: the front of several objectives, gain against cost, expected best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assay.analysis.effects import has_control
from assay.analysis.outcomes import cpu_seconds
from assay.core.errors import SpecError, did_you_mean
from assay.core.events import CONTROL, Told
from assay.core.history import History
from assay.core.parameters import differing
from assay.core.spec import StudySpec
from assay.math.expected_best import expected_best
from assay.math.pareto import front_ranks
from assay.report import words
from assay.report.answer import metric_name
from assay.report.corrected import Honest
from assay.report.evidence import Recheck
from assay.report.looks import looks_after
from assay.report.plots.axes import better, drawn_of, objective_axis
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table, line, points
from assay.report.plots.outcomes import Outcomes, telling

_MOST_POINTS = 1500
_MOST_FRONT = 200
_CURVE_POINTS = 40


def pareto_front(outcomes: Outcomes, objectives: Sequence[str] | None = None) -> Plot:
    """Two objectives against each other, with the trials that no other beats in both.

    Args:
        objectives: two names; None: the first two.

    Raises:
        SpecError: not two objectives of this study.
    """
    spec = outcomes.spec
    pair = _objectives(spec, objectives)
    title = "Front of two objectives" if len(spec.objectives) > 2 else "Front"
    if not outcomes.numbers:
        return Plot("pareto_front", title, "No trial has a value yet.", (), _front_table(spec, []))
    values = outcomes.values[:, pair]
    losses = values * np.array([spec.signs[i] for i in pair])
    allowed = np.flatnonzero(outcomes.feasible)
    ranks = front_ranks(losses[allowed], least=1) if len(allowed) else np.array([])
    best = allowed[ranks == 0] if len(allowed) else allowed
    best = best[np.argsort(losses[best, 0], kind="stable")]
    drawn = sorted({*telling(outcomes, _MOST_POINTS), *map(int, best[:_MOST_FRONT])})
    on_front = set(map(int, best))
    groups = {
        "plain": [i for i in drawn if i not in on_front and outcomes.feasible[i]],
        "infeasible": [i for i in drawn if not outcomes.feasible[i]],
        "front": [int(i) for i in best[:_MOST_FRONT]],
    }
    said = {
        "plain": "a trial that another beats in both",
        "infeasible": "does not meet the constraints",
        "front": "beaten by no other",
    }
    marks = [line("front", "", [tuple(values[i].tolist()) for i in groups["front"]], steps=True)]
    marks += [
        points(role, said[role], [tuple(values[i].tolist()) for i in mine],
               [outcomes.numbers[i] for i in mine])
        for role, mine in groups.items()
    ]  # fmt: skip
    rows = [(outcomes.numbers[i], outcomes.values[i]) for i in groups["front"]]
    about = (
        f"{words.count(len(best), 'trial')} of {len(outcomes.numbers):,} on the front; "
        + " and ".join(f"{words.name(spec.objectives[i], 40)}: {better(spec, i)}" for i in pair)
    )
    x, y = (objective_axis(spec, i) for i in pair)
    panel = Panel(x, y, tuple(m for m in marks if m.x))
    plot = Plot("pareto_front", title, f"{about}.", (panel,), _front_table(spec, rows))
    return plot.with_notes(drawn_of(len(drawn), len(outcomes.numbers)))


def _objectives(spec: StudySpec, names: Sequence[str] | None) -> list[int]:
    if names is None and len(spec.objectives) >= 2:
        return [0, 1]
    for name in names or ():
        if name not in spec.objectives:
            hint = did_you_mean(str(name), spec.objectives)
            raise SpecError(f"There is no objective {name!r}. {hint}")
    if len(names or ()) != 2:
        raise SpecError(
            f"A front needs two objectives, and this study has {len(spec.objectives)}"
            f"{f', of which {len(names)} were named' if names else ''}."
        )
    return [spec.objectives.index(name) for name in names or ()]


def _front_table(spec: StudySpec, rows: Sequence[tuple[int, np.ndarray]]) -> Table:
    heads = ("trial", *(words.name(o, 60) for o in spec.objectives))
    cells = tuple(
        (f"trial {n}", *(words.number(float(v), 6) for v in values)) for n, values in rows
    )
    return Table("Trials of the front", heads, cells)


def _nothing_gained(outcomes: Outcomes, otherwise: str) -> str:
    """Why no gains are drawn: without defaults to compare with there are none."""
    past = outcomes.history
    if has_control(past) or not past.n_ended:
        return otherwise
    if past.origin(CONTROL) == "control" and isinstance(past.outcome(CONTROL), Told):
        return "No gains: the defaults do not meet the constraints."
    return "No gains: no defaults were measured."


def gain_and_cost(outcomes: Outcomes) -> Plot:
    """The gain of each trial against the CPU time of evaluating it, with the front of the two."""
    history, title = outcomes.history, "Gain and cost"
    spent = cpu_seconds(history)
    numbers = [n for n in outcomes.effects if spent[n]]
    if len(numbers) < 2:
        few = _nothing_gained(outcomes, "Too few trials.")
        why = few if numbers or not outcomes.effects else "No costs are recorded."
        return Plot("gain_and_cost", title, why, (), Table(title, ("trial",), ()))
    costs = spent[numbers]
    if costs.max() < 1.1 * costs.min():
        why = (
            f"Every trial took about as long: {words.seconds(float(np.median(costs)))} of CPU time."
        )
        return Plot("gain_and_cost", title, why, (), Table(title, ("trial",), ()))
    gains = np.array([outcomes.effects[n].gain for n in numbers])
    on_front = np.flatnonzero(front_ranks(np.column_stack([costs, -gains]), least=1) == 0)
    on_front = on_front[np.argsort(costs[on_front], kind="stable")]
    keep = np.argsort(-gains)[: _MOST_POINTS // 2]
    sample = np.linspace(0, len(numbers) - 1, _MOST_POINTS // 2).astype(int)
    floor = float(np.quantile(gains, 0.05))
    shown = sorted({*map(int, keep), *map(int, sample)} - set(map(int, on_front)))
    shown = [i for i in shown if gains[i] >= floor]
    xy = list(zip(costs.tolist(), gains.tolist(), strict=True))
    marks = (
        line("front", "", [xy[i] for i in on_front], steps=True),
        points("plain", "a trial", [xy[i] for i in shown], [numbers[i] for i in shown]),
        points(
            "front",
            "no other gains more for as little",
            [xy[i] for i in on_front],
            [numbers[i] for i in on_front],
        ),
    )
    metric = metric_name(outcomes.spec)
    rows = tuple(
        (f"trial {numbers[i]}", words.seconds(float(costs[i])), words.signed(float(gains[i])))
        for i in on_front
    )
    table = Table("Trials of the front", ("trial", "CPU time of the search", "gain"), rows)
    panel = Panel(
        Axis("CPU seconds of one trial", low=0.0), Axis(f"gain over the defaults, {metric}"), marks
    )
    about = "What each trial gains over the defaults against the CPU time that evaluating it took."
    return Plot("gain_and_cost", title, about, (panel,), table)


def best_so_far(outcomes: Outcomes, honest: Sequence[Honest] = ()) -> Plot:
    """The expected best gain of n trials drawn from these, as seen and on rows that did not choose it.

    Args:
        honest: the second; empty where rows are not stored.

    Honest only about random search: a search that learns finds its best trials later. Source: see
    `assay.math.expected_best`.
    """
    gains = np.array([effect.gain for effect in outcomes.effects.values()])
    title = "How much more trials bring"
    if len(gains) < 5:
        why = _nothing_gained(outcomes, "Too few trials.")
        return Plot("expected_best", title, why, (), Table(title, ("trials",), ()))
    counts = sorted({round(n) for n in np.geomspace(1, len(gains), _CURVE_POINTS)})
    curve = [
        (float(n), float(x)) for n, x in zip(counts, expected_best(gains, counts), strict=True)
    ]
    marks = [
        line("record", "expected best of so many of these trials, as the search saw it", curve)
    ]
    if honest:
        fresh = [(float(at.n), at.gain) for at in honest]
        marks.append(line("series-1", "the same on rows that did not choose it", fresh))
    floor = outcomes.noise.floor if outcomes.noise else None
    if floor:
        from assay.math.selection_luck import luck_line

        tried = [(n, looks_after(outcomes.looks, n, of=len(gains), any_order=True)) for n in counts]
        luck = [(float(n), luck_line(floor / np.sqrt(2), seen)) for n, seen in tried if n > 1]
        marks.append(line("luck", "what luck alone would show", luck))
    shown = curve[:: max(1, len(curve) // 12)]
    heads = ("trials", "expected best gain", *(["on other rows"] if honest else []))
    rows = tuple((f"{n:.0f}", words.signed(gain), *_fresh_at(honest, n)) for n, gain in shown)
    table = Table(title, heads, rows)
    what = f"gain over the defaults, {metric_name(outcomes.spec)}"
    panel = Panel(Axis("trials"), Axis(what), tuple(marks))
    about = f"From {words.signed(curve[0][1])} with one trial to {words.signed(curve[-1][1])} with {len(gains):,}."
    note = "For a search that learns the curve is too kind to few trials, as it counts late finds as early."
    plot = Plot("expected_best", title, about, (panel,), table, notes=(note,))
    return plot.with_notes(_overtuned(honest))


def _fresh_at(honest: Sequence[Honest], n: float) -> tuple[str, ...]:
    """The honest gain of about so many trials; nothing where there is none of any."""
    near = min(honest, key=lambda at: abs(at.n - n), default=None)
    return (words.span(near.gain, near.low, near.high),) if near else ()


def _overtuned(honest: Sequence[Honest]) -> str:
    """Where the honest curve is highest, if it falls after that by more than a tenth of its rise."""
    if len(honest) < 3:
        return ""
    best, last = max(honest, key=lambda at: at.gain), honest[-1]
    if best.gain - last.gain <= 0.1 * abs(best.gain - honest[0].gain):
        return ""
    return (
        f"On rows that did not choose it the best of {best.n:,} is worth {words.signed(best.gain)}, "
        f"that of {last.n:,} only {words.signed(last.gain)}: more trials chose noise."
    )


def second_half(outcomes: Outcomes) -> str:
    """What the second half of the trials added to the expected best, in words; empty for few trials."""
    found = np.array([effect.gain for effect in outcomes.effects.values()])
    if len(found) < 20:
        return ""
    half = len(found) // 2
    before, after = expected_best(found, [half, len(found)])
    added = float(after - before)
    cpu_s = float(cpu_seconds(outcomes.history)[list(outcomes.effects)[half:]].sum())
    floor = outcomes.noise.floor if outcomes.noise else None
    times = f", {words.number(added / floor, 2)} × the noise floor" if floor else ""
    price = f" for {words.seconds(cpu_s)} of CPU time" if cpu_s else ""
    return (
        f"In trials like these, {len(found):,} instead of {half:,} raise the expected best by "
        f"{words.signed(added)}{times}{price}."
    )


def overtuning(found: Recheck) -> Plot:
    """What the search saw of its best trials, and what fresh evaluations show of them."""
    rows = [row for row in found.rows if row.fresh and row.search_gain is not None]
    title = "What the search saw, and what fresh data show"
    if not rows:
        return Plot(
            "overtuning", title, "Nothing was measured again.", (), Table(title, ("trial",), ())
        )
    y = tuple(float(len(rows) - 1 - i) for i in range(len(rows)))
    numbers = tuple(row.trial for row in rows)
    fresh = tuple(row.fresh.estimate for row in rows if row.fresh)
    low = tuple(_end(row.fresh.low, row.fresh.estimate) for row in rows if row.fresh)
    high = tuple(_end(row.fresh.high, row.fresh.estimate) for row in rows if row.fresh)
    seen = tuple(float(row.search_gain or 0.0) for row in rows)
    marks = (
        Mark("spans", "quiet", "", fresh, y, low, high, trials=numbers),
        Mark("points", "seen", "gain that the search saw", seen, y, trials=numbers),
        Mark(
            "points",
            "better",
            "gain on fresh evaluations, with its interval",
            fresh,
            y,
            trials=numbers,
        ),
    )
    ticks = tuple((at, f"trial {n}") for at, n in zip(y, numbers, strict=True))
    panel = Panel(Axis("gain over the defaults"), Axis("", ticks, -0.6, len(rows) - 0.4), marks)
    cells = tuple(
        (f"trial {n}", words.signed(s), words.signed(f))
        for n, s, f in zip(numbers, seen, fresh, strict=True)
    )
    table = Table(title, ("trial", "in the search", "fresh"), cells)
    lost = sum(s - f for s, f in zip(seen, fresh, strict=True)) / len(rows)
    less = "less" if lost < 0 else "more"
    about = (
        f"On average the search saw {words.number(abs(lost))} {less} than fresh evaluations show."
    )
    return Plot("overtuning", title, about, (panel,), table)


def _end(end: float | None, estimate: float) -> float:
    return estimate if end is None else end


def steps_to_best(outcomes: Outcomes) -> Plot:
    """From the defaults to the best trial: each record, what it changed, and what it added."""
    title = "From the defaults to the best"
    best, steps = 0.0, []
    before = 0
    for number, effect in outcomes.effects.items():
        if effect.gain > best:
            steps.append((number, before, best, effect.gain))
            best, before = effect.gain, number
    if not steps:
        return Plot(
            "steps_to_best",
            title,
            _nothing_gained(outcomes, "No trial beats the defaults."),
            (),
            Table(title, ("trial",), ()),
        )
    steps = steps[-12:]
    y = tuple(float(len(steps) - 1 - i) for i in range(len(steps)))
    mark = Mark(
        "spans", "step", "what a record added",
        tuple(to for *_, to in steps), y,
        tuple(since for _, _, since, _ in steps), tuple(to for *_, to in steps),
        trials=tuple(n for n, *_ in steps),
    )  # fmt: skip
    rows = tuple(
        (f"trial {n}", words.signed(to - since), _changed(outcomes.history, b, n))
        for n, b, since, to in steps
    )
    ticks = tuple((at, f"trial {n}") for at, (n, *_) in zip(y, steps, strict=True))
    panel = Panel(
        Axis(f"gain over the defaults, {metric_name(outcomes.spec)}"),
        Axis("", ticks, -0.6, len(steps) - 0.4),
        (mark,),
    )
    about = (
        f"{words.count(len(steps), 'record')} up to {words.signed(best)}, as the search saw them."
    )
    note = "Gains as the search saw them: several things changed at once, and records flatter themselves."
    table = Table("Records", ("trial", "added", "changed since the record before"), rows)
    return Plot("steps_to_best", title, about, (panel,), table, notes=(note,))


def _changed(history: History, before: int, after: int) -> str:
    found = differing(history.config(before), history.config(after))
    texts = [
        f"{words.name(n, 40)} → {'not active' if now is None else words.value(now)}"
        for n, _, now in found
    ]
    more = f" and {len(texts) - 6} more" if len(texts) > 6 else ""
    return ", ".join(texts[:6]) + more
