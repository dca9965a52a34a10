from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.jobs import Broken, Done, Job, Measurement, Step
from assay.executors.perform import perform
from assay.executors.results import InvalidResult, checked, numbers_by_name

JOB = Job(id=1, trial=1, stage="search", config={})


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


class LyingFloat(float):
    def __float__(self):
        raise ZeroDivisionError


class EndlessName(str):
    __slots__ = ()

    def __repr__(self):
        return "x" * 10_000_000


BAD = {
    "nothing": None,
    "true": True,
    "numpy bool": np.bool_(True),
    "text": "0.5",
    "bytes": b"0.5",
    "ten MB of text": "x" * 10_000_000,
    "nan": math.nan,
    "infinity": math.inf,
    "minus infinity": -math.inf,
    "numpy nan": np.float32("nan"),
    "too large": 10**400,
    "complex": 1 + 2j,
    "numpy complex": np.complex128(1),
    "list": [0.5],
    "tuple": (0.5, 0.6),
    "set": {0.5},
    "array": np.zeros(3),
    "array of no dimension": np.array(0.5),
    "decimal": Decimal("0.5"),
    "function": len,
    "type": float,
    "no repr": NoRepr(),
    "no float": LyingFloat(1),
    "no names": {},
    "nan by name": {"loss": 0.5, "size": math.nan},
    "nothing by name": {"loss": None},
    "bool by name": {"loss": False},
    "nested": {"loss": {"a": 1}},
    "number as name": {1: 0.5},
    "empty name": {"": 0.5},
    "control characters in a name": {"a\x1b[31m": 0.5},
    "half a character as a name": {"\ud800": 0.5},
    "ten MB of name": {"x" * 10_000_000: 0.5},
    "braces in a name": {"{0}{x}": math.nan},
    "endless repr": {EndlessName("a"): None},
}


@pytest.mark.parametrize("result", BAD.values(), ids=BAD.keys())
def test_a_bad_result_is_named_and_the_way_out_said(result):
    broken = perform(JOB, lambda job, emit: result, print)
    assert isinstance(broken, Broken)
    assert broken.kind == "invalid"
    assert broken.reason.startswith("The objective returned")
    assert "Return" in broken.reason or "must be" in broken.reason
    assert len(broken.reason) < 1000
    assert broken.reason.isprintable()


@pytest.mark.parametrize(
    "result",
    [1, 1.0, np.float32(1), np.int8(1), np.uint64(1), np.longdouble(1), Fraction(1)],
    ids=lambda x: type(x).__name__,
)
def test_every_kind_of_number_is_a_float(result):
    [value] = numbers_by_name(result).values()
    assert type(value) is float
    assert value == 1.0


@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType])
def test_every_mapping_gives_names(kind):
    assert numbers_by_name(kind({"a": 1, "b": 2.5})) == {"a": 1.0, "b": 2.5}


@given(st.dictionaries(st.text(st.characters(categories=["L", "N"]), min_size=1), st.floats()))
def test_only_finite_numbers_pass(values):
    try:
        assert numbers_by_name(values) == values
    except InvalidResult:
        assert not values or not all(map(math.isfinite, values.values()))
    else:
        assert all(map(math.isfinite, values.values()))


def test_missing_names_are_listed():
    with pytest.raises(InvalidResult, match=r"returned no 'b', 'c', only 'a'"):
        numbers_by_name({"a": 1.0}, names=["a", "b", "c"])


@pytest.mark.parametrize(
    "message",
    [
        Step(step=1, value=math.nan),
        Step(step=1, value="0.5"),
        Step(step=-1, value=0.5),
        Step(step=1.5, value=0.5),
        Step(step=True, value=0.5),
        Step(step=2**63, value=0.5),
        Measurement(unit=(0, 0, 0), value=math.inf),
        Measurement(unit=(0, 0, 0), value=0.5, train=math.nan),
        0.5,
        None,
    ],
    ids=repr,
)
def test_a_bad_report_is_refused(message):
    with pytest.raises(InvalidResult):
        checked(message)


def test_numpy_numbers_may_be_reported():
    step = checked(Step(step=np.int64(3), value=np.float32(0.5)))
    assert (type(step.step), type(step.value)) == (int, float)


def raises(error):
    def evaluate(job, emit):
        raise error

    return perform(JOB, evaluate, print)


class Unprintable(Exception):
    def __str__(self):
        raise RuntimeError


class NotEvenAnException(BaseException):
    pass


@pytest.mark.parametrize(
    ("error", "kind", "start"),
    [
        (ValueError("bad"), "raised", "ValueError: bad\n"),
        (KeyError("x"), "raised", "KeyError: 'x'\n"),
        (ValueError(), "raised", "ValueError\n"),
        (ValueError("a\nb\x1b[31mred\x1b[0m\x00"), "raised", "ValueError: a bred\ufffd\n"),
        (ValueError("\ud800"), "raised", "ValueError: \ufffd\n"),
        (Unprintable(), "raised", "Unprintable: (its message cannot be printed)\n"),
        (NotEvenAnException("x"), "raised", "NotEvenAnException: x\n"),
        (MemoryError("8 GB"), "memory", "MemoryError: 8 GB\n"),
        (SystemExit(3), "exited", "The objective called sys.exit(3)."),
        (SystemExit("no data"), "exited", "The objective called sys.exit('no data')."),
    ],
    ids=lambda x: type(x).__name__,
)
def test_every_exception_becomes_a_message(error, kind, start):
    broken = raises(error)
    assert broken.kind == kind
    assert broken.reason.startswith(start)


def test_a_long_message_is_cut():
    assert len(raises(ValueError("x" * 10_000_000)).reason) <= 4000


def test_the_traceback_begins_at_the_objective_and_is_short():
    def deep(n):
        return deep(n - 1) if n else 1 / 0

    def evaluate(job, emit):
        return deep(100)

    reason = perform(JOB, evaluate, print).reason
    assert "perform.py" not in reason
    assert reason.count(__file__) <= 6
    assert "1 / 0" in reason
    one = perform(JOB, lambda job, emit: 1 / 0, print).reason
    assert one.count("File") == 1


def test_ctrl_c_is_passed_on():
    def evaluate(job, emit):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(JOB, evaluate, print)


def test_a_good_result_is_done():
    assert isinstance(perform(JOB, lambda job, emit: 1, print), Done)


def test_what_other_processes_do_not_find_in_a_script_is_to_be_put_into_a_module():
    def evaluate(job, emit):
        def double(x):
            return 2 * x

        double.__module__, double.__qualname__ = "__main__", "double"
        pickle.dumps(double)  # as a Pool with the start method "spawn" does

    broken = perform(JOB, evaluate, print)
    assert broken.kind == "raised"
    assert "double" in broken.reason.partition("\n")[0]
    assert broken.reason.endswith("define it in a module of its own, and import that.")
