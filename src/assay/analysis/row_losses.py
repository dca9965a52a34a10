"""The out-of-fold losses of trials, row by row, as far as the log has them and they may be drawn again. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core import units
from assay.core.errors import StoreError
from assay.core.history import History
from assay.core.spec import StudySpec

Rows: TypeAlias = Callable[[str], NDArray[np.float32]]
"""The stored per-row values behind a hash."""

_MOST_CELLS = 2_000_000  # rows times trials: about a second of computing
_NEAR = 1e-4  # rows are stored in single precision


@dataclass(frozen=True)
class RowLosses:
    """The losses of trials on common rows, lower is better, shape (rows, trials).

    `turned`: whether the metric is 1 minus the mean loss.
    """

    trials: list[int]
    losses: NDArray[np.float64]
    turned: bool


def row_losses(
    spec: StudySpec, history: History, rows: Rows | None, trials: Sequence[int]
) -> RowLosses | str:
    """The stored losses of these complete trials; or in words why they cannot be drawn again by row."""
    kind = ((spec.data or {}).get("splits") or {}).get("kind")
    if rows is None or kind is None or not trials:
        return "the log holds no out-of-fold loss of each row"
    if not spec.single:
        return "there are several objectives"
    if kind in ("grouped", "forward"):
        return "rows that belong together or follow in time cannot be drawn one by one"
    try:
        first = _losses(spec, history, trials[0], rows)
        turned = _turned(spec, history, trials[0], first)
        if turned is None:
            return f"{spec.objectives[0]} is no mean over rows"
        if sum(map(len, first)) * len(trials) > _MOST_CELLS:
            return "there are too many rows and trials"
        columns = [np.concatenate(_losses(spec, history, n, rows)) for n in trials]
    except StoreError:  # a missing blob is for `verify` to report
        return "the losses of some rows are missing from the storage"
    losses = np.column_stack(columns).astype(np.float64)
    return RowLosses(list(trials), losses, turned)


def _losses(
    spec: StudySpec, history: History, number: int, rows: Rows
) -> list[NDArray[np.float32]]:
    """The per-row losses of each fold; every trial has the same folds, so rows match."""
    found = history.units(number, "search")
    return [np.asarray(rows(str(found[unit].rows))).ravel() for unit in units.search(spec)]


def _turned(
    spec: StudySpec, history: History, number: int, losses: list[NDArray[np.float32]]
) -> bool | None:
    """Whether the metric is 1 minus the mean loss; False if it is the mean, None if neither."""
    found = history.units(number, "search")
    values = [found[unit].value for unit in units.search(spec)]
    means = [float(fold.mean(dtype=np.float64)) for fold in losses]
    if spec.signs[0] > 0 and np.allclose(values, means, rtol=_NEAR, atol=_NEAR):
        return False
    if spec.signs[0] < 0 and np.allclose(values, 1 - np.array(means), rtol=_NEAR, atol=_NEAR):
        return True
    return None
