"""Test functions from other packages: BBOB, bbob-mixint, and functions with two objectives."""

from __future__ import annotations

import contextlib
import math
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.search.params import Param
from benchmarks.search.problems import Problem, options


class Bbob(Problem):
    def __init__(self, name):
        import ioh

        super().__init__(name)
        given = options(name)
        dims = int(given["d"])
        self.spread = given.get("noise", 0.0)
        self.noisy = self.spread > 0
        self.family = f"bbob{'noise' if self.noisy else ''}-d{dims}"
        self.function = ioh.get_problem(int(given["f"]), 1, dims)
        self.optimum = float(self.function.optimum.y)
        self.space = [Param(f"x{i}", "float", -5.0, 5.0) for i in range(dims)]

    def losses(self, config, rng=None):
        value = float(self.function([config[p.name] for p in self.space]))
        if rng is not None and self.noisy:  # a factor, as in the Gaussian model of bbob-noisy
            value = self.optimum + (value - self.optimum) * math.exp(self.spread * rng.normal())
        return [value]


class MixInt(Problem):
    def __init__(self, name):
        import cocoex

        super().__init__(name)
        given = {word: int(number) for word, number in options(name).items()}
        chosen = f"dimensions:{given['d']} function_indices:{given['f']} instance_indices:1"
        self.suite = cocoex.Suite("bbob-mixint", "", chosen)
        self.function = self.suite[0]
        self.optimum = float(self.function(self._best_point()))
        self.family = f"mixint-d{given['d']}"
        bounds = zip(self.function.lower_bounds, self.function.upper_bounds, strict=True)
        self.space = [
            Param(f"x{i}", "int", int(low), int(high))
            if i < self.function.number_of_integer_variables
            else Param(f"x{i}", "float", float(low), float(high))
            for i, (low, high) in enumerate(bounds)
        ]

    def _best_point(self):
        """The package tells the optimum through a file only."""
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            self.function._best_parameter("print")
            return np.loadtxt(Path("._bbob_problem_best_parameter.txt"))

    def losses(self, config, rng=None):
        return [float(self.function([config[p.name] for p in self.space]))]


class TwoObjectives(Problem):
    objectives = 2

    def __init__(self, name):
        from pymoo.problems import get_problem

        super().__init__(name)
        function, dims = name.split(":")[1].split("/")
        self.function = get_problem(function, n_var=int(dims[1:]))
        self.family = "mo-synthetic"
        bounds = zip(self.function.xl, self.function.xu, strict=True)
        self.space = [
            Param(f"x{i}", "float", float(low), float(high)) for i, (low, high) in enumerate(bounds)
        ]

    def losses(self, config, rng=None):
        point = np.array([[config[p.name] for p in self.space]])
        return [float(v) for v in np.ravel(self.function.evaluate(point, return_values_of=["F"]))]

    def known_front(self):
        return self.function.pareto_front()
