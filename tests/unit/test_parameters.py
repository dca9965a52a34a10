"""Parameters: the way to the unit interval and back, their steps, and what they refuse."""

from __future__ import annotations

import copy
import enum
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core import parameters
from assay.core.errors import SpaceError
from assay.core.parameters import (
    UNSET,
    Choice,
    Constant,
    Float,
    Int,
    Ordinal,
    When,
    plain,
    value_key,
)
from assay.testing import spaces

UNIT = st.floats(0, 1)


# --- the unit interval


@given(parameter=spaces.parameters(), u=UNIT)
def test_every_point_gives_a_value_of_the_parameter(parameter, u):
    value = parameter.from_unit(u)
    assert value_key(parameter.settle(value)) == value_key(value)
    assert 0 <= parameter.to_unit(value) <= 1


@given(parameter=spaces.parameters(), u=UNIT)
def test_a_value_comes_back_from_the_unit_interval(parameter, u):
    value = parameter.from_unit(u)
    again = parameter.from_unit(parameter.to_unit(value))
    if isinstance(parameter, Float) and parameter.step is None:
        width = parameter.high - parameter.low
        assert math.isclose(again, value, rel_tol=1e-9, abs_tol=1e-9 * width)
    else:
        assert value_key(again) == value_key(value)


@given(parameter=spaces.floats(), u=UNIT)
def test_a_point_comes_back_from_a_continuous_parameter(parameter, u):
    assert parameter.to_unit(parameter.from_unit(u)) == pytest.approx(u, abs=1e-6)


@given(parameter=spaces.floats() | spaces.ints() | spaces.stepped_floats(), a=UNIT, b=UNIT)
def test_numbers_keep_their_order(parameter, a, b):
    low, high = sorted([a, b])
    assert parameter.from_unit(low) <= parameter.from_unit(high)


@given(parameter=spaces.parameters(finite=True))
def test_a_finite_parameter_reaches_each_value_from_the_middle_of_its_cell(parameter):
    values = parameter.points(int(parameter.size))
    assert len(values) == parameter.size == len({value_key(value) for value in values})
    for value in values:
        assert value_key(parameter.settle(value)) == value_key(value)
        assert value_key(parameter.from_unit(parameter.to_unit(value))) == value_key(value)


@given(parameter=spaces.parameters(finite=True))
def test_a_value_of_an_even_scale_is_in_the_middle_of_its_cell(parameter):
    if not getattr(parameter, "log", False):
        count = int(parameter.size)
        for i, value in enumerate(parameter.points(count)):
            assert parameter.to_unit(value) == pytest.approx((i + 0.5) / count)


@given(parameter=spaces.parameters(), most=st.integers(2, 7))
def test_points_are_few_distinct_and_have_the_ends(parameter, most):
    points = parameter.points(most)
    assert len({value_key(point) for point in points}) == len(points)
    if isinstance(parameter, Choice) and type(parameter) is not Ordinal:
        assert points == list(parameter.values)
        return
    assert len(points) <= most
    ends = [parameter.from_unit(0.0), parameter.from_unit(1.0)]
    assert [points[0], points[-1]] == ends if parameter.size > 1 else points == ends[:1]


@pytest.mark.parametrize(
    ("parameter", "middle"),
    [
        (Float(1e-4, 1, log=True), 0.01),
        (Float(0.1, 0.9, logit=True), 0.5),
        (Float(0, 1, step=0.25), 0.5),
        (Int(1, 9), 5),
        (Int(1, 9, step=4), 5),
        (Int(1, 100, log=True), 7),  # the middle of the scale on which each value has its cell
        (Ordinal(["s", "m", "l"]), "m"),
    ],
)
def test_one_point_is_the_middle(parameter, middle):
    assert parameter.points(1) == [middle]


def test_each_scale():
    assert Float(1e-4, 1, log=True).from_unit(0.5) == 0.01
    assert Float(0.1, 0.9, logit=True).from_unit(0.5) == pytest.approx(0.5)
    assert Int(1, 1000, log=True).from_unit(0.5) == 22
    assert Int(0, 10, step=5).from_unit(0.5) == 5


@given(u=UNIT)
def test_values_have_no_more_digits_than_are_written(u):
    assert len(repr(Float(0, 1).from_unit(u)).rpartition("e")[0].strip("0.")) <= 16


