"""Zero-shot portfolios: configs that together do well on many public data sets.

    python -m benchmarks.portfolio.build --data PATH

builds src/assay/learners/portfolio.toml and benchmarks/results/portfolio.md from the surrogates of
YAHPO Gym that benchmarks/search uses (PATH holds `yahpo`). Everything is drawn from one seed.

A portfolio is greedy (Feurer et al. 2022, Auto-sklearn 2.0, JMLR 23(261); Gijsbers et al. 2021): the config
that lowers the mean normalised loss of the best one so far, over all data sets, is added next. It is judged
on a data set that was left out when it was built, for each data set in turn.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
POOL, SIZE, SEED, DRAWS = 1000, 8, 20260811, 200
_BLOCK = 20_000


@dataclass(frozen=True)
class Source:
    """A scenario: what is fixed in it, and what its parameters are called by the estimators."""

    model: str
    estimators: tuple[str, ...]
    scenario: str
    fixed: dict
    names: dict
    published: dict
    note: str


SOURCES = (
    Source(
        "svm",
        ("SVC",),
        "rbv2_svm_pre",
        {"kernel": "radial", "num.impute.selected.cpo": "impute.median"},
        {"cost": "C", "gamma": "gamma", "tolerance": "tol"},
        {"cost": 682.478, "gamma": 0.005, "tolerance": 0.001},
        "found with standardised features",
    ),
    Source(
        "xgboost",
        ("XGBClassifier",),
        "rbv2_xgboost",
        {"booster": "gbtree", "num.impute.selected.cpo": "impute.median"},
        {
            "nrounds": "n_estimators", "eta": "learning_rate", "max_depth": "max_depth", "gamma": "gamma",
            "min_child_weight": "min_child_weight", "subsample": "subsample", "lambda": "reg_lambda",
            "alpha": "reg_alpha", "colsample_bytree": "colsample_bytree",
            "colsample_bylevel": "colsample_bylevel",
        },
        # its min_child_weight of 2.06 and 4,168 rounds are moved into the range of the surrogate
        {
            "nrounds": 2981, "eta": 0.018, "max_depth": 13, "gamma": 4.6e-5, "min_child_weight": 2.7183,
            "subsample": 0.839, "lambda": 0.982, "alpha": 1.113, "colsample_bytree": 0.752,
            "colsample_bylevel": 0.585,
        },
        "found without early stopping",
    ),
)  # fmt: skip


def losses(source):
    """A pool of configs, and their losses 1 - AUC, (data sets, configs); the published one is the last."""
    from benchmarks.search.yahpo import _SCENARIOS, Surrogate, _described, _model

    tasks = sorted(set(_described(source.scenario, "encoding")["task_id"]) - {"#na#"}, key=int)
    problem = Surrogate(f"yahpo:{source.scenario}/{tasks[0]}/auc")
    rng = np.random.default_rng(SEED)
    space = [p for p in problem.space if p.name in source.names]
    pool = [{p.name: p.sample(rng) for p in space} | source.fixed for _ in range(POOL)]
    pool.append(source.published | source.fixed)
    meta = _SCENARIOS[source.scenario]
    numbers, categories = meta["numbers"].split(), meta["categories"].split()
    codes = _described(source.scenario, "encoding")
    model, place = _model(source.scenario), meta["outputs"].split().index("auc")
    step = 1 if model.get_inputs()[0].shape[0] == 1 else _BLOCK
    rows = []
    for task in tasks:
        full = [{**config, **meta["fixed"], "task_id": task} for config in pool]
        cat = np.array([[codes[k][c.get(k, "#na#")] for k in categories] for c in full], np.int32)
        num = np.array([[c.get(k, 0) for k in numbers] for c in full], np.float32)
        out = [
            model.run(None, {"x_cat": cat[i : i + step], "x_cont": num[i : i + step]})[0]
            for i in range(0, len(full), step)
        ]
        rows.append(1 - np.vstack(out)[:, place])
        print(source.model, task, flush=True)
    return pool, np.array(rows, float), tasks


def normalised(loss):
    """0 for the best of the pool on a data set, 1 for the median and for all that is worse."""
    best, middle = loss[:, :-1].min(1, keepdims=True), np.median(loss[:, :-1], 1, keepdims=True)
    return np.clip((loss - best) / np.maximum(middle - best, 1e-12), 0, 1)


def greedy(scores, size=SIZE):
    """The places of the configs in the order in which they are to be tried."""
    chosen, best = [], np.ones(len(scores))
    for _ in range(size):
        means = np.minimum(scores, best[:, None]).mean(0)
        chosen.append(int(np.argmin(means)))
        best = np.minimum(best, scores[:, chosen[-1]])
    return chosen


def left_out(scores):
    """What a portfolio of 1, 2, … reaches on the data set that it was built without, (data sets, size)."""
    found = []
    for task in range(len(scores)):
        others = np.delete(scores, task, axis=0)
        found.append(np.minimum.accumulate(scores[task, greedy(others)]))
    return np.array(found)


def at_random(scores, rng):
    """What as many random configs of the pool reach, the mean over draws, (data sets, size)."""
    total = np.zeros((len(scores), SIZE))
    for _ in range(DRAWS):
        order = rng.permutation(scores.shape[1])[:SIZE]
        total += np.minimum.accumulate(scores[:, order], axis=1)
    return total / DRAWS


def interval(differences, rng, draws=4000):
    """The mean and its 95 % interval, with the data sets drawn again."""
    means = rng.choice(differences, (draws, len(differences))).mean(1)
    return differences.mean(), *np.quantile(means, [0.025, 0.975])


def section(source, scores, tasks):
    """What came out, as lines of Markdown."""
    rng = np.random.default_rng(SEED + 1)
    ours, random = left_out(scores[:, :-1]), at_random(scores[:, :-1], rng)
    published = scores[:, -1]
    lines = [
        f"## {source.model} ({source.scenario}, {len(tasks)} data sets)", "",
        "| configs tried | portfolio, left out | random | difference | portfolio better on |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for k in range(SIZE):
        mean, low, high = interval(ours[:, k] - random[:, k], rng)
        better = int((ours[:, k] < random[:, k]).sum())
        lines.append(
            f"| {k + 1} | {ours[:, k].mean():.3f} | {random[:, k].mean():.3f} | "
            f"{mean:+.3f} [{low:+.3f}, {high:+.3f}] | {better} of {len(tasks)} |"
        )
    mean, low, high = interval(ours[:, 0] - published, rng)
    said = (
        f"The one published config of *Tunability* reaches {published.mean():.3f}; the first of the "
        f"portfolio, left out, differs from it by {mean:+.3f} [{low:+.3f}, {high:+.3f}]."
    )
    return [*lines, "", said, ""]


def entry(source, config, place, tasks):
    """A config in the form of known.toml."""
    values = {
        source.names[name]: float(f"{v:.4g}") if isinstance(v, float) else v
        for name, v in config.items()
        if name in source.names and source.names[name] != "tol"
    }
    figures = ", ".join(f"{name} = {value!r}" for name, value in values.items())
    return "\n".join(
        (
            "[[known]]",
            f'name = "portfolio-{source.model}-{place + 1}"',
            f'model = "{source.model}"',
            f"estimators = {list(source.estimators)}".replace("'", '"'),
            f"config = {{ {figures} }}",
            f'source = "portfolio of {SIZE} for {source.model}, number {place + 1}, by benchmarks/portfolio"',
            'link = "https://github.com/slds-lmu/yahpo_data"',
            'licence = "Apache-2.0 (surrogates)"',
            f'data = "{len(tasks)} OpenML data sets, as surrogates: {source.scenario} of YAHPO Gym, AUC"',
            f'note = "{source.note}"',
            "",
        )
    )


HEAD = """# Portfolios

Made by `python -m benchmarks.portfolio.build`. The loss is 1 - AUC of a surrogate (YAHPO Gym), from 0
for the best of a pool of 1,000 random configs on that data set to 1 for their median. The portfolio of each row
was built without the data set that it is judged on. Intervals: 95 %, data sets drawn again.

What this does not show: surrogates are smoother than training; some data sets of OpenML are relatives of each
other, so "left out" is kinder than a new field; and what is compared is the start of a search, not its end.

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="the folder that holds yahpo")
    os.environ["SEARCH_DATA"] = parser.parse_args().data
    page, entries = [HEAD.rstrip("\n"), ""], ["# Made by benchmarks/portfolio/build.py.\n"]
    for source in SOURCES:
        pool, loss, tasks = losses(source)
        scores = normalised(loss)
        page += section(source, scores, tasks)
        chosen = greedy(scores[:, :-1])
        entries += [entry(source, pool[at], i, tasks) for i, at in enumerate(chosen)]
    (ROOT / "benchmarks/results/portfolio.md").write_text("\n".join(page).rstrip() + "\n")
    (ROOT / "src/assay/learners/portfolio.toml").write_text("\n".join(entries).rstrip() + "\n")


if __name__ == "__main__":
    main()
