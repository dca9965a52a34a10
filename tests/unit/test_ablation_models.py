"""Ablations of pipelines and feature groups, and of study files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler

import assay
from assay import Component
from assay.api.ablation_files import read_ablation
from assay.core.errors import DataError, SpecError
from assay.learners.diabetes import diabetes_csv
from assay.learners.variants import named, step_of, with_parts


def made(rows=150):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4))
    return X, X[:, 0] + 0.5 * X[:, 1] + rng.normal(0, 0.3, rows)


def pipeline():
    return Pipeline([("scaler", StandardScaler()), ("pca", PCA(4)), ("ridge", Ridge())])


def run(components, model=None, **wishes):
    X, y = made()
    given = {"budget": 6, "searches": 1, "fresh": 10, "metric": "r2", "isolation": "none"}
    return assay.ablate(model or pipeline(), X, y, components=components, **(given | wishes))


def test_steps_and_groups_of_features_are_taken_out():
    found = run(
        [
            Component("scaler", step="scaler"),
            Component("first", features=["x0"]),
            Component("noise", features=["x2", "x3"]),
        ],
        model=Pipeline([("scaler", StandardScaler()), ("ridge", Ridge())]),
    )
    assert found.effect("first")["retuned"]["estimate"] > 0.5
    for name in ("scaler", "noise"):
        assert abs(found.effect(name)["retuned"]["estimate"]) < 0.02
    assert {v["trials"] for v in found.result["variants"]} == {6}


def test_a_replacement_brings_its_own_space_and_loses_the_old_one():
    space = assay.Space(
        pca__n_components=assay.Int(1, 4, default=4),
        ridge__alpha=assay.Float(0.01, 10, log=True, default=1.0),
    )
    found = run([Component("pca", step="pca")], space=space)
    assert found.result["roles"]["nuisance"] == {
        "full": ["pca__n_components", "ridge__alpha"],
        "-pca": ["ridge__alpha"],
    }
    found = run([Component("scaler", step="scaler", off=RobustScaler())])
    assert "RobustScaler" in json.dumps(found.study.history.milestones()[1].plan)


def test_what_could_be_tuned_and_is_held_limits_the_claim():
    space = assay.Space(pca__n_components=assay.Int(1, 4, default=4))
    found = run([Component("scaler", step="scaler")], space=space)
    assert found.result["roles"]["fixed"] == {"ridge__alpha": 1.0}
    assert any("Held fixed" in note for note in found.result["notes"])


def test_the_sealed_rows_of_a_study_stay_closed():
    X, y = made()
    study = assay.tune(
        pipeline(), X, y, budget=5, metric="r2", isolation="none", test=0.3, open_test=False
    )
    found = study.ablate(
        [Component("scaler", step="scaler")], searches=1, fresh=10, isolation="none"
    )
    assert study.history.looks == 0
    assert found.study is study
    spec = study.spec.data["rows"]
    variant = assay.open_study(study.store, "study/full").spec
    assert variant.data["rows"] == spec == 105
    assert variant.data["seal"] is None


@pytest.mark.parametrize(
    ("component", "error", "says"),
    [
        (Component("x", step="scalar"), SpecError, "'scaler'"),
        (Component("x", features=["bmi"]), DataError, "x0, x1"),
        (Component("x", features=["x0", "x1", "x2", "x3"]), DataError, "No feature is left"),
        (Component("x"), SpecError, "step="),
        (Component("x", step="ridge"), SpecError, "-x.* has no model left"),
    ],
)
def test_components_that_do_not_fit_are_told(component, error, says):
    with pytest.raises(error, match=says):
        run([component])


def test_parts_by_name():
    nested = Pipeline([("prepare", pipeline()), ("model", Ridge())])
    assert step_of(nested, "pca") == "prepare__pca"
    changed = with_parts(nested, {"prepare__pca": "passthrough"})
    assert changed.get_params()["prepare__pca"] == "passthrough"
    assert isinstance(nested.get_params()["prepare__pca"], PCA)
    assert isinstance(named("sklearn.preprocessing.RobustScaler"), RobustScaler)
    for wrong in ("os.path.join", "sklearn.preprocessing.Nothing", "scaler"):
        with pytest.raises(SpecError, match=r"scikit-learn|no estimator"):
            named(wrong)


FILE = """
data = "diabetes.csv"
target = "progression"
model = "ridge"
metric = "r2"
trials = 4
[ablation]
searches = 1
fresh = 10
[[ablation.components]]
name = "scaler"
step = "standardscaler"
[[ablation.components]]
name = "serum"
features = ["s1", "s2", "s3", "s4", "s5", "s6"]
"""


def test_a_study_file(tmp_path, monkeypatch):
    from click.testing import CliRunner

    from assay.cli import assay as cli

    (tmp_path / "diabetes.csv").write_text(diabetes_csv())
    (tmp_path / "parts.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["ablate", "parts.toml", "--quiet", "--report", "r.html"])
    assert done.exit_code == 0, done.output
    assert "the serum" in done.output
    assert "-serum" in done.output
    assert "What each component contributes" in (tmp_path / "r.html").read_text()
    again = CliRunner().invoke(cli, ["ablate", "parts.toml", "--quiet", "--format", "json"])
    flags = {e["component"]: e["flag"] for e in json.loads(again.output)["effects"]}
    assert flags["serum"] == "contributes"
    listed = CliRunner().invoke(cli, ["status"]).output
    assert "parts" in listed
    assert "-serum" not in listed
    log = CliRunner().invoke(cli, ["log"]).output
    assert "variant begun: study parts/-serum" in log
    assert "ablation done" in log


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "[ablation]\nsearches = 1\nfresh = 10",
            "",
            "No component|at least|not valid|step|ablation",
        ),
        ("searches = 1", "serches = 1", "'searches'"),
        ('step = "standardscaler"', 'stp = "standardscaler"', "'step'"),
    ],
)
def test_mistakes_in_a_file_are_told(tmp_path, old, new, says):
    from assay.api.ablation_files import ablate_file

    (tmp_path / "diabetes.csv").write_text(diabetes_csv())
    path = tmp_path / "parts.toml"
    path.write_text(FILE.replace(old, new) if new else FILE.partition("[ablation]")[0])
    with pytest.raises(SpecError, match=says):
        read_ablation(path)
        ablate_file(path, storage=str(tmp_path / "x.db"))
