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
    lines = [
        "| data, model, seed | fits without | with | of them | left the race | same path | first other step |",
        "|---|---|---|---|---|---|---|",
    ]
    ratios, same = [], 0
    for row in rows:
        a, b = row["without"], row["with"]
        ratios.append(b["fits"] / a["fits"])
        same += a["steps"] == b["steps"]
        lines.append(
            f"| {row['data']}, {row['model']}, {row['seed']} | {a['fits']:,} | {b['fits']:,} | "
            f"{ratios[-1]:.0%} | {len(b['left'])} | {'yes' if a['steps'] == b['steps'] else 'no'} | "
            f"{_other(a, b)} |"
        )
    mean, se = np.mean(ratios), np.std(ratios, ddof=1) / len(ratios) ** 0.5
    head = [
        "# Ablation paths that race",
        "",
        (
            "`python -m benchmarks.paths run`, then `summary`; settings at its head. "
            f"{len(rows)} pairs, four components each."
        ),
        "",
        (
            f"* Fits: {mean:.1%} of those without a race (standard error {se:.1%}, "
            f"{min(ratios):.0%} to {max(ratios):.0%})."
        ),
        f"* The same path in {same} of {len(rows)}.",
        "",
    ]
    (RESULTS / "paths.md").write_text("\n".join([*head, *lines]) + "\n")


def _other(a: dict, b: dict) -> str:
    """Where two paths part: what each goes on from, with its score without a race, and why."""
    for ours, theirs in zip(b["steps"], a["steps"], strict=False):
        if ours != theirs:
            left = {variant for _, variant, _ in b["left"]}
            why = "left the race" if theirs in left else "other splits decide"
            score = {v: a["scores"][v][0] for v in (ours, theirs) if v in a["scores"]}
            return f"{ours} {score.get(ours, '–')} for {theirs} {score.get(theirs, '–')}: {why}"
    return ""


if __name__ == "__main__":
    {"run": main_run, "summary": summary}[sys.argv[1]]()
