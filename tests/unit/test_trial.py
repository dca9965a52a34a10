"""A trial as an objective sees it, and an objective as an executor runs it."""

from __future__ import annotations

import random

import numpy as np

from assay.core.jobs import Job, Step
from assay.engine.trial import Objective, OpenTrial


def job(**fields):
    return Job(
        **({"id": 0, "trial": 3, "stage": "search", "config": {"x": 1}, "seeds": (7,)} | fields)
    )


def nothing(message):
    raise AssertionError(message)


def test_an_objective_gets_number_config_and_seed():
    seen = []
    Objective(seen.append, seeding=False)(job(), nothing)
    (trial,) = seen
    assert isinstance(trial, OpenTrial)
    assert (trial.number, trial.config, trial.seed) == (3, {"x": 1}, 7)


def test_what_it_returns_is_passed_on_as_it_is():
    for value in (0.5, {"loss": 1.0}, None, "text"):
        assert Objective(lambda trial, value=value: value, seeding=False)(job(), nothing) is value


def test_reports_are_emitted_in_order():
    sent = []

    def objective(trial):
        trial.report(1, 0.5)
        trial.report(2, 0.25)
        return 0.0

    Objective(objective, seeding=False)(job(), sent.append)
    assert sent == [Step(step=1, value=0.5), Step(step=2, value=0.25)]


def draws(trial):
    return random.random() + np.random.random()  # noqa: NPY002 - the global one is the point


def test_the_global_generators_follow_the_seed_in_processes_of_our_own():
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        seeded = Objective(draws, seeding=True)
        assert seeded(job(), nothing) == seeded(job(), nothing)
        assert seeded(job(), nothing) != seeded(job(seeds=(8,)), nothing)
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002


def test_elsewhere_the_global_generators_belong_to_the_user():
    state = random.getstate()
    Objective(lambda trial: 0.0, seeding=False)(job(), nothing)
    assert random.getstate() == state


def test_a_trial_prints_what_it_is():
    assert repr(OpenTrial(2, {"x": 1}, 0, nothing)) == "<trial 2: {'x': 1}>"
