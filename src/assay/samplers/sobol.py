"""Sobol's sequence, scrambled: points that fill the space more evenly than chance does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.directions import DIRECTIONS
from assay.samplers.halton import halton_point
from assay.samplers.sequence import proposal

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

BITS = 52  # as many as a float holds exactly
MOST_DIMS = len(DIRECTIONS)


@dataclass(frozen=True)
class Sobol:
    """Evenly spread configs: the n-th of them is at the n-th point of a scrambled Sobol sequence.

    Parameters beyond the 64th (in alphabetical order) follow a scrambled Halton sequence. A point
    that a clause forbids is rotated around the cube until it is allowed, up to 999 times.

    Args:
        seed: chooses the scrambling; the sequence without it always starts in a corner.

    Source: Sobol' 1967 in the Gray-code order of Antonov and Saleev 1979; directions of Joe and Kuo
    2008; linear matrix scramble and digital shift of Matousek 1998, J. Complexity 14, 527-556. With
    52 bits instead of the usual 30 or 32.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Float
    >>> from assay.core.rng import stream
    >>> Sobol().ask(Space(x=Float(0, 1)), History(), stream(0, "trial", 0)).why
    {'sampler': 'sobol', 'index': 0}
    """

    seed: int = 0

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The config at point number `history.n_sampled`; `rng` is not used.

        Raises:
            SpaceError: the clauses allow next to nothing.
        """
        index = history.n_sampled
        point = self.point(index, len(space))
        return proposal(space, point, name="sobol", seed=self.seed, index=index)

    def point(self, index: int, dims: int) -> NDArray[np.float64]:
        """Point number `index` of the cube, shape (dims,)."""
        point = sobol_point(index, *scrambled(self.seed, min(dims, MOST_DIMS)))
        if dims <= MOST_DIMS:
            return point
        # base 2 is Sobol's own: its digits would repeat those of the first dimension
        rest = halton_point(index, self.seed, dims - MOST_DIMS, skip=1)
        return np.concatenate([point, rest])


def sobol_point(
    index: int, directions: NDArray[np.uint64], shift: NDArray[np.uint64]
) -> NDArray[np.float64]:
    """Point number `index` of the sequence, computed without those before it.

    Args:
        index: from 0, below 2^52.
        directions: direction numbers v_k, scaled by 2^52, shape (52, dims).
        shift: is added without carry, shape (dims,).

    Returns:
        coordinates in [0, 1), shape (dims,).

    >>> sobol_point(1, unscrambled(2), np.zeros(2, np.uint64))
    array([0.5, 0.5])
    """
    gray = index ^ (index >> 1)
    chosen = [k for k in range(gray.bit_length()) if gray >> k & 1]
    digits = np.bitwise_xor.reduce(directions[chosen], axis=0) ^ shift
    return np.asarray(digits / 2.0**BITS)


@lru_cache(maxsize=16)
def unscrambled(dims: int) -> NDArray[np.uint64]:
    """Direction numbers v_k = m_k / 2^k of the first `dims` dimensions, scaled by 2^52.

    Shape (52, dims). Source: Joe and Kuo 2008, eq. 2 and 3.
    """
    columns = [_column(*DIRECTIONS[dim]) for dim in range(dims)]
    return np.array(columns, dtype=np.uint64).T


def _column(polynomial: int, first: tuple[int, ...]) -> list[int]:
    degree = polynomial.bit_length() - 1
    m = [1] * BITS if degree == 0 else list(first)
    while len(m) < BITS:
        new = m[-degree] ^ (m[-degree] << degree)
        for j in range(1, degree):
            if polynomial >> (degree - j) & 1:
                new ^= m[-j] << j
        m.append(new)
    return [number << (BITS - k) for k, number in enumerate(m, start=1)]


@lru_cache(maxsize=16)
def scrambled(seed: int, dims: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Direction numbers after a random linear scramble of their digits, and a random shift.

    Each dimension has a stream of its own, so it does not change when others are added.

    Returns:
        directions of shape (52, dims) and shift of shape (dims,), for `sobol_point`.
    """
    mixed, shifts = [], []
    for dim, column in enumerate(unscrambled(dims).T):
        rng = stream(seed, "sobol", dim)
        # lower triangular with a unit diagonal: digit i becomes itself plus some of those before it
        matrix = np.tril(rng.integers(0, 2, (BITS, BITS)), -1) + np.eye(BITS, dtype=np.int64)
        mixed.append(_number((_digits(column) @ matrix.T) % 2))
        shifts.append(_number(rng.integers(0, 2, BITS)))
    return np.array(mixed).T, np.array(shifts)


_PLACES = np.arange(BITS - 1, -1, -1, dtype=np.uint64)


def _digits(numbers: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The binary digits, highest first, along a new last axis."""
    return (numbers[..., None] >> _PLACES & np.uint64(1)).astype(np.int64)


def _number(digits: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The numbers with these binary digits along the last axis, highest first."""
    return np.asarray((digits.astype(np.uint64) << _PLACES).sum(axis=-1, dtype=np.uint64))
