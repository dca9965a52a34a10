"""A sampler that never repeats a config of a finite space."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpaceError
from assay.core.protocols import ExhaustedError, Proposal, Sampler
from assay.core.space import Space
from assay.samplers.cube import SparseError
from assay.samplers.grid import config_at
from assay.samplers.random import Random

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

MOST_CONFIGS = 1_000_000
_SAME_AGAIN = 4
_RANDOM = 60


@dataclass(frozen=True)
class Unique:
    """What `inner` proposes, or something else where that was tried before.

    A proposal that the history has is replaced: by asking `inner` again, which helps if it is
    random, then by random configs, and at last by one of those that are left. Spaces that are
    continuous, or have more than a million configs, are left to `inner`.

    Args:
        inner: any sampler.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Unique(Random()).ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).why
    {'sampler': 'random'}
    """

    inner: Sampler

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """A config that was not tried; `why` says which trial the first proposal would repeat.

        Raises:
            ExhaustedError: every config of the space was tried, or `inner` has no more.
            SpaceError: no config of the space is allowed.
        """
        if space.size > MOST_CONFIGS:
            return self.inner.ask(space, history, rng)
        why: dict[str, Any] = {}
        for sampler in chain(repeat(self.inner, _SAME_AGAIN), repeat(Random(), _RANDOM)):
            try:
                proposal = sampler.ask(space, history, rng)
            except SparseError:
                break  # draws do not find what is allowed; listing does
            earlier = history.find(proposal.config)
            if earlier is None:
                return Proposal(proposal.config, (why or proposal.why or {}))
            why = why or {**(proposal.why or {}), "repeats": earlier}
        return Proposal(_one_that_is_left(space, history, rng), why or {"sampler": "unique"})


def _one_that_is_left(space: Space, history: History, rng: Generator) -> dict[str, Any]:
    block = space.combinations
    left, allowed = [], 0
    for index in range(int(block.size)):
        config = config_at(space, block, index)
        if space.allowed(config):
            allowed += 1
            if history.find(config) is None:
                left.append(index)
    if left:
        return config_at(space, block, left[rng.integers(len(left))])
    if allowed:
        raise ExhaustedError(f"all {allowed:,} configs of the space were tried")
    raise SpaceError(f"The clauses forbid all {block.size:,} configs of the space. Loosen them.")
