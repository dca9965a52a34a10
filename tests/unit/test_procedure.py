"""What stands in for a test set that cannot be spared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from sklearn.tree import DecisionTreeClassifier

import assay
from assay import Budget, Float, Int, Space, Splits
from assay.analysis.procedure import OuterFold, by_outer_folds
from assay.core.errors import SpecError, StateError
from assay.core.events import Estimated, Opened, Sealed
from assay.core.spec import StudySpec, directions_of
from assay.math.rows import Independent, grouped
from assay.math.selection_luck import bbc, bbc_of, mean_losses

DEPTH = Space(max_depth=Int(1, 8, default=8))


def rows(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


def tuned(final, metric="accuracy", X=None, y=None, **more):
    if X is None:
        X, y = rows()
    options = {
        "budget": 6,
        "sampler": "random",
        "checks": False,
        "isolation": "none",
        "progress": False,
    }
    model = more.pop("model", DecisionTreeClassifier(max_depth=8))
    space = more.pop("space", DEPTH)
    return assay.tune(model, X, y, space=space, metric=metric, final=final, **options | more)


def results(study):
    return study.history.last(Estimated).results


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc", "f1"])
def test_the_bootstrap_takes_no_row_away_and_speaks_of_the_procedure(metric):
    study = tuned("bbc", metric)
    assert not study.history.last(Sealed)
    assert study.spec.data["rows"] == 120
    verdict, found = study.verdict, results(study)
    assert verdict.badge == "NO TEST SET (bbc)"
    assert "tuning procedure, not about the fitted model" in verdict.sentence
    assert verdict.gain.low <= verdict.gain.estimate <= verdict.gain.high
    assert found["rows"] == 120
    assert found["trials"] == 6
    control = study.trials[0].value
    assert found["control"] == pytest.approx(control, rel=0.1)
    score = found["score"]
    assert score["low"] <= score["score"] <= score["high"]
    gain = score["score"] - found["control"]
    assert verdict.gain.estimate == pytest.approx(gain if metric != "log_loss" else -gain, abs=1e-6)


@pytest.mark.parametrize("known", ["groups", "time"])
def test_rows_that_belong_together_are_drawn_together(known):
    X, y = rows()
    order = np.repeat(np.arange(24), 5) if known == "groups" else np.arange(120)[::-1]
    study = tuned("bbc", X=X, y=y, **{known: order})
    drawn = results(study)["drawn"]
    assert drawn == "groups" if known == "groups" else drawn.startswith("blocks of")
    assert results(study)["rows"] == (
        120 if known == "groups" else 100
    )  # the first block only trains


def test_repeated_folds_count_a_row_once():
    assert results(tuned("bbc", splits=Splits.repeated(4, 2)))["rows"] == 120


def test_nested_runs_the_whole_study_on_each_outer_fold(tmp_path):
    storage = f"sqlite:///{tmp_path}/lab.db"
    study = tuned("nested", storage=storage, name="small", splits=Splits.kfold(3))
    found = results(study)
    assert [fold["study"] for fold in found["folds"]] == [f"small/outer-{k}" for k in (1, 2, 3)]
    assert sum(fold["rows"] for fold in found["folds"]) == 120
    assert study.verdict.badge == "NO TEST SET (nested)"
    inner = assay.open_study(storage, "small/outer-1")
    assert inner.spec.data["rows"] == 80
    assert inner.spec.seed != study.spec.seed
    assert inner.history.n_trials == 6
    assert not inner.history.last(Opened)
    assert study.spec.plan != inner.spec.plan
    again = tuned("nested", storage=storage, name="small", splits=Splits.kfold(3))
    assert again.history.length == study.history.length


def test_nested_sees_a_gain_that_is_there():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(150, 5))
    y = X @ np.arange(1.0, 6) + rng.normal(size=150)
    space = Space(alpha=Float(0.01, 1000, log=True, default=1000.0))
    study = tuned("nested", "mae", X, y, model=Ridge(alpha=1000.0), space=space, budget=10)
    assert study.verdict.claim.name == "BETTER"
    assert study.verdict.selected < study.verdict.control
    assert results(study)["kept_defaults"] == 0


def test_nested_takes_a_metric_that_only_the_model_knows():
    def scorer(model, X, y):
        return model.score(X, y)

    with pytest.raises(SpecError, match="test=0 or final='nested'"):
        tuned(None, scorer, direction="maximize")
    assert results(tuned("nested", scorer, direction="maximize", splits=Splits.kfold(3)))["folds"]


def test_a_nested_study_that_was_interrupted_goes_on(tmp_path, monkeypatch):
    from assay.api import procedure

    storage = f"sqlite:///{tmp_path}/lab.db"
    whole = tuned("nested", storage=storage, name="whole", splits=Splits.kfold(3))
    real, calls = procedure.run_plan, []

    def breaks(*args, **more):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*args, **more)

    monkeypatch.setattr(procedure, "run_plan", breaks)
    with pytest.raises(KeyboardInterrupt):
        tuned("nested", storage=storage, name="cut", splits=Splits.kfold(3))
    cut = assay.open_study(storage, "cut")
    assert cut.history.last(Estimated) is None
    from assay.report.phase import phase

    assert phase(cut.spec, cut.history) == "outer"
    done = tuned("nested", storage=storage, name="cut", splits=Splits.kfold(3))
    assert results(done)["gain"] == results(whole)["gain"]


def test_where_the_rule_always_keeps_the_defaults_no_gain_is_shown():
    spec = StudySpec(Space(x=Int(0, 1, default=0)), directions_of("maximize"))
    folds = [OuterFold(f"s/outer-{k}", 0, 20, 0.5 + 0.1 * k, 0.5 + 0.1 * k) for k in range(3)]
    found = by_outer_folds(spec, folds, 0.5, "kfold")
    assert found["gain"]["low"] == found["gain"]["high"] == 0
    assert found["kept_defaults"] == 3


@pytest.mark.parametrize(
    ("final", "more", "said"),
    [
        ("bcc", {}, "Did you mean 'bbc'"),
        ("bbc", {"test": 0.3}, "Give one of the two"),
        (
            "bbc",
            {"metric": lambda y, p: float(np.mean(y == p)), "direction": "maximize"},
            "weighted",
        ),
        ("nested", {"budget": Budget(trials=5, cpu_hours=1)}, "bounds one study"),
        ("nested", {"splits": Splits.forward(1), "time": np.arange(120)}, "two outer folds"),
    ],
)
def test_what_cannot_be_estimated_is_refused_before_anything_runs(final, more, said):
    with pytest.raises(SpecError, match=said):
        tuned(final, **more)


def test_a_sealed_study_has_no_estimate_of_its_procedure():
    study = tuned(None)
    with pytest.raises(StateError, match="sealed test set"):
        study.ledger.decide(lambda _: [Estimated("bbc", {})])


def test_plans_from_before_keep_their_hashes():
    assert "final" not in tuned("test").spec.data


@given(st.integers(20, 60), st.integers(2, 6), st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_the_gain_is_the_first_trial_minus_the_winner(n, trials, seed):
    losses = np.random.default_rng(seed).normal(size=(n, trials))
    found = bbc_of(mean_losses(losses), Independent(n), np.random.default_rng(1), draws=200)
    assert found.gain.estimate == pytest.approx(found.first.estimate - found.winner.estimate)
    alone = bbc(losses, np.random.default_rng(1), draws=200)
    assert (alone.estimate, alone.low, alone.high) == pytest.approx(
        (found.winner.estimate, found.winner.low, found.winner.high)
    )


def test_whole_groups_are_left_out():
    of_row = np.repeat(np.arange(10), 4)
    luck = np.random.default_rng(0).normal(size=(10, 8))[of_row]
    alone = bbc_of(mean_losses(luck), Independent(40), np.random.default_rng(0), draws=300)
    together = bbc_of(mean_losses(luck), grouped(of_row), np.random.default_rng(0), draws=300)
    assert alone.gain.estimate > together.gain.estimate
