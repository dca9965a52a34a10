"""What every function here demands of its arrays and levels before it computes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import DataError, SpecError

Array: TypeAlias = npt.NDArray[np.float64]


def finite(values: npt.ArrayLike, name: str, *, ndim: int, least: int = 1) -> Array:
    """`values` as a float array of `ndim` dimensions, each at least 1 long and the first `least`.

    Raises:
        DataError: another shape, not numbers, or NaN or infinity among them.

    >>> finite([1, 2], "differences", ndim=1)
    array([1., 2.])
    """
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"{name} must be numbers, got {values!r:.80}.") from None
    if array.ndim != ndim:
        raise DataError(f"{name} must have {ndim} dimension(s), got shape {array.shape}.")
    if array.shape[0] < least or array.size == 0:
        raise DataError(f"{name} needs at least {least} value(s), got shape {array.shape}.")
    bad = int(array.size - np.count_nonzero(np.isfinite(array)))
    if bad:
        raise DataError(
            f"{name} must be finite, but {bad} of {array.size} value(s) are NaN or infinite. "
            "Leave failed evaluations out before comparing."
        )
    return array


def probability(value: float, name: str) -> float:
    """`value` if it lies strictly between 0 and 1; else SpecError."""
    if not 0.0 < value < 1.0:
        raise SpecError(f"{name} must lie between 0 and 1 (such as 0.95), got {value!r}.")
    return float(value)


def not_negative(value: float, name: str) -> float:
    """`value` if it is finite and not below zero; else SpecError."""
    if not (np.isfinite(value) and value >= 0.0):
        raise SpecError(f"{name} must be a finite number >= 0, got {value!r}.")
    return float(value)


def at_least(value: int, least: int, name: str) -> int:
    """`value` if it is a whole number not below `least`; else SpecError."""
    if int(value) != value or value < least:
        raise SpecError(f"{name} must be a whole number >= {least}, got {value!r}.")
    return int(value)
