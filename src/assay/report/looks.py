"""How many independent looks a search amounts to, and how many luck needs for the gain wanted. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.analysis.effects import control_noise
from assay.analysis.procedure import complete
from assay.analysis.row_losses import Rows
from assay.core import units
from assay.core.errors import StoreError
from assay.core.events import CONTROL, Selected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.selection_luck import looks_both, looks_for
from assay.report import words

_MOST_CELLS = 2_000_000
_MOST_TRIALS = 10_000
_LEAST_ROWS = 40
_STEPS = 30


@dataclass(frozen=True)
class Looks:
    """The independent looks of a search.

    Attributes:
        trials: with stored rows on every fold, the control left out.
        effective: as many independent trials would show as much luck.
        budget: looks after which luck alone is expected to reach the smallest gain; None without one.
        smallest_gain: worth having.
        steps: numbers of trials, rising from 1 to all.
        in_order: the looks that the first so many amount to.
        in_any_order: what so many at random amount to.
    """

    trials: int
    effective: float
    budget: float | None
    smallest_gain: float
    steps: tuple[int, ...]
    in_order: tuple[float, ...]
    in_any_order: tuple[float, ...]

    def after(self, n: float, *, of: int, any_order: bool = False) -> float:
        """The looks after `n` of a history's `of` trials: those without stored rows are like the others."""
        found = self.in_any_order if any_order else self.in_order
        return float(np.interp(n * self.trials / of, self.steps, found))

    def __str__(self) -> str:
        near = self.effective > 0.85 * self.trials
        alike = "hardly two of them alike" if near else "the others repeat what those had seen"
        said = (
            f"These {self.trials:,} trials amount to {words.number(self.effective, 3)} independent "
            f"looks: {alike}."
        )
        if self.budget is None:
            return said
        passed = " This search is past that." if self.effective >= self.budget else ""
        return f"{said} {luck_reaches(self.smallest_gain, self.budget)}{passed}"


_MOST = 1e6
"""More looks than this are not counted out: no search takes them."""


def luck_reaches(gain: float, budget: float) -> str:
    """When luck alone shows a gain, in words.

    >>> luck_reaches(0.005, 4.0)
    'Luck alone is expected to show the 0.005 that you asked for after about 4 looks.'
    """
    when = (
        f"after about {words.number(budget, 3)} looks"
        if budget < _MOST
        else "after more looks than anyone can take"
    )
    return f"Luck alone is expected to show the {words.number(gain, 3)} that you asked for {when}."


def looks(spec: StudySpec, history: History, rows: Rows | None) -> Looks | None:
    """The independent looks of a search that is over; None without stored rows, or with too many.

    From the rows as they are stored: losses, or predictions where the metric is no mean over rows.
    Trials that predict alike count once either way.
    """
    if rows is None or not spec.data or not spec.single or not history.last(Selected):
        return None
    trials = [number for number in complete(spec, history) if number != CONTROL]
    if not 2 <= len(trials) <= _MOST_TRIALS:
        return None
    try:
        most = max(_MOST_CELLS // len(trials), _LEAST_ROWS)
        columns = [_some(_stored(spec, history, number, rows), most) for number in trials]
    except StoreError:
        return None  # a missing blob is for `verify` to report
    if len({len(column) for column in columns}) > 1 or len(columns[0]) < 4:
        return None
    matrix = np.column_stack(columns).astype(np.float64)
    steps = sorted({round(n) for n in np.geomspace(1, len(trials), _STEPS)})
    in_order, in_any_order = looks_both(matrix, steps)
    return Looks(
        len(trials),
        in_order[-1],
        budget(spec, history),
        spec.smallest_gain,
        tuple(steps),
        tuple(in_order),
        tuple(in_any_order),
    )


def looks_after(seen: Looks | None, n: float, *, of: int, any_order: bool = False) -> float:
    """The looks after `n` of `of` trials, each one look where nothing is known of their rows."""
    return n if seen is None else seen.after(n, of=of, any_order=any_order)


def budget(spec: StudySpec, history: History) -> float | None:
    """The looks after which luck alone reaches the smallest gain; None without one, or without noise."""
    floor = control_noise(spec, history).floor
    if not floor or not spec.smallest_gain:
        return None
    return looks_for(
        spec.smallest_gain * 2**0.5 / floor
    )  # the floor is of a difference of two arms


def _some(values: np.ndarray, most: int) -> np.ndarray:
    """Evenly spaced ones, at most so many."""
    n = len(values)
    return values if n <= most else values[np.linspace(0, n - 1, most).astype(int)]


def _stored(spec: StudySpec, history: History, number: int, rows: Rows) -> np.ndarray:
    """The per-row values of all folds; every trial has the same folds, so rows match."""
    found = history.units(number, "search")
    return np.concatenate([np.ravel(rows(str(found[u].rows))) for u in units.search(spec)])
