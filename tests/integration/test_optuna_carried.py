"""Optuna's objectives run here, and studies carried both ways."""

from __future__ import annotations

import math
import pickle

import pytest

from assay import Choice, Float, Int, Space, SpecError, Study, When

optuna = pytest.importorskip("optuna", minversion="5")
ours = pytest.importorskip("assay.optuna")
optuna.logging.set_verbosity(optuna.logging.ERROR)


def conditional(trial):
    """Optuna's own way to write a conditional space."""
    kind = trial.suggest_categorical("kind", ["svc", "forest"])
    trial.report(1.0, step=0)
    if kind == "svc":
        return abs(math.log10(trial.suggest_float("C", 1e-5, 1e5, log=True)) - 2) / 10
    return 1 + abs(trial.suggest_int("depth", 1, 32, log=True) - 7)


def test_an_objective_of_optuna_runs_unchanged_and_its_conditions_are_learnt():
    study = ours.run(conditional, n_trials=30)
    assert study.spec.space == Space(
        kind=Choice(study.spec.space["kind"].values),
        C=When("kind", "svc", Float(1e-5, 1e5, log=True)),
        depth=When("kind", "forest", Int(1, 32, log=True)),
    )
    assert study.history.n_trials == 30
    for trial in study.trials:
        assert trial.value == conditional(optuna.trial.FixedTrial(dict(trial.config)))
    assert study.trials[0].curve == ((0, 1.0),)
    assert study.best.value < 0.05
    assert study.verify() == []


def test_the_same_seed_gives_the_same_trials():
    first, again, other = (ours.run(conditional, n_trials=14, seed=s) for s in (1, 1, 2))
    configs = [[dict(t.config) for t in study.trials] for study in (first, again, other)]
    assert configs[0] == configs[1] != configs[2]


def test_a_branch_that_is_found_late_widens_the_space_and_keeps_every_trial():
    count = []

    def objective(trial):
        count.append(1)
        x = trial.suggest_float("x", 0, 1)
        return x + (trial.suggest_float("late", 0, 1) if len(count) > 12 else 0)

    with pytest.warns(UserWarning, match="goes on, with all trials so far") as told:
        study = ours.run(objective, n_trials=16, startup=6, storage=None)
    assert "Trial 12 of study 'study'" in str(told[0].message)
    assert "Study 'study-2' goes on" in str(told[0].message)
    assert told[0].filename == __file__
    assert study.name != "study"
    assert set(study.spec.space) >= {"x"}
    assert study.history.n_ended == study.history.n_trials


def test_failures_and_pruned_trials_are_failed_trials():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if x > 0.7:
            raise ValueError("too large")
        if x < 0.2:
            raise optuna.TrialPruned
        return math.nan if 0.3 < x < 0.4 else x

    study = ours.run(objective, n_trials=20)
    reasons = {t.failure.reason for t in study.trials if t.failure}
    assert "pruned" in reasons
    assert any("too large" in reason for reason in reasons)


def test_an_error_that_is_not_caught_ends_the_run():
    with pytest.raises(ZeroDivisionError):
        ours.run(lambda trial: 1 / 0, n_trials=2, catch=(ValueError,))
    with pytest.raises(SpecError, match="nothing to search"):
        ours.run(lambda trial: 1.0, n_trials=2)
    with pytest.raises(SpecError, match=r"first 3 trials .*ZeroDivisionError"):
        ours.run(lambda trial: trial.suggest_float("x", 0, 1) / 0, n_trials=5, startup=3)
    with pytest.raises(SpecError, match="for several objectives give a list as direction"):
        ours.run(lambda trial: (trial.suggest_float("x", 0, 1), 1.0), n_trials=2)


def test_a_finite_space_ends_the_run_when_all_of_it_was_tried():
    def objective(trial):
        return trial.suggest_int("x", 1, 3) + trial.suggest_categorical("y", [0, 10])

    study = ours.run(objective, n_trials=40, startup=2)
    assert len({tuple(t.config.items()) for t in study.trials}) == 6
    assert study.best.config == {"x": 1, "y": 0}


def test_no_trial_begins_after_the_timeout():
    study = ours.run(conditional, n_trials=50, startup=1, timeout=1e-9)
    assert 1 <= study.history.n_trials < 50


def test_several_objectives_are_kept_and_gone_on_with(tmp_path):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return x, (1 - x) * (1 + trial.suggest_float("y", 0, 1))

    storage = str(tmp_path / "lab.db")
    ways = {"loss": "minimize", "size": "minimize"}
    with pytest.raises(Killed):
        ours.run(until(9, objective), n_trials=12, startup=4, direction=ways, storage=storage)
    study = ours.run(objective, n_trials=12, startup=4, direction=ways, storage=storage)
    for trial in study.trials:
        assert trial.values == objective(optuna.trial.FixedTrial(dict(trial.config)))
    assert study.spec.objectives == ("loss", "size")
    assert study.history.n_trials == 12


