"""Every sampler of the package keeps the contract; and the contract catches those that do not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from assay.core.errors import SpaceError
from assay.core.protocols import Proposal
from assay.core.rng import stream
from assay.samplers.cube import first_allowed
from assay.samplers.fixed import Fixed
from assay.samplers.grid import Grid
from assay.samplers.halton import Halton
from assay.samplers.random import Random
from assay.samplers.sobol import Sobol
from assay.samplers.unique import Unique
from assay.testing.sampler_contract import CLAUSES, FINITE, SamplerContract


class TestRandom(SamplerContract):
    def make(self, space):
        return Random()


class TestSobol(SamplerContract):
    def make(self, space):
        return Sobol(seed=3)


class TestHalton(SamplerContract):
    def make(self, space):
        return Halton(seed=3)


class TestGrid(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Grid(points=10)

    def refuses(self, space):
        try:
            return Grid(points=10).size(space) == 0
        except SpaceError:
            return True


class TestFixed(SamplerContract):
    def make(self, space):
        rng = stream(0, "fixed")
        points = iter(lambda: rng.random(len(space)).tolist(), None)
        return Fixed([first_allowed(space, points).config for _ in range(20)])


class TestUniqueRandom(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Random())


class TestUniqueSobol(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Sobol(seed=1))


class TestUniqueHalton(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Halton(seed=1))


# --- planted faults: a contract that catches nothing promises nothing


@dataclass(frozen=True)
class IgnoresClauses:
    def ask(self, space, history, rng):
        return Proposal(space.from_unit(rng.random(len(space)).tolist()))


@dataclass(frozen=True)
class SameStreamForAll:
    def ask(self, space, history, rng):
        return Random().ask(space, history, stream(0, "mine"))


@dataclass(frozen=True)
class GlobalRandomness:
    def ask(self, space, history, rng):
        return Random().ask(space, history, np.random.default_rng())


@dataclass(frozen=True)
class ForgetsNesting:
    def ask(self, space, history, rng):
        point = rng.random(len(space)).tolist()
        pairs = zip(space.names, point, strict=True)
        return Proposal({name: space[name].from_unit(u) for name, u in pairs})


@dataclass(frozen=True)
class GivenOrder:
    def ask(self, space, history, rng):
        return Proposal(space.from_unit(rng.random(len(space)).tolist()))


@dataclass
class NotFrozen:
    def ask(self, space, history, rng):
        return Random().ask(space, history, rng)


FAULTS = [
    (IgnoresClauses, lambda contract: contract._check_configs(CLAUSES, 0, 30)),
    (SameStreamForAll, lambda contract: contract.test_different_trials_get_different_configs()),
    (GlobalRandomness, lambda contract: contract._check_purity(CLAUSES, 0, 3)),
    (ForgetsNesting, lambda contract: contract.test_a_child_of_an_inactive_parent_is_inactive()),
    (NotFrozen, lambda contract: contract.test_settings_are_values()),
    (GivenOrder, lambda contract: contract.test_the_order_of_parameters_makes_no_difference()),
    (Random, lambda contract: contract._check_end(FINITE, 0)),  # it repeats itself
]


@pytest.mark.parametrize(("kind", "check"), FAULTS)
def test_the_contract_catches_planted_faults(kind, check):
    class Faulty(SamplerContract):
        never_repeats = True

        def make(self, space):
            return kind()

    with pytest.raises((AssertionError, pytest.fail.Exception)):
        check(Faulty())
