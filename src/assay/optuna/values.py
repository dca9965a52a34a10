"""Between Optuna's distributions and our parameters with the values themselves, not their positions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Constant, Float, Int, Parameter, When, value_key
from assay.core.space import Space
from assay.optuna.shape import Basis, inferred, parameter_of
from assay.spaces.conditions import values_for


def valued(distribution: BaseDistribution) -> Parameter:
    """Our parameter for a distribution; choices keep their values.

    >>> valued(CategoricalDistribution([None, "a"])).values
    (None, 'a')
    """
    if isinstance(distribution, CategoricalDistribution):
        return Choice(distribution.choices)
    if distribution.single():
        return Constant(distribution.low)  # type: ignore[attr-defined]
    return parameter_of(distribution)


def distribution_of(parameter: Parameter) -> tuple[BaseDistribution, list[str]]:
    """Optuna's distribution for a parameter, and what it cannot say.

    >>> distribution_of(Int(1, 64, log=True))
    (IntDistribution(high=64, log=True, low=1, step=1), [])
    """
    if isinstance(parameter, Float):
        lost = ["the logit scale"] if parameter.logit else []
        return FloatDistribution(
            parameter.low, parameter.high, log=parameter.log, step=parameter.step
        ), lost
    if isinstance(parameter, Int):
        return IntDistribution(
            parameter.low, parameter.high, log=parameter.log, step=parameter.step
        ), []
    odd = any(isinstance(value, list | dict) for value in parameter.values)
    lost = ["lists and objects as choices, which become text"] if odd else []
    return CategoricalDistribution([simple(value) for value in parameter.values]), lost


def simple(value: Any) -> Any:
    """A choice as Optuna takes it: lists and objects as JSON text."""
    return canonical(value) if isinstance(value, list | dict) else value


def space_seen(basis: Basis, trials: Iterable[FrozenTrial]) -> Space | None:
    """The space that trials show, with conditions, and constants for what has one value."""
    trials = list(trials)
    several = {name: d for name, d in basis.items() if not d.single()}
    shape = inferred(several, trials)
    if shape.space is None:
        single = {name: valued(d) for name, d in basis.items() if _always(name, trials)}
        return Space(single) if single else None
    nodes: dict[str, Parameter | When] = {}
    for name, node in shape.space.nodes.items():
        entry: Parameter | When = valued(basis[name])
        for parent, keys in reversed(node.conditions):
            points = shape.space[parent].points(10**6)
            inner = [
                outer for own, outer in _pairs(basis[parent], points) if value_key(own) in keys
            ]
            entry = When(parent, inner, entry)
        nodes[name] = entry
    for name, distribution in basis.items():
        if distribution.single() and _always(name, trials):
            nodes[name] = valued(distribution)
    return Space(nodes)


def with_defaults(space: Space, config: Mapping[str, Any]) -> Space:
    """The same space with a config as its defaults."""
    nodes: dict[str, Parameter | When] = {}
    for name, node in space.nodes.items():
        entry: Parameter | When = (
            replace(node.parameter, default=config[name]) if name in config else node.parameter
        )
        for parent, keys in reversed(node.conditions):
            wanted = values_for(space, parent, keys)
            entry = When(parent, wanted, entry)
        nodes[name] = entry
    return Space(nodes, forbid=list(space.forbidden), require=list(space.required))


def _pairs(distribution: BaseDistribution, points: Iterable[Any]) -> list[tuple[Any, Any]]:
    """Each value as the inferred space has it, and as it is."""
    if isinstance(distribution, CategoricalDistribution):
        return [(i, choice) for i, choice in enumerate(distribution.choices)]
    return [(point, point) for point in points]


def _always(name: str, trials: Iterable[FrozenTrial]) -> bool:
    return all(name in trial.params for trial in trials)
