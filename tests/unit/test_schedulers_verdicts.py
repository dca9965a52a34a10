"""Single verdicts: what counts at a rung, whom it stops, and what it says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Pause, Resume, Run, Stop
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.brackets import bracket_of, shares
from assay.schedulers.finalists import finalist
from assay.schedulers.halving import Halving
from assay.schedulers.percentile import Percentile
from assay.schedulers.racing import Racing
from assay.schedulers.rungs import Rungs, loss_at

EPOCHS = Fidelity("epochs", 1, 27)
FOLDS = Fidelity("fold", 1, 5, "folds")
RUNGS = Rungs(EPOCHS, 1.0, 3)


def run(trial, *curve, state="running", until=27, step=None, first=1, protected=False):
    points = tuple(enumerate(curve, start=first))
    last = points[-1][0] if points else 0
    return Run(trial, state, until, last if step is None else step, points, protected)


def at(trial, step, value, **more):
    """A run that has reported a step once."""
    return run(trial, value, first=step, **more)


# --- values at a rung


def test_folds_count_by_their_mean_and_only_if_all_are_there():
    whole = run(0, 0.1, 0.2, 0.6)
    assert loss_at(FOLDS, 1.0, whole, 2) == pytest.approx(0.15)
    assert loss_at(FOLDS, -1.0, whole, 3) == pytest.approx(-0.3)
    assert loss_at(FOLDS, 1.0, Run(0, "running", 5, 3, ((1, 0.1), (3, 0.6))), 3) is None


def test_a_run_that_ended_by_itself_keeps_its_last_loss():
    assert loss_at(EPOCHS, 1.0, run(0, 0.5, 0.4, state="done"), 9) == 0.4
    assert loss_at(EPOCHS, 1.0, run(0, 0.5, 0.4, state="stopped"), 9) is None
    assert loss_at(FOLDS, 1.0, run(0, 0.5, 0.4, state="done"), 5) is None


@pytest.mark.parametrize(
    ("steps", "rung"),
    [
        ([1], 0),
        ([1, 2], None),
        ([1, 2, 3], 1),
        ([2], 0),
        ([2, 4], 1),
        ([2, 4, 6], None),
        ([8, 16], 2),
    ],
)
def test_a_rung_is_reached_by_the_first_report_at_it_or_later(steps, rung):
    curve = tuple((step, 0.5) for step in steps)
    assert RUNGS.reached(Run(0, "running", 27, steps[-1], curve)) == rung


def test_a_bracket_has_no_rungs_below_its_first():
    rungs = Rungs(EPOCHS, 1.0, 3, first=2)
    assert rungs.start == 9
    assert rungs.reached(at(0, 3, 0.5)) is None
    assert rungs.reached(at(0, 9, 0.5)) == 2


def test_reports_on_another_grid_are_compared_with_their_like():
    even = [at(n, 10, float(n)) for n in range(6)]
    odd = [at(n, 9, -9.0) for n in range(6, 12)]
    assert AshaStopping(EPOCHS).judge([*even[:5], run(5, 5.0, first=10), *odd], 5) == Stop(
        "epochs 10 of 27: 5 of 6 are better than 5; the best 2 go on, up to 1"
    )
    first = [replace(r, trial=r.trial - 6) for r in odd]
    assert AshaStopping(EPOCHS).judge([*first, run(6, 5.0, first=10)], 6) == Go()


def test_failed_trials_count_as_worst_where_they_failed_and_nowhere_else():
    failed = [run(n, state="failed") for n in range(4)]
    runs = [*failed, at(4, 1, 0.3), at(5, 1, 0.5)]
    first = RUNGS.standing([r for r in runs if RUNGS.came(r, 0)], 1)
    assert (first.size, first.missed, first.trials) == (6, 4, (4, 5))
    assert AshaStopping(EPOCHS).judge(runs, 5) == Go(), "the best two of six"
    assert not [r for r in failed if RUNGS.came(r, 1)]


def test_who_ended_early_is_a_measure_where_it_ended_and_no_further_up():
    early = run(0, 0.5, 0.4, state="done")
    assert [RUNGS.came(early, rung) for rung in range(4)] == [True, True, False, False]


# --- who stays


@given(st.lists(st.sampled_from([0.25, 0.5]), min_size=2, max_size=12))
def test_of_equals_none_is_stopped_for_the_other(values):
    runs = [at(n, 1, value) for n, value in enumerate(values)]
    verdicts = [AshaStopping(EPOCHS).judge(runs, n) for n in range(len(runs))]
    assert Go() in verdicts
    best = [verdict for run, verdict in zip(runs, verdicts, strict=True) if run.curve[0][1] == 0.25]
    assert set(best) <= {Go()}


def test_of_equals_the_oldest_gets_more_first():
    runs = [at(n, 1, 0.5, state="paused", until=1) for n in range(6)]
    assert Asha(EPOCHS).resume(runs) == Resume(
        0, 3, "epochs 1 of 27: place 1 of 6 with 0.5; the best 2 go on to 3"
    )


def test_values_are_shown_in_the_direction_of_the_user():
    runs = [at(n, 1, n / 10, state="paused", until=1) for n in range(3)]
    assert Asha(EPOCHS, -1.0).resume(runs) == Resume(
        2, 3, "epochs 1 of 27: place 1 of 3 with 0.2; the best 1 go on to 3"
    )
    assert Asha(EPOCHS, -1.0).judge([*runs[:2], at(2, 1, 0.05, until=1)], 2) == Pause(
        "epochs 1 of 27: place 2 of 3 with 0.05; the best 1 go on"
    )


def test_the_highest_rung_comes_first():
    low = [at(n, 1, 0.1, state="paused", until=1) for n in range(3)]
    high = [at(n, 3, 0.9, state="paused", until=3) for n in range(3, 6)]
    given = Asha(EPOCHS).resume([*low, *high])
    assert (given.trial, given.until) == (3, 9)


def test_a_trial_that_is_run_again_is_not_paused_where_it_was_before():
    again = Run(0, "running", 9, 3, ((1, 0.5), (2, 0.4), (3, 0.3)))
    assert Asha(EPOCHS).judge([again], 0) == Go()
    assert Halving(EPOCHS).judge([again], 0) == Go()


# --- halving


def test_a_rung_waits_for_its_last_trial():
    runs = [at(n, 1, n / 27, state="paused", until=1) for n in range(27)]
    waiting = [*runs[:-1], run(26, until=1)]
    assert Halving(EPOCHS).resume(waiting) is None
    assert Halving(EPOCHS).resume(runs).trial == 0
    failed = [*runs[:-1], run(26, state="failed", until=1)]
    assert Halving(EPOCHS).resume(failed).trial == 0


def test_who_ended_early_takes_its_place_and_is_never_resumed():
    runs = [at(n, 1, float(n), state="paused", until=1) for n in range(27)]
    runs[0] = at(0, 1, 0.0, state="done")
    assert Halving(EPOCHS).resume(runs).trial == 1
    runs[1:9] = [run(n, n, n, float(n), state="paused", until=3) for n in range(1, 9)]
    assert Halving(EPOCHS).resume(runs) == Resume(
        1, 9, "epochs 3 of 27: place 2 of 9 with 1; the best 3 go on to 9"
    )


# --- brackets


@pytest.mark.parametrize("count", [1, 2, 5])
def test_trials_spread_over_brackets_in_their_shares(count):
    parts = shares(5, 3, count)
    for n in (50, 500):
        places = [bracket_of(i, parts) for i in range(n)]
        for bracket, share in enumerate(parts):
            assert abs(places.count(bracket) - share * n) < 4


def test_the_control_is_in_no_bracket():
    runs = [at(0, 1, -9.0, protected=True), *(at(n, 1, n / 9) for n in range(1, 7))]
    without = [at(n - 1, 1, n / 9) for n in range(1, 7)]
    for n in range(1, 7):
        verdict = AshaStopping(EPOCHS).judge(runs, n)
        assert verdict == AshaStopping(EPOCHS).judge(without, n - 1)


# --- percentiles


def test_the_median_compares_the_best_so_far_with_the_means_so_far():
    done = [run(n, *[n / 10] * 27, state="done") for n in range(5)]
    rule = Percentile(EPOCHS)
    assert rule.judge([*done, run(5, 9.0, 0.2, 9.0)], 5) == Go(), "as good as the median, once"
    assert rule.judge([*done, run(5, 9.0, 0.21, 9.0)], 5) == Stop(
        "epochs 3 of 27: its best value 0.21 is worse than 0.2, which 50 % of 5 trials reached on "
        "average up to there"
    )
    assert rule.judge([*done[:4], run(4, 9.0)], 4) == Go(), "four are too few"
    assert Percentile(EPOCHS, warm_up=3).judge([*done, run(5, 9.0, 9.0)], 5) == Go()


@pytest.mark.parametrize("value", [0.1, 0.7, 1e-9, 3.3])
def test_equal_trials_are_equal_whatever_rounding_makes_of_a_mean(value):
    epochs = [run(n, *[value] * 27, state="done") for n in range(5)]
    folds = run(0, *[value] * 5, state="done", until=5)
    for step in range(1, 5):
        assert Percentile(EPOCHS).judge([*epochs, run(5, *[value] * step)], 5) == Go()
        assert Racing(FOLDS).judge([folds, run(1, *[value] * step, until=5)], 1) == Go()


def test_stopped_trials_are_no_measure_of_a_median():
    cut = [run(n, *[0.0] * 20, state="stopped") for n in range(9)]
    assert Percentile(EPOCHS).judge([*cut, run(9, 9.0)], 9) == Go()


# --- racing


BEST = run(0, 0.1, 0.3, 0.2, 0.1, 0.3, state="done", until=5)


def test_a_mean_worse_than_the_worst_fold_is_not_forgiven():
    assert Racing(FOLDS).judge([BEST, run(1, 0.31, until=5)], 1) == Stop(
        "fold 1 of 5: mean 0.31 is worse than the worst single fold of the best trial 0, 0.3"
    )
    assert Racing(FOLDS).judge([BEST, run(1, 0.3, until=5)], 1) == Go()
    assert Racing(FOLDS, forgiving=False).judge([BEST, run(1, 9.0, until=5)], 1) == Go()


def test_folds_are_compared_in_pairs():
    """Means overlap widely; fold by fold the trial is worse by the same amount each time."""
    verdict = Racing(FOLDS).judge([BEST, run(1, 0.11, 0.311, 0.21, until=5)], 1)
    assert isinstance(verdict, Stop)
    assert "0.0103333 worse than the best trial 0" in verdict.reason
    assert isinstance(Racing(FOLDS).judge([BEST, run(1, 0.2, 0.2, 0.2, until=5)], 1), Go)


def test_only_complete_trials_are_a_measure():
    cut = run(0, 0.0, 0.0, state="stopped", until=5)
    assert Racing(FOLDS).judge([cut, run(1, 9.0, 9.0, until=5)], 1) == Go()


def test_the_best_complete_trial_is_the_measure():
    worse = run(1, 5.0, 5.1, 5.2, 5.0, 5.1, state="done", until=5)
    verdict = Racing(FOLDS).judge(
        [BEST, worse, replace(worse, trial=2), run(3, 1.0, 1.1, until=5)], 3
    )
    assert "best trial 0" in verdict.reason


def test_the_better_trial_is_never_stopped_by_the_test():
    assert Racing(FOLDS, forgiving=False).judge([BEST, run(1, 0.0, 0.2, 0.1, until=5)], 1) == Go()


# --- the end of a search


def test_the_farthest_and_best_is_evaluated_in_full():
    paused = [
        at(0, 1, 0.1, state="paused", until=1),
        at(1, 9, 0.5, state="paused", until=9),
        at(2, 9, 0.4, state="paused", until=9),
        at(3, 27, 0.0, state="done", protected=True),
        at(4, 9, 0.0, state="stopped"),
    ]
    given = finalist(EPOCHS, 1.0, paused, 2)
    assert (given.trial, given.until) == (2, 27)
    assert "the best of the 3 paused with 0.4" in given.reason
    assert finalist(EPOCHS, -1.0, paused, 2).trial == 1
    full = [*paused, at(5, 9, 0.3), at(6, 27, 0.3, state="done")]
    assert finalist(EPOCHS, 1.0, full, 2) is None, "one is done, another is on its way"
    assert finalist(EPOCHS, 1.0, paused[3:], 2) is None, "nobody is left"
