"""Words of other tuners: each is explained, what is named instead exists, and nothing else changes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import assay
from assay import SpecError
from assay.core import familiar
from assay.core.familiar import Familiar

SPACE = assay.Space(x=assay.Float(0, 1, default=0.5))


@pytest.fixture
def study():
    study = assay.Study(SPACE, sampler="random")
    study.tell(study.ask(), 1.0)
    return study


@pytest.mark.parametrize("name", sorted(familiar.STUDY))
def test_a_word_for_a_study_is_explained(study, name):
    with pytest.raises(AttributeError, match=re.escape(familiar.STUDY[name])):
        getattr(study, name)


@pytest.mark.parametrize("name", sorted(familiar.OPEN_TRIAL))
def test_a_word_for_an_open_trial_is_explained(study, name):
    with pytest.raises(AttributeError, match=re.escape(familiar.OPEN_TRIAL[name])):
        getattr(study.ask(), name)


@pytest.mark.parametrize("name", sorted(familiar.TRIAL))
def test_a_word_for_a_trial_is_explained(study, name):
    with pytest.raises(AttributeError, match=re.escape(familiar.TRIAL[name])):
        getattr(study.best, name)


@pytest.mark.parametrize("name", sorted(familiar.MODULE))
def test_a_word_for_the_package_is_explained(name):
    with pytest.raises(AttributeError, match=re.escape(familiar.MODULE[name])):
        getattr(assay, name)


@pytest.mark.parametrize("name", sorted(familiar.ARGUMENTS))
@pytest.mark.parametrize(
    "call",
    [
        lambda **said: assay.optimize(lambda trial: 0.0, SPACE, budget=1, **said),
        lambda **said: assay.Study(SPACE, **said),
        lambda **said: assay.tune("ridge", [[0.0]], [0.0], **said),
    ],
    ids=["optimize", "Study", "tune"],
)
def test_an_argument_is_explained(call, name):
    with pytest.raises(TypeError, match=re.escape(familiar.ARGUMENTS[name])):
        call(**{name: 1})


@pytest.mark.parametrize("name", sorted(familiar.MODEL_ARGUMENTS))
def test_an_argument_for_a_model_is_explained(name):
    with pytest.raises(TypeError, match=re.escape(familiar.MODEL_ARGUMENTS[name])):
        assay.tune("ridge", [[0.0]], [0.0], **{name: 1})


KINDS = [
    (assay.Budget, familiar.BUDGET), (assay.Limits, familiar.LIMITS), (assay.Float, familiar.RANGE),
    (assay.Int, familiar.RANGE), (assay.Choice, familiar.CHOICE), (assay.Evidence, {}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "words"), KINDS)
def test_an_argument_of_a_class_is_explained(kind, words):
    named = set(inspect.signature(kind).parameters)
    for word, answer in {**words, "wibble": "Known: "}.items():
        assert word not in named
        with pytest.raises(TypeError, match=re.escape(answer)) as refused:
            kind(**{word: 1})
        assert str(refused.value).startswith(f"{kind.__name__}() has no argument")
        here = re.match(r"(\w+)(?:=|$)", answer)
        assert not here or here[1] in {*named, "beliefs"}


def test_a_slip_of_the_pen_is_explained():
    with pytest.raises(TypeError, match=r"Study\(\) has no argument 'smapler'.*'sampler'"):
        assay.Study(SPACE, smapler="random")


def test_what_is_called_so_here_exists(study):
    """The first words of each answer are code that runs: an answer cannot outlive a rename."""
    trial = study.ask()
    for answers, own in (
        (familiar.STUDY, study),
        (familiar.OPEN_TRIAL, trial),
        (familiar.TRIAL, study.best),
    ):
        kind = "study" if own is study else "trial"
        for answer in answers.values():
            for path in re.findall(rf"\b{kind}\.([\w.]+)", answer):
                found = own
                for part in path.strip(".").split("."):
                    found = getattr(found, part)
    every = {**familiar.STUDY, **familiar.MODULE, **familiar.ARGUMENTS, **familiar.MODEL_ARGUMENTS}
    for answer in every.values():
        for name in re.findall(r"\bassay\.(\w+)", answer):
            assert name in {*assay.__all__, "optuna", "sklearn"}, answer


@pytest.mark.parametrize("function", [assay.optimize, assay.tune, assay.Study.__init__])
def test_arguments_named_here_exist(function):
    known = inspect.signature(function).parameters
    answers = dict(familiar.ARGUMENTS)
    if function is assay.tune:
        answers |= familiar.MODEL_ARGUMENTS
        del answers["func"]
    if function is assay.Study.__init__:
        for of_optimize in ("func", "max_evals", "n_calls"):
            del answers[of_optimize]
    for name, answer in answers.items():
        assert name not in known
        first = re.match(r"(\w+)=", answer)
        if first and not (function is assay.Study.__init__ and first[1] in OF_A_RUN):
            assert first[1] in known, answer


OF_A_RUN = {"budget", "workers", "progress", "given"}


def test_an_unknown_word_has_pythons_own_message(study):
    with pytest.raises(AttributeError, match=r"^'Study' object has no attribute 'wibble'$"):
        study.wibble  # noqa: B018
    assert not hasattr(study, "wibble")
    assert getattr(study, "best_params", None) is None


def test_an_error_inside_a_property_stays_itself():
    class Broken(Familiar, elsewhere={"best": "no"}):
        @property
        def best(self):
            return self.missing

    with pytest.raises(AttributeError, match="missing"):
        Broken().best  # noqa: B018


def test_a_trial_is_copied_and_pickled_as_before(study):
    trial = study.best
    assert pickle.loads(pickle.dumps(trial)) == trial == copy.deepcopy(trial)
    assert not hasattr(trial, "__dict__")


def test_a_trial_is_no_dict(study):
    with pytest.raises(TypeError, match=r"trial\.config\['x'\]"):
        study.ask()["x"]


def test_signatures_are_kept():
    assert "budget" in inspect.signature(assay.optimize).parameters
    assert list(inspect.signature(assay.Study).parameters)[:2] == ["space", "direction"]


@pytest.mark.parametrize("name", sorted(familiar.TELL_ARGUMENTS))
def test_an_argument_of_tell_is_explained(study, name):
    trial = study.ask()
    with pytest.raises(TypeError, match=re.escape(familiar.TELL_ARGUMENTS[name])):
        study.tell(trial, **{name: 1})


@pytest.mark.parametrize("name", sorted(familiar.RUN_ARGUMENTS))
def test_an_argument_of_optunas_optimize_is_explained(name):
    run = pytest.importorskip("assay.optuna").run
    with pytest.raises(TypeError, match=re.escape(familiar.RUN_ARGUMENTS[name])):
        run(lambda trial: 0.0, n_trials=3, **{name: 1})


def test_optunas_order_of_arguments_is_taken():
    run = pytest.importorskip("assay.optuna").run
    assert run(lambda trial: trial.suggest_float("x", 0, 1), 3).history.n_trials == 3


class TPESampler:
    """Stands for a sampler of another package."""


class SuccessiveHalvingPruner:
    """Stands for a pruner of another package."""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("TPESampler", "No sampler 'TPESampler'. Here: 'tpe'."),
        ("NSGAIISampler", "Here: 'evolution'."),
        ("bayes", "Here: 'auto'."),
        ("tpee", "Did you mean 'tpe'?"),
        (TPESampler(), "got TPESampler. Here: 'tpe'."),
        (3, "sampler needs a name, or a dict with its name and settings, got int."),
    ],
)
def test_a_sampler_of_another_tuner_is_told_its_name_here(given, says):
    with pytest.raises(assay.SpecError, match=re.escape(says)):
        assay.Study(SPACE, sampler=given)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("MedianPruner", "No scheduler 'MedianPruner'. Here: 'median'."),
        (SuccessiveHalvingPruner(), "got SuccessiveHalvingPruner. Here: 'asha'."),
        ("NopPruner", "Here: none at all: leave it out."),
    ],
)
def test_a_pruner_of_another_tuner_is_told_its_name_here(given, says):
    with pytest.raises(assay.SpecError, match=re.escape(says)):
        assay.optimize(lambda trial: 0.0, SPACE, budget=1, scheduler=given)


def test_what_parts_of_others_are_called_here_is_here():
    from assay.api.parts import SAMPLERS, SCHEDULERS

    for name in familiar.PART_NAMES.values():
        assert name in {*SAMPLERS, *SCHEDULERS} or "leave it out" in name


def test_too_many_arguments_by_position_are_told_by_name():
    with pytest.raises(
        TypeError, match=r"takes objective, space by position, got 3 arguments. Write"
    ):
        assay.optimize(lambda trial: 0.0, SPACE, 100)
    with pytest.raises(TypeError, match=r"Study\(\) takes space by position, got 2 arguments."):
        assay.Study(SPACE, "minimize")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((0, 1), "Write Int(0, 1)."),
        ((0.1, 1), "Write Float(0.1, 1)."),
        (["a", "b"], "Write Choice(['a', 'b'])."),
        (3, "Write Constant"),
    ],
)
def test_a_range_of_another_tuner_is_told_how_to_say_it(given, says):
    with pytest.raises(assay.SpaceError, match=re.escape(says)):
        assay.Space(x=given)


def test_a_space_is_made_by_name():
    with pytest.raises(assay.SpaceError, match="by name, got list"):
        assay.Space([assay.Float(0, 1)])


def test_a_report_in_optunas_order_is_told_the_order():
    def objective(trial):
        trial.report(0.5, 1)
        return 0.0

    with pytest.raises(assay.StateError, match=r"trial.report\(step, value\)"):
        assay.optimize(objective, SPACE, budget=1, progress=False, isolation="none")


def a_trial(**options):
    return assay.Study(SPACE, **options).ask()


@pytest.mark.parametrize("given", [(3, 7), (7, 3), (np.int64(3), 7), (3, np.int32(7))], ids=str)
def test_two_whole_numbers_by_position_could_be_either_and_are_refused(given):
    with pytest.raises(SpecError, match=r"which of the two is the step.*report\(step=\d, value=\d"):
        a_trial().report(*given)


def test_a_name_or_a_float_says_which_is_the_step():
    study = assay.Study(SPACE)
    trial = study.ask()
    trial.report(1, 7.0)
    trial.report(step=2, value=7)
    trial.report(3, value=7)
    trial.report(7, step=4)  # Optuna's
    trial.report(np.float64(7), step=5)
    trial.report(6, {"value": 7})
    assert study.trials[0].curve == tuple((step, 7.0) for step in range(1, 7))


@pytest.mark.parametrize(
    "given", [(0.5, 1), (3.0, 1), (np.float32(3), 1), ({"value": 1.0}, 1)], ids=str
)
def test_a_value_in_the_place_of_the_step_is_told_the_order(given):
    with pytest.raises(SpecError, match=r"step comes first: trial\.report\(step, value\)"):
        a_trial().report(*given)


def test_a_report_without_a_step_is_told_what_it_lacks():
    with pytest.raises(SpecError, match=r"report\({'loss': 0.5}\) lacks the step"):
        a_trial().report({"loss": 0.5})


def test_an_objective_that_reports_whole_numbers_is_told_how(capfd):
    def objective(trial):
        trial.report(90, 1)
        return 0.0

    with pytest.raises(assay.StateError, match="which of the two is the step"):
        assay.optimize(objective, SPACE, budget=1, progress=False, isolation="none")


def test_parts_with_an_extra_need_no_import_of_their_own():
    code = "import assay, sys; assert 'sklearn' not in sys.modules; print(assay.sklearn.SearchCV.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "SearchCV\n", done.stderr


WORDS = {**familiar.ARGUMENTS, **familiar.MODULE, **familiar.STUDY, **familiar.MODEL_ARGUMENTS}


@pytest.mark.parametrize("hint", sorted(set(WORDS.values())))
def test_what_a_hint_names_is_there(hint):
    for path in re.findall(r"assay(?:\.\w+)+", hint):
        found = assay
        for name in path.split(".")[1:]:
            found = getattr(found, name)
    for module, name in re.findall(r"from (assay\.\w+) import (\w+)", hint):
        assert hasattr(pytest.importorskip(module), name)
