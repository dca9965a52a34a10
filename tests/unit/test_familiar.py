"""Words of other tuners: each is explained, what is named instead exists, and nothing else changes."""

from __future__ import annotations

import copy
import inspect
import pickle
import re

import pytest

import assay
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
