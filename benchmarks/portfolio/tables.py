"""What to try first for a few kinds of models, from their losses on tables that come with pip packages.

    pip install -e ".[proofs]" lightgbm
    python -m benchmarks.portfolio.tables measure LEARNER...    # adds to results/tables.jsonl
    python -m benchmarks.portfolio.tables write                 # starts.json and ../results/starts.md

None of the tables of benchmarks/sklearn is among them, and of each at most 1,000 rows are used, 3,000 for
neighbours. Losses are means over three folds: log loss and error of classifiers that give probabilities,
error of the others, root mean squared error of regressors. A loss counts from 0 for the best of the pool to 1
for the model as it comes and for all that is worse; tables on which the pool gains less than 0.1 % are left out.

A list is greedy in gain per second: next comes the config that lowers the mean loss of the best so far
the most, divided by its time and that of the model as it comes. Which of the list a search takes next
depends on what it has seen: `assay.learners.alike`.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier, LGBMRegressor
from scipy.stats import qmc
from sklearn import datasets as made
from sklearn.base import clone, is_classifier
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR
from tests.slow.real_data import data_set

from assay.learners.alike import Seen, facts_of
from benchmarks.portfolio.build import ROOT, interval
from benchmarks.portfolio.families import DRAWN_CLASSES, DRAWN_NUMBERS, REAL_NUMBERS

RESULTS = Path(__file__).resolve().parent / "results" / "tables.jsonl"
SIZE, LISTED = 8, 24  # configs that a search tries, of so many
DRAWS, ORDERS, SEED, SHARE = 300, 60, 20261129, 0.9
FURTHEST = (-7.0, 1.5)  # log losses beyond say nothing more
FAILED = 9e9  # more neighbours than rows


def _real(*names):
    return {name: lambda name=name: (data_set(name).X, data_set(name).y) for name in names}


def _made(**how):
    return {
        name: lambda of=of, options=options: of(random_state=7, **options)
        for name, (of, options) in how.items()
    }


CLASSES = (
    _real(
        "iris",
        "anes96",
        "modechoice",
        "segments",
        "phishing",
        "shuttle",
        "yeast",
        "solar",
        "mroz",
        "meps",
        "wages_union",
    )
    | _made(
        moons=(made.make_moons, {"n_samples": 800, "noise": 0.3}),
        circles=(made.make_circles, {"n_samples": 800, "noise": 0.15, "factor": 0.6}),
        hastie=(made.make_hastie_10_2, {"n_samples": 1200}),
        class20=(
            made.make_classification,
            {"n_samples": 1000, "n_features": 20, "n_informative": 6, "flip_y": 0.05},
        ),
        class3=(
            made.make_classification,
            {"n_samples": 600, "n_features": 10, "n_informative": 5, "n_classes": 3, "flip_y": 0.1},
        ),
        quantiles=(
            made.make_gaussian_quantiles,
            {"n_samples": 900, "n_features": 6, "n_classes": 3},
        ),
    )
    | DRAWN_CLASSES
)
NUMBERS = _real(
    "star98", "engel", "trump", "macro", "co2", "sunspots", "waterflow", "chicks",
    "states", "training", "births", "ocean", "invest",
) | REAL_NUMBERS | DRAWN_NUMBERS | _made(
    linear=(
        made.make_regression,
        {"n_samples": 500, "n_features": 20, "n_informative": 8, "noise": 50.0},
    ),
    sparse=(made.make_sparse_uncorrelated, {"n_samples": 500, "n_features": 10}),
    scurve=(made.make_s_curve, {"n_samples": 800, "noise": 0.2}),
    swiss=(made.make_swiss_roll, {"n_samples": 800, "noise": 0.5}),
)  # fmt: skip


@dataclass(frozen=True)
class Learner:
    """A kind of model, where its pool is drawn, and what its figures are multiples of.

    Attributes:
        space: (low, high, "log", "log whole" or "even"), or all values, of each parameter.
        units: as in `assay.learners.starts`.
        count: configs of the pool; None: all of them.
    """

    name: str
    model: Callable[[], Any]
    space: dict
    units: dict = field(default_factory=dict)
    fixed: dict = field(default_factory=dict)
    count: int | None = 64
    rows: int = 1000

    @property
    def estimator(self):
        model = self.model()
        return model[-1] if hasattr(model, "steps") else model

    @property
    def tables(self):
        return CLASSES if is_classifier(self.estimator) else NUMBERS


BOOSTING = {
    "n_estimators": (10, 400, "log whole"),
    "learning_rate": (0.01, 0.5, "log"),
    "num_leaves": (3, 127, "log whole"),
    "min_child_samples": (1, 100, "log whole"),
    "reg_lambda": (1e-3, 100, "log"),
    "colsample_bytree": (0.2, 1.0, "even"),
}
NEIGHBOURS = {
    "n_neighbors": [1, 2, 3, 4, 5, 7, 9, 11, 14, 17, 20, 25, 30, 40, 50, 70, 100, 140, 200],
    "weights": ["uniform", "distance"],
    "p": [1, 2],
}
KERNEL = (1e-2, 1e2, "log")


def _scaled(of, **options):
    return lambda: make_pipeline(StandardScaler(), of(**options))


def _boosted(of):
    return lambda: of(n_jobs=1, verbose=-1, random_state=0)


LEARNERS = (
    Learner("lightgbm-classes", _boosted(LGBMClassifier), BOOSTING, count=48),
    Learner("lightgbm-numbers", _boosted(LGBMRegressor), BOOSTING, count=48),
    Learner(
        "svc", _scaled(SVC), {"C": (1e-2, 1e3, "log"), "gamma": KERNEL},
        {"gamma": "kernel"}, {"kernel": "rbf"},
    ),
    Learner(
        "svr", _scaled(SVR), {"C": (1e-2, 1e2, "log"), "gamma": KERNEL, "epsilon": (1e-3, 1, "log")},
        {"gamma": "kernel", "C": "target", "epsilon": "target"}, {"kernel": "rbf"},
    ),
    Learner("neighbours-classes", _scaled(KNeighborsClassifier), NEIGHBOURS, count=None, rows=3000),
    Learner("neighbours-numbers", _scaled(KNeighborsRegressor), NEIGHBOURS, count=None, rows=3000),
    Learner(
        "kernel-ridge", _scaled(KernelRidge, kernel="rbf"),
        {"alpha": (1e-5, 1e2, "log"), "gamma": KERNEL}, {"gamma": "kernel"}, {"kernel": "rbf"},
    ),
)  # fmt: skip


def pool(learner):
    """The configs of a learner's pool, in its units."""
    if learner.count is None:
        grids = np.meshgrid(*(range(len(v)) for v in learner.space.values()), indexing="ij")
        places = np.stack([g.ravel() for g in grids], axis=1)
        values = list(learner.space.values())
        return [
            {name: values[i][k] for i, (name, k) in enumerate(zip(learner.space, row, strict=True))}
            for row in places
        ]
    points = qmc.Sobol(len(learner.space), seed=3).random(128)[: learner.count]
    return [
        {name: _value(u, *where) for u, (name, where) in zip(point, learner.space.items(), strict=True)}
        for point in points
    ]  # fmt: skip


