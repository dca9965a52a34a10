"""What the best of n trials of each variant is worth on rows that did not choose it."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import assay
from assay import Component, Float, Int, Space
from assay.core.history import fold
from assay.report.plots.ablation import curves
from assay.stores.memory import MemoryStore

SPACE = Space(model__max_depth=Int(1, 12, default=3), model__min_samples_leaf=Int(1, 20, default=5))
RNG = np.random.default_rng(2)
X = RNG.normal(size=(90, 4))
Y = (X[:, 0] + RNG.normal(0, 1.5, 90) > 0).astype(int)


def ablate(model=None, y=Y, store=None, **wishes):
    model = model or DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0)
    pipeline = Pipeline([("scaler", StandardScaler()), ("model", model)])
    given = {
        "components": [Component("scaler", step="scaler")], "space": SPACE, "budget": 12,
        "searches": 1, "fresh": 5, "metric": "accuracy", "isolation": "none", "progress": False,
        "storage": store,
    }  # fmt: skip
    return assay.ablate(pipeline, X, y, **(given | wishes))


@pytest.fixture(scope="module")
def found():
    store = MemoryStore()
    return ablate(store=store), store


def losses_of(store, name):
    """Losses of the random trials, (rows, trials), from the log alone; folds one after the other."""
    past = fold(store.read(name))
    drawn = [n for n in range(past.n_trials) if past.origin(n) == "sampler"]
    units = sorted(past.units(drawn[0], "search"))
    assert len(units) == 5
    columns = [
        [np.frombuffer(store.blob(past.units(n, "search")[u].rows), "<f4") for u in units]
        for n in drawn
    ]
    return np.column_stack([np.concatenate(folds) for folds in columns])


def test_it_is_what_choosing_in_the_bag_scores_out_of_it(found):
    ablation, store = found
    for variant in ablation.result["variants"]:
        table = losses_of(store, variant["searches"][0]["study"])
        rows, trials = table.shape
        assert rows == 90
        rng, scores = np.random.default_rng(8), []
        for _ in range(1500):
            drawn = np.bincount(rng.integers(rows, size=rows), minlength=rows)
            some = rng.choice(trials, 4, replace=False)
            winner = some[(drawn @ table[:, some]).argmin()]
            scores.append(1 - table[drawn == 0, winner].mean())
        honest = ablation.result["curves"][variant["name"]]["honest"]
        assert len(honest["best"]) == trials
        assert honest["best"][3] == pytest.approx(np.mean(scores), abs=0.012)  # 200 draws
        low, high = np.quantile(scores, [0.025, 0.975])
        assert honest["low"][3] == pytest.approx(low, abs=0.05)
        assert honest["high"][3] == pytest.approx(high, abs=0.05)


def test_what_chose_noise_is_worth_nothing_on_other_rows():
    labels = np.random.default_rng(5).permutation(np.arange(90) % 2)
    for curve in ablate(y=labels, searches=2).result["curves"].values():
        assert curve["best"][-1] - curve["honest"]["best"][-1] > 0.02
        assert curve["honest"]["best"][-1] < 0.54
        assert len(curve["honest"]["best"]) == len(curve["best"])
        ends = (curve["honest"][end] for end in ("low", "best", "high"))
        assert all(low <= best <= high for low, best, high in zip(*ends, strict=True))


def test_of_one_trial_it_is_the_mean_of_them_all(found):
    ablation, store = found
    for variant in ablation.result["variants"]:
        table = losses_of(store, variant["searches"][0]["study"])
        honest = ablation.result["curves"][variant["name"]]["honest"]
        assert honest["best"][0] == pytest.approx(1 - table.mean(), abs=0.02)


def test_a_loss_that_is_minimised_has_its_worse_end_above():
    model = DecisionTreeRegressor(max_depth=3, min_samples_leaf=5, random_state=0)
    result = ablate(model, X[:, 0] + RNG.normal(size=90), metric="mae", searches=2).result
    for curve in result["curves"].values():
        assert curve["honest"]["low"][-1] > curve["honest"]["best"][-1] > curve["best"][-1]
        assert curve["honest"]["best"][-1] > curve["honest"]["high"][-1]


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"metric": "roc_auc"}, "roc_auc is no mean over rows"),
        ({"groups": np.arange(90) // 6}, "rows that belong together"),
        ({"sampler": "tpe"}, "a model proposed the trials"),
    ],
)
def test_where_there_is_none_it_is_said_why(wishes, why):
    result = ablate(**wishes).result
    for curve in result["curves"].values():
        assert curve["honest"].startswith(why)
    plot = curves(result)
    assert len(plot.panels) == 1
    assert any(f"No curve on rows that did not choose: {why}" in note for note in plot.notes)


def test_an_objective_without_rows_has_none():
    found = assay.ablate(
        lambda t: t.config["x"] ** 2 + t.config["a"], components=[Component("a")],
        space=Space(x=Float(0, 1)), budget=6, searches=1, fresh=2, isolation="none", progress=False,
    )  # fmt: skip
    (curve, _) = found.result["curves"].values()
    assert curve["honest"] == "the log holds no out-of-fold loss of each row"


def test_the_figure_has_both_and_the_page_shows_it(found):
    result = found[0].result
    plot = curves(result)
    seen, honest = plot.panels
    for panel, key in ((seen, None), (honest, "honest")):
        lines = {m.name: m for m in panel.marks if m.kind == "line"}
        assert set(lines) == set(result["curves"])
        for name, line in lines.items():
            curve = result["curves"][name]
            assert line.y == pytest.approx((curve[key] if key else curve)["best"])
        assert sum(m.kind == "band" for m in panel.marks) == (0 if key else 2)
    colours = [{m.name: m.role for m in p.marks if m.kind == "line"} for p in plot.panels]
    assert colours[0] == colours[1]
    assert plot.table.heads[2] == "on other rows"
    assert all("(" in row[2] and " to " in row[2] for row in plot.table.rows)
    assert "other rows" in found[0].report()


def test_a_curve_that_bends_down_is_told():
    at = [0.70, 0.74, 0.73, 0.71]
    result = {
        "metric": "accuracy", "maximize": True,
        "curves": {
            "full": {"kind": "expected", "best": [0.7, 0.75, 0.8, 0.82], "low": at, "high": at,
                     "honest": {"best": at, "low": at, "high": at}},
            "-a": {"kind": "expected", "best": at, "low": at, "high": at},
        },
    }  # fmt: skip
    plot = curves(result)
    (said,) = [note for note in plot.notes if "more trials chose noise" in note]
    assert "the best of 2 trials of full is worth 0.74, that of 4 only 0.71" in said
    assert plot.table.rows[1][2] == "–", "an older log says nothing"
    result["maximize"] = False
    assert any("the best of 1 trial of full is worth 0.7" in note for note in curves(result).notes)
