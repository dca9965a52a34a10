"""From points of the unit cube to a config that the clauses of a space allow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from assay.core.errors import SpaceError
from assay.core.space import Space

MOST_MISSES = 1000


class SparseError(SpaceError):
    """The clauses allow so little that no point gave an allowed config."""


class Landing(NamedTuple):
    """A config that is allowed, and how many points before it were not."""

    config: dict[str, Any]
    misses: int


def first_allowed(space: Space, points: Iterable[Sequence[float]]) -> Landing:
    """The config at the first of `points` that no clause forbids.

    Args:
        space: where the points lie.
        points: points of the unit cube; their coordinates belong to the parameters in alphabetical
            order, so that equal spaces give equal configs however their parameters were listed.

    Raises:
        SparseError: none of the first 1,000 is allowed.
    """
    places = _places(space)
    broken: Counter[str] = Counter()
    for misses, point in enumerate(islice(points, MOST_MISSES)):
        config = space.from_unit([point[place] for place in places])
        clause = space.broken_clause(config)
        if clause is None:
            return Landing(config, misses)
        broken[clause] += 1
    raise _too_few(broken)


def _places(space: Space) -> list[int]:
    """The coordinate of each parameter: its place in alphabetical order."""
    place = {name: i for i, name in enumerate(sorted(space.names))}
    return [place[name] for name in space.names]


def _too_few(broken: Counter[str]) -> SparseError:
    [(clause, times)] = broken.most_common(1)
    tries = broken.total()
    return SparseError(
        f"None of {tries:,} points of the space gave an allowed config, so fewer than about "
        f"{3 / tries:.1%} of the space are allowed; {clause} stopped {times:,} of them. "  # rule of 3
        "Narrow the ranges, say with When what depends on what, or loosen the clause."
    )
