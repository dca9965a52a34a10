"""The rules of selection, each a pure choice among numbers. Gains are over the control; higher is better."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from assay.core.parameters import differing
from assay.math.gp import Posterior, SingularError
from assay.math.gp_fit import fit, prior_start, thinned

Array = NDArray[np.float64]

GUARDED = ("recheck", "recheck+guard", "strict", "shrink", "ensemble_topk")
"""The rules that measure the best trials again on fresh units; the others choose by the search alone."""
_MOST_ROWS = 400


def hurdle(rule: str, se: float, *, guard: float, smallest_gain: float) -> float:
    """What a fresh gain must exceed for the control to give way.

    >>> [hurdle(rule, 0.02, guard=1.0, smallest_gain=0.05) for rule in ("recheck", "recheck+guard", "strict")]
    [0.0, 0.02, 0.05]
    """
    if rule == "recheck":
        return 0.0
    return max(guard * se, smallest_gain if rule == "strict" else 0.0)


def one_se(units: Array, changed: Sequence[int], ratio: float, floor: float | None) -> int:
    """The place with the fewest changes among those within one paired standard error of the best.

    Of equal ones the best gain, then the earlier.

    Args:
        units: gain of each trial on each unit of the search, shape (trials, units).
        changed: parameters of each trial that differ from the control's.
        ratio: rows of validation over rows of training; 0 for independent units.
        floor: standard error of a difference on one unit, where there is one unit only.

    Source: Breiman et al. 1984, Classification and Regression Trees, 3.4.3. Differs: the standard
    error is that of the paired difference to the best, with the correction for shared training rows.

    >>> units = np.array([[0.0, 0.0, 0.0], [0.1, 0.3, 0.2], [0.1, 0.2, 0.2]])
    >>> one_se(units, [0, 4, 1], 0.5, None)
    2
    """
    gains = units.mean(axis=1)
    behind = units[int(gains.argmax())] - units
    n = units.shape[1]
    se = (
        behind.std(axis=1, ddof=1) * np.sqrt(1 / n + ratio)
        if n > 1
        else np.full(len(units), floor or 0.0)
    )
    near = np.flatnonzero(behind.mean(axis=1) <= se)
    return min(map(int, near), key=lambda i: (changed[i], -float(gains[i]), i))


def shrunk(gains: Array, se: Array) -> Array:
    """Each gain drawn towards the mean of all, the more the noisier it is.

    m + t^2 / (t^2 + se^2) * (gain - m), where m is the mean weighted by precision and t^2, the
    variance between trials, is by moments.

    Args:
        gains, se: of each trial, shape (trials,); a standard error of 0 is not drawn.

    Source: DerSimonian and Laird 1986, Controlled Clinical Trials 7, 177-188 (t^2); the estimate is
    Efron and Morris's, 1975, JASA 70, 311-319.

    >>> shrunk(np.array([0.0, 0.1, 0.5]), np.array([0.1, 0.1, 0.4])).round(2)
    array([0.06, 0.06, 0.06])
    """
    known = se > 0
    if known.sum() < 2:
        return gains.copy()
    weights = 1 / se[known] ** 2
    middle = float(weights @ gains[known] / weights.sum())
    spread = float(weights @ (gains[known] - middle) ** 2)
    scale = float(weights.sum() - (weights**2).sum() / weights.sum())
    between = max(0.0, (spread - (known.sum() - 1)) / scale)
    found = gains.copy()
    found[known] = middle + between / (between + se[known] ** 2) * (gains[known] - middle)
    return found


def posterior_mean(rows: Array, losses: Array, owner: NDArray[np.intp], d: int) -> Array | None:
    """What a Gaussian process with noise thinks of each config, lower is better; None if it cannot.

    Args:
        rows: encoded configs, shape (n, D).
        losses: shape (n,); at most 400 are used, the best and a fair sample.
        owner: the lengthscale of each column, shape (D,).
        d: lengthscales.
    """
    if len(losses) < 4 or np.ptp(losses) == 0:
        return None
    kept = thinned(losses, _MOST_ROWS)
    middle, scale = losses[kept].mean(), losses[kept].std()
    targets = (losses[kept] - middle) / scale
    try:
        hyper = fit(rows[kept], targets, owner, prior_start(d))
        mean, _ = Posterior(rows[kept], targets, owner, hyper).predict(rows)
    except SingularError:
        return None
    return np.asarray(middle + scale * mean)


def changed(control: Mapping[str, object], config: Mapping[str, object]) -> int:
    """How many parameters differ, those that are active in one of the two only included."""
    return len(differing(control, config))
