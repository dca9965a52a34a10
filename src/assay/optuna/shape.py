"""The space that an Optuna study speaks of, inferred from its trials."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Float, Int, Parameter, When
from assay.core.space import Space

Basis: TypeAlias = dict[str, BaseDistribution]

_MOST_SWITCHES = 64  # a number with more values than this is no parent of a condition


@dataclass(frozen=True)
class Shape:
    """The space of an Optuna study, with the distributions that it was inferred from.

    A categorical value is its position here, as Optuna's choices may be anything.
    """

    basis: Basis
    space: Space | None

    @property
    def names(self) -> Collection[str]:
        return self.space.names if self.space else ()

    def config(self, params: Mapping[str, Any]) -> dict[str, Any] | None:
        """The config that a trial's parameters make; None if one is missing or out of its range."""
        if self.space is None:
            return None
        config: dict[str, Any] = {}
        for name, node in self.space.nodes.items():
            if not node.active(config):
                continue
            if name not in params:
                return None
            try:
                config[name] = node.parameter.settle(inward(self.basis[name], params[name]))
            except SpaceError:
                return None
        return config

    def outward(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """A config with Optuna's values."""
        return {name: outward(self.basis[name], value) for name, value in config.items()}

    def agrees(self, trial: FrozenTrial) -> bool:
        """Whether a trial has the parameters that the conditions say, and no other known one."""
        if self.space is None:
            return True
        config = self.config(trial.params)
        found = {name for name in self.space.names if name in trial.params}
        return config is not None and set(config) == found


# --- distributions and parameters


def parameter_of(distribution: BaseDistribution) -> Parameter:
    """Our parameter with the values and the scale of a distribution.

    Raises:
        SpaceError: a distribution of no known kind, or with a range that Assay cannot search.

    >>> parameter_of(CategoricalDistribution([None, "a"])).values
    (0, 1)
    """
    if isinstance(distribution, FloatDistribution):
        return Float(distribution.low, distribution.high, distribution.log, step=distribution.step)
    if isinstance(distribution, IntDistribution):
        return Int(distribution.low, distribution.high, distribution.log, step=distribution.step)
    if isinstance(distribution, CategoricalDistribution):
        return Choice(range(len(distribution.choices)))
    raise SpaceError(f"Assay knows no distribution {type(distribution).__name__}.")


def inward(distribution: BaseDistribution, value: Any) -> Any:
    """Our value for Optuna's."""
    if isinstance(distribution, CategoricalDistribution):
        return int(distribution.to_internal_repr(value))
    return value


def outward(distribution: BaseDistribution, value: Any) -> Any:
    """Optuna's value for ours."""
    if isinstance(distribution, CategoricalDistribution):
        return distribution.to_external_repr(value)
    return value


# --- where the conditions are


def inferred(basis: Basis, trials: Iterable[FrozenTrial]) -> Shape:
    """The space that trials show.

    Args:
        basis: the distributions of its parameters, in the order in which they first appeared.
        trials: that have all of their parameters.
    """
    parameters = {name: parameter_of(distribution) for name, distribution in basis.items()}
    seen = [found for t in trials if (found := _in_range(parameters, basis, t.params)) is not None]
    switches: list[str] = []
    nodes: dict[str, Parameter | When] = {}
    for name, parameter in parameters.items():
        conditions = _conditions(name, seen, switches)
        if conditions is None:
            continue
        if isinstance(parameter, Choice | Int) and parameter.size <= _MOST_SWITCHES:
            switches.append(name)
        nodes[name] = parameter
        for parent, values in conditions:
            nodes[name] = When(parent, values, nodes[name])
    return Shape(basis, Space(nodes) if nodes else None)


def _in_range(
    parameters: Mapping[str, Parameter], basis: Basis, params: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The values of the known parameters; None if one is out of its range, which was changed."""
    try:
        return {
            name: parameter.settle(inward(basis[name], params[name]))
            for name, parameter in parameters.items()
            if name in params
        }
    except SpaceError:
        return None


def _conditions(
    name: str, seen: Sequence[Mapping[str, Any]], switches: Iterable[str]
) -> list[tuple[str, list[Any]]] | None:
    """The few (parent, values) that hold in all trials with this parameter, and in no other trial.

    None if there are none such: then nothing seen says when the parameter is there.
    """
    there = [params for params in seen if name in params]
    left = [params for params in seen if name not in params]
    rules = {s: {p[s] for p in there} for s in switches if all(s in p for p in there)}
    found: list[tuple[str, list[Any]]] = []
    while left:
        kept = {s: [p for p in left if p.get(s) in values] for s, values in rules.items()}
        # of equally good ones the latest: a condition is near to what it decides
        best = min(reversed(kept), key=lambda s: len(kept[s]), default=None)
        if not there or best is None or len(kept[best]) == len(left):
            return None
        found.append((best, sorted(rules[best])))
        left = kept[best]
    return found if there else None
