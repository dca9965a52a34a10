"""Racing over folds with several objectives: who is stopped, and how often one that would have passed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.errors import SpecError
from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Run, Stop
from assay.schedulers.racing_fronts import RacingFronts

COUNT = 6
FOLDS = Fidelity("fold", 1, COUNT, "folds")
RACE = RacingFronts(FOLDS)


def run_of(trial, values, state="running"):
    """A run with values (folds done, objectives)."""
    curve = tuple(enumerate(np.asarray(values, float)[:, 0].tolist(), start=1))
    others = tuple(map(tuple, np.asarray(values, float)[:, 1:].tolist()))
    return Run(trial, state, COUNT, len(values), curve, others=others)


def complete(values):
    return [run_of(trial, one, "done") for trial, one in enumerate(values)]


def stops(race, runs):
    return isinstance(race.judge(runs, len(runs) - 1), Stop)


def some(seed, count=4):
    """Complete trials and a running one, fold effects in common; shapes (trials, folds, objectives)."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 1, (COUNT, 2)) + rng.normal(0, 0.1, (count + 1, COUNT, 2))
    values += rng.normal(0, 0.3, (count + 1, 1, 2))
    return values[:-1], values[-1]


def test_a_trial_that_is_behind_in_all_is_stopped_and_why_is_said():
    verdict = RACE.judge([*complete(np.zeros((1, 6, 2))), run_of(1, np.ones((2, 2)))], 1)
    assert isinstance(verdict, Stop)
    assert "fold 2 of 6: with (1, 1) behind trial 0 in every objective" in verdict.reason


@given(seed=st.integers(0, 10_000), done=st.integers(1, COUNT - 1))
@settings(max_examples=60)
def test_who_is_stopped_is_behind_one_of_the_others_in_every_objective(seed, done):
    others, ours = some(seed)
    behind = (ours[:done].mean(axis=0) > others[:, :done].mean(axis=1)).all(axis=1)
    if stops(RACE, [*complete(others), run_of(4, ours[:done])]):
        assert behind.any()
        assert done > 1


@given(seed=st.integers(0, 10_000), done=st.integers(2, COUNT - 1))
@settings(max_examples=60)
def test_units_directions_and_the_order_of_objectives_make_no_difference(seed, done):
    others, ours = some(seed)
    before = stops(RACE, [*complete(others), run_of(4, ours[:done])])
    others, ours = (v[..., ::-1] * np.array([-8.0, 0.25]) + 4.0 for v in (others, ours))
    other_units = RacingFronts(FOLDS, (-1.0, 1.0))
    assert stops(other_units, [*complete(others), run_of(4, ours[:done])]) == before


def test_some_are_stopped_and_some_are_not():
    found = [stops(RACE, [*complete(o), run_of(4, v[:3])]) for o, v in map(some, range(60))]
    assert 0.1 < np.mean(found) < 0.9


@pytest.mark.parametrize("gap", [0.0, 5.0])
def test_of_those_that_would_have_passed_at_most_alpha_is_stopped(gap):
    """Also of those that are far behind in the first objective, and pass in the second."""
    rng, passed, stopped = np.random.default_rng(0), 0, 0
    while passed < 500:
        *others, ours = rng.normal(0, 1, (COUNT, 2)) + rng.normal(0, 0.1, (4, COUNT, 2))
        others, ours = others[:1], ours + np.array([gap, 0.0])
        if (ours.mean(axis=0) >= others[0].mean(axis=0)).all():
            continue
        passed += 1
        runs = complete(others)
        stopped += any(stops(RACE, [*runs, run_of(1, ours[:k])]) for k in range(2, COUNT))
    assert 0 < stopped / passed <= RACE.alpha


def test_a_trial_that_breaks_a_limit_stops_none():
    runs = [*complete(np.zeros((1, 6, 2))), run_of(1, np.ones((3, 2)))]
    assert stops(RacingFronts(FOLDS, limits=((1, 1.0, 0.5),)), runs)
    assert not stops(RacingFronts(FOLDS, limits=((1, -1.0, -0.5),)), runs)


def test_the_control_and_what_is_not_known_well_are_not_judged():
    runs = complete(np.zeros((1, 6, 2)))
    worse = run_of(1, np.ones((3, 2)))
    for one in (
        replace(worse, protected=True),
        run_of(1, np.ones((1, 2))),
        replace(worse, others=()),
    ):
        assert RACE.judge([*runs, one], 1) == Go()
    assert RACE.judge([replace(runs[0], state="stopped"), worse], 1) == Go()
    assert (RACE.start([]), RACE.resume(runs)) == (COUNT, None)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20)
def test_what_was_kept_changes_no_verdict(seed):
    kept, runs = RacingFronts(FOLDS), []
    for trial, values in enumerate(some(seed, 9)[0]):
        for done in range(1, COUNT + 1):
            runs = [*runs[:trial], run_of(trial, values[:done])]
            said = kept.judge(runs, trial)
            assert said == RacingFronts(FOLDS).judge(runs, trial)
            if isinstance(said, Stop):
                runs[trial] = replace(runs[trial], state="stopped")
                break
        else:
            runs[trial] = replace(runs[trial], state="done")
    assert kept.judge(runs[:3], 2) == RacingFronts(FOLDS).judge(runs[:3], 2)


def test_wrong_settings_are_refused():
    with pytest.raises(SpecError, match="several objectives"):
        RacingFronts(FOLDS, 1.0)
    with pytest.raises(SpecError, match="for folds"):
        RacingFronts(Fidelity("epochs", 1, 9), (1.0, 1.0))
    with pytest.raises(SpecError, match="alpha"):
        RacingFronts(FOLDS, alpha=1)
