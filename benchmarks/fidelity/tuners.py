"""Tuners that may evaluate in part, each a function `run(problem, seed, steps)` of a budget in steps.

Each returns a list of (steps spent, loss, steps of the evaluation), one a finished evaluation. What
goes on from a checkpoint is charged for the further steps alone, if the tuner can do that.
"""

from __future__ import annotations

import assay
from benchmarks.search.params import active
from benchmarks.search.tuners import _ours


class Course:
    """A trial under way: its losses on the way, and how far it has come."""

    def __init__(self, problem, trial, config, start, until):
        self.trial, self.step, self.until = trial, start, until
        self.losses = problem.losses_until(config, until)

    @property
    def loss(self):
        return self.losses[self.step - 1]


def ours(scheduler, sampler="auto", at_once=1):
    """So many trials at once, each a step further by turns, as workers of equal speed would do it."""

    def run(problem, seed, steps):
        space = assay.Space({p.name: _ours(p) for p in problem.space}, fidelity=problem.fidelity)
        study = assay.Study(space, seed=seed, sampler=sampler, scheduler=scheduler)
        whole = problem.fidelity.goes_on
        spent, found, running = 0, [], []
        while spent < steps:
            while len(running) < at_once:
                trial = study.ask()
                start = trial.from_step if whole else 0
                running.append(Course(problem, trial, trial.config, start, trial.to_step))
            one = running.pop(0)
            if whole:
                one.step, spent = one.step + 1, spent + 1
            else:
                one.step, spent = one.until, spent + one.until
            cut = False
            if whole and scheduler is not None:
                one.trial.report(one.step, one.loss)
                cut = one.trial.should_stop()
            if cut or one.step == one.until:
                if not cut:
                    study.tell(one.trial, one.loss)
                found.append((spent, one.loss, one.step))
            else:
                running.append(one)
        return found

    return run


def optuna(pruner, sampler="TPESampler"):
    def run(problem, seed, steps):
        import optuna as lib

        lib.logging.set_verbosity(lib.logging.ERROR)
        fidelity = problem.fidelity
        pruners = {
            "hyperband": lambda: lib.pruners.HyperbandPruner(1, fidelity.most, 3),
            "median": lib.pruners.MedianPruner,
            "asha": lambda: lib.pruners.SuccessiveHalvingPruner(1, 3, 0),
        }
        study = lib.create_study(
            sampler=getattr(lib.samplers, sampler)(seed=seed), pruner=pruners[pruner]()
        )
        spent, found = 0, []
        grid = range(1, fidelity.most + 1) if fidelity.goes_on else fidelity.rungs(3)
        while spent < steps:
            trial, config = study.ask(), {}
            for param in problem.space:
                if active(param, config):
                    if param.kind == "cat":
                        value = trial.suggest_categorical(param.name, list(param.choices))
                    else:
                        suggest = trial.suggest_int if param.kind == "int" else trial.suggest_float
                        value = suggest(param.name, param.low, param.high, log=param.log)
                    config[param.name] = value
            before, pruned = 0, False
            for step in grid:
                spent += step - before if fidelity.goes_on else step
                before = step
                loss = problem.loss_at(config, step)
                trial.report(loss, step)
                if step < fidelity.most and trial.should_prune():
                    pruned = True
                    break
            found.append((spent, loss, step))
            if pruned:
                study.tell(trial, state=lib.trial.TrialState.PRUNED)
            else:
                study.tell(trial, loss)
        return found

    return run


TUNERS = {
    "assay-full": ours(None),
    "assay-auto": ours("auto"),
    "assay-full-4": ours(None, at_once=4),
    "assay-auto-4": ours("auto", at_once=4),
    "assay-thaw": ours("thaw"),
    "assay-thaw-stopping": ours("thaw-stopping"),
    "assay-asha": ours("asha"),
    "assay-asha-random": ours("asha", "random"),
    "assay-median": ours("median"),
    "assay-hyperband": ours("hyperband"),
    "optuna-hyperband": optuna("hyperband"),
    "optuna-median": optuna("median"),
    "optuna-asha": optuna("asha"),
    "optuna-asha-random": optuna("asha", "RandomSampler"),
}
