"""Problems by name. Every objective is a loss: lower is better.

yahpo:<scenario>/<instance>/<target[+target]>  surrogates of real tuning runs (needs data)
tab:<hpobench|hpolib>/<dataset>                tables of real training runs, noisy (needs data)
bbob:f<k>/d<n>[/noise<beta>]                   BBOB functions, from the package `ioh`
mixint:f<k>/d<n>                               bbob-mixint, from the package `coco-experiment`
sk:<model>/<dataset>                           scikit-learn models trained on the spot, noisy
mo:<name>/d<n>                                 test functions with two objectives, from `pymoo`
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).resolve().parent
_KINDS = {
    "yahpo": ("yahpo", "Surrogate"),
    "tab": ("tables", "Table"),
    "bbob": ("functions", "Bbob"),
    "mixint": ("functions", "MixInt"),
    "mo": ("functions", "TwoObjectives"),
    "sk": ("training", "Training"),
}


class Problem:
    """An objective and its space.

    Attributes:
        space: of `Param`, parents before children.
        objectives: how many losses there are.
        noisy: whether `losses` with a generator differs from `true_losses`.
        optimum: the least loss there is, if that is known.
    """

    objectives = 1
    noisy = False
    optimum = None

    def __init__(self, name):
        self.name = name
        self.family = name.split("/")[0].replace(":", "-")
        self.space = []

    def losses(self, config, rng=None):
        """The losses of one evaluation; without `rng`, free of noise."""
        raise NotImplementedError

    def true_losses(self, config):
        return self.losses(config)

    def known_front(self):
        """Points of the best front, if that is known."""

    def many(self, configs):
        """The true losses of many configs."""
        return [self.true_losses(config) for config in configs]


def load(name):
    module, kind = _KINDS[name.split(":")[0]]
    return getattr(import_module(f"benchmarks.search.{module}"), kind)(name)


def listed(path):
    """The names in a file of problems; what follows a # is a remark."""
    lines = Path(path).read_text().splitlines()
    return [name for line in lines if (name := line.split("#")[0].strip())]


def options(name):
    """The options in a name: {"f": 8.0, "d": 5.0, "noise": 0.5} of "bbob:f8/d5/noise0.5"."""
    found = {}
    for part in name.split(":")[1].split("/"):
        word = part.rstrip("0123456789.")
        found[word] = float(part[len(word) :])
    return found


@cache
def data():
    """The folder with the data: what `--data` or the variable SEARCH_DATA says."""
    folder = os.environ.get("SEARCH_DATA")
    if not folder or not Path(folder).is_dir():
        raise FileNotFoundError(
            f"This problem needs data; no folder at {folder!r}. Give it with --data PATH; "
            "see benchmarks/search/README.md for what must be in it."
        )
    return Path(folder)


def hypervolume(points, reference):
    """What two losses dominate of the rectangle below a reference."""
    volume, lowest = 0.0, reference[1]
    for a, b in sorted(points):
        if a < reference[0] and b < lowest:
            volume += (reference[0] - a) * (lowest - b)
            lowest = b
    return volume
