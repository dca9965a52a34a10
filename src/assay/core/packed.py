"""Rows of many shapes, kept as columns: a million configs in the memory of their numbers."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice, repeat
from sys import intern
from typing import Any, TypeAlias

Column: TypeAlias = "array[Any] | list[Any]"
Shape: TypeAlias = tuple[Any, ...]
Parts: TypeAlias = tuple[list[Shape], list[int], list[list[Column]], "array[int]", "array[int]"]

_SHORT = 40


class Packed:
    """A list of (shape, values) to which one can only append.

    Rows of equal shape, such as configs with the same parameters, lie in one table. A column of it
    is an array of 8 bytes a number while it holds nothing but floats, otherwise a list.

    >>> rows = Packed()
    >>> rows.append(("lr", "kind"), (0.1, "adam"))
    >>> rows.append(("lr", "depth"), (0.2, 3))
    >>> len(rows), rows[0], rows[1]
    (2, (('lr', 'kind'), (0.1, 'adam')), (('lr', 'depth'), (0.2, 3)))
    """

    __slots__ = ("_known", "_number_of", "place", "shapes", "sizes", "tables", "which")

    def __init__(self, parts: Parts | None = None) -> None:
        self.shapes: list[Shape]
        self.sizes: list[int]  # how many rows each table has
        self.tables: list[list[Column]]
        self.which: array[int]  # of each row: the number of its table
        self.place: array[int]  # and its place there
        empty: Parts = ([], [], [], array("i"), array("i"))
        self.shapes, self.sizes, self.tables, self.which, self.place = parts or empty
        self._known: tuple[int, list[array[int]]] = (0, [])  # see `_rows`
        self._number_of = {shape: number for number, shape in enumerate(self.shapes)}

    @property
    def parts(self) -> Parts:
        """All that there is, for `Packed(parts)`."""
        return self.shapes, self.sizes, self.tables, self.which, self.place

    def append(self, shape: Shape, values: Collection[Any]) -> None:
        """Add a row; a shape always has as many values."""
        number = self._number_of.get(shape)
        if number is None:
            number = self._new(shape, values)
        self.which.append(number)
        self.place.append(self.sizes[number])
        self.sizes[number] += 1
        table = self.tables[number]
        for i, value in enumerate(values):
            if type(value) is not float and type(table[i]) is array:
                table[i] = list(table[i])
            table[i].append(kept_once(value) if type(value) is str else value)

    def _new(self, shape: Shape, values: Collection[Any]) -> int:
        number = self._number_of[shape] = len(self.shapes)
        self.shapes.append(shape)
        self.sizes.append(0)
        self.tables.append([array("d") if type(value) is float else [] for value in values])
        return number

    def __len__(self) -> int:
        return len(self.which)

    def __getitem__(self, index: int) -> tuple[Shape, tuple[Any, ...]]:
        number, at = self.which[index], self.place[index]
        return self.shapes[number], tuple([column[at] for column in self.tables[number]])

    def first(self, length: int) -> Iterator[tuple[Shape, tuple[Any, ...]]]:
        """The first `length` rows; several times as fast as one by one."""
        shapes = self.shapes
        rows = [zip(*table, strict=False) if table else repeat(()) for table in self.tables]
        for number in islice(self.which, length):
            yield shapes[number], next(rows[number])

    def tables_of(self, length: int) -> Iterator[tuple[Shape, array[int], list[Column]]]:
        """The first `length` rows by shape: the shape, the numbers of its rows, and its columns."""
        for shape, rows, table in zip(self.shapes, self._rows(length), self.tables, strict=False):
            mine = rows[: bisect_left(rows, length)]
            if mine:
                yield shape, mine, [column[: len(mine)] for column in table]

    def _rows(self, length: int) -> list[array[int]]:
        """The numbers of the rows of each table, at least of the first `length` rows.

        What was found is kept, and only what came since is looked at. It is put in place at once,
        so that threads that ask at the same time do no harm.
        """
        seen, rows = self._known
        if seen < length:
            rows = [some[:] for some in rows] + [array("q") for _ in self.shapes[len(rows) :]]
            for row, number in enumerate(self.which[seen:length], seen):
                rows[number].append(row)
            self._known = length, rows
        return rows

    def until(self, length: int) -> Packed:
        """A copy of the first `length` rows."""
        which = self.which[:length]
        found = Counter(which)
        sizes = [found[number] for number in range(len(self.shapes))]
        tables = [
            [column[:size] for column in table]
            for table, size in zip(self.tables, sizes, strict=True)
        ]
        return Packed((list(self.shapes), sizes, tables, which, self.place[:length]))


def kept_once(text: str) -> str:
    """The text; one that is short is kept once, however often it comes."""
    return intern(text) if len(text) <= _SHORT else text
