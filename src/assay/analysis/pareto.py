"""The trials that no other trial beats in every objective. Pure."""

from __future__ import annotations

from assay.core.history import History
from assay.core.spec import StudySpec


def front(spec: StudySpec, history: History) -> list[int]:
    """Numbers of the feasible trials that none of them dominates, by their first objective, best first."""
    losses = {
        number: tuple(sign * value for sign, value in zip(spec.signs, told.values, strict=True))
        for number, told in history.told()
        if history.feasible(number)
    }
    ordered = sorted(losses, key=lambda number: (losses[number], number))
    kept: list[int] = []
    for number in ordered:
        if not any(_dominates(losses[other], losses[number]) for other in kept):
            kept.append(number)
    return kept


def _dominates(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a != b and all(x <= y for x, y in zip(a, b, strict=True))
