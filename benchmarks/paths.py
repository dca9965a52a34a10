"""Ablation paths with a race and without: what a race saves, and whether it takes the same way.

    python -m benchmarks.paths run          # every (data, seed) that is not in results/paths.jsonl yet
    python -m benchmarks.paths summary      # writes results/paths.md

Each pair is the same call twice: four components of a pipeline, three searches of 12 trials each. A
search of one run has the same seed, splits and draws as in the other, so they differ by the race alone:
by who leaves it, and by the splits that decide.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectPercentile, f_classif, f_regression
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from tests.slow.real_data import data_set

import assay
from assay import Component, Float, Int, Space

RESULTS = Path(__file__).parent / "results"
CASES = [
    ("breast_cancer", "linear"), ("breast_cancer", "neighbours"), ("wine", "linear"),
    ("diabetes", "linear"), ("diabetes", "tree"), ("digits", "neighbours"), ("iris", "tree"),
    ("fair", "tree"), ("fair", "linear"),
]  # fmt: skip
SEEDS = (0, 1)
ROWS = 240
PARTS = ("scaler", "select", "kernel", "pca")
SPACES = {
    "linear": {"reg": Float(1e-3, 1e3, log=True, default=1.0)},
    "neighbours": {"n_neighbors": Int(1, 40, log=True, default=5)},
    "tree": {"min_samples_leaf": Int(1, 40, log=True, default=1)},
}


def system(kind: str, task: str) -> tuple[Pipeline, Space]:
    regression = task == "regression"
    models = {
        "linear": (Ridge(), "alpha") if regression else (LogisticRegression(max_iter=200), "C"),
        "neighbours": (KNeighborsRegressor() if regression else KNeighborsClassifier(), "n_neighbors"),
        "tree": (
            (DecisionTreeRegressor if regression else DecisionTreeClassifier)(random_state=0),
            "min_samples_leaf",
        ),
    }  # fmt: skip
    model, name = models[kind]
    (parameter,) = SPACES[kind].values()
    pipeline = Pipeline([
        ("scaler", StandardScaler()),
        ("select", SelectPercentile(f_regression if regression else f_classif, percentile=50)),
        ("kernel", Nystroem(n_components=20, random_state=0)),
        ("pca", PCA(n_components=3, random_state=0)),
        ("model", model),
    ])  # fmt: skip
    return pipeline, Space(**{f"model__{name}": parameter})


def run(name: str, kind: str, seed: int, *, racing: bool) -> dict:
    data = data_set(name)
    rows = np.random.default_rng(seed).permutation(len(data.y))[:ROWS]
    pipeline, space = system(kind, data.task)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return dict(
            assay.ablate(
                pipeline, data.X[rows], data.y[rows], space=space, seed=seed, design="path",
                components=[Component(part, step=part) for part in PARTS], budget=12, fresh=10,
                metric="r2" if data.task == "regression" else "log_loss", racing=racing,
                isolation="none", progress=False, smallest_gain=0.01,
            ).result
        )  # fmt: skip


def kept(result: dict) -> dict:
    return {
        "steps": [e["without"] for e in result["effects"]],
        "effects": [(e["retuned"] or {}).get("estimate") for e in result["effects"]],
        "scores": {v["name"]: [v["score"], len(v["searches"])] for v in result["variants"]},
        "fits": sum(v["fits"] for v in result["variants"]),
        "cpu_s": round(sum(v["cpu_s"] for v in result["variants"]), 1),
        "left": [(x["step"], x["variant"], x["searches"]) for x in result.get("race", {}).get("left", ())],
    }  # fmt: skip


def main_run() -> None:
    path = RESULTS / "paths.jsonl"
    known = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    done = {(k["data"], k["model"], k["seed"]) for k in known}
    for seed in SEEDS:
        for name, kind in CASES:
            if (name, kind, seed) in done:
                continue
            row = {"data": name, "model": kind, "seed": seed} | {
                word: kept(run(name, kind, seed, racing=racing))
                for word, racing in (("without", False), ("with", True))
            }
            with path.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(name, kind, seed, row["without"]["fits"], row["with"]["fits"], flush=True)


def summary() -> None:
    rows = [json.loads(line) for line in (RESULTS / "paths.jsonl").read_text().splitlines()]
    ratios = np.array([row["with"]["fits"] / row["without"]["fits"] for row in rows])
    others = [found for row in rows if (found := parting(row))]
    better = sum(found["better"] for found in others)
    tables = sorted({row["data"] for row in rows})
    head = [
        "# Ablation paths that race",
        "",
        (f"`python -m benchmarks.paths run`, then `summary`. {len(rows)} pairs on {len(tables)} tables "
        f"({', '.join(tables)}; {ROWS} rows each, log loss or R²), pipelines of four components "
        f"({', '.join(PARTS)}), three searches of 12 random trials. Nothing was chosen on these figures; pairs of one table are not independent."),
        "",
        (f"* Fits: {ratios.mean():.1%} of those without a race (standard error "
        f"{ratios.std(ddof=1) / len(rows) ** 0.5:.1%}, {ratios.min():.0%} to {ratios.max():.0%}): a race "
        f"costs ten fits a search, and was dearer in {(ratios > 1).sum()} pairs, where hardly any "
        "variant left."),
        (f"* The same path in {len(rows) - len(others)} of {len(rows)}. Where they part, one goes by the "
        "searches' values, the other by splits of the race's own; on the fresh splits, which chose "
        f"nothing, the variant that the race went on from was the better one in {better} of {len(others)}."),
        "",
        "| data, model, seed | fits without | with | of them | left the race | where they part: race, without, on fresh splits |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    lines = [
        f"| {row['data']}, {row['model']}, {row['seed']} | {row['without']['fits']:,} | "
        f"{row['with']['fits']:,} | {ratio:.0%} | {len(row['with']['left'])} | {_said(row)} |"
        for row, ratio in zip(rows, ratios, strict=True)
    ]
    (RESULTS / "paths.md").write_text("\n".join([*head, *lines]) + "\n")


def parting(row: dict) -> dict | None:
    """The first step at which two paths part, with the scores of both variants without a race."""
    without, raced = row["without"], row["with"]
    sign = 1 if data_set(row["data"]).task == "regression" else -1  # R², log loss
    for ours, theirs in zip(raced["steps"], without["steps"], strict=False):
        if ours != theirs:
            a, b = (without["scores"][v][0] for v in (ours, theirs))
            return {"ours": (ours, a), "theirs": (theirs, b), "better": sign * (a - b) > 0}
    return None


def _said(row: dict) -> str:
    found = parting(row)
    if not found:
        return ""
    (ours, a), (theirs, b) = found["ours"], found["theirs"]
    return f"{ours} {a:.3f}, {theirs} {b:.3f}: {'better' if found['better'] else 'worse'}"


if __name__ == "__main__":
    {"run": main_run, "summary": summary}[sys.argv[1]]()
