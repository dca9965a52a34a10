"""Random search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cube import first_allowed

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History


@dataclass(frozen=True)
class Random:
    """Independent configs, uniform on the scale of each parameter.

    Configs that a clause forbids are drawn again, up to 1,000 times; `why` counts them.

    Args:
        by_name: draw each parameter from a stream of its own name, so that spaces that share some
            parameters get the same values of them: studies that are compared then share their luck.

    Source: Bergstra and Bengio 2012, JMLR 13, 281-305.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Random().ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).why
    {'sampler': 'random'}
    """

    by_name: bool = False

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """A config that does not depend on what was tried.

        Raises:
            SpaceError: the clauses allow next to nothing.
        """
        config, misses = first_allowed(
            space, _named(rng, space.names) if self.by_name else _draws(rng, len(space))
        )
        return Proposal(config, {"sampler": "random", **({"misses": misses} if misses else {})})


def _draws(rng: Generator, dims: int) -> Iterator[list[float]]:
    while True:
        yield rng.random(dims).tolist()


def _named(rng: Generator, names: tuple[str, ...]) -> Iterator[list[float]]:
    base = int(rng.integers(2**62))
    streams = [stream(base, "parameter", name) for name in names]
    while True:
        yield [float(one.random()) for one in streams]
