"""A shadow set: who is scored on it, what it says, and that nothing else touches it."""

from __future__ import annotations

from random import Random
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier
from tests.unit.lab import Run, data_of, history_of, measured, rows_of, spec_of

import assay
from assay import Evidence, Float, Int, Space, Splits
from assay.analysis.final import final_results
from assay.analysis.overtuning import incumbents, overtuning
from assay.analysis.spending import entries
from assay.api.prepare import Wishes, prepare
from assay.api.reporting import view
from assay.core.errors import SpecError, StateError
from assay.core.events import CONTROL, Broke, Estimated, Measured
from assay.core.history import fold
from assay.core.jobs import Job
from assay.core.rng import stream
from assay.core.spec import Budget
from assay.core.units import SHADOW, seed_of
from assay.engine.plan import Evaluate, plan
from assay.inputs import from_arrays
from assay.learners.shadow_rows import unpack
from assay.report.plots.course import history as history_plot
from assay.report.plots.outcomes import Outcomes
from assay.stores.memory import MemoryStore
from assay.web.trial import trial_page

QUICK = Evidence(repeats=1, seeds=1, top=1, rechecks=2, refits=1)
PLAN = data_of() | {"shadow": {"rows": 12}}


def shadowed(spec, values, judged):
    """A history of trials with these values, of which some were scored on the shadow set."""
    events = [e for n, x in judged.items() for e in measured(n, SHADOW, {(0, 0, 0): x})]
    return history_of(spec, values, *events)


def test_incumbents_are_the_records():
    spec = spec_of(data=PLAN)
    assert incumbents(spec, history_of(spec, [5.0, 6.0, None, 4.0, 4.0, 3.0])) == [0, 3, 5]
    assert incumbents(spec, history_of(spec, [])) == []
    higher = spec_of(data=PLAN, directions={"value": "maximize"})
    assert incumbents(higher, history_of(higher, [5.0, 6.0, None, 4.0])) == [0, 1]


def test_in_strict_order_the_incumbents_are_those_by_number():
    """A trial that was quicker than the one before it changes nothing."""
    spec = spec_of(data=PLAN, order={"name": "strict", "lag": 2})
    history = history_of(spec, [5.0, 4.0, 3.0])
    events = history_of(spec, [5.0]), history
    assert incumbents(spec, events[1]) == [0, 1, 2]
    asked, told = _events(history, 1), _events(history, 2)
    ahead = fold([*asked[:1], *told, *asked[1:]], fold(_first(history)))
    assert incumbents(spec, ahead) == [0, 1, 2]
    waiting = fold([*asked[:1], *told], fold(_first(history)))
    assert incumbents(spec, waiting) == [0]


def _first(history):
    from assay.core.events import Asked, Told

    created = history.milestones()[0]
    return [created, Asked(0, history.config(0), 0, "control"), Told(0, (5.0,))]


def _events(history, number):
    from assay.core.events import Asked

    return [Asked(number, history.config(number), 0), history.outcome(number)]


def test_the_measures_of_overtuning_by_hand():
    spec = spec_of(data=PLAN, smallest_gain=0.5)
    found = overtuning(spec, shadowed(spec, [5.0, 4.0, 3.0, 2.0], {0: 6.0, 1: 4.0, 2: 3.0, 3: 4.5}))
    assert [one.trial for one in found.incumbents] == [0, 1, 2, 3]
    assert (found.optimism, found.lost, found.relative) == (2.5, 1.5, 0.5)
    assert not found.severe


def test_worse_than_the_defaults_is_severe_and_no_progress_has_no_share():
    spec = spec_of(data=PLAN, smallest_gain=0.5)
    severe = overtuning(spec, shadowed(spec, [5.0, 4.0, 3.0], {0: 6.0, 1: 5.0, 2: 7.0}))
    assert severe.relative == 2
    assert severe.severe
    none = overtuning(spec, shadowed(spec, [5.0, 4.0], {0: 6.0, 1: 7.0}))
    assert (none.lost, none.relative, none.severe) == (1.0, None, False)


def test_higher_may_be_better():
    spec = spec_of(data=PLAN, directions={"value": "maximize"})
    found = overtuning(spec, shadowed(spec, [0.5, 0.9], {0: 0.75, 1: 0.5}))
    assert found.optimism == pytest.approx(0.4)
    assert found.lost == 0.25


def test_without_a_shadow_set_nothing_is_said():
    spec = spec_of(data=data_of())
    assert overtuning(spec, history_of(spec, [5.0, 4.0])) is None


