"""Sweeps of Weights & Biases: docs.wandb.ai, "Sweep configuration structure"."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Parameter
from assay.core.space import Space
from assay.spaces.losses import Losses, fixed, number, on_grid

_PLAN = (
    "name", "description", "program", "project", "entity", "command", "method", "metric",
    "early_terminate", "run_cap", "controller",
)  # fmt: skip
"""What a sweep says of the search; none of it is part of a space."""


def read(form: Any, losses: Losses) -> Space:
    """The space of a sweep, or of its `parameters` alone; nested names are joined by dots."""
    whole = isinstance(form.get("parameters"), dict)
    if whole:
        losses.unknown(form, {"parameters", *_PLAN})
    found = dict(_flat(form["parameters"] if whole else form, ""))
    return Space({name: _parameter(name, entry, losses) for name, entry in found.items()})


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """A sweep with the parameters of a space; conditions and defaults are lost."""
    losses.clauses(space)
    form: dict[str, Any] = {}
    for name, node in space.nodes.items():
        losses.node(node)
        form[name] = _entry(name, node.parameter, losses)
    return {"method": "bayes", "parameters": form}


def _flat(form: dict[str, Any], before: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in form.items():
        if isinstance(entry.get("parameters"), dict):
            yield from _flat(entry["parameters"], f"{before}{name}.")
        else:
            yield f"{before}{name}", entry


def _parameter(name: str, entry: dict[str, Any], losses: Losses) -> Parameter:
    if "value" in entry:
        return Constant(entry["value"])
    if "values" in entry:
        if entry.get("probabilities"):
            losses.add("its probabilities", name)
        values = entry["values"]
        return Choice(values) if len(values) > 1 else Constant(*values)
    kind = entry.get("distribution", "")
    if "min" not in entry or "max" not in entry:
        raise SpaceError(
            f"Parameter {name!r}: {kind or entry!r:.80} has no min and max. Write the range to search."
        )
    low, high = number(entry["min"]), number(entry["max"])
    if low == high:
        return Constant(low)
    step = number(entry.get("q", 1)) if kind.startswith("q_") else None
    if not kind:
        kind = "int_uniform" if isinstance(low, int) and isinstance(high, int) else "uniform"
    if kind == "int_uniform":
        return Int(low, high)
    if kind in ("log_uniform", "q_log_uniform", "inv_log_uniform"):
        low, high = math.exp(low), math.exp(high)
    if step is not None and "log" in kind:
        losses.add("its steps", name)
        step = None
    if kind.startswith("inv_"):
        losses.add("the inverse of its logarithmic scale, which is taken as logarithmic", name)
    if "normal" in kind or kind == "beta":
        losses.add(f"its {kind} distribution", name)
    return Float(low, high, log="log" in kind, step=step)


def _entry(name: str, parameter: Parameter, losses: Losses) -> dict[str, Any]:
    if isinstance(parameter, Choice):
        values = list(parameter.values)
        losses.order(name, parameter)
        return {"value": values[0]} if fixed(parameter) else {"values": values}
    low, high = parameter.low, parameter.high
    if isinstance(parameter, Int):
        if parameter.log:
            losses.add("its logarithmic scale", name)
        if parameter.step != 1:
            losses.add("its steps, which become choices", name)
            return {"values": parameter.points(10**6)}
        return {"distribution": "int_uniform", "min": low, "max": high}
    if parameter.logit:
        losses.add("its logit scale", name)
    if parameter.step is not None and on_grid(parameter) and not low % parameter.step:
        return {"distribution": "q_uniform", "min": low, "max": high, "q": parameter.step}
    if parameter.step is not None:
        losses.add("its steps, which become choices", name)
        return {"values": parameter.points(10**6)}
    kind = "log_uniform_values" if parameter.log else "uniform"
    return {"distribution": kind, "min": low, "max": high}
