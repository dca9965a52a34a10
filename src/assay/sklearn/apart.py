"""Rows that a search never uses: its shadow set, on which its incumbents are scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import PredefinedSplit, TimeSeriesSplit
from sklearn.model_selection._split import _CVIterableWrapper
from sklearn.utils import _safe_indexing
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_method_params, _num_samples

from assay.api.shadow import wanted
from assay.core.errors import SpecError
from assay.core.rng import derived_seed
from assay.core.units import SHADOW
from assay.evaluation.splits import Fold, hold_out

_BY_ROW = (PredefinedSplit, _CVIterableWrapper)


def shadow_split(
    search: Any, X: Any, y: Any, splitter: Any, split_params: Mapping[str, Any], seed: int
) -> Fold | None:
    """The rows of the search and the shadow rows, as (train, test) of one fit; None without any.

    Whole groups where the splits go by groups, the last rows for `TimeSeriesSplit`, else random rows,
    with the share of each class kept.

    Raises:
        SpecError: no share, or splits that name rows by number.
        DataError: too few rows, groups or rows of a class.
    """
    if not wanted(search.shadow):
        return None
    if isinstance(splitter, _BY_ROW):
        raise SpecError(
            f"shadow={search.shadow!r} sets rows apart before they are split, and cv={search.cv!r:.80} names "
            "rows by number. Use a splitter such as KFold, or leave shadow out and keep rows back yourself."
        )
    labels = y is not None and is_classifier(search.estimator)
    labels = labels and type_of_target(y) in ("binary", "multiclass")
    n = _num_samples(X)
    return hold_out(
        search.shadow,
        n=n,
        y=np.asarray(y) if labels else None,
        groups=split_params.get("groups"),
        time=np.arange(n) if isinstance(splitter, TimeSeriesSplit) else None,
        seed=derived_seed(seed, SHADOW),
    )


def rows_of(
    rows: Any, X: Any, y: Any, params: Mapping[str, Any]
) -> tuple[Any, Any, dict[str, Any]]:
    """The data, and what goes with each row of it, for these rows only."""
    part = None if y is None else _safe_indexing(y, rows)
    return _safe_indexing(X, rows), part, _check_method_params(X, params=dict(params), indices=rows)
