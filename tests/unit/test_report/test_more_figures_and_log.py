"""Noise, learning curve and ablation as drawn, against a log that is read and counted here by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from math import comb, log10, sqrt
from statistics import median

import numpy as np
import pytest
from scipy import optimize, stats
from sklearn.tree import DecisionTreeRegressor

import assay
from assay.api.reporting import whole
from assay.report import figures
from assay.report.plots import ablation
from assay.stores.memory import MemoryStore

RATES = (1e-3, 1.0)


def log_of(store, name):
    found = defaultdict(list)
    for row in store.rows(name):
        event = json.loads(row.body)
        found[event["type"]].append(event)
    return found


def points_of(plot, role):
    (mark,) = [m for m in plot.panels[0].marks if m.kind == "points" and m.role == role]
    return dict(zip(mark.y, mark.x, strict=True))


@pytest.fixture(scope="module")
def told(home):
    """A study of a model whose seed matters, with all checks, and its log."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(300, 6))
    study = assay.tune(
        DecisionTreeRegressor(max_depth=6, splitter="random", random_state=0),
        X, X[:, 0] + rng.normal(size=300), metric="mae", budget=5, test=0.25, name="told",
        space=assay.Space(max_depth=assay.Int(1, 8, default=6)), smallest_gain=0.01, overrides={"PF11": "a test"},
        isolation="none", progress=False, checks="full", sampler="random",
        splits=assay.Splits.kfold(4),
    )  # fmt: skip
    return study, log_of(study.store, "told")


def test_noise_is_the_variance_of_the_control_between_seeds_and_splits(told):
    study, log = told
    noise = whole(study).noise
    kept = [e for e in log["measured"] if e["trial"] == 0 and e["stage"] in ("search", "control")]
    control = {tuple(e["unit"]): e["value"] for e in kept}
    repeats, seeds = (sorted({unit[place] for unit in control}) for place in (0, 2))
    assert len(repeats) > 1 < len(seeds)
    cells = np.array(
        [[np.mean([control[r, f, s] for f in range(4)]) for s in seeds] for r in repeats]
    )
    rest = cells - cells.mean(0) - cells.mean(1)[:, None] + cells.mean()
    residual = (rest**2).sum() / ((len(repeats) - 1) * (len(seeds) - 1))
    split = max(cells.mean(1).var(ddof=1) - residual / len(seeds), 0)
    seed = max(cells.mean(0).var(ddof=1) - residual / len(repeats), 0)
    assert noise.rest == pytest.approx(sqrt(residual))
    assert noise.split == pytest.approx(sqrt(split))
    assert noise.seed == pytest.approx(sqrt(seed))


def test_the_floor_is_the_error_of_a_comparison_of_the_control_with_itself(told):
    study, log = told
    noise = whole(study).noise
    control = {
        tuple(e["unit"]): e["value"]
        for e in log["measured"]
        if e["trial"] == 0 and e["stage"] not in ("probe", "test")
    }
    moved = [value - control[r, f, 0] for (r, f, s), value in control.items() if s]
    spread = sqrt(np.mean(np.square(moved)))
    ratio = 1 / 3  # of four folds one is validated
    assert noise.floor == pytest.approx(spread * sqrt(1 / 4 + ratio))
    fresh = {tuple(e["unit"]) for e in log["measured"] if e["stage"] == "recheck"}
    n = len(fresh)
    t = stats.t(n - 1)
    error = spread * sqrt(1 / n + ratio)
    assert noise.detectable == pytest.approx(error * (t.ppf(0.975) + t.ppf(0.8)), rel=1e-3)
    assert noise.smallest_gain == log["created"][0]["spec"]["smallest_gain"] == 0.01
    drawn = figures.noise(noise)
    assert len(drawn.table.rows) == 6
    assert drawn.wide.count("<rect") >= 6


def test_the_learning_curve_goes_through_what_was_measured_as_least_squares_do(told):
    study, log = told
    (found,) = [f for f in log["inspected"][0]["findings"] if f["code"] == "PF14"]
    plot = whole(study).preflight.learning
    shown = {x: y for y, x in points_of(plot, "better").items()}
    parts = [n for n in range(1, 10) if f"rows_{n}" in found["numbers"]]
    rows = np.array([found["numbers"][f"rows_{n}"] for n in parts])
    loss = np.array([found["numbers"][f"loss_{n}"] for n in parts])
    assert shown == dict(zip(rows, loss, strict=True))
    lines = {m.role: m for m in plot.panels[0].marks if m.kind == "line"}
    assert set(lines) == {"record", "luck"}, "a power law fits these points"

    def error(power):
        design = np.column_stack([np.ones_like(rows), rows**-power])
        weights = np.linalg.lstsq(design, loss, rcond=None)[0]
        return float(np.square(design @ weights - loss).sum()), weights

    power = min(np.linspace(0.1, 2, 39), key=lambda c: error(c)[0])
    limit, factor = error(power)[1]
    for line in lines.values():
        law = limit + factor * np.array(line.x) ** -power
        assert line.y == pytest.approx(law)
    assert max(lines["record"].x) == pytest.approx(rows.max())
    assert max(lines["luck"].x) == pytest.approx(2 * rows.max())
    best = optimize.minimize_scalar(lambda c: error(c)[0], bounds=(0.1, 2), method="bounded")
    assert error(power)[0] <= best.fun + 0.05 * np.square(loss - loss.mean()).sum()