def _value(u, low, high, scale):
    if scale == "even":
        return float(f"{low + u * (high - low):.4g}")
    value = low * (high / low) ** u
    return round(value) if scale == "log whole" else float(f"{value:.4g}")


def table(learner, name):
    """(X, y): at most 1,000 rows, drawn once; classes of fewer than six rows are left out."""
    X, y = learner.tables[name]()
    X, y = np.asarray(X, float), np.asarray(y)
    rows = np.random.default_rng(1).permutation(len(y))[: learner.rows]
    X, y = X[rows], y[rows]
    if learner.tables is NUMBERS:
        return X, y.astype(float)
    values, counts = np.unique(y, return_counts=True)
    kept = np.isin(y, values[counts >= 6])
    return X[kept], np.unique(y[kept], return_inverse=True)[1]


def facts(learner, name):
    """What is known of a table before any fit: rows, features, and the losses of no features at all."""
    X, y = table(learner, name)
    floor = [float(np.std(y))]
    if learner.tables is CLASSES:
        shares = np.bincount(y) / len(y)
        floor = [float(-(shares * np.log(shares)).sum())] * hasattr(
            learner.estimator, "predict_proba"
        )
        floor.append(float(1 - shares.max()))
    return {"shape": X.shape, "floor": [float(f"{v:.6g}") for v in floor]}


def measure(learner, name):
    """[losses, CPU seconds] of the model as it comes, and of each config of the pool."""
    X, y = table(learner, name)
    kind = StratifiedKFold if learner.tables is CLASSES else KFold
    folds = list(kind(3, shuffle=True, random_state=0).split(X, y))
    model, factor = learner.model(), {"kernel": 1 / X.shape[1], "target": float(np.std(y))}
    step = f"{model.steps[-1][0]}__" if hasattr(model, "steps") else ""
    rows = [_losses(model, X, y, folds)]
    for config in pool(learner):
        params = {
            f"{step}{key}": value * factor.get(learner.units.get(key), 1)
            if key in learner.units
            else value
            for key, value in config.items()
        }
        try:
            rows.append(_losses(clone(model).set_params(**params), X, y, folds))
        except ValueError:
            rows.append([[FAILED] * len(rows[0][0]), 0.0])
    return rows


