from assay.samplers.evolution import Evolution
from assay.samplers.unique import Unique
from assay.testing.sampler_contract import SamplerContract


class TestEvolution(SamplerContract):
    def make(self, space):
        return Evolution(population=4, tournament=2)


class TestUniqueEvolution(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Evolution(population=4))
