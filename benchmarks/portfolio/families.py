"""More tables for `tables.py`: real ones of linearmodels, and families of drawn ones.

Drawn tables differ in what decides which figures are good: rows, features and their kinds (coarse ones
make rows that are nearly the same), the shape of the function, how much of the target is noise (half of
the tables have much, the others from none to a third), and the form of the target: centred, far from 0,
a count, its logarithm, skewed. None is of a kind that benchmarks/sklearn has.
"""

from __future__ import annotations

from importlib import import_module

import numpy as np

DRAWN = 24
FORMS = ("waves", "additive", "linear", "steps", "products")
TARGETS = ("centred", "far", "count", "log count", "skewed")
KINDS = ("normal", "even", "skewed", "coarse", "mixed")


def _frame(name, target, drop=()):
    data = import_module(f"linearmodels.datasets.{name}").load()
    frame = data.drop(columns=list(drop), errors="ignore")
    frame = frame.select_dtypes("number").dropna()
    y = frame.pop(target).to_numpy(float)
    return frame.to_numpy(float), y


REAL_NUMBERS = {
    "wages": lambda: _frame("wage_panel", "lwage", ("nr", "expersq")),
    "schooling": lambda: _frame("card", "lwage", ("id", "wage", "expersq")),
    "birthweights": lambda: _frame(
        "birthweight", "bwght", ("bwghtlbs", "lbwght", "lfaminc", "packs")
    ),
    "benefits": lambda: _frame("fringe", "annearn", ("annbens", "hrearn", "hrbens")),
    "earnings": lambda: _frame("wage", "lwage", ("wage",)),
    "drugs": lambda: _frame("meps", "ldrugexp", ("drugexp",)),
}


def features(rng, rows, size):
    """(rows, size) features of one kind, some of them told twice."""
    kind = rng.choice(KINDS)
    found = rng.normal(size=(rows, size))
    if kind == "even":
        found = rng.random((rows, size))
    elif kind == "skewed":
        found = np.exp(rng.uniform(0.3, 1.0) * found)
    elif kind == "coarse":
        found = np.round(found * rng.uniform(0.5, 1.5, size))
    elif kind == "mixed":
        coarse = rng.random(size) < 0.5
        found[:, coarse] = found[:, coarse] > rng.normal(size=coarse.sum())
    if rng.random() < 0.4:
        found = found @ (np.eye(size) + 0.5 * rng.normal(size=(size, size)) / np.sqrt(size))
    return found


def function(rng, X, form):
    """A function of some of the features, of mean 0 and variance 1."""
    used = rng.permutation(X.shape[1])[: rng.integers(1, X.shape[1] + 1)]
    Z = (X[:, used] - X[:, used].mean(0)) / np.maximum(X[:, used].std(0), 1e-9)
    m, weights = len(used), rng.normal(size=len(used))
    if form == "waves":
        scale = rng.uniform(0.2, 1.5) / np.sqrt(m)
        angles = Z @ rng.normal(size=(m, 50)) * scale + rng.uniform(0, 2 * np.pi, 50)
        f = np.cos(angles) @ rng.normal(size=50)
    elif form == "additive":
        bends = rng.uniform(0.5, 2.0, m)
        f = (np.sin(bends * Z) + rng.normal(size=m) * 0.3 * Z**2) @ weights
    elif form == "linear":
        f = Z @ weights
    elif form == "steps":
        f = (
            sum(
                rng.normal() * np.all(Z[:, rng.integers(0, m, 2)] > rng.normal(size=2), axis=1)
                for _ in range(8)
            )
            + 0.1 * Z @ weights
        )
    else:
        pairs = rng.integers(0, m, (4, 2))
        f = (Z[:, pairs[:, 0]] * Z[:, pairs[:, 1]]) @ rng.normal(size=4) + 0.5 * Z @ weights
    return (f - f.mean()) / max(f.std(), 1e-9)


def numbers(number):
    """(X, y) of the drawn table with this number, for regressors."""
    rng = np.random.default_rng([number, 1])
    rows, size = int(10 ** rng.uniform(2.2, 3.5)), int(rng.integers(2, 21))
    X = features(rng, rows, size)
    f = function(rng, X, FORMS[number % len(FORMS)])
    noise = rng.uniform(0.3, 0.95) if number % 2 else 10 ** rng.uniform(-4, -0.5)
    target = rng.choice(TARGETS)
    if target in ("count", "log count"):
        counts = rng.poisson(np.exp(rng.uniform(-0.5, 2.5) + np.clip((1 - noise) * f, -3, 3)))
        return X, (np.log1p(counts) if target == "log count" else counts).astype(float)
    y = np.sqrt(1 - noise) * f + np.sqrt(noise) * rng.normal(size=rows)
    if target == "skewed":
        return X, np.exp(rng.uniform(0.3, 1.2) * y)
    return X, rng.uniform(0.1, 100) * (y + (rng.uniform(1, 10) if target == "far" else 0))


def classes(number):
    """(X, y) of the drawn table with this number, for classifiers."""
    rng = np.random.default_rng([number, 2])
    rows, many = int(10 ** rng.uniform(2.3, 3.5)), int(rng.choice([2, 2, 2, 3, 5, 10]))
    if number % 3 == 0:  # groups of points, more or less apart
        size, groups = int(rng.integers(4, 41)), many * int(rng.integers(1, 4))
        centres = rng.uniform(0.5, 3.0) * rng.normal(size=(groups, size)) / np.sqrt(size / 8)
        group = rng.integers(0, groups, rows)
        X = centres[group] + rng.normal(size=(rows, size)) * rng.uniform(0.5, 1.5, size)
        y = group % many
    else:
        X = features(rng, rows, int(rng.integers(2, 21)))
        form = FORMS[number % len(FORMS)]
        scores = np.stack([function(rng, X, form) for _ in range(many)], axis=1)
        sharp = 10 ** rng.uniform(-0.2, 1.5)
        level = rng.uniform(0, 1.0, many)  # classes are not equally frequent
        y = np.argmax(sharp * (scores + level) + rng.gumbel(size=scores.shape), axis=1)
    wrong = rng.random(rows) < rng.choice([0.0, 0.0, 0.02, 0.1])
    return X, np.where(wrong, rng.integers(0, many, rows), y)


DRAWN_NUMBERS = {f"numbers{i}": lambda i=i: numbers(i) for i in range(DRAWN)}
DRAWN_CLASSES = {f"classes{i}": lambda i=i: classes(i) for i in range(DRAWN)}