# --- steps: each of these went wrong once


@pytest.mark.parametrize(
    ("parameter", "values"),
    [
        (Float(0, 1, step=0.1), [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (Float(-0.3, 0.3, step=0.1), [-0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3]),
        (Float(-1, -0.9, step=0.1), [-1.0, -0.9]),
        (Float(0, 1, step=0.35), [0.0, 0.35, 0.7]),
        (Float(-100, -99.7, step=0.1), [-100.0, -99.9, -99.8, -99.7]),
        (Float(1e6, 1e6 + 2e-4, step=1e-4), [1e6, 1000000.0001, 1000000.0002]),
    ],
)
def test_steps_are_the_decimals_that_people_mean(parameter, values):
    found = parameter.points(int(parameter.size))
    assert [repr(value) for value in found] == [repr(value) for value in values]


def test_the_first_step_is_not_below_the_range():
    low = 1 / 3
    assert Float(low, 1, step=0.1).from_unit(0) == low


def test_the_end_of_the_range_need_not_be_a_step():
    with pytest.raises(SpaceError, match=r"1\.0 is not on the steps of 0\.35 from 0\.0; 0\.7 is"):
        Float(0, 1, step=0.35).settle(1.0)


def test_a_value_near_a_step_is_that_step():
    assert Float(0, 1, step=0.1).settle(0.1 + 0.2) == 0.3
    assert repr(Float(-0.3, 0.3, step=0.1).settle(0.0)) == "0.0"


# --- what is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(1, 0), r"needs low < high, got low=1\.0, high=0\.0\. Swap them\?"),
        (lambda: Float(1, 1), r"got low=high=1\.0\. Use Constant\(1\.0\)"),
        (lambda: Float(0, math.inf), "finite high"),
        (lambda: Float(math.nan, 1), "finite low"),
        (lambda: Float(0, 10**400), "finite high"),
        (lambda: Float(-1e308, 1e308), "width overflows"),
        (lambda: Float("0", 1), "number for low, got '0'"),
        (lambda: Float(False, 1), "number for low, got False"),
        (lambda: Float(0, None), "number for high, got None"),
        (lambda: Float(0, 1, log=True), r"log=True\) needs low > 0, got low=0\.0"),
        (lambda: Float(0, 1, logit=True), r"logit=True\) needs 0 < low and high < 1"),
        (lambda: Float(0.1, 0.9, log=True, logit=True), "not both"),
        (lambda: Float(0, 1, step=0), "0 < step <= high - low"),
        (lambda: Float(0, 1, step=1.1), "0 < step <= high - low"),
        (lambda: Float(0, 1, step="x"), "number for step"),
        (lambda: Float(1e6, 1e6 + 1, step=1e-6), "cannot tell steps of 1e-06 apart"),
        (
            lambda: Float(0, 1, default=2),
            r"default of this Float .* 2\.0 is outside \[0\.0, 1\.0\]",
        ),
        (lambda: Float(0, 1, default="x"), "default of this Float .* number for value"),
        (lambda: Float(0, 1, step=0.5, default=0.4), "default of this Float .* 0.5 is"),
        (lambda: Int(5, 1), "needs low < high, got low=5, high=1"),
        (lambda: Int(1.5, 3), r"whole number for low, got 1\.5"),
        (lambda: Int(0, 3, log=True), "needs low >= 1"),
        (lambda: Int(0, 3, step=0), "needs step >= 1"),
        (lambda: Int(1, 9, log=True, step=2), "not both"),
        (lambda: Int(0, 10, default=11), r"default of this Int .* 11 is outside \[0, 10\]"),
        (lambda: Int(0, 10, step=5, default=3), "3 is not on the steps of 5 from 0"),
        (lambda: Choice([]), "at least one value"),
        (lambda: Choice("abc"), "list of values, got the str 'abc'"),
        (lambda: Choice({"a", "b"}), "list of values, got the set"),
        (lambda: Choice(5), "list of values, got the int 5"),
        (lambda: Ordinal([1, 2, 1]), "Ordinal has 1 twice"),
        (lambda: Choice(["a", "b"], default="c"), "default of this Choice .* 'c' is not one of"),
        (lambda: Choice([math.nan]), "no JSON form"),
        (lambda: Choice([print]), "JSON value .* got builtin_function_or_method"),
        (lambda: Choice([{1: "a"}]), "JSON value .* got dict"),
        (lambda: When(3, "x", Int(0, 1)), "name of a parameter first, got 3"),
        (lambda: When("a", "x", 3), "parameter as third argument, got 3"),
        (lambda: When("a", [], Int(0, 1)), "at least one value of the parent"),
    ],
)
def test_impossible_parameters_are_refused_in_words(make, message):
    with pytest.raises(SpaceError, match=message):
        make()


