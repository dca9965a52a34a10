"""The importance of a study's parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from assay.analysis.importance import Importances, for_the_best, searched
from assay.core.errors import SpecError, StateError, did_you_mean
from assay.core.rng import derived_seed, stream

if TYPE_CHECKING:
    from assay.core.history import History
    from assay.core.spec import StudySpec

POINTS = 1024
METHODS = ("ped-anova", "gp")


def importance(
    spec: StudySpec,
    history: History,
    *,
    method: str = "ped-anova",
    top: float = 0.1,
    level: float = 0.95,
    objective: str | None = None,
) -> Importances:
    """See `assay.Study.importance`."""
    if method not in METHODS:
        raise SpecError(f"There is no method {method!r}. {did_you_mean(str(method), METHODS)}")
    names = searched(spec.space)
    if not names:
        raise StateError(
            "Every parameter of this space has one value: there is nothing to explain."
        )
    rng = stream(spec.seed, "importance", method)
    if method == "ped-anova":
        return for_the_best(spec, history, rng, objective=objective, top=top, level=level)
    from assay.analysis.sensitivity import over_the_space
    from assay.samplers.sobol import Sobol

    spread = Sobol(derived_seed(spec.seed, "importance"))
    cube = np.array([spread.point(index, 2 * len(names)) for index in range(POINTS)])
    return over_the_space(spec, history, rng, cube, objective=objective, level=level)
