"""An ablation in figures: effects untuned and re-tuned, curves over the budget, responses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from assay.report import words
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table, line, points

Form = Mapping[str, Any]

_MOST_CURVES = 8
_MOST_BANDS = 4
"""More bands lie on one another."""


def effects(result: Form) -> Plot:
    """Each component's effect as most ablations report it, and when every variant is tuned."""
    found = [e for e in result["effects"] if e["retuned"] is not None]
    title, metric = "What each component contributes", words.name(str(result["metric"]), 60)
    y = [float(len(found) - 1 - i) for i in range(len(found))]
    marks = []
    delta = float(result["smallest_gain"])
    if delta and found:
        zero, side = (0.0,) * len(found), (delta,) * len(found)
        name = f"±{words.number(delta, 2)}, too little to matter"
        marks.append(Mark("spans", "band", name, zero, tuple(y), tuple(-d for d in side), side))
    both = [(e["untuned"], e["retuned"], at) for e, at in zip(found, y, strict=True)]
    pairs = [(u["estimate"], r["estimate"], at) for u, r, at in both if u is not None]
    marks.append(
        Mark("spans", "link", "", tuple(u for u, _, _ in pairs), tuple(at for *_, at in pairs),
             tuple(min(u, r) for u, r, _ in pairs), tuple(max(u, r) for u, r, _ in pairs))
    )  # fmt: skip
    for key, role, name, up in (
        ("untuned", "seen", "untuned: the other's settings kept", 0.14),
        ("retuned", "better", "re-tuned: every variant with its own tuning", -0.14),
    ):
        rows = [(e[key], at + up) for e, at in zip(found, y, strict=True) if e[key] is not None]
        xs, ys = tuple(f["estimate"] for f, _ in rows), tuple(at for _, at in rows)
        spans = (tuple(f[end] for f, _ in rows) for end in ("low", "high"))
        marks.append(Mark("spans", "quiet", "", xs, ys, *spans))
        marks.append(points(role, name, list(zip(xs, ys, strict=True))))
    ticks = tuple((at, words.name(str(e["component"]), 30)) for e, at in zip(found, y, strict=True))
    panel = Panel(
        Axis(f"loss without it, {metric}"),
        Axis("", ticks, -0.6, len(found) - 0.4),
        tuple(m for m in marks if m.x),
    )
    table = Table(
        title,
        ("component", "untuned", "re-tuned", "was tuning"),
        tuple(
            (words.name(str(e["component"]), 40), *(shown(e[k]) for k in _NUMBERS)) for e in found
        ),
    )
    about = "Right of zero the system loses something without the component."
    return Plot("ablation_effects", title, about, (panel,), table)


_NUMBERS = ("untuned", "retuned", "misattribution")


def shown(form: Form | None) -> str:
    """An effect with its interval; a dash where there is none."""
    if form is None:
        return "–"
    return words.span(form["estimate"], form["low"], form["high"])


def curves(result: Form) -> Plot:
    """The best value to expect of so many trials, for each variant."""
    title = "How much search each variant needs"
    found = dict(list(result["curves"].items())[:_MOST_CURVES])
    traces = any(c["kind"] == "traces" for c in found.values())
    honest = {n: h for n, c in found.items() if isinstance(h := c.get("honest"), Mapping)}
    rows = [
        (words.name(n, 40), _picked(c), _picked_fresh(honest.get(n)), _at_the_end(c))
        for n, c in found.items()
    ]
    metric = words.name(str(result["metric"]), 60)
    seen = [*_bands(found), *_lines(found, found)]
    ends = _range([*found.values(), *honest.values()])  # one for both, which are to be compared
    panels = [Panel(Axis("trials"), Axis(metric, (), *ends), tuple(seen))]
    if honest:
        axis = Axis(f"{metric}, other rows", (), *ends)
        panels.append(Panel(Axis("trials"), axis, tuple(_lines(found, honest))))
    about = "The best validation score to expect of the first n trials."
    if honest:
        about += " In the second panel the same on rows that did not choose it."
    note = (
        "The mean best so far of the searches, from the worst to the best of them: a model "
        "proposed the trials, so they are no independent draws."
        if traces
        else "Over all ways to choose n of the random trials; validation scores, so they "
        "flatter every variant alike."
    )
    if honest:
        note += " Other rows: those that did not choose the best, which flatter none."
    heads = ("variant", "by trials", "on other rows", "range at the end")
    plot = Plot("ablation_curves", title, about, tuple(panels), Table(title, heads, tuple(rows)))
    return plot.with_notes(note, *_overtuned(result, honest), *_without(found))


def _picked(curve: Form) -> str:
    best = curve["best"]
    n = len(best)
    return ", ".join(
        f"{k}: {words.number(best[k - 1])}" for k in sorted({1, min(5, n), min(20, n), n})
    )


def _at_the_end(curve: Form) -> str:
    return " to ".join(map(words.number, sorted(curve[end][-1] for end in ("low", "high"))))


