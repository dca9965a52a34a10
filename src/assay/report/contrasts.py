"""What changed in each trial and what it did, as a terminal and a page show it. No HTML here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from assay.analysis.contrasts import Neighbour, contrasts, effects_of, neighbours
from assay.analysis.effects import effects
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.trials import TrialRow, settings, trial_table

_OUTSIDE = ("better", "worse")


@dataclass(frozen=True)
class TrialChange:
    """A trial: what it changed against the control and its nearest neighbour, and what that did."""

    row: TrialRow
    near: Neighbour | None
    against_near: str


@dataclass(frozen=True)
class ChangesView:
    """All of it.

    Attributes:
        rows: the trials, by number.
        sentences: what single changes did, a sentence for each parameter with matched comparisons.
    """

    rows: tuple[TrialChange, ...]
    sentences: tuple[str, ...]


def changes_of(spec: StudySpec, history: History) -> ChangesView:
    """What changed in the trials of a study with one objective, and what it did."""
    found = {effect.trial: effect for effect in effects(spec, history)}
    table = trial_table(spec, history, found)
    near = neighbours(spec, history)
    rows = [
        TrialChange(row, near.get(row.number), _against(history, row.number, near.get(row.number)))
        for row in (table.rows if table else ())
    ]
    said = (effect.sentence for effect in effects_of(spec, contrasts(spec, history)))
    return ChangesView(tuple(rows), tuple(words.name(line, 300) for line in said))


def _against(history: History, number: int, near: Neighbour | None) -> str:
    if near is None:
        return ""
    return settings(history.config(near.trial), history.config(number)) or "the same"


def changes_text(view: ChangesView, *, outside: bool = False, width: int = 80) -> str:
    """A few lines for each trial; with `outside` only for those outside of the noise."""
    lines: list[str] = []
    for change in view.rows:
        row = change.row
        if outside and row.state not in _OUTSIDE:
            continue
        gain = f", {row.gain}" if row.gain else ""
        times = f", {words.number(row.multiple, 2)} × the noise" if row.multiple is not None else ""
        cost = f", {words.seconds(row.cpu_s)} CPU" if row.cpu_s else ""
        lines.append(f"{row.number}  {row.state}{gain}{times}{cost}")
        lines += _indented(f"from the control: {row.failure or row.changed}", width)
        if change.near is not None and change.near.trial != 0:
            lines += _indented(_neighbour(change.near, change.against_near), width)
    return "\n".join(lines) + "\n" if lines else "No such trial.\n"


def _neighbour(near: Neighbour, against: str) -> str:
    gain = ""
    if near.gain is not None:
        gain = f": {words.span(near.gain.estimate, near.gain.low, near.gain.high)}"
    return f"from trial {near.trial}, {near.distance:.2f} away: {against}{gain}"


def _indented(text: str, width: int) -> Sequence[str]:
    return wrap(text, width, initial_indent="    ", subsequent_indent="      ")
