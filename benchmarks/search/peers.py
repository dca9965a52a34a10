"""Tuners behind one interface: `make(space, objectives, seed, budget)`, then `ask()` and `tell(losses)`.

Trials come one after the other: `tell` answers the last `ask`. A tuner without conditional
parameters sees all of them; those that are inactive are dropped from its config.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.search.params import active, pruned, sample


@dataclass(frozen=True)
class Peer:
    """A tuner: how it is made, the package whose version is noted, and what it takes.

    Args:
        several: it takes several objectives.
        choices: it takes choices and conditions.
    """

    make: Callable[..., Any]
    package: str
    several: bool = False
    choices: bool = True

    def takes(self, problem: Any) -> bool:
        """Whether it can search a problem."""
        mixed = any(param.kind == "cat" or param.when for param in problem.space)
        return (self.several or problem.objectives == 1) and (self.choices or not mixed)


class Random:
    def __init__(self, space, objectives, seed, budget):
        self.space, self.rng = space, np.random.default_rng(seed)

    def ask(self):
        return sample(self.space, self.rng)

    def tell(self, losses):
        pass


class Optuna:
    """Define-by-run, conditions included."""

    def __init__(self, space, objectives, sampler):
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.space = space
        self.study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)

    def ask(self):
        self.trial, config = self.study.ask(), {}
        for param in self.space:
            if active(param, config):
                config[param.name] = self._suggested(param)
        return config

    def _suggested(self, param):
        if param.kind == "cat":
            return self.trial.suggest_categorical(param.name, list(param.choices))
        suggest = self.trial.suggest_int if param.kind == "int" else self.trial.suggest_float
        return suggest(param.name, param.low, param.high, log=param.log)

    def tell(self, losses):
        self.study.tell(self.trial, losses)


def optuna_with(kind, **settings):
    def make(space, objectives, seed, budget):
        import optuna

        return Optuna(space, objectives, getattr(optuna.samplers, kind)(seed=seed, **settings))

    return make


class Hyperopt:
    """Conditions are nested choices; each parameter is one node, shared between branches."""

    def __init__(self, space, objectives, seed, budget):
        import hyperopt

        logging.getLogger("hyperopt").setLevel(logging.ERROR)
        self.hyperopt, self.space = hyperopt, space
        self.rng = np.random.default_rng(seed)
        self.nodes = {}
        roots = {param.name: self._node(param) for param in space if not param.when}
        self.domain = hyperopt.base.Domain(lambda _: 0.0, roots)
        self.trials = hyperopt.Trials()

    def _node(self, param):
        if param.name not in self.nodes:
            self.nodes[param.name] = self._new_node(param)
        return self.nodes[param.name]

    def _new_node(self, param):
        hp = self.hyperopt.hp
        if param.kind == "cat":
            return hp.choice(param.name, [self._branch(param, c) for c in param.choices])
        if param.log:
            return hp.loguniform(param.name, math.log(param.low), math.log(param.high))
        draw = hp.uniformint if param.kind == "int" else hp.uniform
        return draw(param.name, param.low, param.high)

    def _branch(self, param, choice):
        below = {
            child.name: self._node(child)
            for child in self.space
            if child.when and child.when[-1][0] == param.name and choice in child.when[-1][1]
        }
        return {"choice": choice, "below": below}

    def ask(self):
        self.trials.refresh()
        number, seed = self.trials.new_trial_ids(1), int(self.rng.integers(2**31 - 1))
        self.trial = self.hyperopt.tpe.suggest(number, self.domain, self.trials, seed)[0]
        chosen = {name: v[0] for name, v in self.trial["misc"]["vals"].items() if v}
        config = {}
        for param in self.space:
            if active(param, config):
                config[param.name] = self._value(param, chosen)
        return config

    def _value(self, param, chosen):
        if param.name not in chosen:  # its last condition holds in hyperopt's tree, an earlier not
            return param.sample(self.rng)
        value = chosen[param.name]
        return param.choices[int(value)] if param.kind == "cat" else param.settled(value)

    def tell(self, losses):
        self.trial["result"] = {"loss": float(losses[0]), "status": self.hyperopt.STATUS_OK}
        self.trial["state"] = self.hyperopt.JOB_STATE_DONE
        self.trials.insert_trial_docs([self.trial])
        self.trials.refresh()


class Nevergrad:
    """NGOpt, its own choice among its optimizers; without conditions."""

    def __init__(self, space, objectives, seed, budget):
        import nevergrad

        warnings.filterwarnings("ignore")
        self.ng, self.space = nevergrad, space
        # a dot in a name would be a path
        self.key = {param.name: param.name.replace(".", "__") for param in space}
        known = nevergrad.p.Dict(**{self.key[p.name]: self._variable(p) for p in space})
        known.random_state.seed(seed)
        kind = nevergrad.optimizers.registry["NGOpt"]
        self.optimizer = kind(parametrization=known, budget=budget, num_workers=1)

    def _variable(self, param):
        if param.kind == "cat":
            return self.ng.p.Choice(list(param.choices))
        kind = self.ng.p.Log if param.log else self.ng.p.Scalar
        variable = kind(lower=param.low, upper=param.high)
        return variable.set_integer_casting() if param.kind == "int" else variable

    def ask(self):
        self.candidate = self.optimizer.ask()
        found = self.candidate.value
        values = {p.name: found[self.key[p.name]] for p in self.space}
        numbers = {p.name: p.settled(values[p.name]) for p in self.space if p.kind != "cat"}
        return pruned(self.space, values | numbers)

    def tell(self, losses):
        self.optimizer.tell(self.candidate, losses[0] if len(losses) == 1 else losses)
