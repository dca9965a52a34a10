"""What `tell` and `report` accept."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import spec_of

from assay.api.values import settle_values, step_values
from assay.core.errors import SpecError
from assay.core.events import Failed, Told, decode, encode

ONE = spec_of()
TWO = spec_of(directions={"loss": "minimize", "size": "maximize"})

WRONG = [
    None,
    "0.5",
    b"0.5",
    True,
    np.True_,
    1j,
    np.complex128(1),
    np.array([1.0, 2.0]),
    np.array([[1.0]]),
    [],
    [1.0, 2.0],
    [None],
    {},
    {"other": 1.0},
    {"value": "a"},
    {"value": 1.0, "extra": "text"},
    {"value": 1.0, 3: 2.0},
    object,
    print,
    {1.0},
]


@pytest.mark.parametrize("value", WRONG, ids=lambda value: repr(value)[:30])
def test_what_is_no_number_is_refused_with_what_was_given(value):
    with pytest.raises(SpecError) as error:
        settle_values(0, value, ONE)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    "value",
    [1, 1.0, np.float32(1), np.int64(1), np.array(1.0), Decimal(1), Fraction(1), [1.0], (1,)],
)
def test_every_kind_of_real_number_is_one(value):
    assert settle_values(0, value, ONE) == Told(0, (1.0,))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_a_number_that_is_not_finite_fails_the_trial(value):
    found = settle_values(4, value, ONE)
    assert isinstance(found, Failed)
    assert (found.trial, found.kind) == (4, "invalid")
    assert "not a finite number" in found.reason


def test_a_number_too_large_for_a_float_is_refused():
    with pytest.raises(SpecError):
        settle_values(0, 10**400, ONE)


def test_several_values_go_by_order_or_by_name():
    assert settle_values(0, [1, 2], TWO).values == (1.0, 2.0)
    assert settle_values(0, {"size": 2, "loss": 1}, TWO).values == (1.0, 2.0)


@pytest.mark.parametrize(
    "value", [1.0, [1.0], [1.0, 2.0, 3.0], {"loss": 1.0}, np.array([1.0, 2.0])]
)
def test_the_wrong_number_of_values_is_refused(value):
    with pytest.raises(SpecError):
        settle_values(0, value, TWO)


def test_one_value_of_several_that_is_not_finite_fails_the_trial_and_is_named():
    found = settle_values(0, {"loss": 1.0, "size": float("nan")}, TWO)
    assert isinstance(found, Failed)
    assert "size" in found.reason


def test_other_finite_numbers_are_kept_beside():
    found = settle_values(0, {"value": 1.0, "epochs": 3, "bad": float("inf")}, ONE)
    assert found == Told(0, (1.0,), {"epochs": 3.0})


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_value_is_stored_exactly(value):
    told = settle_values(0, value, ONE)
    assert decode(encode(told)) == told
    assert told.values == (value,)


@pytest.mark.parametrize("step", [-1, 1.5, "1", None, True, 2**63, np.array([1, 2])])
def test_a_step_is_a_whole_number(step):
    with pytest.raises(SpecError, match="step"):
        step_values(step, 1.0, ONE)


@pytest.mark.parametrize("value", ["a", None, float("nan"), float("inf"), True, [1.0, 2.0]])
def test_a_reported_value_is_a_finite_number(value):
    with pytest.raises(SpecError):
        step_values(1, value, ONE)


def test_steps_and_values_of_numpy_pass():
    step, (value,) = step_values(np.int64(3), np.float32(0.5), ONE)
    assert (step, value) == (3, 0.5)
    assert (type(step), type(value)) == (int, float)
