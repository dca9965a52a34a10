"""All tuners by the names under which their results are kept."""

from __future__ import annotations

import assay
from benchmarks.search import peers, peers_more
from benchmarks.search.peers import Peer, optuna_with


class Assay:
    """A study of ours, conditions included."""

    def __init__(self, space, objectives, seed, budget, sampler, **options):
        self.study = assay.Study(
            assay.Space({param.name: _ours(param) for param in space}),
            direction="minimize" if objectives == 1 else ["minimize"] * objectives,
            seed=seed,
            sampler=sampler,
            **options,
        )

    def ask(self):
        self.trial = self.study.ask()
        return self.trial.config

    def tell(self, losses):
        self.study.tell(self.trial, losses[0] if len(losses) == 1 else losses)


def _ours(param):
    if param.kind == "cat":
        found = assay.Choice(param.choices)
    else:
        kind = assay.Int if param.kind == "int" else assay.Float
        found = kind(param.low, param.high, log=param.log)
    for parent, values in reversed(param.when):
        found = assay.When(parent, list(values), found)
    return found


def _assay_with(sampler):
    return lambda *given: Assay(*given, sampler)


TUNERS = {
    **{
        f"assay-{name}": Peer(_assay_with(name), "assay", several=True)
        for name in ("auto", "gp", "tpe", "evolution", "random")
    },
    "assay-cmaes": Peer(_assay_with("cmaes"), "assay", choices=False),
    "random": Peer(peers.Random, "numpy", several=True),
    "optuna-tpe": Peer(optuna_with("TPESampler"), "optuna", several=True),
    "optuna-gp": Peer(optuna_with("GPSampler"), "optuna", several=True),
    "optuna-cmaes": Peer(optuna_with("CmaEsSampler"), "optuna"),
    "hyperopt": Peer(peers.Hyperopt, "hyperopt"),
    "nevergrad": Peer(peers.Nevergrad, "nevergrad", several=True),
    "hebo": Peer(peers_more.Hebo, "hebo"),
    "smac-rf": Peer(peers_more.smac_with("HyperparameterOptimizationFacade"), "smac"),
    "smac-gp": Peer(peers_more.smac_with("BlackBoxFacade"), "smac"),
    "ax": Peer(peers_more.Ax, "ax-platform", several=True),
    "vizier": Peer(peers_more.Vizier, "google-vizier"),
}
