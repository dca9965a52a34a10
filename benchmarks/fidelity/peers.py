"""DEHB and SMAC3's multi-fidelity search, in the form of `tuners`; best in an environment of their own.

What a config had on a lower rung already is not charged again, where it could go on from there.
"""

from __future__ import annotations

import logging
import tempfile

from benchmarks.search.params import pruned

logging.disable(logging.WARNING)


def known(space, seed):
    """The space in ConfigSpace's words, without conditions."""
    import ConfigSpace

    found = ConfigSpace.ConfigurationSpace(seed=seed)
    for p in space:
        if p.kind == "cat":
            found.add(ConfigSpace.CategoricalHyperparameter(p.name, list(p.choices)))
        else:
            kind = (
                ConfigSpace.UniformIntegerHyperparameter
                if p.kind == "int"
                else ConfigSpace.UniformFloatHyperparameter
            )
            found.add(kind(p.name, p.low, p.high, log=p.log))
    return found


class Meter:
    """Evaluates configs at steps and counts what that costs."""

    def __init__(self, problem):
        self.problem, self.reached, self.spent, self.found = problem, {}, 0, []

    def loss(self, values, step):
        plain = {k: v.item() if hasattr(v, "item") else v for k, v in values.items()}
        config = pruned(self.problem.space, plain)
        key = tuple(sorted(config.items()))
        done = self.reached.get(key, 0) if self.problem.fidelity.goes_on else 0
        self.spent += max(step - done, 0)
        self.reached[key] = max(step, done)
        loss = self.problem.loss_at(config, step)
        self.found.append((self.spent, loss, step))
        return loss


def dehb(problem, seed, steps):
    from dehb import DEHB

    meter, fidelity = Meter(problem), problem.fidelity
    with tempfile.TemporaryDirectory(prefix="dehb") as folder:
        optimizer = DEHB(
            cs=known(problem.space, seed), min_fidelity=fidelity.least, max_fidelity=fidelity.most,
            eta=3, seed=seed, n_workers=1, output_path=folder, log_level="ERROR", save_freq=None,
        )  # fmt: skip
        while meter.spent < steps:
            job = optimizer.ask()
            step = min(max(round(job["fidelity"]), fidelity.least), fidelity.most)
            loss = meter.loss(dict(job["config"]), step)
            optimizer.tell(job, {"fitness": loss, "cost": step})
    return meter.found


def smac(problem, seed, steps):
    from smac import MultiFidelityFacade, Scenario
    from smac.runhistory.dataclasses import TrialValue

    meter, fidelity = Meter(problem), problem.fidelity
    with tempfile.TemporaryDirectory(prefix="smac") as folder:
        scenario = Scenario(
            known(problem.space, seed), n_trials=10_000, deterministic=True, seed=seed,
            min_budget=fidelity.least, max_budget=fidelity.most, output_directory=folder,
        )  # fmt: skip
        optimizer = MultiFidelityFacade(
            scenario,
            lambda config, seed=0, budget=0: 0.0,  # noqa: ARG005 - it looks at the names
            overwrite=True,
            logging_level=False,
        )
        while meter.spent < steps:
            info = optimizer.ask()
            step = min(max(round(info.budget), fidelity.least), fidelity.most)
            loss = meter.loss(dict(info.config), step)
            optimizer.tell(info, TrialValue(cost=loss))
    return meter.found
