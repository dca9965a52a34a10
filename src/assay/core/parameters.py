"""The kinds of parameter: Float, Int, Ordinal, Choice, Constant; and When, which makes one conditional.

Each maps the unit interval onto its values (`from_unit`) and back (`to_unit`), so that a sampler
needs to know nothing about scales.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from assay.core.errors import SpaceError
from assay.core.familiar import CHOICE, RANGE, familiar_to_make
from assay.core.jsonform import canonical

UNSET: Any = type("Unset", (), {"__repr__": lambda _: "unset", "__reduce__": lambda _: "UNSET"})()

# a subclass of these, such as numpy.float64 or an enum, has no stored form
_EXACT: dict[type, Callable[[Any], Any]] = {
    str: str.__str__, int: int.__int__, float: float.__float__,
}  # fmt: skip


def plain(value: Any) -> Any:
    """A JSON value: NumPy scalars become Python numbers, tuples become lists."""
    if value is None or isinstance(value, bool):
        return value
    for kind, exact in _EXACT.items():
        if isinstance(value, kind):
            return exact(value)
    if hasattr(value, "item") and getattr(value, "ndim", 0) == 0:
        return plain(value.item())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {plain(key): plain(item) for key, item in value.items()}
    raise SpaceError(
        f"A choice must be a JSON value (text, number, true/false, null, list, object), "
        f"got {type(value).__name__}: {value!r:.80}. "
        "Give a name instead and look the object up in your objective."
    )


def value_key(value: Any) -> str:
    """A text that tells JSON values apart: 1, 1.0, true and "1" are four different ones."""
    if type(value) is str:
        return f'"{value}"'
    try:
        return canonical(value)
    except (TypeError, ValueError) as error:
        raise SpaceError(
            f"{value!r:.80} has no JSON form ({error}). Use finite JSON values."
        ) from None


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The parameters that differ, with both values; None where one is not active."""
    return [
        (name, before.get(name), after.get(name))
        for name in dict.fromkeys([*after, *before])
        if (name in before) != (name in after)
        or value_key(before.get(name)) != value_key(after.get(name))
    ]


def _number(value: Any, kind: str, what: str) -> float:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"{kind} needs a number for {what}, got {value!r}.")
    if not abs(value) <= sys.float_info.max:  # compares whole numbers of any length; NaN is not <=
        raise SpaceError(f"{kind} needs a finite {what}, got {value!r:.40}.")
    return value + 0  # -0.0 becomes 0.0


def _bounds(kind: str, low: float, high: float) -> None:
    if low > high:
        raise SpaceError(f"{kind} needs low < high, got low={low}, high={high}. Swap them?")
    if low == high:
        raise SpaceError(
            f"{kind} needs low < high, got low=high={low}. Use Constant({low}) for a fixed value."
        )


