"""Where trials fail: a process over the labels 0 (has a loss) and 1 (failed), and its say in the search.

Source: regression on labels, squashed by the normal distribution function: Rasmussen and Williams
2006, "Gaussian Processes for Machine Learning", section 6.5. The factor on the expected improvement
is that of Gardner et al. 2014, "Bayesian optimization with inequality constraints", section 3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from assay.math.checks import Array
from assay.math.encoding import Indices, Mask
from assay.math.gp import Hyperparameters, Posterior

LEAST_FAILURES, LEAST_SHARE = 5, 0.1


def worth_a_model(told: Mask) -> bool:
    """Whether so many of the trials failed that a pattern may be seen; `told`: which did not.

    >>> worth_a_model(np.arange(20) >= 5), worth_a_model(np.arange(20) >= 4)
    (True, False)
    """
    failures = len(told) - int(told.sum())
    return LEAST_FAILURES <= failures < len(told) and failures >= LEAST_SHARE * len(told)


def labels_of(told: Mask) -> Array:
    """The labels with mean 0 and sd 1."""
    failed = ~told
    share = failed.mean()
    return np.asarray((failed - share) / np.sqrt(share * (1 - share)))


def success(rows: Array, told: Mask, owner: Indices, hyper: Hyperparameters) -> Success:
    """The factor for trials at `rows` of which some failed: those that are not `told`.

    Raises:
        SingularError: the kernel matrix cannot be inverted.
    """
    labels = labels_of(told)
    middle = float((labels.min() + labels.max()) / 2)
    return Success(Posterior(rows, labels, owner, hyper), middle)


@dataclass(frozen=True)
class Success:
    """The log probability that a trial does not fail.

    Args:
        posterior: the process given the labels, scaled as in `labels_of`.
        middle: the scaled label between success and failure.
    """

    posterior: Posterior
    middle: float

    def value(self, rows: Array) -> Array:
        """At `rows` (m, D), shape (m,)."""
        from scipy.special import log_ndtr

        mean, variance = self.posterior.predict(rows)
        return np.asarray(log_ndtr((self.middle - mean) / self._sd(variance)))

    def with_gradient(self, rows: Array) -> tuple[Array, Array]:
        """The same and its gradient, shape (m, D)."""
        from scipy.special import log_ndtr

        mean, variance, d_mean, d_variance = self.posterior.predict_with_gradient(rows)
        sd = self._sd(variance)
        z = (self.middle - mean) / sd
        value = log_ndtr(z)
        slope = np.exp(-0.5 * z**2 - 0.5 * np.log(2 * np.pi) - value)
        by_variance = -0.5 * slope * z / sd**2
        by_mean = -slope / sd
        return value, by_mean[:, None] * d_mean + by_variance[:, None] * d_variance

    def _sd(self, variance: Array) -> Array:
        return np.sqrt(variance + self.posterior.noise)
