"""Katib's experiments: kubeflow.org, "Katib: configure experiment", entry `parameters`."""

from __future__ import annotations

from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter
from assay.core.space import Space
from assay.spaces.losses import Losses, number

_PLAN = (
    "objective", "algorithm", "earlyStopping", "parallelTrialCount", "maxTrialCount",
    "maxFailedTrialCount", "trialTemplate", "metricsCollectorSpec", "resumePolicy", "nasConfig",
)  # fmt: skip
"""What an experiment says of the search; none of it is part of a space."""


def read(form: Any, losses: Losses) -> Space:
    """The space of an Experiment, of its spec, or of its list of parameters."""
    spec = form
    if isinstance(form, dict):
        spec = form.get("spec", form)
        losses.unknown(spec, {"parameters", *_PLAN})
        spec = spec["parameters"]
    return Space({entry["name"]: _parameter(entry, losses) for entry in spec})


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """The `parameters` of a spec; conditions and defaults are lost."""
    losses.clauses(space)
    for node in space.nodes.values():
        losses.node(node)
    return {"parameters": [_entry(n, node.parameter, losses) for n, node in space.nodes.items()]}


def _parameter(entry: dict[str, Any], losses: Losses) -> Parameter:
    kind, told, name = entry["parameterType"], entry["feasibleSpace"], entry["name"]
    if kind in ("categorical", "discrete"):
        values = [number(v) if kind == "discrete" else v for v in told["list"]]
        if len(values) == 1:
            return Constant(values[0])
        return Ordinal(sorted(values)) if kind == "discrete" else Choice(values)
    if kind not in ("double", "int"):
        raise SpaceError(f"Parameter {name!r}: Katib has no type {kind!r:.80}.")
    low, high = number(told["min"]), number(told["max"])
    if low == high:
        return Constant(low)
    spread = told.get("distribution", "uniform")
    log = spread == "logUniform"
    if spread not in ("uniform", "logUniform"):
        losses.add(f"its {spread} distribution", name)
    step = number(told["step"]) if told.get("step") is not None else None
    if step is not None and log:
        losses.add("its steps", name)
        step = None
    if kind == "int":
        return Int(low, high, log=log, step=step or 1)
    return Float(low, high, log=log, step=step)


def _entry(name: str, parameter: Parameter, losses: Losses) -> dict[str, Any]:
    if isinstance(parameter, Choice):
        values = list(parameter.values)
        ordered = isinstance(parameter, Ordinal)
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
        if not (numbers and ordered) and not all(isinstance(v, str) for v in values):
            losses.add("what its values are: they become text", name)
        if not numbers:
            losses.order(name, parameter)
        kind = "discrete" if numbers and ordered else "categorical"
        return {
            "name": name,
            "parameterType": kind,
            "feasibleSpace": {"list": [v if isinstance(v, str) else str(v) for v in values]},
        }
    if isinstance(parameter, Float) and parameter.logit:
        losses.add("its logit scale", name)
    told = {"min": str(parameter.low), "max": str(parameter.high)}
    if parameter.log:
        told["distribution"] = "logUniform"
    if parameter.step is not None and not (isinstance(parameter, Int) and parameter.step == 1):
        if parameter.log:
            losses.add("its steps", name)
        else:
            told["step"] = str(parameter.step)
    kind = "int" if isinstance(parameter, Int) else "double"
    return {"name": name, "parameterType": kind, "feasibleSpace": told}
