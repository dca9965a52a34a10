"""Schedulers on made-up trainings whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from assay.core.fidelity import Fidelity
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.halving import Halving
from assay.schedulers.percentile import Percentile
from assay.testing.trainings import Trainings

EPOCHS = Fidelity("epochs", 1, 81)
TRIALS = 200
EVERY = TRIALS * EPOCHS.most

PLAIN = [Asha(EPOCHS), Asha(EPOCHS, eta=4), AshaStopping(EPOCHS)]
HEDGED = [Asha(EPOCHS, brackets=None), AshaStopping(EPOCHS, brackets=None)]


def exponentials(seed, *, rates=(0.25, 0.3), noise=0.0):
    """Curves that fall from about one above their level to it."""
    rng = np.random.default_rng(seed)
    level, height = rng.random(TRIALS), rng.uniform(0.9, 1.1, TRIALS)
    rate, luck = rng.uniform(*rates, TRIALS), rng.normal(0, noise, (TRIALS, EPOCHS.most + 1))

    def curve(trial, step):
        return float(level[trial] + height[trial] * np.exp(-rate[trial] * step) + luck[trial, step])

    return curve


def found(search):
    """The place of the trial that would be selected among all of them, trained in full; 0: the best."""
    ends = [search.curve(trial, EPOCHS.most) for trial in range(TRIALS)]
    best = min(ends[trial] for trial in search.full)
    return sum(end < best for end in ends)


@pytest.mark.parametrize("scheduler", [*PLAIN, *HEDGED], ids=repr)
def test_the_best_of_200_is_found_for_a_quarter_of_the_epochs(scheduler):
    for seed in range(2):
        search = Trainings(scheduler, EPOCHS, exponentials(seed), TRIALS, workers=4).run()
        assert found(search) == 0
        assert search.spent <= EVERY / 4


def test_a_percentile_finds_the_best_of_200_for_a_quarter_of_the_epochs():
    quarter = Percentile(EPOCHS, percent=25)
    search = Trainings(quarter, EPOCHS, exponentials(0), TRIALS, workers=4).run()
    assert found(search) == 0
    assert search.spent <= EVERY / 4


@pytest.mark.parametrize("scheduler", [*PLAIN, *HEDGED], ids=repr)
def test_curves_that_cross_and_are_noisy_still_end_with_one_of_the_best(scheduler):
    places = []
    for seed in range(3):
        curve = exponentials(seed, rates=(0.03, 0.5), noise=0.03)
        search = Trainings(scheduler, EPOCHS, curve, TRIALS, workers=4).run()
        places.append(found(search))
        assert search.spent <= EVERY / 4
    assert np.median(places) <= 0.025 * TRIALS
    assert max(places) <= 0.1 * TRIALS


def late(trial, step):
    """Every seventh trial is the worst of all before step 20, and the best of all after it."""
    if trial % 7 == 3:
        return -1.0 - trial / 1000 if step > 20 else 9.0
    return 1.0 + trial / 1000


def test_brackets_find_what_starts_badly():
    slow = set(range(3, TRIALS, 7))
    for without in (Asha(EPOCHS), AshaStopping(EPOCHS)):
        assert not slow & set(Trainings(without, EPOCHS, late, TRIALS).run().full[-5:])
    for hedged in (*HEDGED, Halving(EPOCHS, brackets=None)):
        assert slow & set(Trainings(hedged, EPOCHS, late, TRIALS).run().full)


def test_nobody_waits_for_a_straggler():
    def pace(trial):
        return 1e6 if trial == 3 else 1.0

    curve = exponentials(0)
    search = Trainings(Asha(EPOCHS), EPOCHS, curve, 81, workers=2, pace=pace, seconds=9e5).run()
    assert search.full, "the others got to the end"
    assert search.runs[3].curve == ()


def test_a_barrier_waits_but_its_slots_work_on_the_next_bracket():
    def pace(trial):
        return 1000.0 if trial == 3 else 1.0

    curve, barrier = exponentials(0), Halving(EPOCHS)
    search = Trainings(barrier, EPOCHS, curve, 162, workers=2, pace=pace, seconds=900).run()
    assert {more.trial >= 81 for more in search.resumed} == {True}
    assert len(search.runs) == 162


@pytest.mark.parametrize("workers", [1, 2, 7, 50])
def test_stopped_trials_were_never_among_the_best_third_of_a_rung(workers):
    search = Trainings(AshaStopping(EPOCHS), EPOCHS, exponentials(1), TRIALS, workers=workers).run()
    assert search.of("stopped")
    for trial in search.of("stopped"):
        run = search.runs[trial]
        said = next(s for s in reversed(search.said) if s.trial == trial)
        at = [r.curve[run.step - 1][1] for r in said.runs if len(r.curve) >= run.step]
        assert sum(value < run.curve[-1][1] for value in at) >= len(at) // 3 >= 1


@pytest.mark.parametrize("workers", [1, 2, 7, 50])
def test_who_gets_more_was_among_the_best_third_of_the_rung(workers):
    search = Trainings(Asha(EPOCHS), EPOCHS, exponentials(2), TRIALS, workers=workers).run()
    for low in EPOCHS.rungs(3)[:-1]:
        here = [run for run in search.runs if len(run.curve) >= low]
        above = [run for run in here if len(run.curve) > low]
        assert len(above) >= len(here) // 3, "who is among the best in the end got more"
        assert len(above) <= len(here) // 3 + workers + 9 * len(here) ** 0.5, "few were early"


# --- what halving and Hyperband cost


def test_a_bracket_of_halving_has_the_published_sizes_and_cost():
    search = Trainings(Halving(EPOCHS), EPOCHS, exponentials(3), 81, workers=5).run()
    sizes = [sum(len(run.curve) >= step for run in search.runs) for step in (1, 3, 9, 27, 81)]
    assert sizes == [81, 27, 9, 3, 1]
    assert search.spent == 81 * 1 + 27 * 2 + 9 * 6 + 3 * 18 + 1 * 54


def test_beginning_anew_costs_each_rung_whole():
    rows = Fidelity("rows", 1, 81, "subset")
    search = Trainings(Halving(rows), rows, exponentials(3), 81, workers=5).run()
    assert search.spent == 5 * 81


def test_hyperband_has_the_published_sizes_and_cost():
    hyperband = Halving(EPOCHS, brackets=None)
    assert [(s.first, s.sizes) for s in hyperband.shapes] == [
        (0, (81, 27, 9, 3, 1)), (1, (27, 9, 3, 1)), (2, (9, 3, 1)), (3, (6, 2)), (4, (5,)),
    ]  # fmt: skip
    search = Trainings(hyperband, EPOCHS, exponentials(4), 128, workers=3).run()
    begins = np.cumsum([0, 81, 27, 9, 6, 5])
    for shape, begin, end in zip(hyperband.shapes, begins, begins[1:], strict=False):
        steps = EPOCHS.rungs(3)[shape.first :]
        runs = search.runs[begin:end]
        assert tuple(sum(len(r.curve) >= s for r in runs) for s in steps) == shape.sizes
    assert search.spent == (
        (81 * 1 + 27 * 2 + 9 * 6 + 3 * 18 + 1 * 54)
        + (27 * 3 + 9 * 6 + 3 * 18 + 1 * 54)
        + (9 * 9 + 3 * 18 + 1 * 54)
        + (6 * 27 + 2 * 54)
        + 5 * 81
    )


@pytest.mark.parametrize("brackets", [1, None])
def test_who_goes_on_does_not_depend_on_who_was_faster(brackets):
    def pace(trial):
        return 1.0 + trial * 7919 % 13

    barrier, curve = Halving(EPOCHS, brackets=brackets), exponentials(5)
    ends = [
        {(run.state, run.curve) for run in Trainings(barrier, EPOCHS, curve, 128, **how).run().runs}
        for how in ({"workers": 1}, {"workers": 9}, {"workers": 4, "pace": pace})
    ]
    assert ends[0] == ends[1] == ends[2]


def test_a_bracket_in_which_nearly_all_fail_comes_to_its_end():
    curve = exponentials(6)

    def failing(trial, step):
        return None if trial % 20 and step == 1 else curve(trial, step)

    search = Trainings(Halving(EPOCHS), EPOCHS, failing, 81, workers=4).run()
    assert len(search.of("failed")) == 76
    assert len(search.full) == 1
