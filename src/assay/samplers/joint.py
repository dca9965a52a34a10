"""Which config to start, and which trials deserve more, by one process over configs and steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.core.runs import Run
from assay.math.acquisition import log_ei
from assay.math.checks import Array
from assay.math.gp import SingularError
from assay.math.threads import one_thread
from assay.samplers.gp_beliefs import Beliefs
from assay.samplers.gp_history import Memory, memory_of
from assay.samplers.gp_knowledge import knowledge, known_start
from assay.samplers.gp_search import Found, Surface, search
from assay.samplers.joint_model import Belief, InFull, belief, in_full
from assay.samplers.sobol import Sobol
from assay.samplers.unique import Unique

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History
    from assay.core.space import Space

FEWEST_STARTS, MOST_STARTS = 6, 16
SPREAD_EVERY = 6
"""One start in so many is spread over the space: first steps may mislead the model."""


@dataclass(frozen=True)
class Joint:
    """Configs with the largest expected improvement in full, from trials that were evaluated in part.

    After d + 1 evenly spread starts (6 to 16), and but for one start in six, which is spread, too.
    For one objective and a fidelity of kind "epochs" or "subset".

    Args:
        steps: the rungs whose losses count; the last is the full fidelity.
        seed: chooses the spread configs.
        sign: 1 if values are minimised, -1 if they are maximised.
        beliefs: of the user, see `assay.samplers.gp_beliefs`: they fade and fall silent as for `Gp`.

    Sources: see `assay.samplers.joint_model`.
    """

    steps: tuple[int, ...]
    seed: int = 0
    sign: float = 1.0
    beliefs: Beliefs = ()

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: every config of the space was tried.
            SpaceError: the clauses allow next to nothing.
        """
        memory = memory_of(space, history, self.sign)
        with one_thread(), np.errstate(all="ignore"):
            if not ready(space, history):
                start = known_start(memory, history, self.beliefs, self.seed)
                return start or self._spread(space, history, rng, {"design": "sobol"})
            if history.n_trials % SPREAD_EVERY == SPREAD_EVERY - 1:
                return self._spread(space, history, rng, {"design": "sobol"})
            try:
                found = self._from_model(memory, history, rng)
            except SingularError as error:
                said = {"fallback": "sobol", "reason": str(error)}
                return self._spread(space, history, rng, said)
        said = {"fallback": "sobol", "reason": "nothing new was found"}
        return found or self._spread(space, history, rng, said)

    def promises(self, space: Space, history: History, apart: int | None) -> list[float | None]:
        """For each trial that may get more: see `assay.core.runs.Run.promise`; None for the others.

        All are None while too few trials have started, or in numerical trouble.

        Args:
            space: of the configs.
            history: what is known.
            apart: the running trial that is judged; None: of all that run it is believed that they end.
        """
        runs = history.runs()
        nothing: list[float | None] = [None] * len(runs)
        if not ready(space, history):
            return nothing
        memory = memory_of(space, history, self.sign)
        rng = stream(self.seed, "promises", len(runs))
        with one_thread(), np.errstate(all="ignore"):
            try:
                held = belief(memory, history, self.steps, apart=apart)
                if not held.complete:
                    return _first_to_finish(held, runs)
                new = self._search(memory, history, held, rng)
            except SingularError:
                return nothing
        return _promises(held, runs, new, self.steps[-1], goes_on=_goes_on(history))

    def _from_model(self, memory: Memory, history: History, rng: Generator) -> Proposal | None:
        held = belief(memory, history, self.steps)
        found = self._search(memory, history, held, rng)
        new = np.flatnonzero(~memory.tried(found.points, history) & np.isfinite(found.scores))
        if not len(new):
            return None
        point = found.points[new[0]]
        row = memory.encoding.rows(point[None])
        mean = float(held.posterior.predict(in_full(row))[0][0])
        why: dict[str, Any] = {
            "sampler": "gp",
            "acquisition": "logEI in full",
            "mean": float(f"{memory.sign * float(held.targets.loss(np.array([mean]))[0]):.6g}"),
            "transform": held.targets.name,
            "n": history.n_trials,
        }
        return Proposal(memory.encoding.config(point), why)

    def _search(self, memory: Memory, history: History, held: Belief, rng: Generator) -> Found:
        term = InFull(held.posterior, held.best)
        scale = held.posterior.scale[:-1]
        surface = Surface(memory.encoding, [term], scale, len(held.posterior.targets))
        surface = surface.plus(knowledge(memory, history, self.beliefs))
        if memory.listed is not None:
            return Found(memory.listed, surface.score(memory.listed)).best_first()
        ranked = memory.points(np.argsort(held.means, kind="stable"))
        return search(surface, ranked, rng)

    def _spread(
        self, space: Space, history: History, rng: Generator, said: dict[str, Any]
    ) -> Proposal:
        config, why = Unique(Sobol(self.seed)).ask(space, history, rng)
        return Proposal(config, {**(why or {}), **said, "sampler": "gp"})


@dataclass(frozen=True)
class Forecast:
    """What the trials of one study promise; a `Forecast` of `assay.core.protocols`."""

    joint: Joint
    space: Space

    def promises(self, history: History, apart: int | None = None) -> Sequence[float | None]:
        """As `Joint.promises`."""
        return self.joint.promises(self.space, history, apart)


def ready(space: Space, history: History) -> bool:
    """Whether enough trials have started, and reported something, for the model to speak."""
    enough = min(max(len(space) + 1, FEWEST_STARTS), MOST_STARTS)
    return history.n_trials >= enough and sum(bool(run.curve) for run in history.runs()) >= 2


def _goes_on(history: History) -> bool:
    return history.fidelity is None or history.fidelity.goes_on


def _first_to_finish(held: Belief, runs: Sequence[Run]) -> list[float | None]:
    """While no trial is complete: the one that is expected to be best goes on, and no other.

    Where nothing is paused, and what is stopped is lost, the one that has come furthest: with several
    workers the best changes often, and none would ever get to the end.
    """
    open_ones = [run for run in runs if run.curve and run.state in ("running", "paused")]
    found: list[float | None] = [None] * len(runs)
    if not open_ones:
        return found
    paused = any(run.state == "paused" for run in open_ones)
    best = min(open_ones, key=lambda r: (0 if paused else -r.step, held.means[r.trial], r.trial))
    for run in open_ones:
        found[run.trial] = math.inf if run is best else -math.inf
    return found


def _promises(
    held: Belief, runs: Sequence[Run], new: Found, most: int, *, goes_on: bool
) -> list[float | None]:
    finite = new.scores[np.isfinite(new.scores)]
    another = (float(finite.max()) if len(finite) else -math.inf) - math.log(most)
    gains: Array = log_ei(held.means, held.variances, held.best)
    found: list[float | None] = []
    for run, gain in zip(runs, gains.tolist(), strict=True):
        if run.state not in ("running", "paused") or not run.curve:
            found.append(None)
            continue
        rest = max(most - run.step, 1) if goes_on else most
        found.append(gain - math.log(rest) - another)
    return found
