"""Walking through a space along a fixed sequence of points, such as Sobol's or Halton's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cube import MOST_MISSES, first_allowed


def proposal(
    space: Space, point: NDArray[np.float64], *, name: str, seed: int, index: int
) -> Proposal:
    """The config at point number `index` of the sequence `name`.

    Where a clause forbids it, the same point is rotated: moved by a fixed offset and wrapped around
    the cube (Cranley and Patterson 1976). Attempt k moves every point by the k-th offset, so the
    points that meet it are again evenly spread, and nothing depends on earlier proposals.
    """
    config, misses = first_allowed(space, _rotations(point, name, seed))
    why = {"sampler": name, "index": index}
    return Proposal(config, why | {"misses": misses} if misses else why)


def _rotations(point: NDArray[np.float64], name: str, seed: int) -> Iterator[list[float]]:
    yield point.tolist()
    for offset in _offsets(name, seed, len(point)):
        yield ((point + offset) % 1.0).tolist()


@lru_cache(maxsize=16)
def _offsets(name: str, seed: int, dims: int) -> NDArray[np.float64]:
    return stream(seed, name, "offsets").random((MOST_MISSES, dims))
