"""What a format cannot say."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from assay.core.parameters import UNSET, Choice, Float, Int, Ordinal, Parameter
from assay.core.space import Node, Space


class Losses:
    """Collects in words what is lost; each counts once."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def add(self, what: str, name: str = "") -> None:
        """Something is lost, of one parameter or of the whole."""
        text = f"{name}: {what}" if name else what
        if text not in self.said:
            self.said.append(text)

    def unknown(self, form: dict[str, Any], known: set[str], name: str = "") -> None:
        """Entries that are not read are lost."""
        for entry in form.keys() - known:
            self.add(entry, name)
        self.said.sort()

    def clauses(self, space: Space) -> None:
        """A format without forbidden combinations and fidelity."""
        if space.forbidden or space.required:
            self.add("forbidden and required combinations")
        if space.fidelity is not None:
            self.add("the fidelity")

    def node(self, node: Node, *, conditions: bool = True, default: bool = True) -> None:
        """A format without conditions or defaults."""
        if conditions and node.conditions:
            self.add("its condition", node.name)
        if default and node.parameter.default is not UNSET and not fixed(node.parameter):
            self.add("its default", node.name)

    def order(self, name: str, parameter: Parameter) -> None:
        """A format whose lists of values have no order."""
        if isinstance(parameter, Ordinal) and not fixed(parameter):
            self.add("the order of its values", name)


def fixed(parameter: Parameter) -> bool:
    """Whether it has one value."""
    return isinstance(parameter, Choice) and len(parameter.values) == 1


def on_grid(parameter: Float | Int) -> bool:
    """Whether its upper end is one of its steps, in decimal numbers."""
    low, high, step = (Decimal(repr(x)) for x in (parameter.low, parameter.high, parameter.step))
    return low + (int(parameter.size) - 1) * step == high


def number(value: Any) -> Any:
    """A number that a file may hold as text: YAML reads 1e-3 as text.

    Raises:
        TypeError, ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"{value!r:.80} is no number")
    if not isinstance(value, str):
        return value
    found = float(value)
    return int(value) if value.strip().lstrip("+-").isdigit() else found
