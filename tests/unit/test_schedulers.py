"""Every scheduler keeps the contract."""

from __future__ import annotations

import pytest

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.halving import Halving
from assay.schedulers.percentile import Percentile
from assay.schedulers.racing import Racing
from assay.schedulers.thaw import Thaw, ThawStopping
from assay.testing.scheduler_contract import SchedulerContract


class TestAsha(SchedulerContract):
    def make(self, sign):
        return Asha(self.fidelity, sign)


class TestAshaWithBrackets(SchedulerContract):
    def make(self, sign):
        return Asha(self.fidelity, sign, brackets=None)

    trials = 60


class TestAshaOnSubsets(SchedulerContract):
    fidelity = Fidelity("rows", 10, 90, "subset")

    def make(self, sign):
        return Asha(self.fidelity, sign)


class TestAshaOnFolds(SchedulerContract):
    fidelity = Fidelity("fold", 1, 9, "folds")

    def make(self, sign):
        return Asha(self.fidelity, sign)


class TestAshaStopping(SchedulerContract):
    def make(self, sign):
        return AshaStopping(self.fidelity, sign)


class TestAshaStoppingWithBrackets(SchedulerContract):
    def make(self, sign):
        return AshaStopping(self.fidelity, sign, eta=2, brackets=3)


class TestHalving(SchedulerContract):
    def make(self, sign):
        return Halving(self.fidelity, sign)


class TestHyperband(SchedulerContract):
    def make(self, sign):
        return Halving(self.fidelity, sign, brackets=None)

    trials = 49


class TestThawByRank(SchedulerContract):
    def make(self, sign):
        return Thaw(self.fidelity, sign)


class TestThawStoppingByRank(SchedulerContract):
    def make(self, sign):
        return ThawStopping(self.fidelity, sign)


class TestMedian(SchedulerContract):
    def make(self, sign):
        return Percentile(self.fidelity, sign)


class TestPercentile(SchedulerContract):
    def make(self, sign):
        return Percentile(self.fidelity, sign, percent=20.0, warm_up=3, least_trials=2)


class TestRacing(SchedulerContract):
    fidelity = Fidelity("fold", 1, 5, "folds")
    looks_ahead = True

    def make(self, sign):
        return Racing(self.fidelity, sign)


class TestRacingByTheTestAlone(SchedulerContract):
    fidelity = Fidelity("fold", 1, 10, "folds")
    looks_ahead = True

    def make(self, sign):
        return Racing(self.fidelity, sign, forgiving=False)


class Several(SchedulerContract):
    """Two objectives that mostly agree; the second has its own scale and its own order."""

    def told(self, curve):
        def several(trial, step):
            value = curve(trial, step)
            return None if value is None else (value, 100 * value * (1 + trial * 7 % 11 / 20))

        return several


class TestAshaOfSeveral(Several):
    def make(self, sign):
        return Asha(self.fidelity, (sign, sign))


class TestAshaOfSeveralOnFolds(Several):
    fidelity = Fidelity("fold", 1, 9, "folds")

    def make(self, sign):
        return Asha(self.fidelity, (sign, sign))


class TestAshaStoppingOfSeveral(Several):
    def make(self, sign):
        return AshaStopping(self.fidelity, (sign, sign))


class TestHyperbandOfSeveral(Several):
    def make(self, sign):
        return Halving(self.fidelity, (sign, sign), brackets=None)

    trials = 49


class TestMedianOfSeveral(Several):
    def make(self, sign):
        return Percentile(self.fidelity, (sign, sign))


EPOCHS = Fidelity("epochs", 1, 27)
ROWS = Fidelity("rows", 10, 90, "subset")
FOLDS = Fidelity("fold", 1, 5, "folds")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Asha(EPOCHS, 0.0), "1 to minimise and -1 to maximise"),
        (lambda: Asha(EPOCHS, eta=1), "eta needs a whole number >= 2, got 1"),
        (lambda: Asha(EPOCHS, brackets=5), r"from 1 to 4.*\(1, 3, 9, 27\), got 5"),
        (lambda: Halving(EPOCHS, brackets=0), "from 1 to 4"),
        (lambda: AshaStopping(ROWS), "Use 'asha'"),
        (lambda: Percentile(ROWS), "Use 'asha'"),
        (lambda: Percentile(FOLDS), "'racing' for folds"),
        (lambda: Percentile(EPOCHS, percent=100), "between 0 and 100, got 100"),
        (lambda: Percentile(EPOCHS, warm_up=1.5), "warm_up needs a whole number >= 0, got 1.5"),
        (lambda: Percentile(EPOCHS, least_trials=0), "least_trials needs a whole number >= 1"),
        (lambda: Thaw(ROWS), "Use 'asha'"),
        (lambda: Asha(EPOCHS, parts=1), "parts needs a whole number >= 2, got 1"),
        (lambda: AshaStopping(FOLDS, parts=2), "Folds begin with the first"),
        (lambda: AshaStopping(EPOCHS, parts=3, brackets=3), r"from 1 to 2.*\(9, 27\), got 3"),
        (lambda: Asha(EPOCHS, (1.0, 0.0)), "1 to minimise and -1 to maximise"),
        (lambda: Thaw(EPOCHS, (1.0, 1.0)), "2 objectives. Use 'asha' where trials keep"),
        (lambda: ThawStopping(EPOCHS, (1.0, 1.0)), "else 'asha-stopping'"),
        (lambda: Racing(FOLDS, (1.0, -1.0)), "Racing expects one value.*RacingFronts"),
        (lambda: ThawStopping(FOLDS), "'racing' for folds"),
        (lambda: Thaw(EPOCHS, parts=1), "parts needs a whole number >= 2, got 1"),
        (lambda: Thaw(EPOCHS, parts=None), "parts needs a whole number >= 2, got None"),
        (lambda: Racing(EPOCHS), "Racing is for folds"),
        (lambda: Racing(FOLDS, alpha=0), "alpha needs a number between 0 and 1, got 0"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_the_refusals_are_specification_errors():
    with pytest.raises(SpecError):
        Racing(EPOCHS)