def _losses(model, X, y, folds):
    began, found = time.process_time(), []
    for train, test in folds:
        fitted = clone(model).fit(X[train], y[train])
        if not is_classifier(model):
            found.append([np.sqrt(np.mean((fitted.predict(X[test]) - y[test]) ** 2))])
            continue
        error = np.mean(fitted.predict(X[test]) != y[test])
        chances = fitted.predict_proba(X[test]) if hasattr(fitted, "predict_proba") else None
        loss = (
            [] if chances is None else [log_loss(y[test], chances, labels=np.arange(y.max() + 1))]
        )
        found.append([*loss, error])
    seconds = time.process_time() - began
    return [[float(f"{v:.6g}") for v in np.mean(found, axis=0)], float(f"{seconds:.3g}")]


@dataclass(frozen=True)
class Measured:
    """All losses of a learner on tables where its pool gains something: one row for each."""

    names: np.ndarray
    logs: np.ndarray  # (rows, configs) over the model as it comes
    scores: np.ndarray
    costs: np.ndarray
    facts: np.ndarray

    def but(self, rows, configs):
        """What a search would know that has seen these tables, and tries these configs."""
        costs = np.exp(np.log(self.costs[rows]).mean(0))
        return Seen(
            tuple(self.names[rows]), self.logs[rows][:, configs], self.scores[rows][:, configs],
            costs[configs], self.facts[rows],
        )  # fmt: skip


def read(learner):
    found = []
    for line in RESULTS.read_text().splitlines():
        one = json.loads(line)
        if one["learner"] != learner.name or one["table"] not in learner.tables:
            continue
        seconds = np.array([row[1] for row in one["rows"]])
        all_losses = np.maximum([row[0] for row in one["rows"]], 1e-6).T
        for losses, floor in zip(all_losses, one["floor"], strict=True):
            own, best = losses[0], losses.min()
            if own - best > 1e-3 * own:
                found.append(
                    (
                        one["table"],
                        np.clip(np.log(losses[1:] / own), *FURTHEST),
                        np.clip((losses[1:] - best) / (own - best), 0, 1),
                        np.maximum(seconds[1:] / seconds[0], 0.2),
                        facts_of(*one["shape"], own, floor),
                    )
                )
    return Measured(*(np.array(column) for column in zip(*found, strict=True)))


def greedy(scores, costs, size=SIZE):
    """The places of the configs in the order in which to try them: most gain per second first."""
    seconds, best, chosen = np.exp(np.log(costs).mean(0)), np.ones(len(scores)), []
    for _ in range(size):
        gains = (best[:, None] - np.minimum(best[:, None], scores)).mean(0)
        gains[chosen] = -1.0
        chosen.append(int(np.argmax(gains / (1 + seconds))))
        best = np.minimum(best, scores[:, chosen[-1]])
    return chosen


def left_out(measured, *, adapting=True):
    """The configs that a list tries on a table that it was built without, (rows, SIZE).

    Args:
        adapting: whether what it has seen so far decides which comes next.
    """
    tried = np.zeros((len(measured.names), SIZE), int)
    for name in np.unique(measured.names):
        own = measured.names == name
        listed = greedy(measured.scores[~own], measured.costs[~own], LISTED)
        seen = measured.but(~own, listed)
        for row in np.flatnonzero(own):
            places = range(SIZE)
            if adapting:
                places = adapted(seen, measured.logs[row][listed], measured.facts[row])
            tried[row] = [listed[place] for place in places]
    return tried


def adapted(seen, logs, facts):
    """The places that are tried where configs have these losses."""
    tried = {}
    while len(tried) < SIZE:
        free = [place for place in range(len(logs)) if place not in tried]
        place = seen.next(tried, facts, free)
        tried[place] = logs[place]
    return list(tried)


def hits(measured, tried):
    """Seconds until 90 % of what the pool gains, over those of a random order: mean logarithms of rows.

    The model as it comes is in the time, which is in units of that model. After what was tried the
    others follow at random.
    """
    rng, rows = np.random.default_rng(SEED), []
    orders = [rng.permutation(measured.scores.shape[1]) for _ in range(ORDERS)]
    for row, first in enumerate(tried):
        cost, good = measured.costs[row], measured.scores[row] <= 1 - SHARE
        ours, random = (
            np.mean([np.log(1 + cost[o][: np.argmax(good[o]) + 1].sum()) for o in all_orders])
            for all_orders in (
                [np.concatenate([first, o[~np.isin(o, first)]]) for o in orders],
                orders,
            )
        )
        rows.append(ours - random)
    return np.array(rows)


