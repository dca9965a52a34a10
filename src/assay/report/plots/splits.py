"""Which rows train, which validate, and which are sealed, fold by fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, TypeAlias

from assay.core.spec import StudySpec
from assay.report import words
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table

Span: TypeAlias = tuple[int, int]
_MOST_FOLDS = 10
_WAYS = {
    "holdout": "drawn at random",
    "kfold": "dealt into folds at random",
    "grouped": "dealt into folds in whole groups",
    "forward": "in the order of time",
}


def splits(spec: StudySpec) -> Plot | None:
    """The first repeat of the splits, from the plan alone; None without data, or of a kind not known.

    Rows that are dealt at random are drawn side by side: the picture shows how many, not which.

    >>> from assay.core.parameters import Float
    >>> from assay.core.space import Space
    >>> data = {"rows": 90, "splits": {"kind": "forward", "count": 2, "gap": 5}, "seal": {"rows": 10}}
    >>> spec = StudySpec(Space(x=Float(0, 1, default=0.5)), {"mae": "minimize"}, data=data)
    >>> [(mark.role, mark.low, mark.high) for mark in splits(spec).panels[0].marks]
    [('train', (0.0, 0.0, 0.0), (25.0, 55.0, 90.0)), ('valid', (30.0, 60.0), (60.0, 90.0)), ('sealed', (90.0,), (100.0,))]
    """
    data = spec.data or {}
    form, rows = data.get("splits") or {}, int(data.get("rows") or 0)
    folds = list(_folds(form, rows))
    if not folds:
        return None
    sealed = int((data.get("seal") or {}).get("rows") or 0)
    shown = folds[:_MOST_FOLDS]
    count = len(shown)
    last = count if sealed else count - 1
    train = [(last - i, span) for i, (trains, _) in enumerate(shown) for span in trains]
    valid = [(last - i, span) for i, (_, span) in enumerate(shown)]
    ticks = [(float(last - i), f"fold {i + 1}") for i in range(count)]
    if sealed:
        train.append((0, (0, rows)))
        ticks.append((0.0, "at the end"))
    test = [(0, (rows, rows + sealed))] if sealed else []
    marks = (
        _spans("train", "trains", train),
        _spans("valid", "validates", valid),
        _spans("sealed", "sealed: judges once, at the end", test),
    )
    y = Axis("", tuple(ticks), -0.5, last + 0.5)
    panel = Panel(
        Axis("rows", low=0.0, high=float(rows + sealed)), y, tuple(m for m in marks if m.x)
    )
    note = (
        f"Of {words.count(len(folds), 'fold')} the first {count} are drawn."
        if folds[count:]
        else ""
    )
    plot = Plot("splits", "Who sees which rows", _about(form, rows, sealed), (panel,),
                _table(shown, rows, sealed))  # fmt: skip
    return plot.with_notes(note)


def _about(form: Mapping[str, Any], rows: int, sealed: int) -> str:
    repeats = int(form.get("repeats") or 1)
    again = f", {repeats} times anew" if repeats > 1 else ""
    gap = int(form.get("gap") or 0)
    between = f", {words.count(gap, 'row')} left out before each validation part" if gap else ""
    apart = f"{words.count(sealed, 'row')} are sealed" if sealed else "no row is sealed"
    return (
        f"{words.count(rows, 'row')} {_WAYS[str(form['kind'])]}{again}{between}; {apart}. "
        "Fresh evaluations of the best take other folds of the same rows."
    )


def _folds(form: Mapping[str, Any], rows: int) -> Iterator[tuple[tuple[Span, ...], Span]]:
    """The training rows and the validation rows of each fold, as they lie side by side."""
    kind, count = form.get("kind"), int(form.get("count") or 1)
    if rows < 2 or kind not in _WAYS:
        return
    if kind == "holdout":
        held = min(max(round(float(form.get("test") or 0.25) * rows), 1), rows - 1)
        yield ((0, rows - held),), (rows - held, rows)
        return
    if kind == "forward":
        yield from _forward(form, rows, count)
        return
    edges = [round(i * rows / count) for i in range(count + 1)]
    for start, stop in pairwise(edges):
        trains = tuple((a, b) for a, b in ((0, start), (stop, rows)) if a < b)
        yield trains, (start, stop)


def _forward(
    form: Mapping[str, Any], rows: int, count: int
) -> Iterator[tuple[tuple[Span, ...], Span]]:
    block = int(form.get("horizon") or rows // (count + 1))
    gap = int(form.get("gap") or 0)
    first = rows - count * block - gap
    for k in range(count):
        start = rows - (count - k) * block
        begin = start - gap - first if form.get("mode") == "sliding" else 0
        yield ((max(begin, 0), max(start - gap, 0)),), (start, start + block)


def _spans(role: str, name: str, found: list[tuple[int, Span]]) -> Mark:
    low = tuple(float(a) for _, (a, _) in found)
    high = tuple(float(b) for _, (_, b) in found)
    return Mark("spans", role, name, high, tuple(float(y) for y, _ in found), low, high)


def _table(folds: list[tuple[tuple[Span, ...], Span]], rows: int, sealed: int) -> Table:
    lines = [
        (f"fold {i + 1}", f"{sum(b - a for a, b in trains):,}", f"{stop - start:,}")
        for i, (trains, (start, stop)) in enumerate(folds)
    ]
    if sealed:
        lines.append(("at the end", f"{rows:,}", f"{sealed:,} sealed"))
    return Table("Rows of each fold", ("", "train", "judge"), tuple(lines))
