"""Ablations of real systems: what untuned comparisons claim, and what is left when all are tuned.

The figures of the last run are in results/ablation.json; RESULTS.md says what they mean.
"""

import faulthandler
import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from tests.slow.real_data import data_set

import assay
from assay import Choice, Component, Float, Int, Space

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "ablation.json"
SCALER = [Component("scaler", step="scaler")]


def kept(name, found, component):
    """The effect, written beside those of the other tests."""
    effect = found.effect(component)
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    known[name] = {
        **{k: effect[k] for k in ("flag", "sentence")},
        **{
            k: [round(effect[k][end], 5) for end in ("estimate", "low", "high")]
            for k in ("untuned", "retuned", "misattribution")
        },
    }
    RESULTS.write_text(json.dumps(dict(sorted(known.items())), indent=1, ensure_ascii=False) + "\n")
    return effect


def pipeline(model):
    return Pipeline([("scaler", StandardScaler()), ("model", model)])


@pytest.mark.parametrize("seed", range(4))
def test_the_scaler_before_a_ridge_is_a_tuning_effect(seed):
    """The columns have equal norms, so that scaling them only rescales alpha."""
    X, y = load_diabetes(return_X_y=True)
    found = assay.ablate(
        pipeline(Ridge()), X, y, components=SCALER, metric="r2", seed=seed, isolation="none"
    )
    effect = kept(f"diabetes, ridge, scaler, seed {seed}", found, "scaler")
    assert effect["untuned"]["estimate"] > 0.03
    assert effect["untuned"]["estimate"] > 100 * abs(effect["retuned"]["estimate"])
    assert -0.005 < effect["retuned"]["low"]
    assert effect["retuned"]["high"] < 0.005
    assert effect["flag"] == "not needed"


def test_the_same_as_the_literature_does_it():
    """The best of 33 alphas on three repeats of five folds, kept when the scaler goes.

    The score is flat over four decades of alpha, so where on the plateau the best lies is luck, and
    with it the untuned effect: 0.44, 0.07, 0.43 and 0.13 for the seeds 0 to 3.
    """
    X, y = load_diabetes(return_X_y=True)
    found = assay.ablate(
        pipeline(Ridge()), X, y, components=SCALER, metric="r2", isolation="none", searches=1,
        sampler={"name": "grid", "points": 33}, budget=35, splits=assay.Splits.repeated(5, 3),
    )  # fmt: skip
    effect = kept("diabetes, ridge, scaler, 33 alphas", found, "scaler")
    assert effect["untuned"]["low"] > 0.1
    assert -0.005 < effect["retuned"]["low"]
    assert effect["retuned"]["high"] < 0.005


def test_adam_against_sgd_with_a_shared_learning_rate():
    X, y = load_digits(return_X_y=True)
    X, y = X[:700] / 16, y[:700]

    def accuracy(trial):
        parts = train_test_split(X, y, test_size=0.3, stratify=y, random_state=trial.seed % 2**31)
        train, valid, y_train, y_valid = parts
        model = MLPClassifier(
            (32,),
            solver=trial.config["optimiser"],
            learning_rate_init=trial.config["rate"],
            max_iter=40,
            random_state=trial.seed % 2**31,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return float(model.fit(train, y_train).score(valid, y_valid))

    found = assay.ablate(
        accuracy,
        space=Space(rate=Float(1e-4, 1.0, log=True, default=0.001)),
        components=[Component("optimiser", on="adam", off="sgd")],
        direction="maximize",
        smallest_gain=0.01,
        budget=16,
        searches=2,
        fresh=10,
        isolation="none",
    )
    effect = kept("digits, MLP, Adam against SGD", found, "optimiser")
    assert effect["untuned"]["estimate"] > 0.01
    assert abs(effect["retuned"]["estimate"]) < 0.02
    assert effect["misattribution"]["estimate"] > 0


def test_the_scaler_before_a_support_vector_machine_is_partly_a_tuning_effect():
    X, y = load_breast_cancer(return_X_y=True)
    space = Space(
        model__C=Float(1e-2, 1e3, log=True, default=1.0),
        model__gamma=Float(1e-9, 10.0, log=True, default=0.03),
    )
    found = assay.ablate(
        pipeline(SVC(gamma=0.03)), X, y, components=SCALER, space=space, metric="accuracy",
        budget=30, searches=2, isolation="none",
    )  # fmt: skip
    effect = kept("breast cancer, SVM, scaler", found, "scaler")
    assert effect["untuned"]["estimate"] > effect["retuned"]["estimate"] > 0


def test_a_scaler_that_does_contribute():
    """Not in the design: distances on unscaled columns cannot be mended by tuning the neighbours."""
    X, y = load_wine(return_X_y=True)
    space = Space(
        model__n_neighbors=Int(1, 40, log=True, default=5),
        model__weights=Choice(["uniform", "distance"], default="uniform"),
    )
    found = assay.ablate(
        pipeline(KNeighborsClassifier()), X, y, components=SCALER, space=space,
        metric="accuracy", budget=25, searches=2, isolation="none",
    )  # fmt: skip
    effect = kept("wine, nearest neighbours, scaler", found, "scaler")
    assert effect["retuned"]["low"] > 0.05
    assert effect["flag"] in ("contributes", "overstated")


NEW = {
    "star98": "ridge", "trump": "ridge", "engel": "ridge",
    "mroz": "SVM", "wages_union": "SVM", "anes96": "SVM",
}  # fmt: skip
"""Tables that had no part in the design, chosen with their models before any was looked at."""


def ablated(name, model, searches, seed):
    """What the scaler is worth on a table, all settings kept and all tuned again."""
    data = data_set(name)
    order = np.random.default_rng(0).permutation(len(data.y))[:500]
    how = {
        "components": SCALER, "isolation": "none", "searches": searches, "budget": 30, "seed": seed,
    }  # fmt: skip
    X, y = data.X[order], data.y[order]
    if model == "ridge":
        return assay.ablate(pipeline(Ridge()), X, y, metric="r2", **how)
    space = Space(
        model__C=Float(1e-2, 1e3, log=True, default=1.0),
        model__gamma=Float(1e-9, 10.0, log=True, default=0.03),
    )
    return assay.ablate(pipeline(SVC(gamma=0.03)), X, y, metric="accuracy", space=space, **how)


@pytest.fixture(scope="module", params=[(3, 0), (10, 1)], ids=["3 searches", "10 searches"])
def new(request):
    """Ten searches with another seed were added because three left every interval across zero."""
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    searches, seed = request.param
    return {
        name: kept(
            f"{name}, {model}, scaler, {searches} searches",
            ablated(name, model, searches, seed),
            "scaler",
        )
        for name, model in NEW.items()
    }


def test_untuned_effects_err_upwards_on_new_tables(new):
    """In their direction; how many do so beyond their interval is in the file."""
    assert np.mean([one["misattribution"]["estimate"] for one in new.values()]) > 0
    assert not [name for name, one in new.items() if one["misattribution"]["high"] < 0]
