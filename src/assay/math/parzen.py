"""Parzen estimators in the unit cube: a mixture with one kernel for each observation, and a prior.

A kernel is a product over the coordinates: a normal truncated to [0, 1] for real ones, the same
summed over cells for those with a few ordered values, and for categories most of the mass on the
observed one. Real coordinates contribute a density, the others a probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.math.checks import Array

if TYPE_CHECKING:
    from numpy.random import Generator

Codes: TypeAlias = npt.NDArray[np.intp]
Kind: TypeAlias = Literal["real", "ordered", "category"]

_ROOT_TAU = float(np.sqrt(2 * np.pi))
_TINY = 1e-300


@dataclass(frozen=True, eq=False)
class Axis:
    """A coordinate of the unit cube.

    Args:
        kind: "real", "ordered" (a few values in an order) or "category".
        positions: where in [0, 1] its values lie, ascending; None: anywhere.
    """

    kind: Kind
    positions: Array | None = None

    @cached_property
    def edges(self) -> Array:
        """The borders of the values' cells, 0 and 1 included."""
        at = self.positions
        if at is None:
            return np.array([0.0, 1.0])
        return np.concatenate([[0.0], (at[1:] + at[:-1]) / 2, [1.0]])

    @property
    def size(self) -> int:
        """How many cells there are."""
        return len(self.edges) - 1

    def codes(self, u: Array) -> Codes:
        """The number of the cell in which each coordinate lies; NaN lies in the last one."""
        return np.searchsorted(self.edges[1:-1], u, side="right")

    def snapped(self, u: Array) -> Array:
        """The positions of the values at coordinates `u`."""
        return u if self.positions is None else self.positions[self.codes(u)]


