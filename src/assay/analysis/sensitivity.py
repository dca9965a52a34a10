"""Which parameters the values of a study vary with over its whole space, by a Gaussian process. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from assay.analysis.importance import Importance, Importances, results_of
from assay.core.errors import StateError
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.checks import Array, probability
from assay.math.encoding import CENTRE, Encoding, Indices
from assay.math.gp import Posterior, SingularError
from assay.math.gp_fit import fit, prior_start
from assay.math.gp_paths import Paths
from assay.math.ped_anova import Share
from assay.math.sobol_indices import indices
from assay.math.threads import one_thread
from assay.math.transforms import candidates

if TYPE_CHECKING:
    from numpy.random import Generator

MOST_FITTED = 200  # rows that a fit of lengthscales sees
MOST_ROWS = 400  # rows that the process sees
DRAWS = 100
LEAST_EXPLAINED = 0.2
CLEARLY = 0.1  # so much more must be explained to give up the values as they are


def over_the_space(
    spec: StudySpec,
    history: History,
    rng: Generator,
    cube: Array,
    *,
    objective: str | None = None,
    level: float = 0.95,
) -> Importances:
    """Sobol's indices of the values over the space, from the mean of a Gaussian process.

    The space is that of the samplers: logarithmic parameters are even in their logarithm, and every
    value of a choice counts alike. Clauses are ignored: what they forbid counts as the process
    expects it. A conditional parameter explains what it does where it is active; what switching it
    on does is its parent's.

    Intervals are quantiles over functions drawn from the process, widened where needed to hold the
    value. They cover what the process does not know between trials and through noise, given its
    lengthscales; not that a Gaussian process may be a poor picture, for which `explained` speaks, nor
    the error of the integrals, about 0.01. Few intervals end at exactly 0: one that comes within 0.01
    of it says that nothing may be there.

    Source: indices of a process by draws from it, as in Le Gratiet et al. 2014, arXiv:1307.2223.
    Differs: the draws are whole functions, see `assay.math.gp_paths`.

    Args:
        cube: evenly spread points of the unit cube, shape (n, 2 d) for d parameters with more than
            one value.

    Raises:
        SpecError: `level` out of range, or an objective that does not exist.
        StateError: fewer than 10 trials with a value, all values equal, or trials of which the process
            explains less than 20 %.
    """
    probability(level, "level")
    results = results_of(spec, history, objective)
    encoding = Encoding(spec.space)
    points = np.array([encoding.point(history.config(n)) for n in results.numbers])
    with one_thread(), np.errstate(all="ignore"):
        picture = _picture(encoding, encoding.rows(points), results.losses)
        if picture is None or not picture.explained >= LEAST_EXPLAINED:
            raise _unclear(picture, len(points))
        found = _of_paths(encoding, Paths(picture.posterior, DRAWS, rng), cube)
    alone, total = (_shares(one, level) for one in found)
    names = [encoding.names[coordinate] for coordinate in encoding.searched]
    by_name = {
        name: Importance(whole.value, whole.low, whole.high, alone=by_itself)
        for name, whole, by_itself in zip(names, total, alone, strict=True)
    }
    return Importances(
        "gp",
        by_name,
        level,
        len(points),
        explained=round(picture.explained, 4),
        scale=picture.scale,
    )


@dataclass(frozen=True)
class _Picture:
    """The process, the scale on which it sees the values, and the R^2 of trials left out."""

    posterior: Posterior
    scale: str
    explained: float


def _picture(encoding: Encoding, rows: Array, losses: Array) -> _Picture | None:
    """The process on the plain scale, or on the one that explains most if that is clearly more."""
    fit_on, seen = _evenly(losses, MOST_FITTED), _evenly(losses, MOST_ROWS)
    start, found = prior_start(len(encoding.searched)), {}
    for targets in candidates(losses):
        try:
            hyper = fit(rows[fit_on], targets.t[fit_on], encoding.owner, start)
            posterior = Posterior(rows[seen], targets.t[seen], encoding.owner, hyper)
        except SingularError:
            continue
        missed = targets.t[seen] - posterior.left_out()[0]
        explained = 1 - float(np.mean(missed**2) / np.var(targets.t[seen]))
        found[targets.name] = _Picture(posterior, targets.name, explained)
    ranked = sorted(
        found.values(), key=lambda one: one.explained + CLEARLY * (one.scale == "plain")
    )
    return ranked[-1] if ranked else None


def _evenly(losses: Array, most: int) -> Indices:
    """The numbers of at most `most` trials, from the best to the worst."""
    order = np.argsort(losses, kind="stable")
    if len(order) > most:
        order = order[np.linspace(0, len(order) - 1, most).astype(np.intp)]
    return np.sort(order)


def _of_paths(encoding: Encoding, paths: Paths, cube: Array) -> Array:
    """Indices alone and total, shape (2, parameters, functions)."""

    def values(inner: Array) -> Array:
        points = np.full((len(inner), encoding.size), CENTRE)
        points[:, encoding.searched] = inner
        return paths.values(encoding.rows(encoding.snap(points)))

    a, b = np.hsplit(cube, 2)
    return np.stack(indices(values, a, b))


def _shares(found: Array, level: float) -> list[Share]:
    """Of each parameter, from the mean and the draws, shape (parameters, 1 + draws)."""
    value = found[:, 0]
    low, high = np.quantile(found[:, 1:], [(1 - level) / 2, (1 + level) / 2], axis=1)
    ends = np.stack([value, np.minimum(low, value), np.maximum(high, value)], axis=1)
    return [Share(*row) for row in ends.tolist()]


def _unclear(picture: _Picture | None, trials: int) -> StateError:
    share = max(picture.explained, 0.0) if picture else 0.0
    return StateError(
        f"A Gaussian process explains {share:.0%} of how the {trials} trials differ, too little to say "
        f"what matters ({LEAST_EXPLAINED:.0%} is the least). Run more trials, or use "
        "the method 'ped-anova'."
    )
