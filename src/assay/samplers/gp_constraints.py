"""What a Gaussian process says of constraints: one process for the excess over each bound.

Source: Gardner et al. 2014, "Bayesian optimization with inequality constraints", section 3: the
improvement counts with the probability that all bounds are kept. Differs: the excess is seen by its
logarithm on either side of the bound, see `assay.math.transforms.about_zero`.
"""

from __future__ import annotations

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Mask
from assay.math.gp import Posterior
from assay.samplers.gp_failures import Success


def within(posterior: Posterior) -> Success:
    """The log probability that a bound is kept, as a term of the acquisition."""
    return Success(posterior, 0.0)


def likely_met(posteriors: list[Posterior], rows: Array) -> Mask:
    """Where each bound is kept with a probability of at least one half, shape (m,)."""
    found = np.ones(len(rows), bool)
    for posterior in posteriors:
        found &= posterior.predict(rows)[0] <= 0
    return found
