"""When a parameter is searched, said as other tools say it: by values of its parent."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from assay.core.parameters import value_key
from assay.core.space import Space

_MOST = 1_000_000


def values_for(space: Space, parent: str, keys: Collection[str]) -> list[Any]:
    """The values of a parent for which a condition of a `Node` holds.

    >>> import assay
    >>> space = assay.Space(a=assay.Choice([1, 2]), b=assay.When("a", 2, assay.Float(0.0, 1.0)))
    >>> [values_for(space, *one) for one in space.nodes["b"].conditions]
    [[2]]
    """
    return [value for value in space[parent].points(_MOST) if value_key(value) in keys]
