"""TPE: compares where the good trials lie with where the others lie."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from assay.core.errors import SpecError
from assay.core.protocols import Proposal
from assay.core.space import Space
from assay.samplers.constraints import Limit, limits_of
from assay.samplers.cube import first_allowed
from assay.samplers.sobol import Sobol
from assay.samplers.tpe_past import Past, past_of
from assay.samplers.tpe_split import Split, split
from assay.samplers.tpe_tree import TreeParzen

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

Array: TypeAlias = npt.NDArray[np.float64]

_ROUNDS = 8
_NARROWEST = 0.06


@dataclass(frozen=True)
class Tpe:
    """Configs that are likely among the good trials and unlikely among the others.

    One density is fitted to the good trials (the best 15 %, at most 25 before 200 trials, then
    growing with the root), one to the rest, failed and running ones included. Of many draws from
    the first, the one with the highest ratio of the two is proposed. Both are mixtures over all
    parameters jointly, and follow the conditions of the space branch by branch. Of several
    objectives the good trials are those on the first fronts. Only ranks matter, so any increasing
    transformation of the values leaves the proposals as they are.

    An ask takes time in proportion to the trials: a millisecond or two at 1,000 trials.

    Args:
        signs: for each objective 1 to minimise, -1 to maximise.
        start: trials with values before the model is asked; evenly spread ones come first.
        candidates: draws that are compared.
        seed: of the first, evenly spread configs.
        constraints: bounds as a study gives them; feasible trials count as better than others.

    Source: Bergstra et al. 2011, NeurIPS 24; constants as in Watanabe 2023, arXiv:2304.11127; several
    objectives as in Ozaki et al. 2022, JAIR 73, 1209-1250. Differs: a good trial's weight follows its
    rank; a parameter under a condition is modelled given those above it; configs that were tried are
    not proposed again where a space is finite.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Float
    >>> from assay.core.rng import stream
    >>> Tpe().ask(Space(x=Float(0, 1)), History(), stream(0, "trial", 0)).why
    {'sampler': 'tpe', 'start': 0}
    """

    signs: tuple[float, ...] = (1.0,)
    start: int = 10
    candidates: int = 24
    seed: int = 0
    constraints: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", tuple(self.signs))
        object.__setattr__(self, "constraints", limits_of(self.constraints))
        for name, least in (("start", 2), ("candidates", 1)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int) or number < least:
                raise SpecError(f"Tpe({name}=…) needs a whole number >= {least}, got {number!r}.")

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The draw that looks most like the good trials and least like the others.

        Raises:
            SpaceError: the clauses allow next to nothing.
        """
        past = past_of(space, history, self.signs, self.constraints)
        told = np.count_nonzero(~np.isnan(past.losses[:, 0]))
        if told < self.start:
            config, why = Sobol(self.seed).ask(space, history, rng)
            return Proposal(config, {"sampler": "tpe", "start": (why or {})["index"]})
        parts = split(past, history.running())
        scores: list[float | None] = []
        points = self._candidates(space, history, past, parts, scores, rng)
        config, misses = first_allowed(space, points)
        why = self._why(past, parts, past.tree.encoded(space, config), scores[misses])
        return Proposal(config, why | {"misses": misses} if misses else why)

    def _candidates(
        self, space: Space, history: History, past: Past, parts: Split,
        scores: list[float | None], rng: Generator,
    ) -> Iterator[list[float]]:  # fmt: skip
        """Points of the unit cube, round by round the best first; random ones when these are used up.

        Their scores are put in `scores`; None for a random one.
        """
        tree = past.tree
        good = _mixture(past, parts.good, parts.good_weights)
        bad = _mixture(past, parts.bad, parts.bad_weights)
        seen: set[tuple[float, ...]] = set()
        for _ in range(_ROUNDS):
            points = good.sample(self.candidates, rng)
            ratio = good.log_density(points) - bad.log_density(points)
            for place in np.argsort(-ratio, kind="stable"):
                point = np.nan_to_num(points[place], nan=0.5).tolist()
                if tuple(point) in seen:
                    continue
                seen.add(tuple(point))
                if np.isinf(space.size) or history.find(tree.config(space, point)) is None:
                    scores.append(float(ratio[place]))
                    yield point
        while True:
            scores.append(None)
            yield rng.random(len(space)).tolist()

    def _why(
        self, past: Past, parts: Split, point: list[float], score: float | None
    ) -> dict[str, Any]:
        why = {"sampler": "tpe", "good": len(parts.good), "nearest": past.nearest(np.array(point))}
        return why | ({"score": float(f"{score:.4g}")} if score is not None else {"random": True})


def _mixture(past: Past, numbers: npt.NDArray[np.intp], weights: Array) -> TreeParzen:
    narrowest = max(_NARROWEST, (1 + len(numbers)) ** -2)
    return TreeParzen(past.tree, past.points[numbers], weights, narrowest=narrowest)
