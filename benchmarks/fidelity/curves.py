"""Surrogates of real tuning runs whose trials can be evaluated in part.

`yahpo:lcbench/<task>/<target>`: a network, 1 to 52 epochs, reported one by one.
`yahpo:rbv2_xgboost/<task>/<target>`: boosted trees on a share of the rows, 1 to 27 of 27; more rows
mean a training anew.
"""

from __future__ import annotations

from functools import cache

import assay
from benchmarks.search.yahpo import Surrogate

_FIDELITIES = {
    "lcbench": ("epoch", assay.Fidelity("epochs", 1, 52), 1.0),
    "rbv2_xgboost": ("trainsize", assay.Fidelity("rows", 1, 27, "subset"), 27.0),
}


class Curve(Surrogate):
    """A problem with a fidelity; `losses_until` gives all that a trial would report.

    With several targets, "val_accuracy+time", each is a list of losses.
    """

    def __init__(self, name):
        super().__init__(name)
        self.input, self.fidelity, self.divisor = _FIDELITIES[self.scenario]

    def losses_until(self, config, until):
        """The losses at steps 1 to `until`; free of noise."""
        return self._curve(tuple(sorted(config.items())))[:until]

    def loss_at(self, config, step):
        return self._curve(tuple(sorted(config.items())))[step - 1]

    @cache  # noqa: B019 - one problem a process
    def _curve(self, config):
        steps = range(1, self.fidelity.most + 1)
        # what a config says comes first in `_outputs`, what is fixed last: so it is left out there
        fixed, self.fixed = self.fixed, {k: v for k, v in self.fixed.items() if k != self.input}
        configs = [{**dict(config), self.input: step / self.divisor} for step in steps]
        if self.input == "epoch":
            configs = [{**c, "epoch": step} for c, step in zip(configs, steps, strict=True)]
        try:
            found = self.many(configs)
            return found if self.objectives > 1 else [losses[0] for losses in found]
        finally:
            self.fixed = fixed
