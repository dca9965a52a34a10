"""Which parameters decided which trials are among the best, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from assay.analysis.importance import Importances
from assay.report import words


@dataclass(frozen=True)
class Influence:
    """`rows` hold name, share, and both ends of its interval, all between 0 and 1, highest first."""

    rows: tuple[tuple[str, float, float, float], ...]
    level: float
    best: int
    trials: int


def influence(found: Importances) -> Influence:
    """The importances by PED-ANOVA, with names that are safe to show."""
    assert found.best is not None
    rows = ((words.name(name, 40), one.value, one.low, one.high) for name, one in found.items())
    return Influence(tuple(rows), found.level, found.best, found.trials)
