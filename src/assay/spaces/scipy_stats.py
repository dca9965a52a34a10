"""`param_distributions` of scikit-learn's searches: lists and distributions of scipy.stats by name."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter
from assay.core.space import Node, Space
from assay.spaces.distributions import is_distribution, of_values, parameter_from
from assay.spaces.losses import Losses
from assay.spaces.source import parsed, value_of

_MOST_BRANCHES = 1000
_MOST_EXACT = 2**53
_KNOWN = ("loguniform", "randint", "reciprocal", "uniform")


def read(form: Any, losses: Losses) -> Space:
    """The space of a dict of lists and distributions; a list of one value is a constant."""
    if isinstance(form, list):
        raise SpaceError(
            "Several dicts of distributions are no single space. Give them to "
            "assay.sklearn.SearchCV, which takes a list of dicts, or convert one of them."
        )
    return Space({name: _parameter(name, value) for name, value in form.items()})


def write(space: Space, losses: Losses) -> dict[str, Any] | list[dict[str, Any]]:
    """The dict that RandomizedSearchCV takes as `param_distributions`; with conditions a list of dicts.

    Each dict of the list is one combination of the values that conditions ask for.
    """
    losses.clauses(space)
    written = {name: _entry(name, node, losses) for name, node in space.nodes.items()}
    branches = _branches(space)
    if len(branches) > _MOST_BRANCHES:
        for node in space.nodes.values():
            losses.node(node, default=False)
        return written
    found = [
        {name: [branch[name]] if name in branch else written[name] for name in space.active(branch)}
        for branch in branches
    ]
    return found if len(found) > 1 else found[0]


def text_of(form: Any) -> str:
    """Python source that makes such distributions."""
    grids = form if isinstance(form, list) else [form]
    used = sorted(
        {v.dist.name for grid in grids for v in grid.values() if is_distribution(v)}
    )  # fmt: skip
    head = f"from scipy.stats import {', '.join(used)}\n\n" if used else ""
    body = ",\n".join(_grid(grid) for grid in grids)
    return f"{head}param_distributions = {f'[{chr(10)}{body},{chr(10)}]' if len(grids) > 1 else body}\n"


def parse(text: str) -> Any:
    """The dict, or list of dicts, of such a source; nothing of it is run.

    Raises:
        SpaceError: no dict, or one with more than literals and distributions that are known.
    """
    from scipy import stats

    calls = {name: getattr(stats, name) for name in _KNOWN}
    for statement in reversed(parsed(text).body):
        match getattr(statement, "value", None):
            case ast.Dict() | ast.List() | ast.Call(func=ast.Name(id="dict")) as value:
                return value_of(value, {**calls, "dict": dict})
    raise SpaceError("There is no dict of distributions. Write param_distributions = {...}.")


def _parameter(name: str, value: Any) -> Parameter:
    if isinstance(value, list | tuple) and len(value) == 1:
        return Constant(value[0])
    try:
        return parameter_from(value)
    except SpaceError as error:
        raise SpaceError(f"Parameter {name!r}: {error}") from None


def _entry(name: str, node: Node, losses: Losses) -> Any:
    from scipy.stats import loguniform, randint, uniform

    parameter = node.parameter
    losses.node(node, conditions=False)
    if isinstance(parameter, Choice):
        return _listed(name, parameter, losses)
    low, high = parameter.low, parameter.high
    scale = "log" if parameter.log else "logit" if getattr(parameter, "logit", False) else ""
    if parameter.step not in (None, 1) or isinstance(parameter, Float) and parameter.step:
        losses.add("its steps, which become a list of values", name)
        return parameter.points(int(parameter.size))
    if isinstance(parameter, Float) and parameter.log:
        return loguniform(low, high)
    if scale:
        losses.add(f"its {scale} scale", name)
    if isinstance(parameter, Int):
        if max(abs(low), abs(high)) >= _MOST_EXACT:
            losses.add("its last digits: SciPy has bounds of 53 bits", name)
        return randint(low, high + 1)
    width = _width(low, high)
    if low + width != high:
        losses.add(f"its upper end {high}: SciPy keeps a width, and gives {low + width}", name)
    return uniform(low, width)


def _width(low: float, high: float) -> float:
    """What added to `low` gives `high`, if a float does."""
    near = high - low
    tried = (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf))
    return next((width for width in tried if low + width == high), near)


def _listed(name: str, parameter: Choice, losses: Losses) -> list[Any]:
    values = list(parameter.values)
    back = of_values(values)
    if len(values) > 1 and back != type(parameter)(values):
        ordered = isinstance(parameter, Ordinal)
        losses.add(f"that its values have {'an' if ordered else 'no'} order", name)
    return values


def _branches(space: Space) -> list[dict[str, Any]]:
    """The configs of the parameters that others depend on, as far as they are active."""
    parents = {parent for node in space.nodes.values() for parent, _ in node.conditions}
    found: list[dict[str, Any]] = [{}]
    for name, node in space.nodes.items():
        if name in parents and len(found) <= _MOST_BRANCHES:
            points = node.parameter.points(_MOST_BRANCHES + 1)
            found = [branch for config in found for branch in _with(config, node, points)]
    return found


def _with(config: dict[str, Any], node: Node, points: list[Any]) -> list[dict[str, Any]]:
    if not node.active(config):
        return [config]
    return [{**config, node.name: value} for value in points]


def _grid(grid: Mapping[str, Any]) -> str:
    lines = (f"    {name!r}: {_value(value)},\n" for name, value in grid.items())
    return f"{{\n{''.join(lines)}}}"


def _value(value: Any) -> str:
    if not is_distribution(value):
        return repr(value)
    return f"{value.dist.name}({', '.join(map(repr, value.args))})"
