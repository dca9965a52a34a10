"""From counters to energy. Pure: a reading is what a counter showed, and what cannot be is no reading."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

_NUMBER = re.compile(r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?")

JOULES_PER_KWH = 3.6e6


def joules_between(
    before: Mapping[str, float], after: Mapping[str, float], wraps: Mapping[str, float]
) -> float | None:
    """What counters of joules advanced by, all of them together; None where that cannot be told.

    A counter that went back has started again from zero after its largest value, if that is known.

    Args:
        before, after: joules by the name of the counter.
        wraps: after how many joules each starts again; may be left out.

    >>> joules_between({"a": 90.0}, {"a": 10.0}, {"a": 100.0})
    20.0
    >>> joules_between({"a": 90.0}, {"a": 10.0}, {}) is None
    True
    """
    if not before or before.keys() != after.keys():
        return None
    total = 0.0
    for name, start in before.items():
        spent = after[name] - start
        if spent < 0:
            if name not in wraps:
                return None
            spent += wraps[name]
        if not math.isfinite(spent) or spent < 0:
            return None
        total += spent
    return total


def number_in(text: str) -> float | None:
    """The number that a meter printed, the only one in its output; None if there is no such number.

    >>> number_in("1234.5 J"), number_in("error 5 of 6"), number_in("")
    (1234.5, None, None)
    """
    found = _NUMBER.findall(text)
    if len(found) != 1:
        return None
    value = float(found[0])
    return value if math.isfinite(value) and value >= 0 else None
