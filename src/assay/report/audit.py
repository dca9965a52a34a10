"""The change audit as a page or a terminal shows it. No HTML here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from assay.core.events import Audited
from assay.core.history import History
from assay.report import words
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table

Form = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One change: what was changed, what it added on the path, what taking it back alone costs."""

    name: str
    before: str
    after: str
    added: str
    total: str
    alone: str
    standing: str


@dataclass(frozen=True)
class AuditView:
    """A change audit.

    Attributes:
        sentences: what it found, in words.
        rows: the changes in the order of the path, the one that gains most first.
        figure: the path as a waterfall.
        fine: the list for next time: parameters that can be left at their defaults.
        notes: what a reader has to know.
    """

    title: str
    metric: str
    sentences: tuple[str, ...]
    rows: tuple[Row, ...]
    figure: Plot
    fine: tuple[str, ...]
    notes: tuple[str, ...]


def audit_of(history: History) -> AuditView | None:
    """The newest audit in a log."""
    event: Audited | None = history.last(Audited)
    return audit_view(event.result) if event else None


def audit_view(result: Form) -> AuditView:
    """The view of what the log keeps of an audit."""
    changes, alone = result["changes"], {a["name"]: a for a in result["alone"]}
    order = [step["name"] for step in result["forward"]]
    rows = [_row(step, changes, alone) for step in result["forward"]]
    rows += [_row({"name": n}, changes, alone) for n in changes if n not in order]
    same = [words.name(n, 40) for n in result["same"]]
    fine = [
        words.name(a["name"], 40) for a in result["alone"] if a["standing"] == "leave at default"
    ]
    return AuditView(
        title=f"Which changes of trial {result['trial']} did it",
        metric=words.name(str(result["metric"]), 60),
        sentences=tuple(_sentences(result)),
        rows=tuple(rows),
        figure=waterfall(result),
        fine=(*fine, *same),
        notes=tuple(_notes(result)),
    )


def _row(step: Form, changes: Form, alone: Form) -> Row:
    name = step["name"]
    before, after = changes[name]
    cost = alone[name]["cost"]
    return Row(
        words.name(name, 40),
        words.value(before),
        words.value(after),
        _span(step.get("gain")),
        _span(step.get("total")),
        _span(cost),
        str(alone[name]["standing"]),
    )


def _span(gain: Form | None) -> str:
    return words.span(gain["estimate"], gain["low"], gain["high"]) if gain else "–"


def _sentences(result: Form) -> list[str]:
    path, least, n = result["forward"], result["smallest"], len(result["changes"])
    found = []
    if path:
        first = path[0]
        found.append(
            f"Of {words.count(n, 'change')}, {words.name(first['name'], 40)} alone gains most: "
            f"{_span(first['gain'])}; all together {_span(path[-1]['total'])}."
        )
    kept = [words.name(name, 40) for name in least["changes"]]
    if len(kept) == n:
        found.append("No smaller set of changes does as well within noise and the smallest gain.")
    elif not kept:
        found.append(
            "On fresh splits the control does as well as all changes together, within noise and the "
            "smallest gain."
        )
    else:
        rest = n - len(kept)
        others = "the other adds" if rest == 1 else f"the other {rest} add"
        found.append(
            f"{words.count(len(kept), 'change')} will do: {', '.join(kept)}. Measured again on splits "
            f"that did not choose this set, it gains {_span(least['gain'])} over the control; {others} "
            f"{_span(least['loss'])}."
        )
    fine = [a["name"] for a in result["alone"] if a["standing"] == "leave at default"]
    if fine:
        listed = ", ".join(words.name(name, 40) for name in fine)
        found.append(
            f"Taken back one at a time, these cost less than {words.number(result['smallest_gain'])}: "
            f"{listed}."
        )
    return found


def _notes(result: Form) -> list[str]:
    configs, evaluations = (
        words.count(result[f"{what}s"], what) for what in ("config", "evaluation")
    )
    measured = f"{configs}, {evaluations} on splits that no choice was made on"
    lazy = "Later steps measure only the changes that could still lead."
    notes = [f"{measured}, {words.seconds(result['cpu_s'])} CPU. {lazy}"]
    if result["follow"]:
        listed = ", ".join(words.name(name, 40) for name in result["follow"])
        notes.append(f"Active in one of the two only, so they follow another change: {listed}.")
    if any(a["standing"] == "no loss shown" for a in result["alone"]):
        notes.append(
            '"no loss shown" is not "no loss": the interval reaches beyond the smallest gain.'
        )
    if len(result["forward"]) < len(result["changes"]):
        notes.append("The path ends early: no single change is allowed, or works, beyond it.")
    return notes


def waterfall(result: Form) -> Plot:
    """The path from the control to the winner: what each change adds to the ones before it."""
    title = "From the control to the winner, one change at a time"
    steps = result["forward"]
    y = tuple(float(len(steps) - 1 - i) for i in range(len(steps)))
    ends = tuple(step["total"]["estimate"] for step in steps)
    starts = (0.0, *ends[:-1])
    bars = Mark("spans", "step", "what the change added", ends, y, starts, ends)
    sure = Mark(
        "spans", "quiet", "interval of the gain over the control", ends,
        tuple(at - 0.22 for at in y),
        tuple(step["total"]["low"] for step in steps),
        tuple(step["total"]["high"] for step in steps),
    )  # fmt: skip
    ticks = tuple((at, words.name(s["name"], 30)) for at, s in zip(y, steps, strict=True))
    panel = Panel(
        Axis(f"gain over the control, {words.name(str(result['metric']), 60)}"),
        Axis("", ticks, -0.6, len(steps) - 0.4),
        tuple(mark for mark in (bars, sure) if mark.x),
    )
    rows = tuple((words.name(s["name"], 40), _span(s["gain"]), _span(s["total"])) for s in steps)
    return Plot(
        "change_path",
        title,
        f"{words.count(len(steps), 'change')} in the order in which they gain most, on fresh splits.",
        (panel,) if steps else (),
        Table(title, ("changed", "added", "gain over the control"), rows),
    )


def audit_text(view: AuditView, *, width: int = 80) -> str:
    """The audit for a terminal: sentences first, then the numbers."""
    lines = [view.title, ""]
    for sentence in view.sentences:
        lines += [*wrap(sentence, width), ""]
    for row in view.rows:
        lines.append(f"{row.name}: {row.before} → {row.after}  ({row.standing})")
        lines.append(f"  on the path {row.added}, then {row.total} in all")
        lines.append(f"  taken back alone costs {row.alone}")
    if view.fine:
        lines += ["", *_listed("Can be left at default: ", view.fine, width)]
    for note in view.notes:
        lines += ["", *wrap(note, width)]
    return "\n".join(lines) + "\n"


def _listed(head: str, names: Sequence[str], width: int) -> list[str]:
    return wrap(f"{head}{', '.join(names)}.", width, subsequent_indent="  ")
