"""Tuners with large dependencies, behind the same interface as in `peers`."""

from __future__ import annotations

import logging
import tempfile
import warnings

import numpy as np

from benchmarks.search.params import pruned

_HEBO_KINDS = {
    ("float", False): "num",
    ("float", True): "pow",
    ("int", False): "int",
    ("int", True): "pow_int",
}


def _choice_named(param, text):
    return next(choice for choice in param.choices if str(choice) == str(text))


class Hebo:
    """Without conditions."""

    def __init__(self, space, objectives, seed, budget):
        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.hebo import HEBO

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002 - it draws from the global generator
        self.space = space
        self.optimizer = HEBO(DesignSpace().parse([*map(self._form, space)]), scramble_seed=seed)

    def _form(self, param):
        if param.kind == "cat":
            choices = [str(choice) for choice in param.choices]
            return {"name": param.name, "type": "cat", "categories": choices}
        kind = _HEBO_KINDS[param.kind, param.log]
        form = {"name": param.name, "type": kind, "lb": param.low, "ub": param.high}
        return form | ({"base": 10} if param.log else {})

    def ask(self):
        self.rows = self.optimizer.suggest(n_suggestions=1)
        row = self.rows.iloc[0].to_dict()
        values = {
            p.name: _choice_named(p, row[p.name]) if p.kind == "cat" else p.settled(row[p.name])
            for p in self.space
        }
        return pruned(self.space, values)

    def tell(self, losses):
        self.optimizer.observe(self.rows, np.array([losses]))


class Smac:
    """Conditions are known to it."""

    def __init__(self, space, objectives, seed, budget, facade):
        import ConfigSpace
        import smac
        from smac.runhistory.dataclasses import TrialValue

        logging.disable(logging.WARNING)
        self.space, self.value = space, TrialValue
        known = ConfigSpace.ConfigurationSpace(seed=seed)
        params = {p.name: self._param(ConfigSpace, p) for p in space}
        known.add(list(params.values()))
        for p in space:
            clauses = [
                ConfigSpace.InCondition(params[p.name], params[parent], list(values))
                for parent, values in p.when
            ]
            if clauses:
                known.add(clauses[0] if len(clauses) == 1 else ConfigSpace.AndConjunction(*clauses))
        scenario = smac.Scenario(
            known,
            n_trials=budget,
            deterministic=True,
            seed=seed,
            output_directory=tempfile.mkdtemp(prefix="smac"),
            objectives="cost" if objectives == 1 else [f"c{i}" for i in range(objectives)],
        )
        kind = getattr(smac, facade)
        self.optimizer = kind(
            scenario,
            lambda config, seed=0: 0.0,  # noqa: ARG005 - it looks at the names
            overwrite=True,
            logging_level=False,
            intensifier=kind.get_intensifier(scenario, max_config_calls=1),
        )

    @staticmethod
    def _param(space, param):
        if param.kind == "cat":
            return space.CategoricalHyperparameter(param.name, list(param.choices))
        whole = param.kind == "int"
        kind = space.UniformIntegerHyperparameter if whole else space.UniformFloatHyperparameter
        return kind(param.name, param.low, param.high, log=param.log)

    def ask(self):
        self.info = self.optimizer.ask()
        found = dict(self.info.config)
        values = {p.name: found[p.name] for p in self.space if p.name in found}
        return {name: v.item() if hasattr(v, "item") else v for name, v in values.items()}

    def tell(self, losses):
        cost = losses[0] if len(losses) == 1 else losses
        self.optimizer.tell(self.info, self.value(cost=cost))


def smac_with(facade):
    return lambda *given: Smac(*given, facade)


class Ax:
    """Without conditions."""

    def __init__(self, space, objectives, seed, budget):
        import torch
        from ax.api.client import Client

        logging.disable(logging.WARNING)
        warnings.filterwarnings("ignore")
        torch.set_num_threads(1)
        self.space = space
        self.key = {p.name: p.name.replace(".", "__") for p in space}
        self.client = Client(random_seed=seed)
        self.client.configure_experiment(parameters=[self._config(p) for p in space])
        goals = ", ".join(f"-y{i}" for i in range(objectives))
        self.client.configure_optimization(objective=goals)

    def _config(self, param):
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        if param.kind == "cat":
            return ChoiceParameterConfig(
                name=self.key[param.name],
                values=[str(choice) for choice in param.choices],
                parameter_type="str",
                is_ordered=False,
            )
        return RangeParameterConfig(
            name=self.key[param.name],
            bounds=(param.low, param.high),
            parameter_type=param.kind,
            scaling="log" if param.log else "linear",
        )

    def ask(self):
        ((self.number, row),) = self.client.get_next_trials(max_trials=1).items()
        values = {
            p.name: _choice_named(p, row[self.key[p.name]])
            if p.kind == "cat"
            else row[self.key[p.name]]
            for p in self.space
        }
        return pruned(self.space, values)

    def tell(self, losses):
        found = {f"y{i}": float(loss) for i, loss in enumerate(losses)}
        self.client.complete_trial(trial_index=self.number, raw_data=found)


class Vizier:
    """The GP bandit of Google Vizier; without conditions, one objective."""

    def __init__(self, space, objectives, seed, budget):
        import jax
        from vizier import pyvizier
        from vizier._src.algorithms.core import abstractions
        from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit

        logging.disable(logging.WARNING)
        self.vizier, self.core, self.space, self.n = pyvizier, abstractions, space, 0
        problem = pyvizier.ProblemStatement()
        for param in space:
            self._add(problem.search_space.root, param)
        goal = pyvizier.ObjectiveMetricGoal.MINIMIZE
        problem.metric_information.append(pyvizier.MetricInformation("y", goal=goal))
        self.designer = VizierGPUCBPEBandit(problem, rng=jax.random.PRNGKey(seed))

    def _add(self, root, param):
        if param.kind == "cat":
            root.add_categorical_param(param.name, [str(choice) for choice in param.choices])
            return
        scale = self.vizier.ScaleType.LOG if param.log else self.vizier.ScaleType.LINEAR
        add = root.add_int_param if param.kind == "int" else root.add_float_param
        add(param.name, param.low, param.high, scale_type=scale)

    def ask(self):
        self.suggestion = self.designer.suggest(1)[0]
        row = self.suggestion.parameters.as_dict()
        values = {
            p.name: _choice_named(p, row[p.name]) if p.kind == "cat" else p.settled(row[p.name])
            for p in self.space
        }
        return pruned(self.space, values)

    def tell(self, losses):
        self.n += 1
        trial = self.suggestion.to_trial(self.n)
        trial.complete(self.vizier.Measurement(metrics={"y": float(losses[0])}))
        self.designer.update(self.core.CompletedTrials([trial]), self.core.ActiveTrials())
