"""Constraints as samplers are given them, and how far trials lie beyond them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from assay.core.errors import SpecError
from assay.core.events import Told

Limit: TypeAlias = tuple[int | str, float, float]
"""(which, sign, bound): sign * number must not exceed bound; the number is that of an objective, by
its place, or another one, by its name."""


def limits_of(constraints: Any) -> tuple[Limit, ...]:
    """The constraints of a sampler, also from a form that went through JSON.

    >>> limits_of([["latency_ms", 1, 10], [0, -1.0, -0.5]])
    (('latency_ms', 1.0, 10.0), (0, -1.0, -0.5))

    Raises:
        SpecError: they have another form.
    """
    try:
        found = tuple((which, float(sign), float(bound)) for which, sign, bound in constraints)
        right = all(isinstance(which, int | str) and sign in (1, -1) for which, sign, _ in found)
    except (TypeError, ValueError):
        right = False
    if not right:
        raise SpecError(
            "A sampler needs its constraints as (number, sign, bound): the place of an objective or "
            "the name of another number, 1 or -1, and what sign * number must not exceed; got "
            f"{constraints!r:.200}. A study makes these of its texts."
        )
    return found


def number_of(told: Told, which: int | str) -> float:
    """One of the numbers of a trial; NaN if it was not finite.

    >>> number_of(Told(0, (0.5,), {"mb": 12.0}), "mb")
    12.0
    """
    if isinstance(which, int):
        return told.values[which]
    return (told.extra or {}).get(which, math.nan)


def excesses(told: Told, limits: Sequence[Limit]) -> list[float]:
    """How far beyond each bound a trial lies; NaN where its number was not finite.

    >>> excesses(Told(0, (0.5,), {"mb": 12.0}), [("mb", 1.0, 10.0), (0, -1.0, -0.25)])
    [2.0, -0.25]
    """
    return [sign * number_of(told, which) - bound for which, sign, bound in limits]
