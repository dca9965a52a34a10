"""The samplers that learn from trials keep the contract, alone and as a study uses them."""

from __future__ import annotations

import pytest

from assay.core.errors import SpaceError
from assay.core.history import History
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.auto import Auto
from assay.samplers.cmaes import CmaEs
from assay.samplers.evolution import Evolution
from assay.samplers.gp import Gp
from assay.samplers.tpe import Tpe
from assay.samplers.unique import Unique
from assay.testing import sampler_contract
from assay.testing.sampler_contract import SamplerContract, grown

NUMERIC = Space(depth=Int(1, 6), size=Ordinal([1, 2, 4]), kind=Constant("tree"))


class TestTpe(SamplerContract):
    def make(self, space):
        return Tpe(start=2, candidates=8)


class TestUniqueTpe(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Tpe(start=2))


class TestEvolution(SamplerContract):
    def make(self, space):
        return Evolution(population=4, tournament=2)


class TestUniqueEvolution(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Evolution(population=4))


class TestCmaEs(SamplerContract):
    def make(self, space):
        return CmaEs()

    def refuses(self, space):
        nodes = space.nodes.values()
        unordered = [n for n in nodes if type(n.parameter) is Choice and n.parameter.size > 1]
        varying = [n for n in nodes if n.parameter.size > 1]
        return bool(unordered or any(n.conditions for n in nodes) or not varying)

    @pytest.fixture(autouse=True)
    def numeric(self, monkeypatch):
        """The finite space of some tests has a choice; here it has an order."""
        monkeypatch.setattr(sampler_contract, "FINITE", NUMERIC)

    def test_the_order_of_parameters_makes_no_difference(self):
        space = Space(b=Float(0, 1), a=Int(1, 50), c=Ordinal(["x", "y"]))
        other = Space(c=Ordinal(["x", "y"]), a=Int(1, 50), b=Float(0, 1))
        history = grown(self.make(space), space, 20)
        assert self._said(space, history, 0) == self._said(other, history, 0)

    @pytest.mark.parametrize(
        ("space", "reason"),
        [
            (Space(a=Choice(["x", "y"]), b=Float(0, 1)), "choice 'a'"),
            (Space(a=Int(0, 1), b=When("a", 1, Float(0, 1))), "conditional parameter 'b'"),
            (Space(a=Constant(1)), "all of this space are constant"),
        ],
    )
    def test_what_it_cannot_search_is_named(self, space, reason):
        with pytest.raises(SpaceError, match=reason):
            self.make(space).ask(space, History(), stream(0))


class TestUniqueCmaEs(TestCmaEs):
    never_repeats = True

    def make(self, space):
        return Unique(CmaEs())


class TestGp(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Gp(seed=3)


class TestUniqueGp(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Gp(seed=3))


class TestAuto(SamplerContract):
    def make(self, space):
        return Auto(seed=3)


class TestUniqueAuto(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Auto(seed=3))
