"""KerasTuner's hyperparameters: keras.io/keras_tuner, `HyperParameters.get_config()` and `from_config`."""

from __future__ import annotations

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
)
from assay.core.space import Space
from assay.spaces.conditions import values_for
from assay.spaces.losses import Losses, fixed

_SAMPLINGS = (None, "linear", "log", "reverse_log")


def read(form: Any, losses: Losses) -> Space:
    """The space of a config, defaults and conditions included."""
    losses.unknown(form, {"space", "values"})
    found: dict[str, Parameter | When] = {}
    for entry in form["space"]:
        told = entry["config"]
        name = told["name"]
        if name in found:
            losses.add("its second definition, under other conditions", name)
            continue
        found[name] = _parameter(name, entry["class_name"], told, losses)
        for condition in reversed(told.get("conditions") or []):
            if condition["class_name"] != "Parent":
                raise SpaceError(f"Parameter {name!r}: an unknown condition {condition!r:.80}.")
            parent = condition["config"]
            found[name] = When(parent["name"], list(parent["values"]), found[name])
    return Space(found)


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """What `HyperParameters.from_config` reads."""
    losses.clauses(space)
    entries = []
    for name, node in space.nodes.items():
        kind, told = _entry(name, node.parameter, losses)
        conditions = [
            {
                "class_name": "Parent",
                "config": {
                    "name": parent,
                    "values": values_for(space, parent, keys),
                },
            }
            for parent, keys in node.conditions
        ]
        entries.append(
            {"class_name": kind, "config": {"name": name, "conditions": conditions, **told}}
        )
    return {"space": entries, "values": {}}


def _parameter(name: str, kind: str, told: dict[str, Any], losses: Losses) -> Parameter:
    default = told.get("default")
    default = UNSET if default is None else default
    if kind == "Fixed":
        return Constant(told["value"])
    if kind == "Boolean":
        return Choice([False, True], default=default)
    if kind == "Choice":
        if len(told["values"]) == 1:
            return Constant(told["values"][0])
        return (Ordinal if told.get("ordered") else Choice)(told["values"], default=default)
    sampling = told.get("sampling")
    if kind not in ("Int", "Float") or sampling not in _SAMPLINGS:
        raise SpaceError(f"Parameter {name!r}: KerasTuner has no {kind!r:.40} by {sampling!r:.40}.")
    low, high, step = told["min_value"], told["max_value"], told.get("step")
    log = sampling == "log"
    if sampling == "reverse_log":
        losses.add("its reversed logarithmic scale", name)
    if log and step is not None and not (kind == "Int" and step == 1):
        losses.add("its steps, which multiply", name)
        step = None
    if low == high:
        return Constant(low)
    if kind == "Int":
        return Int(low, high, log=log, step=step or 1, default=default)
    return Float(low, high, log=log, step=step, default=default)


def _entry(name: str, parameter: Parameter, losses: Losses) -> tuple[str, dict[str, Any]]:
    default = None if parameter.default is UNSET else parameter.default
    if isinstance(parameter, Choice):
        return _choice(name, parameter, default, losses)
    if getattr(parameter, "logit", False):
        losses.add("its logit scale", name)
    log, step = parameter.log, parameter.step
    if log and step is not None and isinstance(parameter, Float):
        losses.add("its logarithmic scale", name)
        log = False
    told = {
        "min_value": parameter.low, "max_value": parameter.high, "default": default,
        "step": None if log else step, "sampling": "log" if log else "linear",
    }  # fmt: skip
    return ("Int" if isinstance(parameter, Int) else "Float"), told


def _choice(
    name: str, parameter: Choice, default: Any, losses: Losses
) -> tuple[str, dict[str, Any]]:
    values = list(parameter.values)
    kinds = {type(value) for value in values}
    if len(kinds) > 1 or not kinds <= {str, int, float, bool}:
        losses.add("its values, which need to be texts or numbers of one kind", name)
    if fixed(parameter):
        return "Fixed", {"value": values[0]}
    if type(parameter) is Choice and kinds == {bool} and not values[0] and default is not None:
        return "Boolean", {"default": default}
    ordered = isinstance(parameter, Ordinal)
    if ordered and not kinds <= {int, float}:
        losses.order(name, parameter)
        ordered = False
    return "Choice", {"values": values, "ordered": ordered, "default": default}
