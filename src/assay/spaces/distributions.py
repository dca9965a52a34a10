"""Parameters from what scikit-learn's searches take: lists of values and distributions of scipy.stats.

A distribution is known by what it offers, so that nothing of SciPy is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter, plain, value_key

_POINTS = 101
"""So many quantiles stand for a distribution that is neither uniform nor log-uniform."""
_LOG = ("loguniform", "reciprocal")


def parameter_from(value: Any) -> Parameter:
    """Our parameter for a parameter of ours, a list of JSON values, or a distribution.

    Uniform and log-uniform distributions and `randint` keep their ranges and scales. Another
    distribution becomes its 101 quantiles in order, each as likely as the next. Numbers in a list
    are taken in their order; other values have none.

    Raises:
        SpaceError: none of these, a value that has no JSON form, or a distribution without bounds
            and quantiles.

    >>> from scipy.stats import loguniform, randint
    >>> parameter_from(loguniform(1e-4, 1.0)).log, parameter_from(randint(2, 9)).high
    (True, 8)
    >>> parameter_from([3, 1, 2]).values
    (1, 2, 3)
    """
    if isinstance(value, Float | Int | Choice):
        return value
    if is_distribution(value):
        return _from_distribution(value)
    return of_values(listed(value))


def is_distribution(value: Any) -> bool:
    """Whether values can be drawn from it."""
    return callable(getattr(value, "rvs", None))


def listed(value: Any) -> list[Any]:
    """The values of a list, tuple, range or one-dimensional array.

    Raises:
        SpaceError: not such a list, or an empty one.
    """
    wrong = isinstance(value, str | bytes | dict | set | frozenset)
    if wrong or not isinstance(value, Iterable) or getattr(value, "ndim", 1) != 1:
        raise SpaceError(
            f"A parameter needs a list of values, a distribution of scipy.stats, or one of assay's "
            f"parameters, got {value!r:.80}."
        )
    found = list(value)
    if not found:
        raise SpaceError("A parameter needs at least one value, got an empty list.")
    return found


def of_values(values: list[Any]) -> Parameter:
    """The parameter with these JSON values: in order if they are numbers; each counts once."""
    unique = list({value_key(plain(value)): plain(value) for value in values}.values())
    if len(unique) > 2 and all(_is_number(value) for value in unique):
        return Ordinal(sorted(unique))
    return Choice(unique)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _from_distribution(given: Any) -> Parameter:
    kind = getattr(getattr(given, "dist", None), "name", None)
    if kind in ("uniform", *_LOG, "randint"):
        low, high = (float(end) for end in given.support())
        if low == high:
            return Constant(int(low) if kind == "randint" else low)
        if kind == "randint":
            return Int(int(low), int(high))
        return Float(low, high, log=kind in _LOG)
    if callable(getattr(given, "ppf", None)):
        return of_values(_quantiles(given))
    raise SpaceError(
        f"A distribution needs quantiles (ppf), and {type(given).__name__} has none: {given!r:.80}. "
        "Give assay.Float or assay.Int, or a list of values."
    )


def _quantiles(given: Any) -> list[Any]:
    """Evenly likely values, in order."""
    found = [plain(given.ppf((k + 0.5) / _POINTS)) for k in range(_POINTS)]
    if not all(math.isfinite(value) for value in found):
        raise SpaceError(f"The distribution {given!r:.80} has quantiles that are not finite.")
    discrete = hasattr(given, "pmf") or not hasattr(given, "pdf")
    return [int(v) if discrete and v == int(v) else float(f"{v:.15g}") for v in found]