@settings(max_examples=20)
@given(
    st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([None, {"name": "strict", "lag": 3}])
)
def test_incumbents_and_nobody_else_are_scored_once_whenever_the_driver_is_killed(
    seed, workers, order
):
    spec = spec_of(data=PLAN, evidence=Evidence(rechecks=4), order=order)
    run = Run(spec, Random(seed), sealed=True, workers=workers, kills=8).run()
    history = run.history
    scored = [n for n in range(history.n_trials) if history.units(n, SHADOW)]
    assert scored == sorted(incumbents(spec, history))
    assert run.stages.count(SHADOW) >= len(scored)
    if order:
        calm = Run(spec, Random(0), sealed=True, workers=1).run()
        assert scored == [n for n in range(history.n_trials) if calm.history.units(n, SHADOW)]


def test_what_broke_on_the_shadow_set_is_not_tried_for_ever():
    spec = spec_of(data=PLAN, evidence=None, budget=Budget(trials=2))
    history = history_of(spec, [5.0, 6.0])
    command = plan(spec, history_of(spec, [5.0, 6.0], *_floor(spec)))
    assert command == Evaluate(0, SHADOW, ((0, 0, 0),))
    broken = Broke(0, SHADOW, ((0, 0, 0),), "raised", "no")
    assert plan(spec, fold([*_floor(spec), broken], history)) != command


def _floor(spec):
    from assay.core import units

    return measured(-1, "floor", dict.fromkeys(units.search(spec), 9.0))


# --- on data


def tuned(model="decision_tree", X=None, y=None, **wishes):
    if X is None:
        X, y = rows_of("two", n=160)
    defaults = {
        "budget": 12,
        "sampler": "random",
        "test": 0.25,
        "shadow": 0.2,
        "evidence": QUICK,
        "metric": "accuracy",
    }
    return assay.tune(
        model, X, y, checks=False, isolation="none", progress=False, **{**defaults, **wishes}
    )  # fmt: skip


@pytest.fixture(autouse=True)
def own_home(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path))


def prepared(**wishes):
    X, y = rows_of("two", n=160)
    return prepare(from_arrays(X, y), "decision_tree", Wishes(budget=Budget(trials=12), **wishes))


def test_the_rows_are_divided_in_three_and_all_of_them_are_used():
    plain, found = prepared(test=0.25), prepared(test=0.25, shadow=0.2)
    assert (len(found.dev), len(found.shadow), len(found.test)) == (96, 24, 40)
    assert np.array_equal(plain.test.X, found.test.X)
    assert np.array_equal(plain.dev.X, found.development.X)
    both = np.concatenate([found.dev.X, found.shadow.X])
    assert np.array_equal(np.unique(both, axis=0), np.unique(plain.dev.X, axis=0))
    assert found.final_evaluator(found.test, fold([])).X is found.development.X


def test_a_plan_without_a_shadow_set_keeps_its_hash():
    assert prepared(test=0.25).spec.plan == prepared(test=0.25, shadow=0).spec.plan
    assert "shadow" not in prepared(test=0.25).spec.data


def test_a_study_says_what_the_shadow_set_said():
    study = tuned()
    assert study.verify() == []
    seen = view(study)
    numbers = [one.trial for one in seen.shadow.measures.incumbents]
    assert numbers == incumbents(study.spec, study.history)
    assert 1 < len(numbers) < 6
    assert seen.shadow.rows == 24
    assert seen.shadow.gain.low <= seen.shadow.gain.estimate <= seen.shadow.gain.high
    assert "24 rows that it never used" in seen.shadow.sentences[0]
    assert ("shadow", len(numbers)) in [(s.stage, s.evaluations) for s in seen.cost.stages]
    units = trial_page(study.spec, Outcomes(study.spec, study.history), numbers[-1]).units
    assert ["shadow"] == [stage for stage, *_ in units if stage == "shadow"]
    page = study.report()
    assert "on the shadow set" in page
    assert "on rows that the search never saw" in page
    drawn = assay.plot.shadow(study)
    assert drawn.panels[0].marks[-1].trials == tuple(numbers)
    trace = next(
        m
        for m in history_plot(Outcomes(study.spec, study.history)).panels[0].marks
        if "shadow" in m.name
    )
    assert trace.y[0] == 0
    assert trace.y[-1] == pytest.approx(seen.shadow.gain.estimate)