def _picked_fresh(curve: Form | None) -> str:
    """The same on other rows, with the range at the end: the rows are those of all variants."""
    return f"{_picked(curve)} ({_at_the_end(curve)})" if curve else "–"


def _bands(found: Mapping[str, Form]) -> Iterator[Mark]:
    """How far each curve may lie from its estimate; of traces: from the worst search to the best."""
    for i, curve in enumerate(found.values() if len(found) <= _MOST_BANDS else ()):
        at = tuple(float(n) for n in range(1, len(curve["best"]) + 1))
        ends = (tuple(curve[end]) for end in ("best", "low", "high"))
        yield Mark("band", f"faint-{i % 8}", "", at, *ends)


def _lines(every: Mapping[str, Form], those: Mapping[str, Form]) -> Iterator[Mark]:
    """The curves, each in the colour of its variant."""
    places = {name: i % 8 for i, name in enumerate(every)}
    for name, curve in those.items():
        best = [(float(n), value) for n, value in enumerate(curve["best"], 1)]
        yield line(f"series-{places[name]}", words.name(name, 40), best)


def _overtuned(result: Form, honest: Mapping[str, Form]) -> Iterator[str]:
    """The variants whose curve on other rows falls, after its best, by more than a tenth of its rise."""
    sign = 1.0 if result["maximize"] else -1.0
    for name, curve in honest.items():
        gains = [sign * value for value in curve["best"]]
        top, last = max(range(len(gains)), key=gains.__getitem__), len(gains) - 1
        best, end = (words.number(curve["best"][at]) for at in (top, last))
        if gains[top] - gains[last] > 0.1 * (gains[top] - gains[0]) and best != end:
            yield (
                f"On rows that did not choose it the best of {words.count(top + 1, 'trial')} "
                f"of {words.name(name, 40)} is worth {best}, that of {last + 1} only {end}: more trials "
                "chose noise."
            )


def _without(found: Mapping[str, Form]) -> Iterator[str]:
    """Why there is no curve on other rows; the logs of older versions do not say."""
    why = [h for c in found.values() if isinstance(h := c.get("honest"), str)]
    for said in dict.fromkeys(why):
        yield f"No curve on rows that did not choose: {words.name(said, 100)}."


def _range(those: Sequence[Form]) -> tuple[float | None, float | None]:
    """Bounds that leave out how bad a single trial may be."""
    values = [v for c in those for v in c["best"][min(1, len(c["best"]) - 1) :]]
    if not values:
        return None, None
    low, high = min(values), max(values)
    room = (high - low) * 0.08 or abs(high) * 0.05 or 1.0
    return low - room, high + room


def responses(result: Form) -> Plot:
    """How the value depends on a parameter, with a component and without it."""
    panels, rows = [], []
    metric = words.name(str(result["metric"]), 60)
    for effect in result["effects"]:
        for shift in effect["shifts"][:1]:
            name = words.name(str(effect["component"]), 30)
            sides = (("better", "with", "with it"), ("seen", "without", "without it"))
            ticks: dict[float, str] = {}
            marks = []
            for role, side, said in sides:
                xy = [(float(i), v) for i, (_, v) in enumerate(shift[f"{side}_curve"])]
                ticks |= {float(i): _tick(at) for i, (at, _) in enumerate(shift[f"{side}_curve"])}
                marks.append(line("record" if role == "better" else "luck", said, xy))
            panels.append(
                Panel(
                    Axis(words.name(str(shift["parameter"]), 40), tuple(sorted(ticks.items()))),
                    Axis(f"{metric}, {name}"),
                    tuple(marks),
                )
            )
            rows.append(_row(name, shift))
    title = "Why untuned comparisons mislead"
    heads = ("component", "parameter", "best with", "best without", "moved, share of the range",
             "both together")  # fmt: skip
    about = "Median score over one parameter, with the component and without it."
    return Plot("ablation_responses", title, about, tuple(panels), Table(title, heads, tuple(rows)))


def _row(name: str, shift: Form) -> tuple[str, ...]:
    return (
        name,
        words.name(str(shift["parameter"]), 40),
        _tick(shift["with"]),
        _tick(shift["without"]),
        f"{_percent(shift['moved'])} ({_percent(shift['low'])} to {_percent(shift['high'])})",
        f"{100 * shift['shares'][2]:.0f} % of the variance",
    )


def _percent(share: float) -> str:
    return f"{100 * share:+.0f} %".replace("-", "−").replace("+0 %", "0 %")


def _tick(value: Any) -> str:
    return (
        words.number(value, 2) if isinstance(value, float) else words.name(words.value(value), 20)
    )


def shares(result: Form) -> Sequence[tuple[str, str, str]]:
    """Main effects and shares of a factorial, as rows of text."""
    factors = result.get("factors")
    if not factors:
        return ()
    shapley = factors.get("shapley") or {}
    return [
        (
            words.name(name, 40),
            shown(effect),
            words.signed(shapley[name]) if name in shapley else "–",
        )
        for name, effect in factors["main"].items()
    ]
