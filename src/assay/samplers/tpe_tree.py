"""Parzen mixtures over a conditional space, sampled and evaluated from the roots down.

Parameters that are active under the same conditions form a group. The density of a config is a
product: its roots' mixture over all observations, times, for every group that is active in it, a
mixture over the observations that have the group, weighted by how well each explains the groups
above. So what is learned in one branch says nothing about the others, and nothing is averaged away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.parameters import Choice, Ordinal, Parameter, value_key
from assay.core.space import Node, Space
from assay.math.parzen import Axis, Codes, Parzen, log_sum

if TYPE_CHECKING:
    from numpy.random import Generator

Array: TypeAlias = npt.NDArray[np.float64]

_FEW = 32
"""Up to so many ordered values are summed over their cells; more are taken as real numbers."""


@dataclass(frozen=True, eq=False)
class Group:
    """Parameters that are active under the same conditions.

    Args:
        columns: their places among all parameters.
        conditions: (column of the parent, whether each of its values switches the group on).
        above: numbers of the groups that hold its parents, their parents, and so on.
    """

    columns: Codes
    conditions: list[tuple[int, npt.NDArray[np.bool_]]]
    above: list[int]


class Tree:
    """The axes and groups of a space; columns are its parameters in alphabetical order."""

    def __init__(self, space: Space) -> None:
        self.names = sorted(space.names)
        self._place = {name: i for i, name in enumerate(self.names)}
        parents = {parent for node in space.nodes.values() for parent, _ in node.conditions}
        self.axes = [_axis(space[name], name in parents) for name in self.names]
        self.groups = self._groups(space)
        self.conditional = {
            int(c) for group in self.groups if group.conditions for c in group.columns
        }

    def _groups(self, space: Space) -> list[Group]:
        """Parents' groups first, in an order that does not depend on how parameters were listed."""
        found: dict[Any, list[Node]] = {}
        for name in self.names:
            node = space.nodes[name]
            found.setdefault(frozenset(node.conditions), []).append(node)
        groups: list[Group] = []
        number: dict[str, int] = {}
        waiting = list(found.values())
        while waiting:
            nodes = next(w for w in waiting if all(p in number for p, _ in w[0].conditions))
            waiting.remove(nodes)
            above = {number[parent] for parent, _ in nodes[0].conditions}
            above |= {a for group in above for a in groups[group].above}
            number |= {node.name: len(groups) for node in nodes}
            columns = np.array([self._place[node.name] for node in nodes])
            conditions = [self._switch(space, *c) for c in sorted(nodes[0].conditions)]
            groups.append(Group(columns, conditions, sorted(above)))
        return groups

    def _switch(
        self, space: Space, parent: str, keys: frozenset[str]
    ) -> tuple[int, npt.NDArray[np.bool_]]:
        values = space[parent].points(int(space[parent].size))
        return self._place[parent], np.array([value_key(v) in keys for v in values])

    def encoded(self, space: Space, config: Mapping[str, Any]) -> list[float]:
        """The point of a config in the unit cube; NaN where a parameter is inactive."""
        return [
            space[name].to_unit(config[name]) if name in config else np.nan for name in self.names
        ]

    def config(self, space: Space, point: Sequence[float]) -> dict[str, Any]:
        """The config at a point of the unit cube, one coordinate for each column."""
        return space.from_unit([point[self._place[name]] for name in space.names])

    def switched_on(self, group: Group, points: Array) -> Codes:
        """The rows of `points` in which the group is active; NaN marks what is inactive."""
        on = np.ones(len(points), dtype=np.bool_)
        for parent, switch in group.conditions:
            u = points[:, parent]
            on &= ~np.isnan(u) & switch[self.axes[parent].codes(u)]
        return np.flatnonzero(on)


