"""The sampler for those who do not want to choose one: a written policy over the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from assay.core.protocols import Proposal, Sampler
from assay.core.space import Space
from assay.samplers.constraints import Limit, limits_of
from assay.samplers.gp import Gp
from assay.samplers.gp_beliefs import Beliefs
from assay.samplers.tpe import Tpe

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.history import History

MANY_TRIALS = 1_000


@dataclass(frozen=True)
class Auto:
    """The sampler that suits the space and the history so far; `why` names it and the rule.

    The rules, first that applies, each with its evidence in docs/decisions/0012-auto.md:

    - every other ask after 1,000 trials, whose worst the process forgets: TPE;
    - everything else, several objectives and constraints included: the Gaussian process.

    The choice depends on the space and on the history alone, so that it can be replayed.

    Args:
        seed: of the evenly spread configs at the start.
        signs: for each objective 1 to minimise it, -1 to maximise it.
        beliefs: for the Gaussian process, see `assay.samplers.gp_beliefs`.
        constraints: bounds as a study gives them.
        costs: for the Gaussian process, see `assay.samplers.gp_cost`.

    >>> from assay.core.history import History
    >>> from assay.core.parameters import Int
    >>> from assay.core.rng import stream
    >>> Auto().ask(Space(depth=Int(1, 12)), History(), stream(0, "trial", 0)).why
    {'sampler': 'gp', 'index': 0, 'design': 'sobol', 'rule': 'model'}
    """

    seed: int = 0
    signs: tuple[float, ...] = (1.0,)
    beliefs: Beliefs = ()
    constraints: tuple[Limit, ...] = ()
    costs: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "signs", tuple(self.signs))
        object.__setattr__(self, "beliefs", tuple((n, v, s) for n, v, s in self.beliefs))
        object.__setattr__(self, "constraints", limits_of(self.constraints))

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """The next config.

        Raises:
            ExhaustedError: every config of the space was tried.
            SpaceError: the clauses allow next to nothing.
        """
        rule, sampler = self.choice(history)
        config, why = sampler.ask(space, history, rng)
        return Proposal(config, {**(why or {}), "rule": rule})

    def choice(self, history: History) -> tuple[str, Sampler]:
        """The name of the rule that applies, and the sampler that it chooses."""
        if history.n_ended >= MANY_TRIALS and history.n_trials % 2:
            return "many trials", Tpe(self.signs, seed=self.seed, constraints=self.constraints)
        return "model", Gp(self.seed, self.signs, self.constraints, self.beliefs, costs=self.costs)
