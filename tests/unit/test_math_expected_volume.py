"""The expected growth of the dominated volume: against counting, sampling and differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.rng import stream
from assay.math.acquisition import log_ei
from assay.math.expected_volume import Boxes, boxes, log_ehvi, log_ehvi_with_slopes
from assay.math.pareto import hypervolume
from assay.math.scalarised import Scale, log_ei_of_worst, log_ei_of_worst_with_slopes

FAR = -20.0


@st.composite
def fronts(draw, *, most=9, levels=6):
    m = draw(st.integers(1, 2))
    point = st.tuples(*[st.integers(0, levels)] * m)
    return np.array(draw(st.lists(point, max_size=most)), dtype=float).reshape(-1, m)


def sizes(cover: Boxes, low: float):
    return np.maximum(cover.upper - np.maximum(cover.lower, low), 0.0)


def added(cover: Boxes, points):
    """The volume that each point adds, by the boxes."""
    corner = np.maximum(cover.lower, points[:, None])
    return np.maximum(cover.upper - corner, 0.0).prod(axis=2).sum(axis=1)


def case(m, points=12, looks=6):
    rng = stream(1, "case", m)
    front, reference = rng.normal(size=(points, m)), np.full(m, 1.2)
    return front, reference, rng.normal(size=(looks, m)), 0.05 + rng.random((looks, m))


@given(front=fronts(), ref=st.integers(2, 7))
def test_boxes_and_the_front_share_the_volume_below_the_reference(front, ref):
    reference = np.full(front.shape[1], float(ref))
    cover = boxes(front, reference)
    total = (ref - FAR) ** len(reference)
    assert sizes(cover, FAR).prod(axis=1).sum() == pytest.approx(
        total - hypervolume(front, reference)
    )


@given(front=fronts())
def test_boxes_do_not_overlap_and_are_few(front):
    reference = np.full(front.shape[1], 5.0)
    cover = boxes(front, reference)
    assert 1 <= len(cover.lower) <= len(front) + 1
    low = np.maximum(cover.lower[:, None], cover.lower[None])
    shared = np.minimum(cover.upper[:, None], cover.upper[None]) - low
    apart = (shared <= 0).any(axis=2)
    assert (apart | np.eye(len(apart), dtype=bool)).all()


@given(front=fronts(), seed=st.integers(0, 99))
def test_a_point_adds_in_the_boxes_what_it_adds_to_the_hypervolume(front, seed):
    m = front.shape[1]
    reference, point = np.full(m, 5.0), stream(seed, "point").normal(3, 3, (1, m))
    grown = hypervolume(np.vstack([front, point]), reference) - hypervolume(front, reference)
    assert added(boxes(front, reference), point)[0] == pytest.approx(grown, abs=1e-9)


@pytest.mark.parametrize("m", [1, 2])
def test_the_expectation_is_that_of_sampling(m):
    front, reference, means, variances = case(m)
    cover = boxes(front, reference)
    draws = stream(2, "draws", m).normal(size=(100_000, m))
    for mean, variance, found in zip(
        means, variances, np.exp(log_ehvi(means, variances, cover)), strict=True
    ):
        grown = added(cover, mean + np.sqrt(variance) * draws)
        error = grown.std() / np.sqrt(len(draws))
        assert found == pytest.approx(grown.mean(), abs=5 * error)


def test_with_one_loss_it_is_expected_improvement():
    _, _, means, variances = case(1)
    cover = boxes(np.array([[0.7], [-0.3]]), np.array([2.0]))
    assert log_ehvi(means, variances, cover) == pytest.approx(
        log_ei(means[:, 0], variances[:, 0], -0.3)
    )


@pytest.mark.parametrize("m", [1, 2])
@pytest.mark.parametrize("shift", [0.0, 30.0, 500.0])
def test_slopes_are_those_of_differences(m, shift):
    front, reference, means, variances = case(m)
    means = means + shift
    cover = boxes(front, reference)
    value, by_mean, by_variance = log_ehvi_with_slopes(means, variances, cover)
    assert value == pytest.approx(log_ehvi(means, variances, cover), rel=1e-9)

    def changed(step, which):
        moved = (means + step, variances) if which else (means, variances + step)
        return log_ehvi_with_slopes(*moved, cover)[0]

    for j in range(m):
        step = np.zeros(m)
        step[j] = 1e-5
        for which, found in ((True, by_mean), (False, by_variance)):
            slope = (changed(step, which) - changed(-step, which)) / 2e-5
            assert found[:, j] == pytest.approx(slope, rel=1e-4, abs=1e-4)


def test_far_out_it_is_finite_and_falls():
    front, reference, means, variances = case(2)
    cover = boxes(front, reference)
    near, far = (log_ehvi(means + by, 1e-6 * variances, cover) for by in (50.0, 60.0))
    assert np.isfinite(far).all()
    assert (far < near).all()


@given(front=fronts())
def test_what_is_better_in_each_loss_promises_more(front):
    cover = boxes(front, np.full(front.shape[1], 6.0))
    means = np.full((2, front.shape[1]), 3.0)
    means[1] -= 0.5
    worse, better = log_ehvi(means, np.ones_like(means), cover)
    assert better > worse


# --- many losses


def test_the_improvement_of_the_worst_is_that_of_sampling():
    rng = stream(3, "worst")
    losses, direction = rng.random((10, 4)), np.array([0.8, 0.5, 0.3, 0.1])
    scale = Scale.of(losses, direction)
    means, variances = 0.5 * rng.random((5, 4)), 0.01 + 0.1 * rng.random((5, 4))
    reference, extent = losses.max(axis=0), np.ptp(losses, axis=0)

    def worst(losses):
        return ((losses - reference) / (extent * direction)).max(axis=-1)

    best = worst(losses).min()
    for mean, variance, found in zip(
        means, variances, np.exp(log_ei_of_worst(means, variances, scale)), strict=True
    ):
        draws = mean + np.sqrt(variance) * rng.normal(size=(100_000, 4))
        grown = np.maximum(best - worst(draws), 0.0)
        assert found == pytest.approx(grown.mean(), rel=0.1)


def test_its_slopes_are_those_of_differences():
    rng = stream(4, "worst")
    scale = Scale.of(rng.random((10, 5)), rng.dirichlet(np.ones(5)))
    means, variances = rng.random((4, 5)), 0.05 + rng.random((4, 5))
    value, by_mean, by_variance = log_ei_of_worst_with_slopes(means, variances, scale)
    assert value == pytest.approx(log_ei_of_worst(means, variances, scale))
    for j in range(5):
        step = np.zeros(5)
        step[j] = 1e-6
        up, down = (log_ei_of_worst(means + s * step, variances, scale) for s in (1, -1))
        assert by_mean[:, j] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)
        up, down = (log_ei_of_worst(means, variances + s * step, scale) for s in (1, -1))
        assert by_variance[:, j] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-6)
