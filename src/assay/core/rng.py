"""Randomness without hidden state: independent streams named by what they are for."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator


def stream(seed: int, *name: str | int) -> Generator:
    """A generator for (seed, name): the same name gives the same numbers, others are independent.

    >>> bool(stream(7, "trial", 3).random() == stream(7, "trial", 3).random())
    True
    """
    from numpy.random import PCG64, Generator, SeedSequence

    return Generator(PCG64(SeedSequence(_words(seed, name))))


def derived_seed(seed: int, *name: str | int) -> int:
    """A 31-bit seed for (seed, name), for libraries that take a number.

    >>> derived_seed(7, "unit", 0) == derived_seed(7, "unit", 0) != derived_seed(7, "unit", 1)
    True
    """
    return _words(seed, name)[0] & 0x7FFFFFFF


def _words(seed: int, name: tuple[str | int, ...]) -> list[int]:
    # int(): a NumPy integer names the same stream as the Python one
    parts = (f"str:{part}" if isinstance(part, str) else f"int:{int(part)}" for part in name)
    text = "\0".join((str(int(seed)), *parts))
    raw = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return [int.from_bytes(raw[i : i + 4], "little") for i in range(0, 16, 4)]
