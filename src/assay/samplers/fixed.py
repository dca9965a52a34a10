"""A list of configs, in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpaceError
from assay.core.jsonform import canonical
from assay.core.parameters import plain
from assay.core.protocols import ExhaustedError, Proposal
from assay.core.space import Space

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History


@dataclass(frozen=True, eq=False)
class Fixed:
    """The given configs, one after the other, repeated ones too.

    Args:
        configs: parameters that are left out take their defaults.

    Raises:
        SpaceError: no configs, or one that is no mapping of JSON values.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Fixed([{"depth": 3}]).ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).config
    {'depth': 3}
    """

    configs: Sequence[Mapping[str, Any]]

    def __post_init__(self) -> None:
        given: Any = self.configs
        listed = list(given) if isinstance(given, Sequence) and not isinstance(given, str) else []
        if not listed or not all(isinstance(config, Mapping) for config in listed):
            raise SpaceError(
                f"Fixed needs a list of one config or more, such as [{{'depth': 3}}], "
                f"got {given!r:.120}."
            )
        object.__setattr__(self, "configs", tuple(plain(dict(config)) for config in listed))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fixed):
            return NotImplemented
        return self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def _text(self) -> str:
        return canonical(list(self.configs))  # by JSON text: to Python, 1 == True == 1.0

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """Config number `history.n_sampled` of the list; `rng` is not used.

        Raises:
            ExhaustedError: all were proposed.
            SpaceError: the config does not fit the space.
        """
        index = history.n_sampled
        if index >= len(self.configs):
            raise ExhaustedError(f"all {len(self.configs):,} given configs were tried")
        try:
            config = space.settle(self.configs[index])
        except SpaceError as error:
            raise SpaceError(f"Given config {index} does not fit the space: {error}") from None
        return Proposal(config, {"sampler": "fixed", "index": index})
