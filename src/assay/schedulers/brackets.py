"""Brackets: some trials begin at a higher rung, as a hedge against first steps that mislead.

Which bracket a trial belongs to follows from its place among the trials, so nothing is stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity

_GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Shape:
    """A bracket of successive halving: it begins at rung `first`, with `sizes[i]` trials at `first + i`."""

    first: int
    sizes: tuple[int, ...]


def shape(rungs: int, eta: int, first: int) -> Shape:
    """The bracket that begins at rung `first` of so many.

    Source: Li et al. 2018, JMLR 18(185), table 1, whose sizes are floor(rungs / (s + 1)) eta^s for the
    bracket with s further rungs (their algorithm 1 has a ceiling of the product instead).

    >>> [shape(5, 3, first).sizes for first in range(5)]
    [(81, 27, 9, 3, 1), (27, 9, 3, 1), (9, 3, 1), (6, 2), (5,)]
    """
    further = rungs - 1 - first
    n = rungs // (further + 1) * eta**further
    return Shape(first, tuple(n // eta**i for i in range(further + 1)))


@lru_cache(maxsize=64)
def shares(rungs: int, eta: int, brackets: int) -> tuple[float, ...]:
    """The share of trials that begin in each bracket: those that Hyperband's brackets have.

    Source: Li et al. 2018, algorithm 1; in proportion to eta^s / (s + 1) with s further rungs.

    >>> [round(share, 3) for share in shares(5, 3, 5)]
    [0.569, 0.237, 0.105, 0.053, 0.035]
    """
    weights = [eta ** (rungs - 1 - f) / (rungs - f) for f in range(brackets)]
    return tuple(weight / sum(weights) for weight in weights)


@lru_cache(maxsize=1 << 16)
def bracket_of(index: int, parts: tuple[float, ...]) -> int:
    """The bracket of the trial with this index: multiples of the golden ratio keep to the shares.

    >>> [bracket_of(i, (0.75, 0.25)) for i in range(8)]
    [0, 0, 0, 1, 0, 0, 0, 0]
    """
    point = (index * _GOLDEN) % 1.0
    for number, share in enumerate(parts):
        point -= share
        if point < 0:
            return number
    return 0


def checked(fidelity: Fidelity, eta: int, brackets: int | None) -> int:
    """How many brackets there are; None stands for one at every rung.

    Raises:
        SpecError: there are not so many rungs.
        SpaceError: a wrong eta.
    """
    rungs = len(fidelity.rungs(eta))
    if brackets is None:
        return rungs
    if isinstance(brackets, bool) or not isinstance(brackets, int) or not 1 <= brackets <= rungs:
        raise SpecError(
            f"brackets needs a whole number from 1 to {rungs}, the number of rungs "
            f"{fidelity.rungs(eta)}, got {brackets!r}."
        )
    return brackets
