"""Ends a search when going on is believed not to be worth it.

The question is how much better than the best config so far any config can be. Functions are drawn from
the Gaussian process over many configs; in each, the regret is what its lowest value lies below its value
at the config that is best by the posterior mean. The search ends when regret <= tolerance in 95 % of them.

That is what the process believes, and it is too sure: as many trials again brought more than the least
tolerance with which it would have ended in half of the forecasts (benchmarks/results/enough.md). So a
FACTOR-th of the tolerance is asked of it, and the same of what the halvings of the search brought. Both
were chosen on one half of the problems, for one forecast in ten to be passed, and looked up on the other.
And it counts only
- after 5 + 3 d trials with a value (60 at most, d parameters),
- if 90 % intervals cover 80 % of the trials, each left out in turn,
- if it held three trials before, too, and
- if three random configs, tried for this purpose, did not become the best; and it still holds then.

Source: Wilson 2024, arXiv:2402.16811 (the criterion). Differs: draws at candidates instead of bounds, and
the guards.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.errors import SpecError
from assay.core.protocols import ExhaustedError, Proposal, Sampler
from assay.core.rng import stream
from assay.core.space import Space
from assay.math.checks import Array
from assay.math.gp import Posterior, SingularError
from assay.math.gp_paths import Paths
from assay.math.halvings import brought
from assay.math.threads import one_thread
from assay.samplers.gp import model_of
from assay.samplers.gp_history import memory_of
from assay.samplers.gp_search import search
from assay.samplers.random import Random

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

SURE = 0.95
DRAWS = 64
PROBES = 3
APART = 3  # trials between two checks
FACTOR = 8.0  # by how much the process, and the record, are too sure
COVERED, WITHIN = 0.8, 1.6448536269514722  # the share of trials in their 90 % intervals
FEWEST, EACH, MOST = 5, 3, 60


@dataclass(frozen=True)
class Outlook:
    """What going on could bring.

    Attributes:
        regrets: how much better than the best so far some config is, in each drawn function, (DRAWS,),
            in the units of the objective.
        covered: the share of trials inside their 90 % intervals, each left out in turn.
        brought: what the halvings of the search so far brought, in the same units.
    """

    regrets: Array
    covered: float
    brought: float

    def chance(self, tolerance: float) -> float:
        """The share of the drawn functions in which no config is better by more than `tolerance`."""
        return float(np.mean(self.regrets <= tolerance))

    def holds(self, tolerance: float) -> bool:
        """Whether the process and the record are sure enough that no more than `tolerance` is left."""
        own = tolerance / FACTOR
        return self.chance(own) >= SURE and self.brought <= own


@dataclass(frozen=True)
class Enough:
    """What `inner` proposes, until the process sees no config that is better by more than `tolerance`.

    Args:
        inner: any sampler of a search for one objective.
        tolerance: what is not worth going on for, in the units of the objective, > 0.
        sign: 1 to minimise, -1 to maximise.
        seed: of the drawn functions.

    Raises:
        SpecError: a tolerance that is no number above 0.
    """

    inner: Sampler
    tolerance: float
    sign: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        given: Any = self.tolerance
        number = isinstance(given, int | float) and not isinstance(given, bool)
        if not number or not (0 < given < math.inf):
            raise SpecError(
                "The search ends when no config can be better by more than a number above 0, in the "
                f"units of the objective, got {given!r}."
            )

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: it is enough, or `inner` has no more.
        """
        probed = _probes(history)
        seen = self.outlook(space, history)
        if seen is None or not self._holds(space, history, seen, again=probed == 0):
            return self.inner.ask(space, history, rng)
        if probed < PROBES:
            config = Random().ask(space, history, rng).config
            return Proposal(config, {"sampler": "random", "probe": probed + 1})
        if history.running():
            return self.inner.ask(space, history, rng)
        raise ExhaustedError(
            f"it is enough: in {100 * seen.chance(self.tolerance):.0f} % of the functions that the model "
            f"believes in no config is better by more than {self.tolerance:g} (expected gain "
            f"{seen.regrets.mean():.2g}), and {PROBES} random configs were not better either"
        )

    def outlook(self, space: Space, history: History) -> Outlook | None:
        """What going on could bring; None as long as too little is known."""
        losses = [self.sign * end.values[0] for _, end in history.told()]
        if len(losses) < min(FEWEST + EACH * len(space), MOST):
            return None
        memory = memory_of(space, history, self.sign)
        try:
            with one_thread(), np.errstate(all="ignore"):
                model = model_of(memory, history)
                rng = stream(self.seed, "outlook", history.n_trials)
                found = search(model.surface, model.points, rng).points
                points = np.concatenate([model.points[:1], found])
                drawn = Paths(model.posterior, DRAWS, rng).values(memory.encoding.rows(points))[
                    :, 1:
                ]
        except SingularError:
            return None
        best, lowest = model.targets.loss(drawn[0]), model.targets.loss(drawn.min(axis=0))
        return Outlook(np.asarray(best - lowest), _covered(model.posterior), brought(losses))

    def _holds(self, space: Space, history: History, seen: Outlook, *, again: bool) -> bool:
        if seen.covered < COVERED or not seen.holds(self.tolerance):
            return False
        if not again:
            return not _best_is_a_probe(history, self.sign)
        number = history.n_trials - APART
        before = self.outlook(space, history.at(history.asked_at(number))) if number > 0 else None
        return before is not None and before.holds(self.tolerance)


def _covered(posterior: Posterior) -> float:
    """The share of targets in the 90 % intervals of a process that has not seen them."""
    left_out = posterior.weights / np.sqrt(np.diagonal(posterior.inverse))
    return float(np.mean(np.abs(left_out) <= WITHIN))


def _probes(history: History) -> int:
    """How many of the newest trials are probes of this rule."""
    count = 0
    for number in reversed(range(history.n_trials)):
        if "probe" not in (history.why(number) or {}):
            break
        count += 1
    return count


def _best_is_a_probe(history: History, sign: float) -> bool:
    told = [(sign * end.values[0], number) for number, end in history.told()]
    return bool(told) and "probe" in (history.why(min(told)[1]) or {})