@familiar_to_make(**RANGE)
@dataclass(frozen=True)
class Float:
    """A real number between `low` and `high`, both included.

    Args:
        low, high: finite bounds, low < high.
        log: search the logarithm (low > 0): right for learning rates and penalties.
        logit: search log(x / (1 - x)) (0 < low, high < 1): right for momentum and probabilities.
        step: only low, low + step, low + 2 step, …
        default: the value of the control group.

    Raises:
        SpaceError: impossible bounds, scale, step or default.

    >>> Float(1e-4, 1.0, log=True).from_unit(0.5)
    0.01
    """

    low: float
    high: float
    log: bool = False
    logit: bool = False
    step: float | None = None
    default: Any = UNSET

    def __post_init__(self) -> None:
        low, high = (
            float(_number(v, "Float", n)) for v, n in ((self.low, "low"), (self.high, "high"))
        )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        _bounds("Float", low, high)
        if math.isinf(high - low):
            raise SpaceError(f"Float cannot span {low} to {high}: the width overflows. Narrow it.")
        if self.log and self.logit:
            raise SpaceError("Float takes log=True or logit=True, not both.")
        if self.log and low <= 0:
            raise SpaceError(f"Float(log=True) needs low > 0, got low={low}.")
        if self.logit and not (0 < low and high < 1):
            raise SpaceError(f"Float(logit=True) needs 0 < low and high < 1, got {low} and {high}.")
        if self.step is not None:
            step = float(_number(self.step, "Float", "step"))
            if not 0 < step <= (high - low) * (1 + 1e-9):  # 1 - 0.9 is less than 0.1 in floats
                raise SpaceError(f"Float needs 0 < step <= high - low, got step={step}.")
            most = max(abs(low), abs(high))
            if step < 1e-11 * most:
                raise SpaceError(
                    f"Float cannot tell steps of {step} apart near {most}. Use a wider one."
                )
            object.__setattr__(self, "step", step)
            object.__setattr__(self, "_digits", 12 - math.ceil(math.log10(most)))
        object.__setattr__(self, "_ends", (self._scaled(low), self._scaled(high)))
        _settle_default(self)

    def _scaled(self, x: float) -> float:
        if self.log:
            return math.log(x)
        return math.log(x / (1 - x)) if self.logit else x

    def from_unit(self, u: float) -> float:
        """The value at `u` in [0, 1]."""
        if self.step is not None:
            return self._stepped(min(int(u * self._steps), self._steps - 1))
        low, high = self._ends  # type: ignore[attr-defined]
        x = low + u * (high - low)
        if self.log:
            x = math.exp(x)
        elif self.logit:
            x = 1 / (1 + math.exp(-x))
        # 15 digits: what is written in a log or a report is exactly what was run
        return min(max(float(f"{x:.15g}"), self.low), self.high)

    @property
    def _steps(self) -> int:
        return int((self.high - self.low) / self.step * (1 + 1e-12) + 1e-9) + 1  # type: ignore[operator]

    def _stepped(self, k: int) -> float:
        digits: int = self._digits  # type: ignore[attr-defined]
        x = round(self.low + k * self.step, digits)  # type: ignore[operator]
        return min(max(x, self.low), self.high) + 0.0  # -0.0 becomes 0.0

    def to_unit(self, value: float) -> float:
        """The position of `value` in [0, 1]; the middle of its cell for a stepped parameter."""
        if self.step is not None:
            return (round((value - self.low) / self.step) + 0.5) / self._steps
        low, high = self._ends  # type: ignore[attr-defined]
        return float(min(max((self._scaled(value) - low) / (high - low), 0.0), 1.0))

    def settle(self, value: Any) -> float:
        """`value` as this parameter stores it; SpaceError if it does not belong."""
        x = float(_number(value, "Float", "value"))
        if not self.low <= x <= self.high:
            raise SpaceError(f"{x} is outside [{self.low}, {self.high}].")
        if self.step is not None:
            near = self._stepped(min(round((x - self.low) / self.step), self._steps - 1))
            if not math.isclose(near, x, rel_tol=1e-9, abs_tol=1e-12):
                raise SpaceError(
                    f"{x} is not on the steps of {self.step} from {self.low}; {near} is."
                )
            return near
        return x

    @property
    def size(self) -> float:
        return self._steps if self.step is not None else math.inf

    def points(self, most: int) -> list[Any]:
        """Up to `most` values spread evenly over the scale, ends included."""
        if self.step is not None:
            count = self._steps
            chosen = range(count) if count <= most else _spread(count, most)
            return [self._stepped(k) for k in chosen]
        if most == 1:
            return [self.from_unit(0.5)]
        return [self.from_unit(k / (most - 1)) for k in range(most)]

    def to_json(self) -> dict[str, Any]:
        scale = "log" if self.log else "logit" if self.logit else "linear"
        form = {"type": "float", "low": self.low, "high": self.high, "scale": scale}
        return _with_optional(form, step=self.step, default=self.default)


