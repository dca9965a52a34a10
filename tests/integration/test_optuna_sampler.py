"""Our samplers in Optuna's studies: Optuna's own public test suite, and what it does not ask."""

from __future__ import annotations

import datetime as dt
import pickle

import pytest

from assay.core.errors import SpecError
from assay.core.parameters import Choice, Float, Int, When
from assay.core.space import Space

optuna = pytest.importorskip("optuna", minversion="5")
theirs = pytest.importorskip("optuna.testing.pytest_samplers")
AssaySampler = pytest.importorskip("assay.optuna").AssaySampler
TrialState = optuna.trial.TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)

# --- Optuna's suite. Its fourth class, SingleOnlySamplerTestCase, is for samplers that refuse
# several objectives; ours take them, or refuse at the first trial: see below.


class Suite:
    @pytest.fixture
    def sampler(self, kind):
        return lambda: AssaySampler(kind, seed=3)


@pytest.mark.parametrize("kind", ["auto", "tpe"])
class TestBasic(Suite, theirs.BasicSamplerTestCase):
    pass


@pytest.mark.parametrize("kind", ["auto", "tpe"])
class TestRelative(Suite, theirs.RelativeSamplerTestCase):
    pass


@pytest.mark.parametrize("kind", ["auto", "tpe", "evolution", "random"])
class TestMultiObjective(Suite, theirs.MultiObjectiveSamplerTestCase):
    pass


# --- what it does not ask


def study_with(kind="tpe", seed=0, **options):
    return optuna.create_study(sampler=AssaySampler(kind, seed=seed), **options)


def follower_of(study):
    """What the sampler knows of a study, with all that has happened."""
    return study.sampler._follow(study, optuna.trial.create_trial(value=0.0))


def space_of(study):
    return follower_of(study).shape.space


def bowl(trial):
    return trial.suggest_float("x", -1, 1) ** 2 + trial.suggest_float("y", 1e-3, 1, log=True)


def branching(trial):
    if trial.suggest_categorical("kind", ["tree", "linear", None]) == "tree":
        depth = trial.suggest_int("depth", 1, 9)
        return 1 / depth
    trial.suggest_float("alpha", 0, 1, step=0.25)
    return 1.0


def layered(trial):
    n = trial.suggest_int("layers", 1, 3)
    return sum(trial.suggest_int(f"width_{i}", 8, 64, log=True) for i in range(n))


def test_ranges_and_scales_are_taken_over():
    study = study_with("random")
    study.optimize(bowl, n_trials=2)
    assert space_of(study) == Space(x=Float(-1, 1), y=Float(1e-3, 1, log=True))


@pytest.mark.parametrize("kind", ["random", "tpe"])
def test_a_branch_is_found(kind):
    study = study_with(kind)
    study.optimize(branching, n_trials=20)
    assert space_of(study) == Space(
        kind=Choice([0, 1, 2]),  # positions: None and objects are no values of ours
        depth=When("kind", [0], Int(1, 9)),
        alpha=When("kind", [1, 2], Float(0, 1, step=0.25)),
    )


def test_the_number_of_layers_decides_which_there_are():
    study = study_with("random")
    study.optimize(layered, n_trials=20)
    width = Int(8, 64, log=True)
    assert space_of(study) == Space(
        layers=Int(1, 3),
        width_0=width,
        width_1=When("layers", [2, 3], width),
        width_2=When("layers", [3], width),
    )


def test_two_conditions_may_be_needed():
    def objective(trial):
        a = trial.suggest_categorical("a", [0, 1])
        b = trial.suggest_categorical("b", [0, 1])
        return trial.suggest_float("x", 0, 1) if a and b else 1.0

    study = study_with("random")
    study.optimize(objective, n_trials=20)
    flag = Choice([0, 1])
    assert space_of(study) in (
        Space(a=flag, b=flag, x=When("a", [1], When("b", [1], Float(0, 1)))),
        Space(a=flag, b=flag, x=When("b", [1], When("a", [1], Float(0, 1)))),
    )


def test_a_parameter_that_comes_and_goes_without_a_rule_is_drawn_alone():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return trial.suggest_float("y", 0, 1) if trial.number % 2 else x

    study = study_with()
    study.optimize(objective, n_trials=20)
    assert space_of(study).names == ("x",)
    assert follower_of(study)._history.n_ended == 20


def test_a_trial_that_failed_says_nothing_about_conditions():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        if trial.number == 3:
            raise RuntimeError
        return x + trial.suggest_float("y", 0, 1)

    study = study_with()
    study.optimize(objective, n_trials=6, catch=RuntimeError)
    assert space_of(study) == Space(x=Float(0, 1), y=Float(0, 1))
    assert follower_of(study)._history.n_ended == 5  # the failed one has no y


