"""Opening the sealed test set: once by the plan, again only for a reason."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier
from tests.unit.lab import rows_of

from assay import Budget, Evidence, Int, Space, Splits, Study
from assay.analysis.verdict import Claim
from assay.api.data import begin, run_data
from assay.api.opening import check_may_open, open_test
from assay.api.parts import executor_of
from assay.api.prepare import Wishes, prepare
from assay.api.session import driving
from assay.core.errors import SealError, StateError, TamperError
from assay.core.events import Broke, Concluded, Frozen, Measured, Opened, Opening
from assay.core.spec import Limits
from assay.executors.inline import InlineExecutor
from assay.inputs import from_arrays
from assay.report.phase import standing
from assay.stores.memory import MemoryStore
from assay.stores.seals import SealRegistry
from assay.stores.sqlite import SqliteStore

SPACE = Space(max_depth=Int(1, 8, default=6))
INLINE = partial(executor_of, workers=1, isolation="none", limits=Limits())


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))


def closed(store=None, *, max_features=None):
    """A study whose contenders are frozen and whose test set is closed."""
    model = DecisionTreeClassifier(max_depth=6, max_features=max_features)
    wishes = Wishes(
        metric="accuracy",
        space=SPACE,
        budget=Budget(trials=4),
        splits=Splits.kfold(3),
        evidence=Evidence(repeats=2, seeds=2, rechecks=4, refits=3),
    )
    prepared = prepare(from_arrays(*rows_of("two")), model, wishes)
    study = begin(prepared, store or MemoryStore(), "study")
    run_data(study, prepared, isolation="none", progress=False, open_at_end=False)
    return study, prepared


def of(study, kind):
    return [event for event in study.store.read(study.name) if isinstance(event, kind)]


class Stop(BaseException):
    """Ends the driver."""


def failing(monkeypatch, at, error=Stop):
    """Make the fit number `at` of an inline executor fail, once."""
    calls, poll = [], InlineExecutor.poll

    def poll_or_fail(self, timeout_s):
        if self._waiting is not None:
            calls.append(1)
            if len(calls) == at:
                raise error
        return poll(self, timeout_s)

    monkeypatch.setattr(InlineExecutor, "poll", poll_or_fail)


def test_opening_measures_each_contender_with_each_refit_and_concludes():
    study, prepared = closed(max_features=1)
    assert open_test(study, prepared, INLINE)
    contenders = of(study, Opening)[0].contenders
    fits = [e for e in of(study, Measured) if e.stage == "test"]
    assert {e.trial for e in fits} == set(contenders)
    assert len(fits) == 3 * len(contenders)
    assert len(of(study, Opened)) == len(of(study, Concluded)) == 1
    assert study.verify() == []


def test_a_deterministic_model_is_fitted_once():
    study, prepared = closed()
    open_test(study, prepared, INLINE)
    fits = [e for e in of(study, Measured) if e.stage == "test"]
    assert len(fits) == len(of(study, Opening)[0].contenders)


def test_a_second_look_is_refused_with_the_first_result():
    study, prepared = closed()
    open_test(study, prepared, INLINE)
    before = list(study.store.read("study"))
    for reason in ("", "   "):
        with pytest.raises(SealError) as error:
            open_test(study, prepared, INLINE, reason=reason)
        result, _, warning = study.verdict.sentence.partition(" Warning: ")
        assert result in str(error.value)
        assert warning not in str(error.value) or not warning
        assert "reason" in str(error.value)
    assert list(study.store.read("study")) == before


def test_with_a_reason_it_is_post_hoc_for_ever_and_alpha_is_shared_by_the_looks():
    study, prepared = closed(max_features=1)
    open_test(study, prepared, INLINE)
    first = of(study, Opened)[0].results["gain"]
    for look in (2, 3):
        open_test(study, prepared, INLINE, reason="the reviewer asked")
        results = of(study, Opened)[-1].results
        gain = results["gain"]
        assert len(results["contenders"]["0"]["scores"]) == 3, "the fits of this look alone"
        assert gain["level"] == pytest.approx(1 - 0.05 / look)
        assert study.verdict.look == look
        assert study.verdict.badge != "CONFIRMATORY"
    assert first["level"] == 0.95
    assert [event.look for event in of(study, Opening)] == [1, 2, 3]
    assert study.verify() == []


def test_another_trial_can_be_looked_at_for_a_reason_and_is_then_the_challenger():
    study, prepared = closed()
    open_test(study, prepared, INLINE)
    contenders = of(study, Opening)[0].contenders
    other = next(n for n in range(1, 4) if n not in contenders)
    open_test(study, prepared, INLINE, reason="curious", trial=other)
    assert of(study, Opening)[1].contenders == (0, other)
    assert of(study, Opened)[1].results["gain"]["challenger"] == other
    if study.verdict.claim is Claim.BETTER:
        assert study.best.number in (0, other)


@pytest.mark.parametrize("trial", [99, -1, 0])
def test_a_trial_that_does_not_exist_costs_no_look(trial):
    study, prepared = closed()
    with pytest.raises(StateError, match="trial"):
        open_test(study, prepared, INLINE, trial=trial)
    assert not of(study, Opening)
    open_test(study, prepared, INLINE)
    assert study.verdict.look == 1


def test_the_first_look_is_for_the_contenders_that_were_named():
    study, prepared = closed()
    named = study.history.last(Frozen).contenders
    other = next(n for n in range(1, 4) if n not in named)
    for reason in ("", "curious"):
        with pytest.raises(SealError, match=f"trial {other}"):
            open_test(study, prepared, INLINE, trial=other, reason=reason)
    assert not of(study, Opening)
    open_test(study, prepared, INLINE, trial=named[1])
    assert of(study, Opening)[0].contenders == named


@pytest.mark.parametrize("at", [1, 2, 3, 5, 6])
def test_an_opening_that_was_cut_off_goes_on_as_the_same_look(at, monkeypatch):
    study, prepared = closed(max_features=1)
    failing(monkeypatch, at)
    with pytest.raises(Stop):
        open_test(study, prepared, INLINE)
    measured = [e for e in of(study, Measured) if e.stage == "test"]
    assert len(measured) == at - 1
    assert check_may_open(study.history, "")  # no reason is needed to go on
    open_test(study, prepared, INLINE)
    assert [event.look for event in of(study, Opening)] == [1]
    assert len(of(study, Opened)) == 1
    fits = [(e.trial, e.unit) for e in of(study, Measured) if e.stage == "test"]
    assert len(fits) == len(set(fits)) == 6
    assert study.verdict.look == 1


def test_a_second_look_that_was_cut_off_is_shown_as_such_and_finished_by_resuming(monkeypatch):
    study, prepared = closed(max_features=1)
    open_test(study, prepared, INLINE)
    named = of(study, Opening)[0].contenders
    other = next(n for n in range(1, 4) if n not in named)
    assert standing(study.spec, study.history).phase == "finished"
    with monkeypatch.context() as patch:
        failing(patch, 3)
        with pytest.raises(Stop):
            open_test(study, prepared, INLINE, reason="curious", trial=other)
    now = standing(study.spec, study.history)
    assert (now.phase, now.done, now.total) == ("test", 2, 6)
    assert run_data(study, prepared, isolation="none", progress=False, open_at_end=False)
    assert [event.look for event in of(study, Opened)] == [1, 2]
    assert of(study, Opened)[1].results["gain"]["challenger"] == other
    assert study.verdict.look == 2
    assert standing(study.spec, study.history).phase == "finished"
    assert study.verify() == []


def test_a_cut_between_the_fits_and_the_result_goes_on_too(monkeypatch):
    study, prepared = closed()
    with monkeypatch.context() as patch:

        def stop(*_, **__):
            raise Stop

        patch.setattr("assay.api.opening.final_results", stop)
        with pytest.raises(Stop):
            open_test(study, prepared, INLINE)
    assert not of(study, Opened)
    open_test(study, prepared, INLINE)
    assert len(of(study, Opening)) == len(of(study, Opened)) == 1


def test_a_fit_that_breaks_leaves_the_opening_unfinished_and_it_can_be_tried_again(monkeypatch):
    study, prepared = closed()
    real = type(prepared).final_evaluator

    def evaluator(self, test, history):
        def evaluate(job, emit):
            raise MemoryError("full")

        return evaluate

    with monkeypatch.context() as patch:
        patch.setattr(type(prepared), "final_evaluator", evaluator)
        with pytest.raises(StateError, match="full"):
            open_test(study, prepared, INLINE)
    assert of(study, Broke)
    assert not of(study, Opened)
    assert type(prepared).final_evaluator is real
    open_test(study, prepared, INLINE)
    assert [event.look for event in of(study, Opening)] == [1]
    assert study.verdict.look == 1
    assert study.verify() == []


def test_a_test_set_that_was_changed_or_lost_costs_no_look(tmp_path):
    store = SqliteStore(tmp_path / "lab.db")
    study, prepared = closed(store)
    (file,) = (tmp_path / "lab.db.vault").iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-1] + b"x")
    with pytest.raises(TamperError):
        open_test(study, prepared, INLINE)
    file.unlink()
    with pytest.raises(SealError, match="missing"):
        open_test(study, prepared, INLINE)
    assert not of(study, Opening)
    file.write_bytes(content)
    open_test(study, prepared, INLINE)
    assert study.verdict.look == 1
    store.close()


def test_looks_are_remembered_for_the_users_other_studies():
    study, prepared = closed()
    open_test(study, prepared, INLINE)
    registry, _ = SealRegistry.open()
    from assay.evaluation.fingerprint import row_hashes

    hashes = row_hashes(prepared.test.columns(), registry.key)
    (found,) = registry.overlap(hashes, "test")
    assert (found.share, found.looks, found.study) == (1.0, 1, "study")


def test_nothing_sealed_or_nothing_frozen_cannot_be_opened():
    study = Study(SPACE)
    with pytest.raises(StateError, match="no sealed test set"):
        check_may_open(study.history, "")
    model = DecisionTreeClassifier(max_depth=6)
    wishes = Wishes(space=SPACE, budget=Budget(trials=3), splits=Splits.kfold(3))
    prepared = prepare(from_arrays(*rows_of("two")), model, wishes)
    study = begin(prepared, MemoryStore(), "study")
    with driving(study), pytest.raises(StateError, match="not ended"):
        open_test(study, prepared, INLINE)


def test_the_intervals_of_an_opening_can_be_had_again():
    gains = []
    for _ in range(2):
        study, prepared = closed(max_features=1)
        open_test(study, prepared, INLINE, reason="the same rows")
        gains.append(of(study, Opened)[0].results["gain"])
    assert gains[0] == gains[1]
    assert np.isfinite(gains[0]["low"])
