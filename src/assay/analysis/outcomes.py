"""What came of all trials, as arrays in the order in which they ended. Pure."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.checks import Array


def numbers_of_ended(history: History) -> NDArray[np.int64]:
    """The numbers of the trials that ended, shape (ended,)."""
    return np.array(history.ended, dtype=np.int64)


def values(history: History, objective: int = 0) -> Array:
    """The values of one objective, shape (ended,); NaN where a trial failed."""
    found = np.full(history.n_ended, np.nan)
    for table in history.ends():
        if table.values:
            found[table.places] = table.values[objective]
    return found


def losses(spec: StudySpec, history: History) -> Array:
    """The first objective, so that lower is better, shape (ended,); NaN where failed or infeasible."""
    found = spec.signs[0] * values(history)
    if spec.bounds:
        for place, number in enumerate(history.ended):
            if not history.feasible(number):
                found[place] = np.nan
    return found


def cpu_seconds(history: History) -> Array:
    """The CPU time of each trial by its number, shape (trials,); 0 for one that has not ended."""
    found = np.zeros(history.n_trials)
    ended = numbers_of_ended(history)
    for table in history.ends():
        found[ended[table.places]] = table.cpu_s
    return found


def costs(history: History, apart: Collection[int]) -> tuple[int, float, float]:
    """How many trials ended, and the CPU and wall-clock seconds that they took, without some."""
    if not history.n_ended:
        return 0, 0.0, 0.0
    cost = np.empty((2, history.n_ended))
    for table in history.ends():
        cost[:, table.places] = table.cpu_s, table.wall_s
    kept = cost[:, ~np.isin(numbers_of_ended(history), list(apart))]
    cpu_s, wall_s = kept.sum(axis=1)
    return kept.shape[1], float(cpu_s), float(wall_s)
