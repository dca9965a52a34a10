"""Real trainings that can be ended early and gone on with, step by step.

`training:mlp-digits`: a network in PyTorch on the digits, 27 epochs, log loss.
`training:lightgbm-randhie`: LightGBM on visits to doctors (RAND health insurance experiment, in
statsmodels), 81 iterations, Poisson deviance up to a constant.
`training:sgd-segments`: scikit-learn's `SGDClassifier` on the features of segments of images and
their squares (UCI, in river), 27 epochs, share of wrong classes.

All losses are on validation rows, of which there are as many as training rows: 800, and 4,000 for
LightGBM; few, so that ten seeds of eight tuners are affordable. The division of the rows and the seeds
of a training are fixed, so that a config has one curve. A training is kept in memory and goes on from
where it is.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

import assay
from benchmarks.search.params import Param
from benchmarks.search.problems import Problem

_WORST = {"mlp": 10.0, "lightgbm": 10.0, "sgd": 1.0}  # of a training that has diverged


def _number(name, low, high, *, log=False):
    return Param(name, "int" if isinstance(high, int) else "float", low, high, log)


_SPACES = {
    "mlp": [
        _number("learning_rate", 1e-4, 1.0, log=True),
        _number("batch", 32, 512, log=True),
        _number("width", 8, 128, log=True),
        _number("layers", 1, 2),
        _number("momentum", 0.0, 0.99),
        _number("weight_decay", 1e-6, 1e-1, log=True),
        _number("dropout", 0.0, 0.7),
    ],
    "lightgbm": [
        _number("learning_rate", 5e-3, 0.5, log=True),
        _number("num_leaves", 2, 128, log=True),
        _number("min_data_in_leaf", 1, 200, log=True),
        _number("feature_fraction", 0.2, 1.0),
        _number("bagging_fraction", 0.2, 1.0),
        _number("lambda_l2", 1e-3, 100.0, log=True),
        _number("path_smooth", 1e-2, 100.0, log=True),
    ],
    "sgd": [
        Param("loss", "cat", choices=("hinge", "log_loss", "modified_huber", "squared_hinge")),
        _number("alpha", 1e-7, 1e-1, log=True),
        _number("l1_ratio", 0.0, 1.0),
        _number("eta0", 1e-5, 1.0, log=True),
        _number("power_t", 0.0, 1.0),
        Param("average", "cat", choices=(False, True)),
    ],
}
_FIDELITIES = {
    "mlp": assay.Fidelity("epochs", 1, 27),
    "lightgbm": assay.Fidelity("iterations", 1, 81),
    "sgd": assay.Fidelity("epochs", 1, 27),
}


class Training(Problem):
    """A problem with a fidelity, in the form of `curves.Curve`."""

    def __init__(self, name):
        super().__init__(name)
        self.model = name.split(":")[1].split("-")[0]
        self.space, self.fidelity = _SPACES[self.model], _FIDELITIES[self.model]
        self._going = {}

    def losses_until(self, config, until):
        """The losses at steps 1 to `until`; only the steps that are new are trained."""
        key = tuple(sorted(config.items()))
        if key not in self._going:
            self._going[key] = ([], _STEPS[self.model](dict(config)))
        losses, training = self._going[key]
        while len(losses) < until:
            loss = next(training, None)
            worst = _WORST[self.model]
            losses.append(min(loss, worst) if loss is not None and math.isfinite(loss) else worst)
        return losses[:until]

    def loss_at(self, config, step):
        return self.losses_until(config, step)[step - 1]


def _divided(X, y, trained, validated):
    """(train X, valid X, train y, valid y), standardised by the training rows."""
    order = np.random.default_rng(0).permutation(len(y))
    train, valid = order[:trained], order[trained : trained + validated]
    mean, sd = X[train].mean(axis=0), X[train].std(axis=0)
    X = (X - mean) / np.where(sd == 0, 1, sd)
    return X[train], X[valid], y[train], y[valid]


@cache
def _digits():
    import torch
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    X, X_valid, y, y_valid = _divided(X, y, 800, 800)
    return (
        *(torch.tensor(part, dtype=torch.float32) for part in (X, X_valid)),
        *(torch.tensor(part) for part in (y, y_valid)),
    )


def _mlp(config):
    """Stochastic gradient descent; yields the loss after each epoch."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    X, X_valid, y, y_valid = _digits()
    state = torch.Generator().manual_seed(0)
    torch.manual_seed(0)  # the layers', and below each epoch's: trainings take turns in one process
    layers, width = [], X.shape[1]
    for _ in range(config["layers"]):
        layers += [nn.Linear(width, config["width"]), nn.ReLU(), nn.Dropout(config["dropout"])]
        width = config["width"]
    net = nn.Sequential(*layers, nn.Linear(width, 10))
    optimizer = torch.optim.SGD(
        net.parameters(), config["learning_rate"], config["momentum"],
        weight_decay=config["weight_decay"], nesterov=config["momentum"] > 0,
    )  # fmt: skip
    loss, epoch = nn.CrossEntropyLoss(), 0
    while True:
        epoch += 1
        torch.manual_seed(epoch)
        net.train()
        for rows in torch.randperm(len(y), generator=state).split(config["batch"]):
            optimizer.zero_grad()
            loss(net(X[rows]), y[rows]).backward()
            optimizer.step()
        net.eval()
        with torch.no_grad():
            reached = float(loss(net(X_valid), y_valid))
        yield reached


@cache
def _visits():
    import statsmodels.api as sm

    frame = sm.datasets.randhie.load_pandas().data
    return _divided(
        np.asarray(frame.drop(columns="mdvis"), float), np.asarray(frame.mdvis, float), 4000, 4000
    )


def _lightgbm(config):
    """Boosting; yields the loss after each iteration."""
    import lightgbm

    X, X_valid, y, y_valid = _visits()
    given = {
        **config, "objective": "poisson", "bagging_freq": 1, "seed": 0, "num_threads": 1,
        "deterministic": True, "verbosity": -1,
    }  # fmt: skip
    train = lightgbm.Dataset(X, y, params=given)
    booster = lightgbm.Booster(given, train)
    booster.add_valid(train.create_valid(X_valid, y_valid), "valid")
    while True:
        booster.update()
        yield booster.eval_valid()[0][2]


@cache
def _segments():
    from river.datasets import ImageSegments

    rows = [(list(x.values()), label) for x, label in ImageSegments()]
    y = np.unique([label for _, label in rows], return_inverse=True)[1]
    X = np.array([values for values, _ in rows], float)
    X, X_valid, y, y_valid = _divided(X, y, 800, 800)
    X, X_valid = (np.hstack([part, np.clip(part, -3, 3) ** 2]) for part in (X, X_valid))
    return X, X_valid, y, y_valid


def _sgd(config):
    """One pass over the rows a step; yields the loss after each; ends if it diverges."""
    from sklearn.linear_model import SGDClassifier

    X, X_valid, y, y_valid = _segments()
    model = SGDClassifier(
        penalty="elasticnet", learning_rate="invscaling", random_state=0, **config
    )
    while True:
        try:
            model.partial_fit(X, y, classes=np.unique(y))
        except ValueError:  # "Floating-point under-/overflow occurred"
            return
        yield 1 - model.score(X_valid, y_valid)


_STEPS = {"mlp": _mlp, "lightgbm": _lightgbm, "sgd": _sgd}
