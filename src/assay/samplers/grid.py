"""Grid search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from assay.core.combinations import Block, combinations
from assay.core.errors import SpaceError
from assay.core.protocols import ExhaustedError, Proposal
from assay.core.space import Node, Space

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

MOST_CONFIGS = 1_000_000


@dataclass(frozen=True)
class Grid:
    """Every combination of evenly spread values, in alphabetical order of the parameters.

    A parameter that is not active takes no part, so no config comes twice; clauses are applied, and
    configs that were tried already (the control's, given ones) are skipped.

    Args:
        points: values of each numeric or ordinal parameter, ends included; a choice has all of its.

    Raises:
        SpaceError: points is not a whole number >= 1.

    >>> from assay.core.parameters import Choice, Float, When
    >>> booster = Choice(["tree", "linear"])
    >>> space = Space(booster=booster, subsample=When("booster", "tree", Float(0.3, 1.0)))
    >>> Grid(points=3).size(space)
    4
    """

    points: int = 5

    def __post_init__(self) -> None:
        points: Any = self.points
        if isinstance(points, bool) or not isinstance(points, int) or points < 1:
            raise SpaceError(f"Grid(points=…) needs a whole number >= 1, got {points!r}.")

    def size(self, space: Space) -> int:
        """How many configs the grid has, clauses applied.

        Raises:
            SpaceError: more than a million before clauses are applied.
        """
        block = self._block(space)
        if not (space.forbidden or space.required):
            return int(block.size)
        return sum(space.allowed(config_at(space, block, i)) for i in range(int(block.size)))

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config of the grid that is allowed and was not tried; `rng` is not used.

        Raises:
            ExhaustedError: there is none.
            SpaceError: the grid has more than a million configs, or the clauses allow none.
        """
        block = self._block(space)
        for index in range(_next_index(history), int(block.size)):
            config = config_at(space, block, index)
            if space.allowed(config) and history.find(config) is None:
                return Proposal(config, {"sampler": "grid", "index": index})
        size = self.size(space)
        if size == 0:
            raise SpaceError(
                f"The clauses forbid all {block.size:,} configs of the grid. "
                "Loosen them, or take more points."
            )
        raise ExhaustedError(f"all {size:,} configs of the grid were tried")

    def _block(self, space: Space) -> Block:
        block = combinations(_alphabetical(space), self.points)
        if block.size > MOST_CONFIGS:
            raise SpaceError(
                f"A grid of {self.points} points has {block.size:,} configs here, more than "
                f"{MOST_CONFIGS:,}. Take fewer points or parameters, or another sampler."
            )
        return block


def _alphabetical(space: Space) -> list[Node]:
    """Parents before children, else by name: equal spaces give equal grids."""
    placed: dict[str, Node] = {}
    waiting = sorted(space.nodes.values(), key=lambda node: node.name)
    while waiting:
        ready = next(n for n in waiting if all(parent in placed for parent, _ in n.conditions))
        waiting.remove(ready)
        placed[ready.name] = ready
    return list(placed.values())


def config_at(space: Space, block: Block, index: int) -> dict[str, Any]:
    """Combination number `index`, with its parameters in the order of the space."""
    found: dict[str, Any] = {}
    block.put(index, found)
    return {name: found[name] for name in space.names if name in found}


def _next_index(history: History) -> int:
    """One after the grid's newest config: those before it were tried, or are not allowed.

    A pure function of the history all the same; without it, each ask would walk from the start.
    """
    for number in reversed(range(history.n_trials)):
        if history.origin(number) == "sampler":
            why = history.trial(number).why or {}
            return int(why["index"]) + 1 if why.get("sampler") == "grid" else 0
    return 0
