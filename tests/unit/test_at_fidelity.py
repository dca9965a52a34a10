"""What is expected of cut trials, and the samplers that see it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay import Fidelity, Float, Space
from assay.api.parts import sampler_of
from assay.core.history import fold
from assay.core.rng import stream
from assay.core.runs import Run
from assay.samplers import gp_history
from assay.samplers.at_fidelity import carried, highest

EPOCHS = Fidelity("epochs", 1, 27)
FOLDS = Fidelity("folds", 1, 5, "folds")
VALUES = st.floats(-1e3, 1e3)


@st.composite
def searches(draw, most):
    runs = []
    for trial in range(draw(st.integers(1, 12))):
        upto = draw(st.integers(0, most))
        curve = tuple((step, draw(VALUES)) for step in range(1, upto + 1))
        state = "done" if upto == most else draw(st.sampled_from(["paused", "stopped", "running"]))
        runs.append(Run(trial, state, most, upto, curve))
    return runs


def mirrored(runs):
    return [
        Run(r.trial, r.state, r.until, r.step, tuple((s, -v) for s, v in r.curve)) for r in runs
    ]


@given(runs=searches(27), enough=st.integers(1, 5))
def test_values_are_compared_at_one_rung_and_it_is_the_highest_with_enough(runs, enough):
    step, losses = highest(EPOCHS, 1.0, runs, enough=enough)
    assert step in (1, 3, 9, 27)
    for run, loss in zip(runs, losses, strict=True):
        assert loss == dict(run.curve).get(step)
    for above in (s for s in (3, 9, 27) if s > step):
        assert sum(above in dict(run.curve) for run in runs) < enough
    assert step == 1 or sum(loss is not None for loss in losses) >= enough
    assert highest(EPOCHS, -1.0, mirrored(runs), enough=enough) == (step, losses)


@given(runs=searches(5))
def test_folds_complete_trials_keep_their_mean_and_equal_ones_their_order(runs):
    found = carried(FOLDS, 1.0, runs)
    assert found == carried(FOLDS, -1.0, mirrored(runs))
    for run, loss in zip(runs, found, strict=True):
        assert (loss is None) == (not run.curve)
        if run.state == "done":
            assert loss == sum(value for _, value in run.curve) / 5
    for a in runs:
        for b in runs:
            if a.step and a.step == b.step:
                of = [sum(value for _, value in run.curve) / run.step for run in (a, b)]
                if of[0] < of[1]:
                    assert found[a.trial] <= found[b.trial]


def test_the_effect_of_a_fold_is_taken_off_a_trial_that_was_stopped_there():
    effects = (0.5, 0.0, -0.5, 0.2, -0.2)
    runs = [
        Run(k, "done", 5, 5, tuple((s + 1, 0.1 * k + e) for s, e in enumerate(effects)))
        for k in range(8)
    ]
    runs.append(Run(8, "stopped", 5, 1, ((1, 0.35 + effects[0]),)))
    assert carried(FOLDS, 1.0, runs)[8] == pytest.approx(0.35, abs=0.01)


@pytest.mark.parametrize("sampler", ["gp", "tpe", "cmaes", "evolution", "auto"])
def test_every_sampler_learns_from_trials_that_were_cut(sampler):
    """The search comes near the optimum although hardly a trial is complete."""
    space = Space(x=Float(0, 1), y=Float(0, 1), fidelity=EPOCHS)

    def objective(trial):
        level = (trial.config["x"] - 0.7) ** 2 + (trial.config["y"] - 0.2) ** 2
        for step in trial.steps:
            trial.report(step, level + 0.5 / step)
        return level + 0.5 / trial.to_step

    study = assay.optimize(
        objective, space, budget=60, sampler=sampler, scheduler="asha", evidence=None,
        isolation="none", progress=False,
    )  # fmt: skip
    late = [t.config for t in study.trials[30:]]
    off = sum((c["x"] - 0.7) ** 2 + (c["y"] - 0.2) ** 2 for c in late) / len(late)
    assert off < 0.28  # at random it is 0.30, and 0.292 for starts that learn nothing
    assert study.verify() == []
    assert {(t.why or {}).get("at") for t in study.trials} & {3, 9}


def in_part(trial):
    """Reports on the way; some fail, some take longer to tell who is good."""
    x, y = trial.config["x"], trial.config["y"]
    for step in trial.steps:
        if y > 0.9 and step == 2:
            raise ValueError("no luck")
        value = (
            (x - 0.7) ** 2 + (y - 0.2) ** 2 + 0.3 / step + 0.05 * ((7 * trial.number + step) % 5)
        )
        trial.report(step, value)
    return value


def studied(fidelity, scheduler, budget=45, **options):
    space = Space(x=Float(0, 1), y=Float(0, 1), fidelity=fidelity)
    return assay.optimize(
        in_part, space, budget=budget, sampler="gp", scheduler=scheduler, evidence=None,
        isolation="none", progress=False, **options,
    )  # fmt: skip


PLANS = [(FOLDS, "racing"), (EPOCHS, "asha"), (EPOCHS, "asha-stopping"), (EPOCHS, "hyperband")]


@pytest.mark.parametrize(("fidelity", "scheduler"), PLANS)
def test_what_is_kept_between_proposals_changes_none_of_them(fidelity, scheduler):
    study = studied(fidelity, scheduler)
    events = list(study.store.read(study.name))
    sampler, late = sampler_of(study.spec), study.trials[-1].number
    assert late > 40
    for number in range(8, late, 4):
        seen = study.history.trial(number).seen
        fresh = fold(events[:seen])
        rng = stream(study.spec.seed, "trial", number)
        assert sampler.ask(study.spec.space, fresh, rng).config == study.history.config(number)


@pytest.mark.parametrize(("fidelity", "scheduler"), PLANS)
def test_fits_are_kept_between_proposals(fidelity, scheduler, monkeypatch):
    """Each rung, and all folds together, are fitted from the prior at anchors and nowhere else."""
    sizes = []

    def first_fit(data, start):
        sizes.append(len(data.losses))
        return real(data, start)

    real = gp_history._first_fit
    monkeypatch.setattr(gp_history, "_first_fit", first_fit)
    assert len(studied(fidelity, scheduler).trials) > 40
    rungs = 1 if fidelity is FOLDS else 4
    assert all(sizes.count(n) <= rungs for n in (4, 6, 8, 12, 16, 24, 32))
    assert len(sizes) == sum(sizes.count(n) for n in (4, 6, 8, 12, 16, 24, 32))


@given(runs=searches(5), by=st.integers(0, 12))
def test_lines_are_fitted_to_the_first_runs_only(runs, by):
    others = [*runs[:by], *(replace(r, state="stopped", curve=r.curve[:1]) for r in runs[by:])]
    kept = carried(FOLDS, 1.0, runs, by)
    assert [a for a, r in zip(kept, runs, strict=True) if len(r.curve) <= 1] == [
        b for b, r in zip(carried(FOLDS, 1.0, others, by), runs, strict=True) if len(r.curve) <= 1
    ]
