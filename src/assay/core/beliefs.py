"""What a user thinks before the first trial: that some values are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.parameters import plain
from assay.core.space import Space

Strength: TypeAlias = Literal["weak", "strong"]
STRENGTHS: tuple[str, ...] = get_args(Strength)


@dataclass(frozen=True)
class Belief:
    """A value that is thought to be good. The search starts around it, and forgets it as it learns.

    Args:
        value: of one parameter, in its own units.
        strength: "weak": good values lie in that part of the range; "strong": near it.

    Raises:
        SpecError: an unknown strength.

    >>> Belief(0.03)
    Belief(value=0.03, strength='weak')
    """

    value: Any
    strength: Strength = "weak"

    def __post_init__(self) -> None:
        if self.strength not in STRENGTHS:
            raise SpecError(
                f"A belief is 'weak' or 'strong', got {self.strength!r}. "
                f"{did_you_mean(str(self.strength), STRENGTHS)}"
            )

    def to_json(self) -> dict[str, Any]:
        """A form that `settled` reads."""
        return {"value": plain(self.value), "strength": self.strength}


def settled(space: Space, given: Mapping[str, Any]) -> dict[str, Belief]:
    """The beliefs with their values as the space stores them, by name.

    Args:
        space: whose parameters they speak of.
        given: a `Belief`, or the form that its `to_json` wrote, for some parameters.

    Raises:
        SpecError: an unknown parameter, a value out of its range, or not a belief.

    >>> from assay.core.parameters import Int
    >>> settled(Space(depth=Int(1, 12)), {"depth": Belief(6)})
    {'depth': Belief(value=6, strength='weak')}
    """
    if not isinstance(given, Mapping):
        raise SpecError(
            f"beliefs needs a dict from parameter to belief, got {given!r:.80}. "
            "Write beliefs={'lr': assay.Belief(0.03)}."
        )
    return {name: _settled(space, name, belief) for name, belief in given.items()}


def _settled(space: Space, name: str, given: Any) -> Belief:
    if name not in space.nodes:
        raise SpecError(
            f"A belief is about {name!r}, which is no parameter. {did_you_mean(str(name), space.names)}"
        )
    belief = _read(name, given)
    try:
        return Belief(space[name].settle(belief.value), belief.strength)
    except SpaceError as error:
        raise SpecError(f"The belief about {name!r} does not belong to it: {error}") from None


def _read(name: str, given: Any) -> Belief:
    if isinstance(given, Belief):
        return given
    if isinstance(given, Mapping) and "value" in given and given.keys() <= {"value", "strength"}:
        return Belief(**given)
    raise SpecError(
        f"The belief about {name!r} is not a Belief: {given!r:.80}. Write assay.Belief({given!r:.40}), "
        'or {"value": …, "strength": "weak"} in a file.'
    )