@familiar_to_make(**RANGE)
@dataclass(frozen=True)
class Int:
    """A whole number between `low` and `high`, both included.

    Args:
        low, high: bounds, low < high.
        log: search the logarithm (low >= 1).
        step: only low, low + step, low + 2 step, …
        default: the value of the control group.

    Raises:
        SpaceError: impossible bounds, scale, step or default.

    >>> Int(1, 12).from_unit(0.999)
    12
    """

    low: int
    high: int
    log: bool = False
    step: int = 1
    default: Any = UNSET

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            object.__setattr__(self, name, self._whole(getattr(self, name), name))
        _bounds("Int", self.low, self.high)
        if self.log and self.low < 1:
            raise SpaceError(f"Int(log=True) needs low >= 1, got low={self.low}.")
        if self.step < 1:
            raise SpaceError(f"Int needs step >= 1, got step={self.step}.")
        if self.log and self.step != 1:
            raise SpaceError("Int takes log=True or a step, not both.")
        _settle_default(self)

    @staticmethod
    def _whole(value: Any, what: str) -> int:
        number = _number(value, "Int", what)
        if number != int(number):
            raise SpaceError(f"Int needs a whole number for {what}, got {number}.")
        return int(number)

    @property
    def size(self) -> float:
        return (self.high - self.low) // self.step + 1

    def from_unit(self, u: float) -> int:
        """The value at `u` in [0, 1]; each value has a cell of its own."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + u * (high - low))), self.low), self.high)
        count = (self.high - self.low) // self.step + 1
        return self.low + min(int(u * count), count - 1) * self.step

    def to_unit(self, value: int) -> float:
        """The middle of the cell of `value` in [0, 1]."""
        if self.log:
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return (math.log(value) - low) / (high - low)
        return ((value - self.low) / self.step + 0.5) / self.size

    def settle(self, value: Any) -> int:
        """`value` as this parameter stores it; SpaceError if it does not belong."""
        whole = self._whole(value, "value")
        if not self.low <= whole <= self.high:
            raise SpaceError(f"{whole} is outside [{self.low}, {self.high}].")
        if (whole - self.low) % self.step:
            raise SpaceError(f"{whole} is not on the steps of {self.step} from {self.low}.")
        return whole

    def points(self, most: int) -> list[Any]:
        """Up to `most` values spread evenly over the scale, ends included."""
        count = int(self.size)
        if count <= most:
            return list(range(self.low, self.high + 1, self.step))
        if not self.log:
            return [self.low + k * self.step for k in _spread(count, most)]
        if most == 1:
            return [self.from_unit(0.5)]
        low, high = math.log(self.low), math.log(self.high)
        ratio = (high - low) / (most - 1)
        return sorted({min(round(math.exp(low + k * ratio)), self.high) for k in range(most)})

    def to_json(self) -> dict[str, Any]:
        form = {"type": "int", "low": self.low, "high": self.high}
        scale, step = "log" if self.log else "linear", self.step if self.step != 1 else None
        return _with_optional(form | {"scale": scale}, step=step, default=self.default)


@familiar_to_make(**CHOICE)
@dataclass(frozen=True, eq=False)
class Choice:
    """One of several JSON values without an order.

    Args:
        values: distinct JSON values; 1, 1.0, true and "1" are four different ones.
        default: the value of the control group.

    Raises:
        SpaceError: no values, repeated values, a value without JSON form, or a default not among them.

    >>> Choice(["tree", "linear"]).from_unit(0.7)
    'linear'
    """

    values: Sequence[Any]
    default: Any = UNSET
    _index: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # a set has no order, so that the same program would make another study each time
        if isinstance(self.values, str | bytes | set | frozenset | dict) or not isinstance(
            self.values, Iterable
        ):
            given = f"{type(self.values).__name__} {self.values!r:.80}"
            raise SpaceError(f"{self._kind} needs a list of values, got the {given}.")
        values = tuple(plain(value) for value in self.values)
        keys = [value_key(value) for value in values]
        if not values:
            raise SpaceError(f"{self._kind} needs at least one value, got none.")
        if len(set(keys)) != len(keys):
            twice = next(key for key in keys if keys.count(key) > 1)
            raise SpaceError(f"{self._kind} has {twice} twice in {list(values)!r:.200}.")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "_index", {key: i for i, key in enumerate(keys)})
        _settle_default(self)

    def __eq__(self, other: object) -> bool:
        # by JSON text: to Python, 1 == True == 1.0
        if not isinstance(other, Choice):
            return NotImplemented
        return canonical(self.to_json()) == canonical(other.to_json())

    def __hash__(self) -> int:
        return hash(canonical(self.to_json()))

    @property
    def _kind(self) -> str:
        return type(self).__name__

    @property
    def size(self) -> float:
        return len(self.values)

    def index(self, value: Any) -> int:
        """The position of `value` in `values`; SpaceError if it is not among them."""
        try:
            return self._index[value_key(plain(value))]
        except KeyError:
            raise SpaceError(f"{value!r} is not one of {list(self.values)!r:.200}.") from None

    def from_unit(self, u: float) -> Any:
        """The value at `u` in [0, 1]; each value has a cell of the same width."""
        return self._fresh(min(int(u * len(self.values)), len(self.values) - 1))

    def _fresh(self, index: int) -> Any:
        return plain(self.values[index])  # a list or object is copied: configs share nothing

    def to_unit(self, value: Any) -> float:
        """The middle of the cell of `value` in [0, 1]."""
        return (self.index(value) + 0.5) / len(self.values)

    def settle(self, value: Any) -> Any:
        """`value` as this parameter stores it; SpaceError if it does not belong."""
        return self._fresh(self.index(value))

    def points(self, most: int) -> list[Any]:
        """All values: categories cannot be thinned out."""
        return [self._fresh(i) for i in range(len(self.values))]

    def to_json(self) -> dict[str, Any]:
        form = {"type": self._kind.lower(), "values": list(self.values)}
        return _with_optional(form, default=self.default)


@dataclass(frozen=True, eq=False)
class Ordinal(Choice):
    """One of several JSON values in an order that means something, such as sizes.

    >>> Ordinal([16, 32, 64, 128]).points(2)
    [16, 128]
    """

    def points(self, most: int) -> list[Any]:
        """Up to `most` values spread evenly, ends included."""
        return [self._fresh(i) for i in _spread(len(self.values), most)]


def Constant(value: Any) -> Choice:  # noqa: N802 - reads as a kind of parameter
    """A parameter with one value: recorded in every config, never searched.

    >>> Constant("gini").size
    1
    """
    return Choice([value], default=value)


@dataclass(frozen=True)
class When:
    """A parameter that is active only while `parent` holds `values`; may be nested.

    Args:
        parent: name of another parameter.
        values: one value, or a list of values, of that parameter.
        parameter: what is active then; itself a When for a deeper condition.

    >>> When("booster", "tree", Float(0.3, 1.0)).values
    ('tree',)
    """

    parent: str
    values: Any
    parameter: Parameter | When

    def __post_init__(self) -> None:
        if not isinstance(self.parent, str):
            raise SpaceError(f"When needs the name of a parameter first, got {self.parent!r}.")
        if not isinstance(self.parameter, Float | Int | Choice | When):
            raise SpaceError(
                f"When needs a parameter as third argument, got {self.parameter!r:.80}."
            )
        listed = isinstance(self.values, list | tuple | set | frozenset)
        values = tuple(plain(v) for v in (self.values if listed else (self.values,)))
        if not values:
            raise SpaceError(f"When({self.parent!r}, …) needs at least one value of the parent.")
        object.__setattr__(self, "values", values)


Parameter: TypeAlias = Float | Int | Choice
KINDS: dict[str, type[Float] | type[Int] | type[Choice]] = {
    "float": Float, "int": Int, "choice": Choice, "ordinal": Ordinal,
}  # fmt: skip


def from_json(form: dict[str, Any]) -> Parameter:
    """The parameter that `to_json` wrote."""
    fields = dict(form)
    kind = fields.pop("type", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise SpaceError(f"Unknown parameter type {kind!r}. Known: {', '.join(KINDS)}.")
    scale = fields.pop("scale", "linear")
    if scale not in ("linear", "log", "logit"):
        raise SpaceError(f"Unknown scale {scale!r}. Known: linear, log, logit.")
    if scale != "linear":
        fields[scale] = True
    try:
        return KINDS[kind](**fields)
    except TypeError as error:
        raise SpaceError(
            f"A parameter of type {kind!r} cannot be read from {form}: {error}."
        ) from None


def _settle_default(parameter: Any) -> None:
    if parameter.default is UNSET:
        return
    try:
        object.__setattr__(parameter, "default", parameter.settle(parameter.default))
    except SpaceError as error:
        kind = type(parameter).__name__
        raise SpaceError(f"The default of this {kind} does not belong to it: {error}") from None


def _spread(count: int, most: int) -> list[int]:
    """Up to `most` whole numbers spread evenly over 0 … count - 1, ends included."""
    if count <= most:
        return list(range(count))
    if most == 1:
        return [(count - 1) // 2]
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})


def _with_optional(form: dict[str, Any], **optional: Any) -> dict[str, Any]:
    unset = {
        name
        for name, value in optional.items()
        if value is UNSET or name != "default" and value is None
    }
    return form | {name: value for name, value in optional.items() if name not in unset}