def test_constraints_of_an_objective_become_those_of_the_study(tmp_path):
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        trial.set_constraint("large", 0.5 - x)
        if x > 0.4:
            trial.set_constraint("far", x - 0.95)
        return x

    storage = str(tmp_path / "lab.db")
    with pytest.raises(Killed):
        ours.run(until(14, objective), n_trials=25, storage=storage)
    study = ours.run(objective, n_trials=25, storage=storage)
    assert set(study.spec.constraints) == {"far <= 0", "large <= 0"}
    assert 0.5 <= study.best.config["x"] <= 0.95
    broken = [t for t in study.trials if t.config["x"] < 0.4]
    assert broken
    assert not any("far" in t.extra for t in broken)
    assert study.history.n_trials == 25


def test_the_older_names_of_parameters_are_known():
    def objective(trial):
        rate = trial.suggest_loguniform("rate", 1e-3, 1)
        return (
            rate + trial.suggest_uniform("x", 0, 1) + trial.suggest_discrete_uniform("q", 0, 1, 0.5)
        )

    space = ours.run(objective, n_trials=10).spec.space
    assert space == Space(rate=Float(1e-3, 1, log=True), x=Float(0, 1), q=Float(0, 1, step=0.5))


# --- studies carried over


def alike(study, trials):
    """Every finished trial has the same config, value and curve."""
    return [
        (dict(t.config), t.values and tuple(t.values), dict(t.curve)) for t in study.trials
    ] == trials


@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_study_of_optuna_is_imported_whole(tmp_path, kind):
    url = f"{kind}:///{tmp_path}/theirs.db"
    path = f"{tmp_path}/theirs.db"
    journal = optuna.storages.journal.JournalFileBackend
    storage = url if kind == "sqlite" else optuna.storages.JournalStorage(journal(path))
    theirs = optuna.create_study(
        storage=storage, study_name="lab", sampler=optuna.samplers.RandomSampler(seed=1)
    )
    theirs.optimize(conditional, n_trials=20)
    study, lost = ours.import_study(url)
    assert lost == []
    assert alike(study, [(t.params, tuple(t.values), t.intermediate_values) for t in theirs.trials])
    assert study.best.value == theirs.best_value
    assert study.verify() == []
    assert study.ask().number == 20  # and it goes on


def test_there_and_back_again(tmp_path):
    space = Space(
        lr=Float(1e-4, 1, log=True, default=0.1),
        kind=Choice(["a", None, True, 3], default="a"),
        depth=When("kind", ["a", 3], Int(2, 10, step=2, default=4)),
    )
    study = Study(space, name="lab", direction="maximize")
    for _ in range(15):
        trial = study.ask()
        study.report_step(trial.number, 2, 0.5)
        if trial.number == 3:
            study.tell(trial, failed="no luck")
        else:
            study.tell(trial, trial.config["lr"])
    url = f"journal:///{tmp_path}/lab.log"
    assert ours.export_study(study, url) == []
    back, lost = ours.import_study(url, allow_lossy=True)
    assert [dict(t.config) for t in back.trials] == [dict(t.config) for t in study.trials]
    assert [(t.values, t.state, t.curve) for t in back.trials] == [
        (t.values, t.state, t.curve) for t in study.trials
    ]
    assert back.spec.directions == study.spec.directions
    assert all("attributes" in what for what in lost)
    with pytest.raises(SpecError, match="There is a study"):
        ours.export_study(study, url)


def test_constraints_go_there_and_back(tmp_path):
    space, bounds = Space(x=Float(0, 1, default=0.5)), ["ms <= 10", "accuracy >= 0.75"]
    study = Study(space, name="lab", constraints=bounds)
    for ms in (8.0, 12.0, math.inf):
        study.tell(study.ask(), {"value": ms / 100 if ms < 99 else 1, "ms": ms, "accuracy": 0.5})
    url = f"sqlite:///{tmp_path}/lab.db"
    assert ours.export_study(study, url) == []
    theirs = optuna.load_study(study_name="lab", storage=url)
    assert [t.constraints for t in theirs.trials] == [
        {"ms <= 10": over, "accuracy >= 0.75": 0.25} for over in (-2, 2, math.inf)
    ]
    back, _ = ours.import_study(url, allow_lossy=True)
    assert set(back.spec.constraints) == set(study.spec.constraints)
    assert [t.extra for t in back.trials] == [t.extra for t in study.trials]
    strict = Study(space, name="strict", constraints=["ms < 10"])
    with pytest.raises(SpecError, match="bounds themselves are not allowed: ms < 10"):
        ours.export_study(strict, url)


def test_constraints_of_optuna_become_ours(tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="lab")
    for named in ({"size": -1.0}, {"size": 2.0}, {}, {"<": 1.0, "size": 0.0}):
        theirs.add_trial(
            optuna.trial.create_trial(
                value=1.0, params={"x": 0.5}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
                constraints=named,
            )
        )  # fmt: skip
    study, lost = ours.import_study(url, allow_lossy=True)
    assert study.spec.constraints == ("size <= 0",)
    assert [dict(t.extra) for t in study.trials] == [{"size": -1}, {"size": 2}, {}, {"size": 0}]
    assert lost == ["constraints with a name that none of ours can have (1)"]


