"""Mixtures are densities: they integrate to one, and samples follow them."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.rng import stream
from assay.math.parzen import Axis, Parzen, log_sum, widths


def cells(size):
    return (np.arange(size) + 0.5) / size


UNEVEN = np.array([0.1, 0.45, 0.6, 0.9])
AXES = st.one_of(
    st.just(Axis("real")),
    st.integers(1, 6).map(lambda size: Axis("ordered", cells(size))),
    st.integers(1, 6).map(lambda size: Axis("category", cells(size))),
    st.just(Axis("ordered", UNEVEN)),
)
FINE = (np.arange(4000) + 0.5) / 4000


@st.composite
def mixtures(draw, *, most_axes=2):
    axes = draw(st.lists(AXES, min_size=1, max_size=most_axes))
    count = draw(st.integers(0, 7))
    rng = stream(draw(st.integers(0, 999)), "centres")
    centres = np.column_stack([axis.snapped(rng.random(count)) for axis in axes])
    narrowest = draw(st.sampled_from([0.03, 0.1, 0.5]))
    return Parzen(axes, centres, rng.random(count), narrowest=narrowest)


def integral(mixture):
    """Over all points: midpoints for a real coordinate, every value of the others."""
    grids = [axis.positions if axis.positions is not None else FINE for axis in mixture.axes]
    if sum(axis.kind == "real" for axis in mixture.axes) > 1:
        grids = [FINE[::20] + 9.5 / 4000 if len(grid) == 4000 else grid for grid in grids]
    points = np.array(list(product(*grids)))
    share = math.prod(
        len(g) if a.kind == "real" else 1 for a, g in zip(mixture.axes, grids, strict=True)
    )
    return np.exp(mixture.log_density(points)).sum() / share


@given(mixture=mixtures())
def test_densities_integrate_to_one(mixture):
    assert integral(mixture) == pytest.approx(1, abs=2e-3)


@pytest.mark.parametrize("kind", ["real", "ordered", "category"])
def test_every_kernel_integrates_to_one(kind):
    axis = Axis(kind, None if kind == "real" else cells(5))
    centres = axis.snapped(np.array([[0.0], [0.07], [0.5], [1.0]]))
    mixture = Parzen([axis], centres, np.ones(4), narrowest=0.05)
    grid = FINE if kind == "real" else axis.positions
    total = np.exp(mixture.log_kernels(grid[:, None])).sum(axis=0)
    assert total / (len(grid) if kind == "real" else 1) == pytest.approx(np.ones(5), abs=1e-4)


@pytest.mark.parametrize("kind", ["real", "ordered", "category"])
def test_samples_follow_the_density(kind):
    axis = Axis(kind, None if kind == "real" else cells(5))
    centres = axis.snapped(np.array([[0.05], [0.3], [0.35]]))
    mixture = Parzen([axis], centres, np.array([1.0, 2.0, 0.5]), narrowest=0.05)
    rng = stream(0, "samples")
    kernels = rng.choice(4, 20_000, p=np.exp(mixture.log_weights))
    drawn = mixture.sample(kernels, rng)[:, 0]
    assert ((drawn >= 0) & (drawn <= 1)).all()
    found = np.histogram(drawn, np.linspace(0, 1, 6))[0] / len(drawn)
    grid = FINE if kind == "real" else axis.positions
    density = np.exp(mixture.log_density(grid[:, None])).reshape(5, -1)
    assert found == pytest.approx(density.sum(axis=1) / (4000 if kind == "real" else 1), abs=0.012)
    if kind == "real":
        assert drawn.mean() == pytest.approx((FINE * density.ravel()).mean(), abs=0.01)


def test_the_prior_alone_is_flat_over_categories_and_wide_over_numbers():
    mixture = Parzen([Axis("category", cells(4))], np.empty((0, 1)), np.empty(0), narrowest=0.1)
    assert np.exp(mixture.log_density(cells(4)[:, None])) == pytest.approx(np.full(4, 0.25))
    mixture = Parzen([Axis("real")], np.empty((0, 1)), np.empty(0), narrowest=0.1)
    density = np.exp(mixture.log_density(np.array([[0.0], [0.5], [1.0]])))
    assert density == pytest.approx(np.ones(3), abs=0.2)


def test_a_category_that_was_seen_is_likelier():
    """Of one observation with weight 1, by hand: b = 1/2, K = 3; (1 + b)/(1 + 3 b) = 0.6."""
    mixture = Parzen([Axis("category", cells(3))], cells(3)[1:2, None], np.ones(1), narrowest=0.1)
    expected = [0.5 * 0.2 + 0.5 / 3, 0.5 * 0.6 + 0.5 / 3, 0.5 * 0.2 + 0.5 / 3]
    assert np.exp(mixture.log_density(cells(3)[:, None])) == pytest.approx(expected)


def test_a_truncated_normal_by_hand():
    """One kernel at 0.2, whose neighbours are the ends: width 0.8."""
    mixture = Parzen([Axis("real")], np.array([[0.2]]), np.ones(1), narrowest=0.03)

    def phi(z):
        return math.erf(z / math.sqrt(2)) / 2

    expected = math.exp(-0.5 * (0.3 / 0.8) ** 2) / (0.8 * math.sqrt(2 * math.pi))
    expected /= phi(0.8 / 0.8) - phi(-0.2 / 0.8)
    assert math.exp(mixture.log_kernels(np.array([[0.5]]))[0, 0]) == pytest.approx(expected)


def test_widths_are_the_larger_gap_within_bounds():
    found = widths(np.array([[0.5, 0.0], [0.1, 0.0], [0.52, 1.0]]), 0.05)
    assert found == pytest.approx(np.array([[0.4, 0.05], [0.4, 1.0], [0.48, 1.0]]))


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5))
def test_log_sum_is_the_log_of_the_sum(terms):
    shifted = log_sum(np.array(terms) - max(terms))
    assert shifted == pytest.approx(math.log(sum(math.exp(t - max(terms)) for t in terms)))


def test_cells_of_uneven_positions_meet_half_way():
    axis = Axis("ordered", UNEVEN)
    assert axis.edges == pytest.approx([0, 0.275, 0.525, 0.75, 1])
    assert axis.snapped(np.array([0.0, 0.27, 0.28, 0.8, 1.0])).tolist() == [
        0.1,
        0.1,
        0.45,
        0.9,
        0.9,
    ]
    assert axis.snapped(UNEVEN).tolist() == UNEVEN.tolist()
