"""ConfigSpace's JSON, format version 0.4: automl.github.io/ConfigSpace, `ConfigurationSpace.to_json`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import (
    UNSET,
    Choice,
    Constant,
    Float,
    Int,
    Ordinal,
    Parameter,
    When,
    plain,
)
from assay.core.space import Space
from assay.spaces.conditions import values_for
from assay.spaces.losses import Losses, fixed

_MOST = 100_000
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "GT": operator.gt,
    "LT": operator.lt,
    "NEQ": operator.ne,
}
Conditions = list[tuple[str, list[Any]]]


def read(form: Any, losses: Losses) -> Space:
    """The space of what `ConfigurationSpace.to_json` writes, defaults and conditions included."""
    losses.unknown(
        form,
        {"name", "hyperparameters", "conditions", "forbiddens", "python_module_version",
         "format_version", "json_format_version"},
    )  # fmt: skip
    found = {entry["name"]: _parameter(entry, losses) for entry in form["hyperparameters"]}
    nodes: dict[str, Parameter | When] = dict(found)
    for condition in form.get("conditions", ()):
        child = condition["child"]
        for parent, values in reversed(_conditions(condition, found, losses)):
            nodes[child] = When(parent, values, nodes[child])
    forbid = [_clause(entry, found, losses) for entry in form.get("forbiddens", ())]
    return Space(nodes, forbid=[text for text in forbid if text])


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """What `ConfigurationSpace.from_json` reads; a missing default becomes the middle."""
    losses.clauses(space)
    hyperparameters, conditions = [], []
    for name, node in space.nodes.items():
        hyperparameters.append(_entry(name, node.parameter, losses))
        parts = [
            {
                "type": "IN", "child": name, "parent": parent,
                "values": values_for(space, parent, keys),
            }
            for parent, keys in node.conditions
            if not isinstance(space[parent], Float)
        ]  # fmt: skip
        if len(parts) < len(node.conditions):
            losses.add("its condition on a parameter whose steps are lost", name)
        if len(parts) > 1:
            conditions.append({"type": "AND", "child": name, "conditions": parts})
        conditions += parts if len(parts) == 1 else []
    return {
        "name": None,
        "hyperparameters": hyperparameters,
        "conditions": conditions,
        "forbiddens": [],
        "format_version": 0.4,
    }


def _parameter(entry: dict[str, Any], losses: Losses) -> Parameter:
    kind, name, default = entry["type"], entry["name"], entry.get("default_value", UNSET)
    if kind == "constant":
        return Constant(entry["value"])
    if kind in ("categorical", "ordinal"):
        values = entry["choices"] if kind == "categorical" else entry["sequence"]
        if entry.get("weights") and len(set(entry["weights"])) > 1:
            losses.add("its weights", name)
        return (Choice if kind == "categorical" else Ordinal)(values, default=default)
    spread, _, number = kind.partition("_")
    if number not in ("int", "float"):
        raise SpaceError(f"Parameter {name!r}: ConfigSpace has no type {kind!r:.80}.")
    if spread != "uniform":
        losses.add(f"its {spread} distribution", name)
    bounds, log = (entry["lower"], entry["upper"]), bool(entry.get("log"))
    if number == "int":
        return Int(*bounds, log=log, default=default)
    return Float(*bounds, log=log, default=default)


def _entry(name: str, parameter: Parameter, losses: Losses) -> dict[str, Any]:
    told = {"name": name, "meta": None}
    if isinstance(parameter, Choice) and fixed(parameter):
        return {"type": "constant", "value": parameter.values[0], **told}
    middle = parameter.from_unit(0.5) if isinstance(parameter, Float | Int) else parameter.values[0]
    told["default_value"] = plain(middle if parameter.default is UNSET else parameter.default)
    if isinstance(parameter, Choice):
        if any(isinstance(value, list | dict) for value in parameter.values):
            losses.add("choices that are lists or objects", name)
        if isinstance(parameter, Ordinal):
            return {"type": "ordinal", "sequence": list(parameter.values), **told}
        return {"type": "categorical", "choices": list(parameter.values), "weights": None, **told}
    if isinstance(parameter, Float) and parameter.logit:
        losses.add("its logit scale", name)
    if parameter.step not in (None, 1) or (isinstance(parameter, Float) and parameter.step == 1):
        losses.add("its steps", name)
    kind = "uniform_int" if isinstance(parameter, Int) else "uniform_float"
    bounds = {"lower": parameter.low, "upper": parameter.high, "log": parameter.log}
    return {"type": kind, **bounds, **told}


def _conditions(form: dict[str, Any], found: dict[str, Parameter], losses: Losses) -> Conditions:
    """The (parent, values) that must all hold."""
    kind, child = form["type"], form["child"]
    if kind == "AND":
        return [pair for part in form["conditions"] for pair in _conditions(part, found, losses)]
    if kind == "EQ":
        return [(form["parent"], [form["value"]])]
    if kind == "IN":
        return [(form["parent"], list(form["values"]))]
    parent = found[form["parent"]] if kind in _COMPARE else None
    if parent is not None and parent.size <= _MOST:
        values = [v for v in parent.points(_MOST) if _holds(kind, parent, v, form["value"])]
        if values:
            return [(form["parent"], values)]
    losses.add(f"its condition ({kind}), so that it is always active", child)
    return []


def _holds(kind: str, parent: Parameter, value: Any, bound: Any) -> bool:
    if isinstance(parent, Ordinal):
        value, bound = parent.index(value), parent.index(bound)
    return _COMPARE[kind](value, bound)


def _clause(form: dict[str, Any], found: dict[str, Parameter], losses: Losses) -> str:
    """A forbidden combination as an expression; empty if it cannot be one."""
    if form["type"] == "AND":
        parts = [_clause(part, found, losses) for part in form["clauses"]]
        return " and ".join(parts) if all(parts) else ""
    if form["type"] in ("EQUALS", "IN") and form["name"].isidentifier():
        if form["type"] == "EQUALS":
            return f"{form['name']} == {form['value']!r}"
        return f"{form['name']} in {list(form['values'])!r}"
    losses.add(f"a forbidden combination ({form['type']})")
    return ""
