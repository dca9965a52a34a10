from assay.core.errors import SpaceError
from assay.samplers.cmaes import CmaEs, _free
from assay.samplers.unique import Unique
from assay.testing.sampler_contract import SamplerContract


class TestCmaEs(SamplerContract):
    def make(self, space):
        return CmaEs()

    def refuses(self, space):
        try:
            return not _free(space)
        except SpaceError:
            return True


class TestUniqueCmaEs(TestCmaEs):
    def make(self, space):
        return Unique(CmaEs())