def test_a_range_that_was_changed_once_is_followed():
    study = study_with("random")
    study.optimize(lambda t: t.suggest_float("x", 0, 10), n_trials=10)
    study.optimize(lambda t: t.suggest_float("x", 0, 5), n_trials=2)
    inside = [t for t in study.trials if t.params["x"] <= 5]
    assert space_of(study) == Space(x=Float(0, 5))
    assert follower_of(study)._history.n_ended == len(inside)


def test_a_switch_whose_range_was_changed_is_followed():
    def objective(trial, most):
        n = trial.suggest_int("n", 1, most)
        return trial.suggest_float("x", 0, 1) if n > 1 else 1.0

    study = study_with("random")
    study.optimize(lambda t: objective(t, 5), n_trials=10)
    study.optimize(lambda t: objective(t, 3), n_trials=8)
    assert space_of(study) == Space(n=Int(1, 3), x=When("n", [2, 3], Float(0, 1)))


def test_a_range_that_changes_all_the_time_is_drawn_alone():
    def objective(trial):
        x = trial.suggest_float("x", 0, 1)
        return trial.suggest_float("y", 0, x)

    study = study_with()
    study.optimize(objective, n_trials=15)
    assert space_of(study).names == ("x",)
    assert all(t.params["y"] <= t.params["x"] for t in study.trials)


def outcomes_of(study):
    return [trial.values or trial.failure.kind for trial in follower_of(study)._history.trials]


def test_how_trials_end_is_taken_over():
    ends = [
        {"value": 1.0},
        {"value": 3.0},
        {"value": 2.0},
        {"value": float("inf")},
        {"state": TrialState.FAIL},
        {"state": TrialState.PRUNED, "intermediate_values": {0: 9.0, 1: 5.0}},
        {"state": TrialState.PRUNED, "intermediate_values": {0: 0.5}},  # no better than the median
        {"state": TrialState.PRUNED},
    ]
    study = study_with("random")
    for i, end in enumerate(ends):
        params, distributions = {"x": i / 10}, {"x": optuna.distributions.FloatDistribution(0, 1)}
        study.add_trial(
            optuna.trial.create_trial(params=params, distributions=distributions, **end)
        )
    told = [(1.0,), (3.0,), (2.0,), "invalid", "raised", (5.0,), (2.0,), "invalid"]
    assert outcomes_of(study) == told


@pytest.mark.parametrize("kind", ["gp", "tpe"])
def test_constraints_are_kept_to(kind):
    def objective(trial):
        x, y = trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1)
        if trial.number != 1:
            trial.set_constraint("sum", 1 - x - y)  # at most 0: half of the space
        return x + 2 * y

    study = study_with(kind)
    study.optimize(objective, n_trials=30)
    assert study.best_value < 1.1  # 1 at (1, 0)
    history = follower_of(study)._history
    assert [bool(t.extra) for t in history.trials] == [n != 1 for n in range(30)]
    assert history.trials[5].extra == {"c0": study.trials[5].constraints["sum"]}


def test_directions_and_several_objectives_are_taken_over():
    study = study_with("random", directions=["maximize", "minimize"])
    study.optimize(lambda t: (t.suggest_float("x", 0, 1), 2.0), n_trials=3)
    assert outcomes_of(study) == [tuple(trial.values) for trial in study.trials]
    assert follower_of(study)._sign == -1.0


def test_a_sampler_for_one_objective_refuses_several_at_the_first_trial():
    study = study_with("cmaes", directions=["minimize", "minimize"])
    with pytest.raises(SpecError):
        study.ask().suggest_float("x", 0, 1)


@pytest.mark.parametrize("kind", ["gp", "tpe"])
@pytest.mark.parametrize("objective", [bowl, branching, layered])
def test_a_study_that_is_loaded_again_goes_on_as_it_would_have(kind, objective):
    whole = study_with(kind)
    whole.optimize(objective, n_trials=24)
    halves = optuna.create_study()
    for _ in range(2):
        halves.sampler = AssaySampler(kind)
        halves.optimize(objective, n_trials=12)
    assert [t.params for t in halves.trials] == [t.params for t in whole.trials]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("kind", ["gp", "tpe"])
def test_it_finds_what_is_better(kind, sign):
    study = study_with(kind, direction="minimize" if sign > 0 else "maximize")
    study.optimize(lambda t: sign * bowl(t), n_trials=30)
    assert abs(study.best_value) < 0.03