# --- an ablation


def loss(trial):
    """`norm` moves the best rate, `skip` is worth 0.2; a seed moves both."""
    best = 0.3 if trial.config["norm"] else 0.01
    noise = np.random.default_rng(trial.seed).normal(0, 0.01)
    return 1 + 0.1 * log10(trial.config["rate"] / best) ** 2 - 0.2 * trial.config["skip"] + noise


@pytest.fixture(scope="module")
def ablated():
    store = MemoryStore()
    found = assay.ablate(
        loss, components=[assay.Component("norm"), assay.Component("skip")], storage=store,
        space=assay.Space(rate=assay.Float(*RATES, log=True, default=0.5)), budget=16, fresh=4,
        smallest_gain=0.02, isolation="none", progress=False,
    )  # fmt: skip
    searches = defaultdict(list)
    for event in log_of(store, found.study.name)["varied"]:
        off = [name for name in ("norm", "skip") if name not in event["on"]]
        searches[f"-{off[0]}" if off else "full"].append(log_of(store, event["study"]))
    return found.result, searches


def values(log):
    return {e["trial"]: e["values"][0] for e in log["told"]}


def fresh(log, trial):
    found = [e["value"] for e in log["measured"] if (e["trial"], e["stage"]) == (trial, "ablation")]
    assert len(found) == 4
    return np.mean(found)


def winner(log):
    return min(values(log), key=values(log).get)


def lent(log):
    """The trial with the best settings of the whole system."""
    (trial,) = [
        e["trial"] for e in log["asked"] if "reference" in str((e["why"] or {}).get("source"))
    ]
    return trial


def test_the_dumbbell_ends_where_the_whole_and_the_variant_differ_on_fresh_seeds(ablated):
    result, searches = ablated
    plot = ablation.effects(result)
    untuned, retuned = points_of(plot, "seen"), points_of(plot, "better")
    heights = dict(zip(("norm", "skip"), (1.0, 0.0), strict=True))
    for name, at in heights.items():
        pairs = list(zip(searches["full"], searches[f"-{name}"], strict=True))
        r = np.mean([fresh(v, winner(v)) - fresh(f, winner(f)) for f, v in pairs])
        u = np.mean([fresh(v, lent(v)) - fresh(f, winner(f)) for f, v in pairs])
        (x,) = [x for y, x in retuned.items() if abs(y - at) < 0.3]
        assert x == pytest.approx(r)
        (x,) = [x for y, x in untuned.items() if abs(y - at) < 0.3]
        assert x == pytest.approx(u)


def test_the_curves_are_the_best_over_all_ways_to_draw_the_random_trials(ablated):
    result, searches = ablated
    plot = ablation.curves(result)
    drawn = {mark.name: mark for mark in plot.panels[0].marks if mark.kind == "line"}
    assert set(drawn) == set(searches)
    bands = [mark for mark in plot.panels[0].marks if mark.kind == "band"]
    assert [band.y for band in bands] == [line.y for line in drawn.values()]
    for name, logs in searches.items():
        pooled = []
        for log in logs:
            random = [e["trial"] for e in log["asked"] if e.get("origin", "sampler") == "sampler"]
            pooled += [values(log)[trial] for trial in random]
        pooled.sort(reverse=True)  # the best is the lowest
        for n, shown in zip(map(int, drawn[name].x), drawn[name].y, strict=True):
            ways = [comb(rank, n - 1) / comb(len(pooled), n) for rank in range(len(pooled))]
            assert shown == pytest.approx(np.dot(ways, pooled))


def test_responses_are_medians_over_eighths_of_the_range(ablated):
    result, searches = ablated
    plot = ablation.responses(result)
    for panel, name in zip(plot.panels, ("norm", "skip"), strict=True):
        for mark, logs in zip(panel.marks, (searches["full"], searches[f"-{name}"]), strict=True):
            parts = defaultdict(list)
            for log in logs:
                for asked in log["asked"]:
                    share = log10(asked["config"]["rate"] / RATES[0]) / log10(RATES[1] / RATES[0])
                    parts[min(int(8 * share), 7)].append(values(log)[asked["trial"]])
            assert mark.y == pytest.approx([median(parts[part]) for part in sorted(parts)])
