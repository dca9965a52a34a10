"""Bounds on numbers that an objective returns, such as "latency_ms <= 10"."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.core.errors import SpecError
from assay.core.events import Told

_FORM = re.compile(r"\s*(?P<name>[^<>=]*?)\s*(?P<relation><=|>=|<|>)\s*(?P<bound>[^<>=]*?)\s*")
_EXAMPLE = 'Write the name of a number, <=, <, >= or >, and a number: "latency_ms <= 10".'


@dataclass(frozen=True)
class Constraint:
    """A bound on a number that trials return by name.

    >>> constraint = Constraint.parse("accuracy>=0.9")
    >>> str(constraint), constraint.met(0.95), constraint.excess(0.75)
    ('accuracy >= 0.9', True, 0.15000000000000002)
    """

    name: str
    relation: str
    bound: float

    @classmethod
    def parse(cls, text: Any) -> Constraint:
        """The constraint that a text states.

        Raises:
            SpecError: it is no comparison of one name with one finite number.
        """
        form = _FORM.fullmatch(text) if isinstance(text, str) else None
        if form is None or not form["name"]:
            raise SpecError(f"Cannot read the constraint {text!r:.100}. {_EXAMPLE}")
        try:
            bound = float(form["bound"])
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            raise SpecError(
                f"The constraint {text!r:.100} compares with {form['bound']!r:.40}, which is not a "
                f"finite number. {_EXAMPLE}"
            )
        return cls(form["name"], form["relation"], bound)

    def __str__(self) -> str:
        """The text in one form, so that spaces make no other plan of it."""
        return f"{self.name} {self.relation} {repr(self.bound).removesuffix('.0')}"

    @property
    def sign(self) -> float:
        """+1 where the bound is a largest number, -1 where it is a smallest one."""
        return 1.0 if self.relation.startswith("<") else -1.0

    def excess(self, number: float) -> float:
        """How far a number lies beyond the bound; below 0 where it keeps away from it."""
        return self.sign * (number - self.bound)

    def met(self, number: float) -> bool:
        """Whether a number keeps the bound; NaN does not."""
        return self.excess(number) <= 0 if "=" in self.relation else self.excess(number) < 0


def parsed(texts: Any) -> tuple[Constraint, ...]:
    """The constraints that a list of texts states.

    >>> [str(constraint) for constraint in parsed(["loss < 1", "mb<=5e2"])]
    ['loss < 1', 'mb <= 500']

    Raises:
        SpecError: not a list of texts, or one of them cannot be read.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise SpecError(f"constraints needs a list of texts, got {texts!r:.100}. {_EXAMPLE}")
    return tuple(Constraint.parse(text) for text in texts)


def numbers_of(told: Told, objectives: Sequence[str]) -> dict[str, float]:
    """All numbers of a trial that ended, by name."""
    return {**(told.extra or {}), **dict(zip(objectives, told.values, strict=False))}


def broken(constraints: Iterable[Constraint], numbers: Mapping[str, float]) -> list[Constraint]:
    """The constraints that some numbers do not meet; one that is missing was not finite.

    >>> broken(parsed(["a <= 1", "b > 2"]), {"a": 1.0})
    [Constraint(name='b', relation='>', bound=2.0)]
    """
    return [c for c in constraints if not c.met(numbers.get(c.name, math.nan))]
