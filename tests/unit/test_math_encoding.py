"""Configs, points and rows: what the model measures is what the configs are."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.space import Space
from assay.math.encoding import Encoding
from assay.math.gp import matern, squared_distances
from assay.testing.sampler_contract import CLAUSES, FINITE, NESTED
from assay.testing.spaces import configs, spaces

DEEP = Space(
    a=Choice(["on", "off"]),
    b=When("a", "on", Constant(3)),
    c=When("b", 3, Int(1, 4)),
    d=When("c", [2, 3], Float(0, 1)),
    e=When("a", "on", When("c", 4, Int(1, 300, log=True))),
    f=When("e", [1, 300], Float(0, 1)),
)


def random_points(encoding, m=50, seed=0):
    return np.random.default_rng(seed).random((m, encoding.size))


@given(data=st.data(), space=spaces())
def test_a_config_comes_back_from_its_point(data, space):
    config = data.draw(configs(space))
    encoding = Encoding(space)
    back = encoding.config(encoding.point(config))
    assert list(back) == [name for name in space.names if name in config]
    for name, value in back.items():
        if isinstance(value, float):
            assert math.isclose(value, config[name], rel_tol=1e-9, abs_tol=1e-6)
        else:
            assert value == config[name]


@given(space=spaces(), seed=st.integers(0, 99))
def test_snapping_moves_to_the_point_of_the_config(space, seed):
    encoding = Encoding(space)
    snapped = encoding.snap(random_points(encoding, 10, seed))
    for point in snapped:
        assert np.allclose(encoding.point(encoding.config(point)), point, atol=1e-9)
    assert np.allclose(encoding.snap(snapped), snapped, atol=1e-12)


@given(space=spaces(), seed=st.integers(0, 99))
def test_active_is_what_the_config_has(space, seed):
    encoding = Encoding(space)
    snapped = encoding.snap(random_points(encoding, 10, seed))
    for point, active in zip(snapped, encoding.active(snapped), strict=True):
        assert {n for n, on in zip(encoding.names, active, strict=True) if on} == set(
            encoding.config(point)
        )


def test_conditions_on_conditional_and_constant_parents():
    encoding = Encoding(DEEP)
    snapped = encoding.snap(random_points(encoding, 400))
    seen = {frozenset(encoding.config(point)) for point in snapped}
    assert {frozenset("a"), frozenset("abc"), frozenset("abcd"), frozenset("abce")} <= seen
    for point, active in zip(snapped, encoding.active(snapped), strict=True):
        assert active.sum() == len(encoding.config(point))


def test_two_values_of_a_choice_are_at_distance_one():
    encoding = Encoding(Space(kind=Choice(["a", "b", "c"]), flag=Choice([True, False])))
    points = np.array([encoding.point({"kind": k, "flag": True}) for k in "abc"])
    squared = squared_distances(encoding.rows(points), encoding.rows(points))
    assert np.allclose(squared, 1 - np.eye(3))


def test_branches_are_not_told_apart_by_what_is_not_active():
    encoding = Encoding(NESTED)
    one, other = (random_points(encoding, 1, seed) for seed in (1, 2))
    linear = encoding.point({"model": "linear"})
    place = encoding.names.index("model")
    one[:, place] = other[:, place] = linear[place]
    assert np.array_equal(encoding.snap(one), encoding.snap(other))


def test_constants_have_no_column():
    encoding = Encoding(Space(x=Float(0, 1), fixed=Constant("gini"), kind=Choice([1, 2])))
    assert len(encoding.searched) == 2
    assert encoding.rows(random_points(encoding, 1)).shape == (1, 3)
    assert [encoding.names[i] for i in encoding.continuous] == ["x"]
    assert encoding.continuous_columns.tolist() == [2]


def test_the_order_of_parameters_makes_no_difference():
    parameters = {"b": Float(0, 1), "a": Int(1, 9), "c": Choice(["x", "y"])}
    one, other = Encoding(Space(parameters)), Encoding(Space(dict(reversed(parameters.items()))))
    points = random_points(one)
    assert np.array_equal(one.rows(one.snap(points)), other.rows(other.snap(points)))


def test_levels_are_the_places_of_the_values():
    space = Space(
        a=Int(2, 40, log=True),
        b=Int(0, 30, step=3),
        c=Ordinal([1, 5, 9]),
        d=Choice(["p", "q", "r"]),
    )
    encoding = Encoding(space)
    for i, name in enumerate(encoding.names):
        levels = encoding.levels(i)
        values = [space[name].from_unit(u) for u in levels]
        assert values == space[name].points(10**6)
        points = np.tile(random_points(encoding, 1), (len(levels), 1))
        points[:, i] = levels
        assert np.allclose(encoding.snap(points)[:, i], levels)


def test_a_kernel_of_rows_is_positive_definite_on_a_conditional_space():
    encoding = Encoding(NESTED)
    rows = encoding.rows(np.unique(encoding.snap(random_points(encoding, 60)), axis=0))
    values = np.linalg.eigvalsh(matern(squared_distances(rows, rows)))
    assert values.min() > -1e-9


def test_every_point_of_a_finite_space():
    for space in (
        FINITE,
        Space(only=Constant(1)),
        Space(low=Int(1, 5), high=Int(1, 5), require="low <= high"),
    ):
        encoding = Encoding(space)
        points = encoding.every_point()
        texts = {str(encoding.config(point)) for point in points}
        assert len(texts) == len(points)
        assert encoding.allowed(points).all()
        assert np.allclose(encoding.snap(points), points)
    assert len(points) == 15


def test_clauses():
    encoding = Encoding(CLAUSES)
    snapped = encoding.snap(random_points(encoding, 80))
    allowed = encoding.allowed(snapped)
    assert allowed.any()
    assert not allowed.all()
    for point, kept in zip(snapped, allowed, strict=True):
        assert CLAUSES.allowed(encoding.config(point)) == kept


@given(seed=st.integers(0, 99))
def test_what_clauses_allow_does_not_depend_on_what_they_do_not_look_at(seed):
    space = Space(
        kind=Choice(["a", "b", "c"]),
        n=When("kind", ["a", "b"], Int(1, 4)),
        x=Float(0, 1),
        y=Float(0, 1),
        forbid=["kind == 'b' and n > 2", "x > 0.7 and kind == 'c'"],
        require=["n < 4"],
    )
    encoding = Encoding(space)
    for points in (
        random_points(encoding, 60, seed),
        encoding.snap(random_points(encoding, 60, seed)),
    ):
        wanted = [space.allowed(encoding.config(point)) for point in points]
        assert encoding.allowed(points).tolist() == wanted


def test_a_clause_on_few_values_is_asked_once_for_each(monkeypatch):
    space = Space(own=Choice([False, True]), x=When("own", False, Float(0, 1)), forbid=["own"])
    encoding, asked = Encoding(space), []
    monkeypatch.setattr(
        Space, "allowed", lambda self, config: asked.append(config) or not config["own"]
    )
    points = encoding.snap(random_points(encoding, 500))
    assert encoding.allowed(points).sum() == (points[:, encoding.names.index("own")] < 0.5).sum()
    assert len(asked) == 2
