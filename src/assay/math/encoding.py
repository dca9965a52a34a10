"""Configs of any space as points of one Euclidean space, in which distance means difference.

Two forms of a config are used:

    point   d coordinates in [0, 1], one for each parameter in alphabetical order: what
            `Parameter.to_unit` gives. Values of a grid lie in the middle of their cells.
    row     D columns, what the kernel measures: a number keeps its coordinate, a choice of K
            values has K columns with 1/sqrt(2) in that of its value, so that two different values
            are at distance 1. Parameters with one value have none.

A parameter that is not active stands at the centre of its range (a choice at its first value):
configs of one branch are not told apart by what has no effect there, and the distance between
branches is that of their parents. As every config is one row, any kernel of the distance stays
positive definite.

Source: the one-hot form with the Hamming distance of mixed-space Gaussian processes as in Ru et al.
2020, arXiv:1906.08878, eq. 3; imputing inactive parameters as in SMAC (Levesque et al. 2017, "BO for
conditional hyperparameter spaces", section III).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from assay.core.expression import Expression
from assay.core.parameters import Choice, Int, Ordinal, Parameter, value_key
from assay.core.space import Space
from assay.math.checks import Array

Mask = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

CENTRE = 0.5


@dataclass(frozen=True)
class _Condition:
    """`child` is active only where the cell of `parent` is marked in `met`."""

    child: int
    parent: int
    met: Mask


class Encoding:
    """The points and rows of a space.

    Attributes:
        names: the parameters in alphabetical order: the coordinates of a point.
        searched: coordinates of parameters with more than one value, shape (d,).
        owner: for each column of a row, the place in `searched` of its parameter, shape (D,).
        continuous: coordinates without cells, and `continuous_columns`, their columns in a row.
        gridded: searched coordinates with cells, choices among them.
        categories: coordinates of choices.
        numbers: columns of a row that hold numbers rather than the value of a choice.

    >>> from assay.core.parameters import Float
    >>> encoding = Encoding(Space(rate=Float(0, 1), kind=Choice(["a", "b"])))
    >>> point = encoding.point({"rate": 0.25, "kind": "b"})
    >>> point
    array([0.75, 0.25])
    >>> encoding.rows(point[None]).round(3)
    array([[0.   , 0.707, 0.25 ]])
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = tuple(sorted(space.names))
        parameters = [space[name] for name in self.names]
        self._parameters = parameters
        place = {name: i for i, name in enumerate(self.names)}
        self._place = [place[name] for name in space.names]
        self.cells = np.array([parameter.size for parameter in parameters])
        is_category = np.array([_is_category(parameter) for parameter in parameters])
        self.searched = np.flatnonzero(self.cells > 1)
        self.continuous = np.flatnonzero(np.isinf(self.cells))
        self.gridded = np.flatnonzero((self.cells > 1) & np.isfinite(self.cells))
        self.categories = np.flatnonzero(is_category & (self.cells > 1))
        self._logs = [i for i, p in enumerate(parameters) if isinstance(p, Int) and p.log]
        uneven = set(self._logs)
        self._even = np.array(
            [i for i, n in enumerate(self.cells) if math.isfinite(n) and i not in uneven], np.intp
        )
        self._idle = np.where(is_category, CENTRE / self.cells, CENTRE)
        self._conditions = list(self._all_conditions(place))
        self._decisive = [place[name] for name in sorted(_asked_by_clauses(space))]
        self._lay_out_columns(is_category)

    def _lay_out_columns(self, is_category: Mask) -> None:
        owner, coordinate, level = [], [], []
        for position, i in enumerate(self.searched):
            levels = self.levels(int(i)) if is_category[i] else np.array([np.nan])
            owner += [position] * len(levels)
            coordinate += [i] * len(levels)
            level += levels.tolist()
        self.owner = np.array(owner, np.intp)
        self._coordinate = np.array(coordinate, np.intp)
        self._level = np.array(level)
        self._one_hot = ~np.isnan(self._level)
        self.numbers = np.flatnonzero(~self._one_hot)
        column = {int(i): c for c, i in enumerate(self._coordinate)}
        self.continuous_columns = np.array([column[int(i)] for i in self.continuous], np.intp)

    def _all_conditions(self, place: dict[str, int]) -> Iterator[_Condition]:
        for name, node in self.space.nodes.items():  # parents before children
            for parent, keys in node.conditions:
                parameter = self.space[parent]
                values = parameter.points(int(parameter.size))
                met = np.array([value_key(value) in keys for value in values])
                yield _Condition(place[name], place[parent], met)

    @property
    def size(self) -> int:
        """How many coordinates a point has."""
        return len(self.names)

    # --- configs and points

    def point(self, config: Mapping[str, Any]) -> Array:
        """The point of a config of the space, shape (size,)."""
        found = self._idle.copy()
        for i, name in enumerate(self.names):
            if name in config:
                found[i] = self._parameters[i].to_unit(config[name])
        return found

    def config(self, point: Array) -> dict[str, Any]:
        """The config at a point, whether its clauses allow it or not."""
        coordinates = point.tolist()
        return self.space.from_unit([coordinates[place] for place in self._place])

    def allowed(self, points: Array) -> Mask:
        """Which points give configs that the clauses of the space allow, shape (m,)."""
        if not (self.space.forbidden or self.space.required) or not len(points):
            return np.ones(len(points), bool)
        # points that agree in all that the clauses look at are decoded once
        _, first, alike = np.unique(
            points[:, self._decisive], axis=0, return_index=True, return_inverse=True
        )
        told = [self.space.allowed(self.config(points[i])) for i in first]
        return np.array(told, bool)[alike.reshape(-1)]

    def every_point(self) -> Array:
        """The points of all allowed configs of a finite space, in lexical order."""
        block = self.space.combinations
        found = []
        for index in range(int(block.size)):
            config: dict[str, Any] = {}
            block.put(index, config)
            if self.space.allowed(config):
                found.append(self.point(config))
        return np.unique(np.array(found).reshape(len(found), self.size), axis=0)

    # --- arrays of points

    def levels(self, coordinate: int) -> Array:
        """All places that a gridded coordinate can take, in order."""
        parameter = self._parameters[coordinate]
        if coordinate in self._logs:
            return np.array([parameter.to_unit(v) for v in parameter.points(int(parameter.size))])
        cells = int(self.cells[coordinate])
        return (np.arange(cells) + CENTRE) / cells

    def snap(self, points: Array) -> Array:
        """The points of the configs that these points give, shape (m, size): always their own snap."""
        snapped = np.clip(points, 0.0, 1.0)
        even, cells = self._even, self.cells[self._even]
        snapped[:, even] = (self._cell(snapped[:, even], cells) + CENTRE) / cells
        for i in self._logs:
            low, width = self._log_scale(i)
            snapped[:, i] = (np.log(self._whole(snapped[:, i], i)) - low) / width
        return np.where(self.active(snapped), snapped, self._idle)

    def active(self, points: Array) -> Mask:
        """Which parameters are active at snapped points, shape (m, size)."""
        active = np.ones(points.shape, bool)
        for condition in self._conditions:
            i = condition.parent
            met = condition.met[self._index(points[:, i], i)]
            active[:, condition.child] &= active[:, i] & met
        return active

    def rows(self, points: Array) -> Array:
        """The rows of snapped points, shape (m, D)."""
        values = points[:, self._coordinate]
        hot = np.abs(values - self._level) < 1e-9
        return np.where(self._one_hot, hot * math.sqrt(0.5), values)

    def points_of(self, rows: Array) -> Array:
        """The snapped points that have these rows, shape (m, size)."""
        points = np.tile(self._idle, (len(rows), 1))
        for column, i in enumerate(self._coordinate):
            if self._one_hot[column]:
                points[rows[:, column] > 0, i] = self._level[column]
            else:
                points[:, i] = rows[:, column]
        return points

    def columns(self, coordinate: int) -> Indices:
        """The columns of a row that belong to a coordinate: one, or one for each level of a choice."""
        return np.flatnonzero(self._coordinate == coordinate)

    def _index(self, coordinates: Array, i: int) -> Indices:
        if i in self._logs:
            return (self._whole(coordinates, i) - self._parameters[i].low).astype(np.intp)  # type: ignore[union-attr]
        return self._cell(coordinates, self.cells[i]).astype(np.intp)

    @staticmethod
    def _cell(coordinates: Array, cells: Any) -> Array:
        return np.asarray(np.minimum(np.floor(coordinates * cells), cells - 1))

    def _whole(self, coordinates: Array, i: int) -> Array:
        """The values of a logarithmic whole parameter, as `Int.from_unit` rounds them."""
        parameter: Any = self._parameters[i]
        low, width = self._log_scale(i)
        values = np.rint(np.exp(low + coordinates * width))
        return np.clip(values, parameter.low, parameter.high)

    def _log_scale(self, i: int) -> tuple[float, float]:
        parameter: Any = self._parameters[i]
        low, high = math.log(parameter.low - 0.5), math.log(parameter.high + 0.5)
        return low, high - low


def _is_category(parameter: Parameter) -> bool:
    return isinstance(parameter, Choice) and not isinstance(parameter, Ordinal)


def _asked_by_clauses(space: Space) -> set[str]:
    """The parameters that decide whether a config is allowed: those named, and what they depend on."""
    asked: set[str] = set()
    for clause in (*space.forbidden, *space.required):
        if not isinstance(clause, Expression):
            return set(space.names)  # a predicate may look at anything
        asked |= clause.names
    for name in reversed(list(space.nodes)):  # children before parents
        if name in asked:
            asked |= {parent for parent, _ in space.nodes[name].conditions}
    return asked
