"""A classical test beside the interval of the final gain: whether, never how much. Pure."""

from __future__ import annotations

from math import erfc, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.math.auc import delong_variance
from assay.math.intervals import diebold_mariano
from assay.math.rows import Grouped, Ordered, Rows
from assay.math.significance import mcnemar_exact, sign_flip

Array = NDArray[np.float64]


def second_opinion(
    y: NDArray[Any],
    control: Array,
    selected: Array,
    rows: Rows,
    rng: np.random.Generator,
    *,
    metric: str,
    decomposable: bool,
    horizon: int = 1,
) -> dict[str, Any] | None:
    """The two-sided p value of "no difference", by the test that suits the data; None if none does.

    It is about the fitted models, since seeds enter as their mean at most, and so is no evidence
    about a config where a model has seeds. Where it and the interval disagree, look twice.

    Args:
        y: (n,) the true values of the test rows.
        control, selected: stored values of both arms, shape (refits, n).
        rows: how the rows are drawn for the interval; grouped rows have no simple test.
        horizon: steps ahead that were forecast.
    """
    if isinstance(rows, Grouped) or len(y) < 4:
        return None
    if isinstance(rows, Ordered) and not decomposable:
        return None
    if isinstance(rows, Ordered):
        found = diebold_mariano(
            control.mean(axis=0), selected.mean(axis=0), max(1, min(horizon, len(y) // 2))
        )
        return _told("Diebold-Mariano", _two_sided(found.estimate, found.se))
    if decomposable and set(np.unique(control)) | set(np.unique(selected)) <= {0.0, 1.0}:
        b, c = int((control[0] < selected[0]).sum()), int((control[0] > selected[0]).sum())
        return _told("exact McNemar, first fits", mcnemar_exact(b, c))
    if decomposable:
        p = sign_flip(control.mean(axis=0) - selected.mean(axis=0), rng)
        return _told("sign flips of mean losses", p)
    if metric == "roc_auc":
        from assay.math.auc import RankedScores

        weights = np.ones((1, len(y)))
        one, other = (float(RankedScores(y, arm[0]).auc(weights)[0]) for arm in (control, selected))
        return _told(
            "DeLong, first fits",
            _two_sided(other - one, sqrt(delong_variance(y, control[0], selected[0]))),
        )
    return None


def _two_sided(estimate: float, se: float) -> float:
    if se == 0:
        return 1.0 if estimate == 0 else 0.0
    return erfc(abs(estimate) / se / sqrt(2))


def _told(test: str, p: float) -> dict[str, Any]:
    return {"test": test, "p": float(p)}
