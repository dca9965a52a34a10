from assay.samplers.tpe import Tpe
from assay.samplers.unique import Unique
from assay.testing.sampler_contract import SamplerContract


class TestTpe(SamplerContract):
    def make(self, space):
        return Tpe(start=2, candidates=8)


class TestTpeDefault(SamplerContract):
    def make(self, space):
        return Tpe()


class TestUniqueTpe(SamplerContract):
    never_repeats = True

    def make(self, space):
        return Unique(Tpe(start=2))
