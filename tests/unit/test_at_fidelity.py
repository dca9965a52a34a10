"""What is expected of cut trials, and the samplers that see it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import assay
from assay import Fidelity, Float, Space
from assay.core.fidelity import KINDS
from assay.core.runs import Run
from assay.samplers.at_fidelity import estimates

EPOCHS = Fidelity("epochs", 1, 27)
VALUES = st.floats(-1e3, 1e3)


@st.composite
def searches(draw, kind="epochs"):
    most = 27 if kind != "folds" else 5
    runs = []
    for trial in range(draw(st.integers(1, 12))):
        upto = draw(st.integers(0, most))
        curve = tuple((step, draw(VALUES)) for step in range(1, upto + 1))
        state = "done" if upto == most else draw(st.sampled_from(["paused", "stopped", "running"]))
        runs.append(Run(trial, state, most, upto, curve))
    return runs


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_trials_of_one_rung_keep_their_order_and_complete_ones_their_value(kind, data):
    fidelity = Fidelity("f", 1, 5 if kind == "folds" else 27, kind)
    runs = data.draw(searches(kind))
    found = estimates(fidelity, 1.0, runs)
    for run, estimate in zip(runs, found, strict=True):
        assert (estimate is None) == (not run.curve)
        if run.state == "done":
            assert estimate[1] == 0.0
            if kind != "folds":
                assert estimate[0] == run.curve[-1][1]
    rungs = (1, 3, 9, 27) if kind != "folds" else (1, 2, 3, 4, 5)
    for a in runs:
        for b in runs:
            if a.step and a.step == b.step and a.step in rungs:
                mean = kind == "folds"
                of = [sum(v for _, v in r.curve) if mean else r.curve[-1][1] for r in (a, b)]
                if of[0] < of[1]:
                    assert found[a.trial][0] <= found[b.trial][0]


@given(data=st.data())
def test_a_maximised_value_is_the_mirror_of_a_minimised_one(data):
    runs = data.draw(searches())
    other = [
        Run(r.trial, r.state, r.until, r.step, tuple((s, -v) for s, v in r.curve)) for r in runs
    ]
    assert estimates(EPOCHS, 1.0, runs) == estimates(EPOCHS, -1.0, other)


def test_what_all_curves_have_in_common_is_learned():
    """Curves that fall by the same from rung to rung: a trial cut early is put where it would come to."""
    drop = {1: 0.9, 3: 0.5, 9: 0.2, 27: 0.0}
    levels = [0.1 * k for k in range(10)]
    runs = [
        Run(k, "done", 27, 27, tuple((s, v + d) for s, d in drop.items()))
        for k, v in enumerate(levels)
    ]
    runs.append(Run(10, "stopped", 27, 1, ((1, 0.9 + 0.45),)))
    loss, error = estimates(EPOCHS, 1.0, runs)[10]
    assert loss == pytest.approx(0.45, abs=0.02)
    assert error < 0.3


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
        objective, space, budget=40, sampler=sampler, scheduler="asha", evidence=None,
        isolation="none", progress=False,
    )  # fmt: skip
    late = [t.config for t in study.trials[20:]]
    off = sum((c["x"] - 0.7) ** 2 + (c["y"] - 0.2) ** 2 for c in late) / len(late)
    assert off < 0.25  # at random it is 0.30
    assert study.verify() == []
    assert any("expected" in (t.why or {}) for t in study.trials)
