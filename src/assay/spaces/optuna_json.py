"""Optuna's distributions as JSON, by parameter name: what `optuna.distributions` reads and writes."""

from __future__ import annotations

from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Parameter
from assay.core.space import Space
from assay.spaces.losses import Losses


def read(form: Any, losses: Losses) -> Space:
    """The space of {"lr": {"name": "FloatDistribution", "attributes": {…}}}."""
    return Space({name: _parameter(name, entry) for name, entry in form.items()})


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """The distributions of a space; conditions and defaults are lost."""
    losses.clauses(space)
    form = {}
    for name, node in space.nodes.items():
        losses.node(node)
        form[name] = _distribution(name, node.parameter, losses)
    return form


def _parameter(name: str, entry: Any) -> Parameter:
    kind, told = entry["name"], entry["attributes"]
    if kind == "CategoricalDistribution":
        return Choice(told["choices"]) if len(told["choices"]) > 1 else Constant(*told["choices"])
    if kind not in ("FloatDistribution", "IntDistribution"):
        raise SpaceError(f"Parameter {name!r}: there is no {kind!r:.80} in Optuna.")
    if told["low"] == told["high"]:
        return Constant(told["low"])
    if kind == "IntDistribution":
        step = told.get("step") or 1
        return Int(told["low"], told["high"], log=bool(told.get("log")), step=step)
    return Float(told["low"], told["high"], log=bool(told.get("log")), step=told.get("step"))


def _distribution(name: str, parameter: Parameter, losses: Losses) -> dict[str, Any]:
    if isinstance(parameter, Choice):
        losses.order(name, parameter)
        if any(isinstance(value, list | dict) for value in parameter.values):
            losses.add("choices that are lists or objects, which Optuna warns of", name)
        return {
            "name": "CategoricalDistribution",
            "attributes": {"choices": list(parameter.values)},
        }
    if isinstance(parameter, Float) and parameter.logit:
        losses.add("its logit scale", name)
    kind = "IntDistribution" if isinstance(parameter, Int) else "FloatDistribution"
    return {
        "name": kind,
        "attributes": {
            "log": parameter.log,
            "step": parameter.step,
            "low": parameter.low,
            "high": parameter.high,
        },
    }