def test_what_would_be_lost_is_named_and_needs_a_yes(tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="lab")
    for x in (0.1, 0.2):
        theirs.add_trial(
            optuna.trial.create_trial(
                value=x, params={"x": x}, distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
                user_attrs={"note": "hello"},
            )
        )  # fmt: skip
    theirs.ask()
    with pytest.raises(
        SpecError, match=r"user attributes of trials \(2\); trials that run or wait \(1\)"
    ):
        ours.import_study(url)
    study, lost = ours.import_study(url, allow_lossy=True)
    assert len(lost) == 2
    assert study.history.n_trials == 2
    logit = Study(Space(p=Float(0.1, 0.9, logit=True)))
    with pytest.raises(SpecError, match="logit"):
        ours.export_study(logit, url)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


def test_a_pickle_in_the_database_is_never_opened(tmp_path):
    url = f"sqlite:///{tmp_path}/theirs.db"
    theirs = optuna.create_study(storage=url, study_name="lab")
    theirs.add_trial(
        optuna.trial.create_trial(
            value=0.5,
            params={"x": 0.5},
            distributions={"x": optuna.distributions.FloatDistribution(0, 1)},
            system_attrs={
                "cma:optimizer:0": pickle.dumps(Bomb()).hex()
            },  # as CMA-ES keeps its state
        )
    )
    study, _ = ours.import_study(url)
    assert study.history.n_trials == 1


@pytest.mark.parametrize("url", ["lab", "sqlite:///nowhere.db", "journal:///nowhere.log"])
def test_a_place_that_is_not_there(url, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError):
        ours.import_study(url)
    assert list(tmp_path.iterdir()) == []


class Killed(BaseException):
    """What no objective catches."""


def until(call, objective=conditional):
    """The objective, killed in its call number `call`."""
    calls = []

    def run(trial):
        calls.append(trial.number)
        value = objective(trial)
        if len(calls) == call:
            raise Killed
        return value

    return run


def test_a_run_goes_on_where_it_was_killed(tmp_path):
    storage = str(tmp_path / "lab.db")
    with pytest.raises(Killed):
        ours.run(until(17), n_trials=30, storage=storage, name="lab")
    told = []
    study = ours.run(
        lambda trial: told.append(trial.number) or conditional(trial), n_trials=30, storage=storage, name="lab",
    )  # fmt: skip
    assert told == list(range(16, 30))  # the one that was under way, and the others
    whole = ours.run(conditional, n_trials=30, name="lab")
    assert [t.config for t in study.trials] == [t.config for t in whole.trials]
    assert study.verify() == []
    same = ours.run(until(1), n_trials=30, storage=storage, name="lab")
    assert same.history.n_trials == 30


def test_a_wider_space_is_gone_on_with_too(tmp_path):
    storage = str(tmp_path / "lab.db")
    with pytest.raises(Killed), pytest.warns(UserWarning, match="'lab-2' goes on"):
        ours.run(until(9), n_trials=14, startup=1, storage=storage, name="lab")
    study = ours.run(conditional, n_trials=14, startup=1, storage=storage, name="lab")
    assert study.name.startswith("lab-")
    assert set(study.spec.space) == {"kind", "C", "depth"}
    assert study.history.n_trials == 14
    with pytest.warns(UserWarning, match="'lab-2' goes on"):
        whole = ours.run(conditional, n_trials=14, startup=1, name="lab")
    assert [t.config for t in study.trials] == [t.config for t in whole.trials]


def test_only_what_run_made_is_gone_on_with(tmp_path):
    storage = str(tmp_path / "lab.db")
    Study(Space(x=Float(0, 1)), storage=storage, name="lab").close()
    with pytest.raises(SpecError, match="not made by run"):
        ours.run(conditional, n_trials=3, storage=storage, name="lab")


def build(hp):
    """A function as KerasTuner has it."""
    value = abs(hp.Int("width", 8, 64, step=8) - 32) / 32
    value += abs(math.log10(hp.Float("rate", 1e-4, 1e-1, sampling="log")) + 2)
    value += abs(hp.Int("units", 4, 64, step=2, sampling="log") - 16) / 16
    kind = hp.Choice("kind", ["plain", "dropout"])
    with hp.conditional_scope("kind", ["dropout"]):
        dropped = hp.Float("dropped", 0.0, 0.5, step=0.1, default=0.2)
    if kind == "dropout":
        value += dropped - 0.1
    assert (dropped is None) == (kind != "dropout")
    return value + (0.1 if hp.Boolean("shift") else 0) + hp.Fixed("offset", 1)


def test_a_function_of_keras_tuner_runs_unchanged():
    study = ours.run(lambda trial: build(ours.HyperParameters(trial)), n_trials=40)
    space = study.spec.space
    assert set(space) == {"width", "rate", "units", "kind", "dropped", "shift"}
    assert space["units"].values == (4, 8, 16, 32, 64)
    for trial in study.trials:
        assert ("dropped" in trial.config) == (trial.config["kind"] == "dropout")
    assert study.best.value < 1.3