def section(learner):
    """What came out, as lines of Markdown."""
    measured = read(learner)
    rng, scores, names = np.random.default_rng(SEED), measured.scores, measured.names
    fixed, ours = (left_out(measured, adapting=adapting) for adapting in (False, True))
    listed, adapting = (
        np.minimum.accumulate(np.take_along_axis(scores, t, 1), 1) for t in (fixed, ours)
    )
    random = np.mean(
        [
            np.minimum.accumulate(scores[:, rng.permutation(scores.shape[1])[:SIZE]], axis=1)
            for _ in range(DRAWS)
        ],
        axis=0,
    )
    tables = np.unique(names)
    lines = [
        f"## {learner.name} ({len(tables)} tables, {scores.shape[1]} configs)", "",
        "| configs tried | adapting | fixed order | random | adapting less random |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for k in range(SIZE):
        mean, low, high = interval(_by_table(adapting[:, k] - random[:, k], names), rng)
        lines.append(
            f"| {k + 1} | {adapting[:, k].mean():.3f} | {listed[:, k].mean():.3f} | "
            f"{random[:, k].mean():.3f} | {mean:+.3f} [{low:+.3f}, {high:+.3f}] |"
        )
    told = []
    for tried in (ours, fixed):
        mean, low, high = np.exp(interval(_by_table(hits(measured, tried), names), rng))
        told.append(f"{mean:.2f} [{low:.2f}, {high:.2f}]")
    lines += [
        "",
        f"Time to 90 % of the pool's gain: adapting {told[0]}, fixed order {told[1]}.",
        "",
    ]
    return lines


def _by_table(values, names):
    return np.array([values[names == table].mean() for table in np.unique(names)])


def chosen(learner):
    """The places of the configs of its list."""
    measured = read(learner)
    return greedy(measured.scores, measured.costs, LISTED)


def told(learner):
    """The list of a learner in the form of starts.json: logarithms in thousandths."""
    measured, listed = read(learner), chosen(learner)
    configs = pool(learner)
    seen = measured.but(np.ones(len(measured.names), bool), listed)
    least = measured.logs.min(axis=1)
    return {
        "estimators": [type(learner.estimator).__name__],
        "fixed": learner.fixed,
        "units": learner.units,
        "configs": [configs[place] for place in listed],
        "tables": list(seen.tables),
        "logs": np.round(1000 * seen.logs).astype(int).tolist(),
        "best": np.round(1000 * least).astype(int).tolist(),
        "seconds": seen.seconds.round(2).tolist(),
        "facts": seen.facts.round(2).tolist(),
    }


def _packed(values):
    return json.dumps(values, separators=(",", ":"))


HEAD = """# What a search tries first

Made by `python -m benchmarks.portfolio.tables`; what was measured is in
`benchmarks/portfolio/results/tables.jsonl`. A loss counts from 0 for the best of a pool of configs on that
table to 1 for the model as it comes, and for all that is worse. The list of each row was built without the
table that it is judged on. *Adapting*: which of the list comes next depends on how the model as it comes
and the configs before did (`assay.learners.alike`), as in `SearchCV`; *fixed order*: it does not; *random*
is as many configs of the pool. Times are over those of a random order, the model as it comes included; after the
list the rest of the pool follows at random. Intervals: 95 %, tables drawn again.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["measure", "write"])
    parser.add_argument("learners", nargs="*", default=[one.name for one in LEARNERS])
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    learners = [one for one in LEARNERS if one.name in given.learners]
    if given.what == "write":
        page = [HEAD.rstrip("\n"), "", *(line for one in learners for line in section(one))]
        (ROOT / "benchmarks/results/starts.md").write_text("\n".join(page).rstrip() + "\n")
        packed = [f"{json.dumps(one.name)}: {_packed(told(one))}" for one in learners]
        text = "{\n" + ",\n".join(packed) + "\n}\n"
        (ROOT / "src/assay/learners/starts.json").write_text(text)
        return
    RESULTS.parent.mkdir(exist_ok=True)
    lines = RESULTS.read_text().splitlines() if RESULTS.exists() else []
    done = {(row["learner"], row["table"]) for row in map(json.loads, lines)}
    for one in learners:
        for name in one.tables:
            if (one.name, name) not in done:
                row = {"learner": one.name, "table": name, **facts(one, name)}
                row["rows"] = measure(one, name)
                with RESULTS.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(one.name, name, flush=True)


if __name__ == "__main__":
    main()