@pytest.mark.parametrize(
    ("data", "model", "metric", "more"),
    [
        ("two", "decision_tree", "roc_auc", {}),
        ("two", "decision_tree", "f1", {"groups": np.arange(160) // 4}),
        ("three", "decision_tree", "roc_auc_ovr", {}),
        ("numbers", "decision_tree", "rmse", {}),
        ("numbers", "knn", "mae", {"groups": np.arange(160) // 4}),
        ("numbers", "decision_tree", "r2", {"time": np.arange(160)[::-1]}),
    ],
)
def test_the_gain_on_the_shadow_set_has_an_interval_whatever_the_metric(data, model, metric, more):
    """As one computes it from the fitted models: that of a test set with these rows."""
    X, y = rows_of(data, n=160)
    study = tuned(model=model, X=X, y=y, metric=metric, **more)
    seen = view(study).shadow
    assert len(seen.measures.incumbents) > 1
    found = prepare(from_arrays(X, y, **more), model, Wishes(metric=metric, test=0.25, shadow=0.2))
    first, last = (
        again(found, study, one.trial)
        for one in seen.measures.incumbents[:: len(seen.measures.incumbents) - 1]
    )
    truth = found.codes(found.shadow.y)
    arms = {CONTROL: first, 1: last}
    want = final_results(
        found.judge(),
        truth,
        arms,
        found.drawn(found.shadow),
        stream(study.spec.seed, SHADOW),
        alpha=0.05,
    )["gain"]
    assert seen.gain.estimate == pytest.approx(want["estimate"], rel=1e-4, abs=1e-6)
    width = want["high"] - want["low"]
    assert seen.gain.high - seen.gain.low == pytest.approx(width, rel=0.25)
    assert width > 0


def again(found, study, number):
    """The stored values of a fit on the shadow rows, shape (1, rows) or (1, rows, classes)."""
    sent = []
    unit = ((0, 0, 0),)
    seeds = (seed_of(study.spec, unit[0]),)
    scored = found.worker().shadow
    config = dict(study.history.config(number))
    scored(
        Job(id=0, trial=number, stage=SHADOW, config=config, units=unit, seeds=seeds), sent.append
    )
    values = np.frombuffer(sent[0].rows, "<f4").astype(float)
    n = len(found.shadow)
    return (values if len(values) == n else values.reshape(n, -1))[None]


def test_a_metric_of_the_user_has_no_interval_on_the_shadow_set():
    def f1(y, prediction):  # not what goes by this name elsewhere
        return float((y == prediction).mean() ** 2)

    seen = view(tuned(metric=f1, direction="maximize")).shadow
    assert (seen.gain.low, seen.gain.high) == (None, None)
    assert seen.gain.estimate > 0


def test_rows_that_are_not_those_of_the_plan_give_no_interval():
    assert unpack(np.zeros(24, "<f4"), 12) is None
    assert unpack(np.zeros(40, "<f4"), 12) is None


def test_the_shadow_set_changes_nothing_in_the_search_on_the_same_rows():
    rows = prepared(test=0.25, shadow=0.2).dev
    alone = assay.tune(
        "decision_tree", rows.X, rows.y, budget=12, sampler="random", test=0, evidence=QUICK, metric="accuracy",
        checks=False, isolation="none", progress=False,
    )  # fmt: skip
    study = tuned()
    assert [t.values for t in study.trials] == [t.values for t in alone.trials]
    assert study.challenger.number == alone.challenger.number


class Counting(DecisionTreeClassifier):
    fits: ClassVar[list[int]] = []

    def fit(self, X, y):
        Counting.fits.append(len(X))
        return super().fit(X, y)


def counted(store, budget=8):
    """A study in this store, with how many fits there were on all rows of the search."""
    Counting.fits.clear()
    X, y = rows_of("two", n=160)
    study = assay.tune(
        Counting(max_depth=8), X, y, space=Space(max_depth=Int(1, 8, default=8)), budget=budget, sampler="random",
        test=0, shadow=0.2, evidence=QUICK, metric="accuracy", checks=False, isolation="none",
        progress=False, storage=store,
    )  # fmt: skip
    return study, Counting.fits.count(128)


def test_a_study_that_was_killed_fits_no_incumbent_again():
    """As if the driver had died by kill -9 after any row of the log: that is what is left of it."""
    study, fits = counted(MemoryStore())
    assert fits == len(incumbents(study.spec, study.history)) > 1
    events = study.store.read("study")
    scored = [seq for seq, e in enumerate(events) if isinstance(e, Measured) and e.stage == SHADOW]
    for end in (scored[0], scored[0] + 1, scored[1], scored[1] + 1, len(events) - 2):
        left = MemoryStore()
        left.append("study", events[:end], after=0)
        again, fits_again = counted(left)
        assert fits_again == fits - sum(seq < end for seq in scored)
        assert incumbents(again.spec, again.history) == incumbents(study.spec, study.history)
        assert [t.values for t in again.trials] == [t.values for t in study.trials]


def test_a_budget_of_the_whole_study_counts_the_shadow_fits():
    study = tuned(budget=Budget(trials=12, cpu_hours=1.0))
    stages = [stage for stage, _, _, _ in entries(study.history)]
    assert stages.count("shadow") == len(incumbents(study.spec, study.history))


def test_verify_finds_a_trial_that_had_no_business_on_the_shadow_set():
    study = tuned(budget=6)
    wrong = next(n for n in range(6) if n not in incumbents(study.spec, study.history))
    study.ledger.add(Measured(wrong, SHADOW, (0, 0, 0), 0.5))
    again = incumbents(study.spec, study.history)[0]
    study.ledger.add(Measured(again, SHADOW, (0, 0, 0), 0.5))
    first, second = study.verify()
    assert f"trial {wrong} was scored on the shadow set although it was not the best" in first
    assert f"trial {again} was scored on the shadow set a second time" in second


def test_a_study_file_may_ask_for_it(tmp_path):
    from assay.api.data import begin
    from assay.api.files import prepared_from, reopened
    from assay.api.options import options_from
    from assay.api.parts import store_at

    X, y = rows_of("two", n=160)
    table = np.column_stack([X, y])
    path = tmp_path / "rows.csv"
    np.savetxt(path, table, delimiter=",", header="a,b,c,d,y", comments="")
    told = {"data": str(path), "target": "y", "model": "decision_tree", "trials": 4, "shadow": 0.2}
    told |= {"storage": str(tmp_path / "lab.db"), "checks": False, "sampler": "random"}
    options, name = options_from(told), "rows"
    source = {"options": options.to_json()}
    store = store_at(options.storage)
    study = begin(prepared_from(options), store, name, source=source, checks=False)
    study.close()
    again, found, _ = reopened(str(tmp_path / "lab.db"), name)
    assert len(found.shadow) == study.spec.data["shadow"]["rows"]
    again.close()
    moved = np.asarray(found.shadow.X)[0]
    row = int(np.flatnonzero((X == moved).all(axis=1))[0])
    table[row, 0] += 1.0
    np.savetxt(path, table, delimiter=",", header="a,b,c,d,y", comments="")
    with pytest.raises(assay.DataError, match="has changed since"):
        reopened(str(tmp_path / "lab.db"), name)


@pytest.mark.parametrize("share", [1, 1.5, -0.1, True, "a tenth"])
def test_a_share_is_wanted(share):
    with pytest.raises(SpecError, match="shadow"):
        prepared(shadow=share)


def test_nested_repeats_the_study_with_a_shadow_set_of_its_own():
    """What is judged is the procedure as it ran: in every outer fold a study that searches on fewer rows."""
    found = prepared(shadow=0.2, final="nested")
    outer = found.outer_folds()
    left_out = np.concatenate([valid for _, valid in outer])
    assert sorted(left_out.tolist()) == list(range(160)), "shadow rows are judged on, too"
    study = tuned(test=None, final="nested", budget=6, splits=Splits.kfold(4))
    assert study.verdict.badge == "NO TEST SET (nested)"
    assert study.history.last(Estimated).results["rows"] == 160
    assert view(study).shadow.rows == 32
    for k in range(1, 5):
        inner = assay.open_study(study.store, f"study/outer-{k}")
        assert inner.spec.data["rows"] == 96
        assert inner.spec.data["shadow"]["rows"] == 24
        assert [n for n in range(6) if inner.history.units(n, SHADOW)] == incumbents(
            inner.spec, inner.history
        )
        assert inner.verify() == []
    assert study.verify() == []


def test_there_is_nothing_to_draw_without_one():
    study = assay.Study(Space(x=Float(0, 1, default=0.5)))
    with pytest.raises(StateError, match=r"shadow=0\.1"):
        assay.plot.shadow(study)


def test_groups_stay_whole_and_the_shadow_rows_come_last():
    X, y = rows_of("numbers", n=160)
    wishes = Wishes(budget=Budget(trials=3), shadow=0.2, test=0.2)
    by_group = prepare(from_arrays(X, y, groups=np.arange(160) // 8), "ridge", wishes)
    parts = [set(t.groups.tolist()) for t in (by_group.dev, by_group.shadow, by_group.test)]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 20
    by_time = prepare(from_arrays(X, y, time=np.arange(160)), "ridge", wishes)
    assert max(by_time.dev.time) < min(by_time.shadow.time)
    assert max(by_time.shadow.time) < min(by_time.test.time)


def test_splits_of_the_search_hold_its_rows_alone():
    found = prepared(test=0.25, shadow=0.2, splits=Splits.kfold(4))
    rows = np.concatenate([valid for _, valid in found.evaluator().folds(0)])
    assert sorted(rows.tolist()) == list(range(96))