class Parzen:
    """The mixture of kernels around `centres` and a wide one for the prior, which comes last.

    Args:
        axes: one for each coordinate.
        centres: observations, shape (n, d), on the positions of their axes; n may be 0.
        weights: of the observations, shape (n,), not negative; the prior's is 1.
        narrowest: least standard deviation of a kernel.

    Source: Bergstra et al. 2011, NeurIPS 24; widths and categories as in Watanabe 2023,
    arXiv:2304.11127. Ordered coordinates with a few values differ: their
    kernels are summed exactly over the cells.

    >>> mixture = Parzen([Axis("real")], np.array([[0.2], [0.3]]), np.ones(2), narrowest=0.1)
    >>> bool(mixture.log_density(np.array([[0.25]])) > mixture.log_density(np.array([[0.9]])))
    True
    """

    def __init__(
        self, axes: list[Axis], centres: Array, weights: Array, *, narrowest: float
    ) -> None:
        self.axes = axes
        count = len(centres) + 1
        whole = np.append(weights, 1.0)
        self.log_weights: Array = np.log(np.maximum(whole / whole.sum(), _TINY))
        self._centres = np.vstack([centres, np.full((1, len(axes)), 0.5)])
        spread = widths(centres, narrowest) if len(centres) else centres
        self._widths = np.vstack([spread, np.ones((1, len(axes)))])
        self._smooth = 1.0 / count  # pseudo-count of every category

    # --- density

    def log_density(self, points: Array) -> Array:
        """Ln of the mixture's density at points of shape (m, d); shape (m,)."""
        return log_sum(self.log_weights + self.log_kernels(points))

    def log_kernels(self, points: Array) -> Array:
        """Ln of each kernel at points of shape (m, d); shape (m, n + 1), the prior last."""
        total = self._log_normals(points)
        for j, axis in enumerate(self.axes):
            if axis.kind == "ordered":
                total += self._log_masses(j)[axis.codes(points[:, j])]
            elif axis.kind == "category":
                total += self._log_hits(j, points[:, j])
        return total

    def _log_normals(self, points: Array) -> Array:
        """The real coordinates; the square is multiplied out, so that one matrix product does it."""
        from scipy.special import ndtr

        real = [j for j, axis in enumerate(self.axes) if axis.kind == "real"]
        x, centre, width = points[:, real], self._centres[:, real], self._widths[:, real]
        precision = width**-2
        inside = ndtr((1 - centre) / width) - ndtr(-centre / width)
        norms = np.log(inside * width * _ROOT_TAU) + 0.5 * centre * centre * precision
        total = np.hstack([x * x, x]) @ np.hstack([-0.5 * precision, centre * precision]).T
        total -= norms.sum(axis=1)
        return np.asarray(total)

    def _log_masses(self, j: int) -> Array:
        """Ln of the mass of each kernel in each cell of an ordered coordinate, (cells, n + 1)."""
        from scipy.special import ndtr

        # few kernels differ where many observations share a few values; a complex number is a pair
        pairs, which = np.unique(self._centres[:, j] + 1j * self._widths[:, j], return_inverse=True)
        below = ndtr((self.axes[j].edges[:, None] - pairs.real) / pairs.imag)
        inside = np.maximum(np.diff(below, axis=0), _TINY)
        return np.asarray(np.log(inside / (below[-1] - below[0])))[:, which]

    def _log_hits(self, j: int, u: Array) -> Array:
        axis, smooth = self.axes[j], self._smooth
        whole = 1 + axis.size * smooth
        same = axis.codes(u)[:, None] == axis.codes(self._centres[:, j])
        by_hit: Array = np.log(np.array([smooth, 1 + smooth]) / whole)
        found: Array = by_hit[same.astype(np.intp)]
        found[:, -1] = -np.log(axis.size)
        return found

    # --- sampling

    def sample(self, kernels: Codes, rng: Generator) -> Array:
        """One point from each of the kernels with these numbers, on the positions of the axes."""
        columns = [self._sample_axis(j, kernels, rng) for j in range(len(self.axes))]
        return np.column_stack(columns)

    def _sample_axis(self, j: int, kernels: Codes, rng: Generator) -> Array:
        from scipy.special import ndtr, ndtri

        axis, centre, width = self.axes[j], self._centres[kernels, j], self._widths[kernels, j]
        draws = rng.random(len(kernels))
        if axis.kind == "category":
            return self._sample_category(axis, kernels, centre, draws, rng)
        low, high = ndtr(-centre / width), ndtr((1 - centre) / width)
        u = centre + width * ndtri(low + draws * (high - low))
        return axis.snapped(np.clip(u, 0.0, 1.0))

    def _sample_category(
        self, axis: Axis, kernels: Codes, centre: Array, draws: Array, rng: Generator
    ) -> Array:
        spread = axis.size * self._smooth
        anything = (draws < spread / (1 + spread)) | (kernels == len(self._centres) - 1)
        return axis.snapped(np.where(anything, rng.random(len(kernels)), centre))


def widths(centres: Array, narrowest: float) -> Array:
    """The standard deviation of the kernel at each coordinate, same shape as `centres` (n, d).

    The larger distance to the two neighbours along that coordinate, where 0 and 1 count as
    neighbours; within [narrowest, 1].

    >>> widths(np.array([[0.2], [0.3], [0.8]]), narrowest=0.1).ravel().round(2)
    array([0.2, 0.5, 0.5])
    """
    order = np.argsort(centres, axis=0, kind="stable")
    edge = np.ones((1, centres.shape[1]))
    gaps = np.diff(np.vstack([0 * edge, np.take_along_axis(centres, order, 0), edge]), axis=0)
    found = np.empty_like(centres)
    np.put_along_axis(found, order, np.maximum(gaps[:-1], gaps[1:]), 0)
    return np.clip(found, narrowest, 1.0)


def log_sum(terms: Array) -> Array:
    """Ln of the sum of exp(terms) along the last axis, without overflow.

    >>> float(log_sum(np.array([1000.0, 1000.0])).round(4))
    1000.6931
    """
    most = terms.max(axis=-1, keepdims=True)
    above = terms - most
    return np.asarray(most[..., 0] + np.log(np.exp(above, out=above).sum(axis=-1)))
