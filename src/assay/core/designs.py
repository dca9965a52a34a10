"""Which variants an ablation measures. Pure.

leave-one-out: everything, and everything but one. add-one-in: nothing, and one at a time. path: one
after the other is taken away, each time the one that is missed least (Fawcett and Hoos 2016, Journal
of Heuristics 22, 431-458, go from one configuration to another like this). factorial: all 2^k.
fraction: a part of them in which no main effect is mixed up with an interaction of two (resolution IV
or more; Box, Hunter and Hunter 2005, Statistics for Experimenters, table 6.22).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Literal, TypeAlias

from assay.core.components import Component, Variant, legal, with_needed, without
from assay.core.errors import SpecError

Design: TypeAlias = Literal["leave-one-out", "add-one-in", "path", "factorial", "fraction"]
DESIGNS: tuple[Design, ...] = ("leave-one-out", "add-one-in", "path", "factorial", "fraction")

MOST_FACTORIAL = 4
_GENERATORS: dict[int, tuple[tuple[int, ...], ...]] = {
    4: ((0, 1, 2),),
    5: ((0, 1, 2, 3),),
    6: ((0, 1, 2), (1, 2, 3)),
    7: ((0, 1, 2), (1, 2, 3), (0, 2, 3)),
    8: ((1, 2, 3), (0, 2, 3), (0, 1, 2), (0, 1, 3)),
}
"""By number of components: of which basic ones each further one is the product, with on = +1."""


def full(components: Sequence[Component]) -> Variant:
    """Everything on."""
    return frozenset(c.name for c in components)


def reference(components: Sequence[Component], design: Design) -> Variant:
    """The variant that is tuned first: its best settings are what the others are tried with untuned.

    Raises:
        SpecError: an unknown design, or components that cannot all be on.
    """
    if design not in DESIGNS:
        raise SpecError(f"design needs one of {', '.join(DESIGNS)}, got {design!r:.40}.")
    if design == "add-one-in":
        return frozenset()
    everything = full(components)
    if not legal(components, everything):
        raise SpecError(
            f"The design {design!r} begins with everything on, but some components exclude one "
            "another. Use the design 'add-one-in', or make them one component with on= and off=."
        )
    return everything


def variants(components: Sequence[Component], design: Design) -> tuple[Variant, ...]:
    """The variants in the order in which they are measured, the reference first.

    Of a path only the first step is known: see `next_steps`.

    Raises:
        SpecError: too many components for this design, or too few.

    >>> parts = [Component("a"), Component("b")]
    >>> [sorted(v) for v in variants(parts, "leave-one-out")]
    [['a', 'b'], ['b'], ['a']]
    """
    first = reference(components, design)
    if design in ("leave-one-out", "path"):
        others = next_steps(components, first)
    elif design == "add-one-in":
        others = [with_needed(components, first, c.name) for c in components]
        others = [v for v in others if legal(components, v)]
    else:
        rows = _all(len(components)) if design == "factorial" else _fraction(len(components))
        made = (
            frozenset(c.name for c, on in zip(components, row, strict=True) if on) for row in rows
        )
        others = [v for v in made if legal(components, v)]
    return tuple(dict.fromkeys([first, *others]))


def next_steps(components: Sequence[Component], now: Variant) -> list[Variant]:
    """The variants that come from this one by taking one component away, with what needs it."""
    steps = [without(components, now, c.name) for c in components if c.name in now]
    return list(dict.fromkeys(steps))


def _all(k: int) -> list[tuple[bool, ...]]:
    if k > MOST_FACTORIAL:
        raise SpecError(
            f"A factorial of {k} components has {2**k} variants, each with a search of its own. Use "
            "design='fraction' or 'leave-one-out'."
        )
    return list(product((True, False), repeat=k))


def _fraction(k: int) -> list[tuple[bool, ...]]:
    if k not in _GENERATORS:
        raise SpecError(
            f"design='fraction' is for 4 to 8 components, got {k}. "
            + ("Use design='factorial'." if k < 4 else "Use design='leave-one-out'.")
        )
    generators = _GENERATORS[k]
    basic = list(product((True, False), repeat=k - len(generators)))
    return [(*row, *(_product(row, generator) for generator in generators)) for row in basic]


def _product(row: tuple[bool, ...], of: tuple[int, ...]) -> bool:
    return sum(not row[i] for i in of) % 2 == 0
