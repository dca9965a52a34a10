"""Boosted trees: data in, tuned model out."""

from __future__ import annotations

import numpy as np
import pytest

import assay
from assay.core.errors import SpecError, StateError
from assay.learners import boosted


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


def rows(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    y = X[:, 0] + X[:, 1] * X[:, 2] + rng.normal(size=300) / 3
    return X, np.where(y > 0, "high", "low") if kind == "classification" else y


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
def test_one_call_tunes_and_one_gives_the_model(name, kind):
    pytest.importorskip(name)
    X, y = rows(kind)
    study = assay.tune(
        name, X, y, budget=3, test=0.0, splits=assay.Splits.holdout(0.3), isolation="none",
        evidence=assay.Evidence(repeats=2, seeds=1, top=1, rechecks=2), progress=False,
    )  # fmt: skip
    assert study.history.n_ended == 3
    assert study.control.value is not None
    assert study.verify() == []
    model = assay.refit(study, X, y)
    assert model.score(X, y) > 0.7
    settings = model.get_params()
    prefix = study.spec.data["model"]["prefix"]
    assert {n: settings[prefix + n] for n in study.best.config} == dict(study.best.config)


def test_a_package_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(boosted, "installed", lambda package: False)
    with pytest.raises(SpecError, match=r"pip install 'assay\[boosting\]'"):
        assay.tune("lightgbm", *rows("regression"), budget=2)


def test_refit_needs_the_estimator():
    study = assay.optimize(
        lambda t: t.config["x"], assay.Space(x=assay.Float(0, 1, default=1.0)), budget=2,
        isolation="none", evidence=None,
    )  # fmt: skip
    with pytest.raises(StateError, match="estimator"):
        assay.refit(study, [[1]], [1])
