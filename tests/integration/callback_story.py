"""What every callback has to do, shown with a training of its library."""

from __future__ import annotations

import pytest

import assay
from assay import Budget, Float, OpenTrial, Space
from assay.core.events import Resumed


def alone(objective, config, most, *, stop_at=None, seed=7):
    """The reports of one trial from the first step on; `stop_at`: it is to stop after that step."""
    reports = {}
    trial = OpenTrial(
        0, config, seed, reports.__setitem__, to_step=most,
        should_stop=lambda: stop_at is not None and max(reports) >= stop_at,
    )  # fmt: skip
    value = objective(trial)
    return value, reports


def it_reports_each_step(objective, config, most):
    value, reports = alone(objective, config, most)
    assert list(reports) == list(range(1, most + 1))
    assert reports[most] == pytest.approx(value, rel=1e-4)
    assert len(set(reports.values())) > 1


def it_ends_when_it_is_to_end(objective, config, most):
    _, reports = alone(objective, config, most, stop_at=2)
    assert list(reports) == [1, 2]


def it_goes_on_where_it_was_paused(objective, space: Space, *, budget=9, rel=1e-4):
    """What is trained in pieces is what is trained in one; nothing is trained twice."""
    trained = []

    def counted(trial):
        trained.append((trial.from_step, trial.to_step, trial.seed))
        return objective(trial)

    most = space.fidelity.most
    study = assay.optimize(
        counted, space, budget=Budget(trials=budget), scheduler="asha", sampler="random",
        evidence=None, isolation="none", progress=False,
    )  # fmt: skip
    assert not [t for t in study.trials if t.state == "failed"]
    resumed = [e for e in study.store.read(study.name) if isinstance(e, Resumed)]
    assert resumed
    assert all(event.since > 0 for event in resumed)
    whole = 0
    for trial in study.trials:
        if trial.state == "done" and trial.number:
            _, reports = alone(objective, trial.config, most, seed=trained[0][2])
            curve = dict(study.history.curve(trial.number))
            assert curve == pytest.approx(reports, rel=rel)
            whole += 1
    assert whole
    steps = sum(until - since for since, until, _ in trained)
    assert steps < len(study.trials) * most
    return {"steps": steps, "of": len(study.trials) * most, "resumed": len(resumed)}


def rate_space(low, high, most):
    return Space(
        rate=Float(low, high, log=True, default=(low * high) ** 0.5),
        fidelity=assay.Fidelity("steps", 1, most),
    )
