"""Counting the configs of a space, and finding config number i without listing the others.

Parameters that no condition ties together are independent: their numbers of values multiply. In a
group that conditions do tie together, the first parent is taken value by value, which leaves
smaller groups; values that switch the same parameters on are taken once. A config's number is then
read digit by digit, as in a number system whose bases differ (mixed radix).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from assay.core.parameters import Parameter, value_key

if TYPE_CHECKING:
    from assay.core.space import Node


@dataclass(frozen=True)
class _Leaf:
    """A parameter that nothing depends on."""

    name: str
    parameter: Parameter
    most: int | None

    @cached_property
    def size(self) -> float:
        return self.parameter.size if self.most is None else len(self.values)

    @cached_property
    def values(self) -> list[Any]:
        return _values(self.parameter, self.most)

    def put(self, index: int, config: dict[str, Any]) -> None:
        config[self.name] = self.values[index]


@dataclass(frozen=True)
class _Fork:
    """A parent: with each group of its values goes a block of its own."""

    name: str
    branches: Sequence[tuple[Sequence[Any], Block]]

    @cached_property
    def size(self) -> float:
        return _sum(len(values) * block.size for values, block in self.branches)

    def put(self, index: int, config: dict[str, Any]) -> None:
        for values, block in self.branches:
            inner = int(block.size)
            if index < len(values) * inner:
                config[self.name] = values[index // inner]
                block.put(index % inner, config)
                return
            index -= len(values) * inner


_Factor: TypeAlias = _Leaf | _Fork


@dataclass(frozen=True)
class Block:
    """Independent factors; `put` writes combination number `index` of them into a config."""

    factors: Sequence[_Factor]

    @cached_property
    def size(self) -> float:
        """How many combinations there are; math.inf when a factor is continuous."""
        sizes = [factor.size for factor in self.factors]
        return math.inf if math.inf in sizes else math.prod(int(size) for size in sizes)

    def put(self, index: int, config: dict[str, Any]) -> None:
        for factor in reversed(self.factors):
            index, digit = divmod(index, int(factor.size))
            factor.put(digit, config)


def combinations(nodes: Sequence[Node], most: int | None = None) -> Block:
    """The combinations of active parameters, each with its values.

    Args:
        nodes: parameters, parents before children.
        most: take at most so many values of each parameter, as `parameter.points` does;
            None: all of them.
    """
    return Block([_factor(group, most) for group in _groups(nodes)])


def _factor(group: Sequence[Node], most: int | None) -> _Factor:
    first, rest = group[0], group[1:]
    if not rest:
        return _Leaf(first.name, first.parameter, most)
    grouped: dict[tuple[bool, ...], list[Any]] = {}
    for value in _values(first.parameter, most):
        key = value_key(value)
        met = tuple(
            key in keys for n in rest for parent, keys in n.conditions if parent == first.name
        )
        grouped.setdefault(met, []).append(value)
    return _Fork(
        first.name,
        [
            (values, combinations(_left(first.name, values[0], rest), most))
            for values in grouped.values()
        ],
    )


def _left(parent: str, value: Any, nodes: Sequence[Node]) -> list[Node]:
    """What can still be active once `parent` is `value`, without the conditions that are met."""
    key = value_key(value)
    gone: set[str] = set()
    left = []
    for node in nodes:
        if any(p in gone or p == parent and key not in keys for p, keys in node.conditions):
            gone.add(node.name)
        else:
            open_ones = tuple(c for c in node.conditions if c[0] != parent)
            left.append(replace(node, conditions=open_ones))
    return left


def _groups(nodes: Sequence[Node]) -> list[list[Node]]:
    """The nodes in groups that no condition ties to another, each parents first."""
    group_of: dict[str, list[Node]] = {}
    for node in nodes:
        tied = {id(group_of[p]): group_of[p] for p, _ in node.conditions}
        merged = [n for group in tied.values() for n in group] + [node]
        for member in merged:
            group_of[member.name] = merged
    unique = {id(group): group for group in (group_of[node.name] for node in nodes)}
    place = {node.name: i for i, node in enumerate(nodes)}
    return [sorted(group, key=lambda node: place[node.name]) for group in unique.values()]


def _values(parameter: Parameter, most: int | None) -> list[Any]:
    return parameter.points(int(parameter.size) if most is None else most)


def _sum(sizes: Any) -> float:
    found = list(sizes)
    return math.inf if math.inf in found else sum(int(size) for size in found)
