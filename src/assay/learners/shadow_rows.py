"""What the log keeps of the shadow rows of an incumbent: all that an interval of its gain needs. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from assay.learners.formulas import Numbers


@dataclass(frozen=True)
class ShadowRows:
    """The rows of one fit.

    Attributes:
        groups: (n,) the number of each row's group; all 0 where there are none.
        truth: (n,) the target as the metric sees it; all 0 where `stored` are losses.
        stored: (n,) losses or predictions, or (n, classes) probabilities.
    """

    groups: Numbers
    truth: Numbers
    stored: Numbers


def pack(
    stored: bytes,
    *,
    n: int,
    truth: npt.ArrayLike | None = None,
    groups: npt.ArrayLike | None = None,
) -> bytes:
    """Groups, truth and stored values one after the other, as float32.

    >>> unpack(np.frombuffer(pack(np.ones(2, "<f4").tobytes(), n=2, groups=["b", "a"]), "<f4"), 2).groups
    array([1., 0.])
    """
    numbers = np.zeros(n) if groups is None else np.unique(groups, return_inverse=True)[1]
    known = np.zeros(n) if truth is None else np.asarray(truth)
    return np.concatenate([numbers, known]).astype("<f4").tobytes() + stored


def unpack(kept: NDArray[Any], n: int) -> ShadowRows | None:
    """The rows again; None if there is more or less than n of each."""
    values = np.asarray(kept, dtype=float)
    if len(values) < 3 * n or len(values) % n:
        return None
    groups, truth, stored = values[:n], values[n : 2 * n], values[2 * n :]
    return ShadowRows(groups, truth, stored if len(stored) == n else stored.reshape(n, -1))