@given(parameter=spaces.floats() | spaces.ints() | spaces.stepped_floats())
def test_values_outside_are_refused(parameter):
    width = parameter.high - parameter.low
    for value in (parameter.low - width, parameter.high + width, math.nan, "x", None, True):
        with pytest.raises(SpaceError):
            parameter.settle(value)


def test_numpy_values_are_taken_as_numbers():
    assert type(Float(np.float32(0.5), np.int64(2)).low) is float
    assert type(Int(np.int8(1), 5).settle(np.int64(3))) is int
    assert Int(1, 5).settle(3.0) == 3
    values = (
        Choice(np.array([1, 2])).values + Choice([np.float64(0.5), np.str_("a"), np.True_]).values
    )
    assert [type(value) for value in values] == [int, int, float, str, bool]


def test_plain_copies_and_strips_subclasses():
    class Colour(str, enum.Enum):  # noqa: UP042 - its str() is not its value
        RED = "red"

    assert [type(plain(v)) for v in (Colour.RED, enum.IntEnum("E", "A").A)] == [str, int]
    assert plain({"a": (1, np.float32(0.5))}) == {"a": [1, 0.5]}
    given_one = [[1, 2]]
    parameter = Choice(given_one)
    parameter.from_unit(0.5).append(3)
    given_one[0].append(4)
    assert parameter.from_unit(0.5) == [1, 2]


def test_value_keys_tell_json_values_apart():
    values = [1, 1.0, True, "1", None, "null", "true", [1], ["1"], {"1": 1}, 'a"b', "", [], {}]
    assert len({value_key(value) for value in values}) == len(values)
    assert value_key(plain(np.str_('a"b'))) == value_key('a"b')


# --- as values


@given(parameter=spaces.parameters())
def test_parameters_survive_json_and_pickle(parameter):
    again = parameters.from_json(parameter.to_json())
    assert again == parameter
    assert hash(again) == hash(parameter)
    assert type(again) is type(parameter)
    assert again.to_json() == parameter.to_json()
    assert pickle.loads(pickle.dumps(parameter)) == copy.deepcopy(parameter) == parameter


def test_choices_that_python_cannot_tell_apart_differ():
    assert Choice([1]) != Choice([True])
    assert Choice([1, 2]) != Ordinal([1, 2])
    assert Choice([1]) != [1]
    assert len({Choice([[1]]), Choice([[1]]), Choice([[1.0]])}) == 2


def test_unset_is_one_thing():
    assert pickle.loads(pickle.dumps(UNSET)) is UNSET is copy.deepcopy(UNSET)
    assert repr(Float(0, 1)).endswith("default=unset)")


def test_a_constant_is_a_choice_with_a_default():
    assert Constant([1]).default == [1]
    assert Constant(None).to_json() == {"type": "choice", "values": [None], "default": None}


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"type": "real", "low": 0, "high": 1}, "Unknown parameter type 'real'"),
        ({"type": ["float"], "low": 0, "high": 1}, "Unknown parameter type"),
        ({"low": 0, "high": 1}, "Unknown parameter type None"),
        ({"type": "float", "low": 0, "high": 1, "scale": "exp"}, "Unknown scale 'exp'"),
        ({"type": "float", "low": 0}, "cannot be read"),
        ({"type": "int", "low": 0, "high": 1, "scale": "logit"}, "cannot be read"),
        ({"type": "int", "low": 0, "hihg": 1}, "cannot be read"),
    ],
)
def test_wrong_json_forms_are_refused(form, message):
    with pytest.raises(SpaceError, match=message):
        parameters.from_json(form)
