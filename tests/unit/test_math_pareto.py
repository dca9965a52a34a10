"""Fronts and volumes against their definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import DataError
from assay.core.rng import stream
from assay.math.pareto import contributions, crowding, dominates, front_ranks, hypervolume


@st.composite
def clouds(draw, *, dims=(1, 2, 3), most=9, levels=6):
    m = draw(st.sampled_from(dims))
    point = st.tuples(*[st.integers(0, levels)] * m)
    return np.array(draw(st.lists(point, min_size=1, max_size=most)), dtype=float)


def slow_ranks(points):
    ranks, left, rank = {}, set(range(len(points))), 0
    while left:
        front = {i for i in left if not any(dominates(points[j], points[i]) for j in left)}
        ranks |= dict.fromkeys(front, rank)
        left, rank = left - front, rank + 1
    return [ranks[i] for i in range(len(points))]


def by_inclusion_exclusion(points, ref):
    inside = [p for p in points if (p < ref).all()]
    return sum(
        (-1) ** (size + 1) * np.prod(ref - np.max(chosen, axis=0))
        for size in range(1, len(inside) + 1)
        for chosen in combinations(inside, size)
    )


@given(points=clouds(dims=(1, 2, 3, 4)))
def test_ranks_are_those_of_the_definition(points):
    assert front_ranks(points).tolist() == slow_ranks(points)


@given(points=clouds(dims=(2, 3)), least=st.integers(1, 9))
def test_ranking_can_stop_early(points, least):
    full, some = front_ranks(points), front_ranks(points, least=least)
    last = np.sort(full)[min(least, len(full)) - 1]
    assert (some[full <= last] == full[full <= last]).all()
    assert (some[full > last] > last).all()


@given(points=clouds(dims=(1, 2, 3, 4, 5), levels=8, most=7), ref=st.integers(3, 9))
def test_hypervolume_is_that_of_inclusion_and_exclusion(points, ref):
    reference = np.full(points.shape[1], float(ref))
    assert hypervolume(points, reference) == pytest.approx(
        by_inclusion_exclusion(points, reference)
    )


@pytest.mark.parametrize("m", [2, 3])
def test_hypervolume_against_counting(m):
    points = stream(0, "points", m).random((20, m))
    grid = np.stack(np.meshgrid(*[(np.arange(40) + 0.5) / 40] * m), axis=-1).reshape(-1, m)
    share = np.mean([(points <= place).all(axis=1).any() for place in grid])
    assert hypervolume(points, np.ones(m)) == pytest.approx(share, abs=0.02)


@given(points=clouds(dims=(2, 3, 4)))
def test_order_repetition_and_dominated_points_change_no_volume(points):
    ref = np.full(points.shape[1], 7.0)
    whole = hypervolume(points, ref)
    assert hypervolume(points[::-1], ref) == pytest.approx(whole)
    assert hypervolume(np.vstack([points, points]), ref) == pytest.approx(whole)
    assert hypervolume(points[front_ranks(points) == 0], ref) == pytest.approx(whole)
    assert hypervolume(np.vstack([points, points[:1] + 0.5]), ref) == pytest.approx(whole)


@given(points=clouds(dims=(2, 3)))
def test_a_contribution_is_what_is_lost_without_the_point(points):
    ref = np.full(points.shape[1], 5.0)
    whole = hypervolume(points, ref)
    lost = [whole - hypervolume(np.delete(points, i, axis=0), ref) for i in range(len(points))]
    assert contributions(points, ref) == pytest.approx(lost)


def test_no_points_have_no_volume_and_far_ones_none():
    assert hypervolume(np.empty((0, 2)), [1, 1]) == 0
    assert hypervolume([[2, 0], [0, 1]], [1, 1]) == 0


@pytest.mark.parametrize("ref", [[1, np.nan], [1, np.inf]])
def test_what_has_no_exact_volume_is_refused(ref):
    with pytest.raises(DataError):
        hypervolume(np.zeros((1, len(ref))), ref)
    with pytest.raises(DataError, match="finite"):
        hypervolume([[np.nan, 0]], [1, 1])
    with pytest.raises(DataError, match="3 values"):
        hypervolume([[0, 0]], [1, 1, 1])


def test_crowding_by_hand():
    found = crowding([[0, 10], [1, 6], [2, 5], [10, 0]])
    assert found.tolist() == pytest.approx([np.inf, 0.2 + 0.5, 0.9 + 0.6, np.inf])
    assert crowding([[1, 1], [1, 1], [1, 1]]).tolist() == [0, 0, 0]
    assert crowding([[1, 2]]).tolist() == [0]