def _axis(parameter: Parameter, is_parent: bool) -> Axis:
    ordered = not isinstance(parameter, Choice) or isinstance(parameter, Ordinal)
    few = parameter.size <= _FEW
    if ordered and not few and not is_parent:
        return Axis("real")
    values = parameter.points(int(parameter.size))
    positions = np.array([parameter.to_unit(value) for value in values])
    return Axis("category" if not ordered else "ordered" if few else "real", positions)


class TreeParzen:
    """A mixture over the configs of a space.

    Args:
        tree: of the space.
        points: observations, shape (n, columns), NaN where inactive.
        weights: shape (n,); the prior's is 1 in every group.
        narrowest: least standard deviation of a kernel.
    """

    def __init__(self, tree: Tree, points: Array, weights: Array, *, narrowest: float) -> None:
        self.tree = tree
        self._rows: list[Codes] = []  # the observations of each group, and the prior
        self._parts: list[Parzen] = []
        self._count = len(points) + 1
        for group in tree.groups:
            rows = np.flatnonzero(~np.isnan(points[:, group.columns[0]]))
            centres = points[np.ix_(rows, group.columns)]
            axes = [tree.axes[column] for column in group.columns]
            self._parts.append(Parzen(axes, centres, weights[rows], narrowest=narrowest))
            self._rows.append(np.append(rows, len(points)))

    def sample(self, count: int, rng: Generator) -> Array:
        """Points of configs, shape (count, columns), NaN where inactive."""
        points = np.full((count, len(self.tree.names)), np.nan)
        kernels: dict[int, Array] = {}
        for number, group in enumerate(self.tree.groups):
            on = self.tree.switched_on(group, points)
            if len(on):
                weights = self._log_weights(number, on, kernels)
                drawn = self._parts[number].sample(_draw(weights, len(on), rng), rng)
                points[np.ix_(on, group.columns)] = drawn
                kernels[number] = self._spread(number, on, drawn, count)
        return points

    def log_density(self, points: Array) -> Array:
        """Ln of the density at points as `sample` gives them, shape (m,)."""
        total = np.zeros(len(points))
        kernels: dict[int, Array] = {}
        for number, group in enumerate(self.tree.groups):
            on = np.flatnonzero(~np.isnan(points[:, group.columns[0]]))
            if len(on):
                inner = points[np.ix_(on, group.columns)]
                own = self._parts[number].log_kernels(inner)
                weights = self._log_weights(number, on, kernels)
                total[on] += log_sum(weights + own) - log_sum(weights)
                kernels[number] = self._placed(number, on, own, len(points))
        return total

    def _log_weights(self, number: int, on: Codes, kernels: Mapping[int, Array]) -> Array:
        """Of the group's kernels: how well each explains the groups above, by row; (len(on), n)."""
        weights = self._parts[number].log_weights[None, :]
        above: Sequence[int] = self.tree.groups[number].above
        for group in above:
            weights = weights + kernels[group][np.ix_(on, self._rows[number])]
        return weights

    def _spread(self, number: int, on: Codes, inner: Array, count: int) -> Array:
        if not self._has_below(number):
            return inner
        return self._placed(number, on, self._parts[number].log_kernels(inner), count)

    def _placed(self, number: int, on: Codes, own: Array, count: int) -> Array:
        """The kernels of a group by row of the points and by observation."""
        if not self._has_below(number):
            return own
        placed = np.zeros((count, self._count))
        placed[np.ix_(on, self._rows[number])] = own
        return placed

    def _has_below(self, number: int) -> bool:
        return any(number in group.above for group in self.tree.groups)


def _draw(log_weights: Array, count: int, rng: Generator) -> Codes:
    """The number of a kernel for each of `count` rows; one row of weights serves all."""
    chances = np.exp(log_weights - log_weights.max(axis=1, keepdims=True))
    upto = np.cumsum(chances, axis=1)
    draws = rng.random(count)[:, None] * upto[:, -1:]
    return np.asarray((upto <= draws).sum(axis=1)).clip(0, log_weights.shape[1] - 1)
