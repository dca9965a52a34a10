"""Hypothesis strategies for parameters, spaces and configs: every kind, nested conditions, clauses."""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter, When, value_key
from assay.core.rng import stream
from assay.core.space import Space

MOST_PARAMETERS = 6
MOST_VALUES = 4
UNIT = st.floats(0, 1)
P = TypeVar("P", Float, Int, Choice)

_BOUND = st.floats(-1e6, 1e6, allow_subnormal=False)
_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
_ATOM = st.none() | st.booleans() | st.integers(-99, 99) | st.floats(-9, 9) | _TEXT
JSON_VALUES = st.recursive(
    _ATOM,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_TEXT, inner, max_size=2),
    max_leaves=3,
)
"""Any JSON value that a choice may hold."""


@st.composite
def floats(draw: DrawFn) -> Float:
    """Continuous parameters on every scale, with and without a default."""
    scale = draw(st.sampled_from(["linear", "log", "logit"]))
    if scale == "logit":
        low, high = 1e-6, 1 - 1e-6
        low = draw(st.floats(low, 0.5))
        high = draw(st.floats(low + 1e-3, high))
    elif scale == "log":
        low = draw(st.floats(1e-9, 1e3))
        high = low * draw(st.floats(1.01, 1e6))
    else:
        low = draw(_BOUND)
        high = low + draw(st.floats(1e-3, 1e6))
    plain = Float(low, high, log=scale == "log", logit=scale == "logit")
    return _with_default(draw, plain, low=low, high=high, log=plain.log, logit=plain.logit)


@st.composite
def stepped_floats(draw: DrawFn) -> Float:
    """Real parameters with steps; they have a few values."""
    low = draw(st.sampled_from([-1.0, -0.3, 0.0, 0.1, 1 / 3, 5.0]))
    step = draw(st.sampled_from([0.05, 0.1, 0.25, 1 / 7, 2.0]))
    width = step * (draw(st.integers(1, MOST_VALUES - 1)) + draw(st.sampled_from([0.0, 0.4, 0.9])))
    return _with_default(
        draw, Float(low, low + width, step=step), low=low, high=low + width, step=step
    )


@st.composite
def ints(draw: DrawFn, *, most: int = 10**6) -> Int:
    """Whole parameters, linear, logarithmic or with steps, of at most about `most` values."""
    low, width = draw(st.integers(-50, 50)), draw(st.integers(1, most - 1))
    kind = draw(st.sampled_from(["linear", "log", "step"]))
    if kind == "log":
        low = abs(low) + 1
        return _with_default(
            draw, Int(low, low + width, log=True), low=low, high=low + width, log=True
        )
    step = draw(st.integers(1, width)) if kind == "step" else 1
    return _with_default(
        draw, Int(low, low + width, step=step), low=low, high=low + width, step=step
    )


@st.composite
def choices(draw: DrawFn, *, least: int = 1) -> Choice:
    """Choices and ordinals of JSON values, and constants."""
    sizes = {"min_size": least, "max_size": MOST_VALUES}
    values = draw(st.lists(JSON_VALUES, unique_by=value_key, **sizes))  # type: ignore[arg-type]
    if len(values) == 1 and draw(st.booleans()):
        return Constant(values[0])
    kind = draw(st.sampled_from([Choice, Ordinal]))
    return _with_default(draw, kind(values), values=values)


def _with_default(draw: DrawFn, parameter: P, **fields: Any) -> P:
    if draw(st.booleans()):
        return parameter
    return type(parameter)(**fields, default=parameter.from_unit(draw(UNIT)))


def parameters(*, finite: bool = False) -> SearchStrategy[Parameter]:
    """Parameters of every kind; `finite`: each with a few values."""
    few = choices() | ints(most=MOST_VALUES) | stepped_floats()
    return few if finite else few | floats() | ints()


@st.composite
def spaces(
    draw: DrawFn, *, finite: bool = False, conditions: bool = True, clauses: bool = True
) -> Space:
    """Spaces of up to six parameters.

    Args:
        finite: every parameter has a few values.
        conditions: some parameters are active only under (nested) conditions.
        clauses: some combinations are forbidden, but so few that random draws get around them.
    """
    given: dict[str, Any] = {}
    for i in range(draw(st.integers(1, MOST_PARAMETERS))):
        parameter: Any = draw(parameters(finite=finite))
        for parent in draw(_parents(given)) if conditions else ():
            parameter = When(parent, draw(_some_values(_innermost(given[parent]))), parameter)
        given[f"p{i}"] = parameter
    order = draw(st.permutations(list(given)))  # children may be listed before their parents
    given = {name: given[name] for name in order}
    space = Space(given)
    return draw(_clauses(space)) if clauses else space


def _parents(given: dict[str, Any]) -> SearchStrategy[list[str]]:
    able = [
        name for name, parameter in given.items() if _innermost(parameter).size <= 10 * MOST_VALUES
    ]
    if not able:
        return st.just([])
    return st.just([]) | st.lists(st.sampled_from(able), unique=True, max_size=2)


def _innermost(parameter: Any) -> Parameter:
    while isinstance(parameter, When):
        parameter = parameter.parameter
    found: Parameter = parameter
    return found


def _some_values(parent: Parameter) -> SearchStrategy[list[Any]]:
    values = st.sampled_from(parent.points(int(parent.size)))
    return st.lists(values, min_size=1, max_size=2, unique_by=value_key)


@st.composite
def _clauses(draw: DrawFn, space: Space) -> Space:
    """The same space with a clause or two, if enough of it stays allowed."""
    numeric = [name for name in space if isinstance(space[name], Float | Int)]
    listed: list[Any] = [_never_this(draw(configs(space)))] if draw(st.booleans()) else []
    if len(numeric) >= 2 and draw(st.booleans()):
        a, b = draw(st.permutations(numeric))[:2]
        listed.append(f"{a} > {b}")
    given = {name: _rewrapped(space, name) for name in space}
    stricter = Space(given, forbid=listed)
    rng = stream(0, "clauses")
    points = rng.random((40, len(space)))
    kept = sum(stricter.allowed(stricter.from_unit(point)) for point in points.tolist())
    return stricter if kept >= 10 else space


def _rewrapped(space: Space, name: str) -> Any:
    parameter: Any = space[name]
    for parent, keys in reversed(space.nodes[name].conditions):
        values = [v for v in space[parent].points(int(space[parent].size)) if value_key(v) in keys]
        parameter = When(parent, values, parameter)
    return parameter


def _never_this(config: dict[str, Any]) -> Any:
    def predicate(given: Any) -> bool:
        return all(given[name] == value for name, value in config.items())

    return predicate


@st.composite
def configs(draw: DrawFn, space: Space) -> dict[str, Any]:
    """Configs of a space, allowed by its clauses.

    Raises:
        SpaceError: the clauses allow next to nothing.
    """
    rng = stream(draw(st.integers(0, 2**16)), "config")
    point = draw(st.lists(UNIT, min_size=len(space), max_size=len(space)))
    for _ in range(1000):
        config = space.from_unit(point)
        if space.allowed(config):
            return config
        point = rng.random(len(space)).tolist()
    raise SpaceError(f"The clauses of {space} allow next to nothing.")
