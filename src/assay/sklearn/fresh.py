"""Splits that the search has not seen: the same way of splitting, with other luck."""

from __future__ import annotations

import inspect
from copy import copy
from typing import Any


def reshuffled(splitter: Any, seed: int) -> Any:
    """The splitter with other random splits; None if it knows only one way to split.

    >>> from sklearn.model_selection import StratifiedKFold, TimeSeriesSplit
    >>> reshuffled(StratifiedKFold(5), seed=3)
    StratifiedKFold(n_splits=5, random_state=3, shuffle=True)
    >>> reshuffled(TimeSeriesSplit(), seed=3) is None
    True
    """
    settings = inspect.signature(type(splitter).__init__).parameters
    if "random_state" not in settings or not hasattr(splitter, "random_state"):
        return None
    other = copy(splitter)
    if "shuffle" in settings:
        other.shuffle = True
    other.random_state = seed
    return other