def test_the_past_is_read_once():
    study = study_with()
    study.optimize(bowl, n_trials=5)
    columns = follower_of(study)._history._columns
    study.optimize(bowl, n_trials=20)
    follower = follower_of(study)
    assert follower._history._columns is columns
    assert follower._history.n_ended == follower._upto == 25


def test_running_trials_are_known_and_not_proposed_again():
    study = study_with("gp")
    study.optimize(bowl, n_trials=8)
    trials = [study.ask() for _ in range(4)]
    values = {trial.suggest_float("x", -1, 1) for trial in trials}
    assert len(values) == 4
    columns = follower_of(study)._history._columns
    assert len(follower_of(study)._history.running()) == 4
    for trial in reversed(trials):
        study.tell(trial, bowl(trial))
    follower = follower_of(study)
    assert follower._history._columns is columns
    assert list(follower._history.ended[8:]) == [8, 9, 10, 11]


def test_a_trial_that_did_not_follow_the_proposal_is_taken_as_it_was():
    study = study_with()
    study.optimize(bowl, n_trials=3)
    one, other = study.ask(), study.ask()
    one.suggest_float("x", -1, 1)
    other.suggest_float("x", -1, 1)  # one of the two is now running with its proposal
    study.enqueue_trial({"x": 0.5, "y": 0.5})
    for trial in (one, other):
        trial.storage.set_trial_param(
            trial._trial_id, "y", 0.25, optuna.distributions.FloatDistribution(1e-3, 1, log=True)
        )
        study.tell(trial, 1.0)
    study.optimize(bowl, n_trials=1)
    history = follower_of(study)._history
    assert [history.config(n) for n in range(6)] == [t.params for t in study.trials[:6]]


def test_threads_share_a_sampler():
    study = study_with("gp")
    study.optimize(bowl, n_trials=24, n_jobs=3)
    follower = follower_of(study)
    assert follower._history.n_ended == 24
    assert len({tuple(t.params.values()) for t in study.trials}) == 24


def test_a_finite_space_is_tried_whole_before_it_is_repeated():
    study = study_with()
    study.optimize(lambda t: t.suggest_int("n", 1, 12), n_trials=14)
    assert len({t.params["n"] for t in study.trials[:13]}) == 12  # the first one is drawn alone
    assert len(study.trials) == 14


def test_choices_may_be_anything():
    things = [None, True, 2, 2.5, "a", dt.date(2001, 2, 3)]
    study = study_with()
    with pytest.warns(UserWarning, match="persistent storage"):
        study.optimize(lambda t: things.index(t.suggest_categorical("c", things)), n_trials=12)
    assert {t.params["c"] for t in study.trials} == set(things)


def test_one_sampler_may_serve_several_studies():
    sampler = AssaySampler("tpe")
    runs = []
    for _ in range(2):
        study = optuna.create_study(sampler=sampler)
        study.optimize(bowl, n_trials=12)
        runs.append([t.params for t in study.trials])
    assert runs[0] == runs[1]


def test_fixed_parameters_leave_the_rest_to_the_sampler():
    study = study_with("tpe")
    study.optimize(bowl, n_trials=12)
    with pytest.warns(optuna.exceptions.ExperimentalWarning):
        study.sampler = optuna.samplers.PartialFixedSampler({"y": 0.5}, study.sampler)
    study.optimize(bowl, n_trials=5)
    assert {t.params["y"] for t in study.trials[12:]} == {0.5}


def test_a_copy_has_the_settings():
    sampler = AssaySampler({"name": "tpe", "start": 5}, seed=7)
    copy = pickle.loads(pickle.dumps(sampler))
    assert (copy._settings, copy._seed) == ({"name": "tpe", "start": 5}, 7)


def test_seeds_differ_and_repeat():
    def run(seed):
        study = study_with(seed=seed)
        study.optimize(bowl, n_trials=12)
        return [t.params for t in study.trials]

    assert run(1) == run(1) != run(2)


def test_an_unknown_sampler_is_refused():
    with pytest.raises(SpecError, match="Did you mean 'tpe'"):
        AssaySampler("tpee")


def test_of_two_choices_that_tell_as_much_the_nearer_one_decides():
    study = study_with("random")
    flag = optuna.distributions.CategoricalDistribution([0, 1])
    names = {"a": flag, "b": flag, "x": optuna.distributions.FloatDistribution(0, 1)}
    for params in ({"a": 0, "b": 0, "x": 0.5}, {"a": 1, "b": 1}):
        distributions = {name: names[name] for name in params}
        trial = optuna.trial.create_trial(params=params, distributions=distributions, value=1.0)
        study.add_trial(trial)
    assert space_of(study)["x"] == Float(0, 1)
    assert space_of(study).nodes["x"].conditions[0][0] == "b"
