"""Halton's sequence, scrambled: evenly spread points for any number of dimensions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import count, islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.sequence import proposal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.random import Generator

    from assay.core.history import History

Permutations: TypeAlias = "Sequence[Sequence[int]]"


@dataclass(frozen=True)
class Halton:
    """Evenly spread configs: the n-th of them is at the n-th point of a scrambled Halton sequence.

    A point that a clause forbids is rotated around the cube until it is allowed, up to 999 times.

    Args:
        seed: chooses the scrambling.

    Source: Halton 1960; a random permutation for every digit of every base as in Owen 2017,
    arXiv:1706.02808, which breaks the ties between large bases. Digits are taken to float precision.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Float
    >>> from assay.core.rng import stream
    >>> Halton().ask(Space(x=Float(0, 1)), History(), stream(0, "trial", 0)).why
    {'sampler': 'halton', 'index': 0}
    """

    seed: int = 0

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The config at point number `history.n_sampled`; `rng` is not used.

        Raises:
            SpaceError: the clauses allow next to nothing.
        """
        index = history.n_sampled
        point = halton_point(index, self.seed, len(space))
        return proposal(space, point, name="halton", seed=self.seed, index=index)


def halton_point(index: int, seed: int, dims: int, *, skip: int = 0) -> NDArray[np.float64]:
    """Point number `index` of the scrambled sequence in `dims` dimensions, shape (dims,).

    `skip` leaves out as many of the first primes as bases.
    """
    chosen = bases(skip + dims)[skip:]
    return np.array([radical_inverse(index, base, permutations(seed, base)) for base in chosen])


def radical_inverse(index: int, base: int, permuted: Permutations) -> float:
    """The digits of `index` in `base`, lowest first, each permuted, read as a fraction in [0, 1).

    >>> radical_inverse(5, 2, [[0, 1]] * 52)  # 101 becomes 0.101
    0.625
    """
    fraction, place = 0.0, 1.0
    for permutation in permuted:
        index, digit = divmod(index, base)
        place /= base
        fraction += permutation[digit] * place
    return min(fraction, 1 - 2.0**-53)


@lru_cache(maxsize=1024)
def permutations(seed: int, base: int) -> Permutations:
    """A random permutation of the digits 0 … base - 1 for each digit that a float can tell."""
    rng = stream(seed, "halton", base)
    digits = int(np.ceil(53 * np.log(2) / np.log(base)))
    return [rng.permutation(base).tolist() for _ in range(digits)]


@lru_cache(maxsize=16)
def bases(dims: int) -> tuple[int, ...]:
    """The first primes."""
    return tuple(islice(_primes(), dims))


def _primes() -> Iterator[int]:
    found: list[int] = []
    for number in count(2):
        if all(number % prime for prime in found):
            found.append(number)
            yield number
