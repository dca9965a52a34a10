"""Which rows train, which validate, and which are sealed, fold by fold."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from assay.core.spec import StudySpec
from assay.evaluation.splits import Splits, Window
from assay.report import words
from assay.report.plots.form import Axis, Mark, Panel, Plot, Table

Drawn: TypeAlias = tuple[tuple[Window, ...], Window]
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
    if rows < 2 or form.get("kind") not in _WAYS:
        return None
    rule = Splits.from_json(form)
    folds = _folds(rule, rows)
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
    plot = Plot("splits", "Who sees which rows", _about(rule, rows, sealed), (panel,),
                _table(shown, rows, sealed))  # fmt: skip
    return plot.with_notes(note)


def _about(rule: Splits, rows: int, sealed: int) -> str:
    again = f", {rule.repeats} times anew" if rule.repeats > 1 else ""
    gap = words.count(rule.gap, "row")
    between = f", {gap} left out before each validation part" if rule.gap else ""
    apart = f"{words.count(sealed, 'row')} are sealed" if sealed else "no row is sealed"
    return (
        f"{words.count(rows, 'row')} {_WAYS[rule.kind]}{again}{between}; {apart}. "
        "Fresh evaluations of the best take other folds of the same rows."
    )


def _folds(rule: Splits, rows: int) -> list[Drawn]:
    """The training rows and the validation rows of each fold, as they lie side by side."""
    if rule.kind == "holdout":
        start = rows - rule.valid_rows(rows)
        return [(((0, start),), (start, rows))]
    if rule.kind == "forward":
        return [((trains,), validates) for trains, validates in rule.windows(rows)]
    edges = [round(i * rows / rule.count) for i in range(rule.count + 1)]
    return [
        (tuple((a, b) for a, b in ((0, start), (stop, rows)) if a < b), (start, stop))
        for start, stop in pairwise(edges)
    ]


def _spans(role: str, name: str, found: list[tuple[int, Window]]) -> Mark:
    low = tuple(float(a) for _, (a, _) in found)
    high = tuple(float(b) for _, (_, b) in found)
    return Mark("spans", role, name, high, tuple(float(y) for y, _ in found), low, high)


def _table(folds: list[Drawn], rows: int, sealed: int) -> Table:
    lines = [
        (f"fold {i + 1}", f"{sum(b - a for a, b in trains):,}", f"{stop - start:,}")
        for i, (trains, (start, stop)) in enumerate(folds)
    ]
    if sealed:
        lines.append(("at the end", f"{rows:,}", f"{sealed:,} sealed"))
    return Table("Rows of each fold", ("", "train", "judge"), tuple(lines))
