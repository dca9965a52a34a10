"""Schedulers of several objectives: who comes first, and what that must not depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assay.core.fidelity import Fidelity
from assay.core.runs import Go, Run
from assay.math.pareto import dominates, front_ranks
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.finalists import finalist
from assay.schedulers.fronts import Fronts, by_fronts
from assay.schedulers.halving import Halving
from assay.schedulers.percentile import Percentile
from assay.testing.trainings import Trainings

EPOCHS = Fidelity("epochs", 1, 27)
FEW = st.integers(0, 6).map(float)
POINTS = st.integers(1, 3).flatmap(
    lambda m: st.lists(st.tuples(*[FEW] * m), min_size=1, max_size=30)
)
SEEDS = st.integers(0, 2**32)
quick = settings(max_examples=5)


def kept(points, asking=True):
    fronts = Fronts()
    for trial, point in enumerate(points):
        fronts.put(trial, point)
        if asking:
            fronts.front(point)
    return fronts


# --- the order


@given(POINTS)
def test_fronts_that_grew_are_those_that_are_sorted_at_once(points):
    fronts = kept(points)
    assert [fronts.front(point) for point in points] == front_ranks(points).tolist()
    assert fronts.trials() == kept(points, asking=False).trials()


@given(POINTS, st.data())
def test_who_was_forgotten_leaves_nothing_behind(points, data):
    fronts = kept(points)
    gone = data.draw(st.sets(st.integers(0, len(points) - 1)))
    for trial in gone:
        fronts.drop(trial, points[trial])
    fresh = Fronts()
    for trial, point in enumerate(points):
        if trial not in gone:
            fresh.put(trial, point)
    assert fronts.trials() == fresh.trials()


@given(POINTS)
def test_places_and_order_say_the_same(points):
    fronts = kept(points)
    order = fronts.trials()
    assert sorted(order) == list(range(len(points)))
    for place, trial in enumerate(order):
        assert fronts.place(trial, points[trial]) == place
        assert fronts.before(points[trial]) == min(
            order.index(other) for other, point in enumerate(points) if point == points[trial]
        )
    ranks = front_ranks(points)
    assert list(ranks[order]) == sorted(ranks)


@given(st.lists(st.tuples(FEW), min_size=1, max_size=20))
def test_one_loss_is_its_own_order(points):
    expected = sorted(range(len(points)), key=lambda trial: (points[trial], trial))
    assert by_fronts(dict(enumerate(points))) == expected


def test_a_share_of_a_front_covers_it():
    line = {n: (float(n), float(20 - n)) for n in range(21)}
    assert by_fronts(line)[:3] in ([0, 20, 10], [10, 0, 20])


@given(POINTS, st.integers(1, 6))
def test_who_is_lost_stays_so_whoever_comes(points, keep):
    fronts, later = kept(points), kept(points * 2)
    for trial, point in enumerate(points):
        fronts.wait(trial, point, True)
    for trial in fronts.lost(keep):
        assert sum(dominates(other, points[trial]) for other in points) >= keep
        assert later.place(trial, points[trial]) >= keep


# --- decisions


def curves(seed, m=2):
    rng = np.random.default_rng(seed)
    level, rate = rng.random((2, 200, m)).round(2)

    def curve(trial, step):
        return tuple(float(x) for x in level[trial] + rate[trial] / step)

    return curve


MAKERS = {
    "asha": lambda sign, **more: Asha(EPOCHS, sign, **more),
    "asha-stopping": lambda sign, **more: AshaStopping(EPOCHS, sign, **more),
    "halving": lambda sign, **more: Halving(EPOCHS, sign, **more),
    "hyperband": lambda sign, **more: Halving(EPOCHS, sign, brackets=None, **more),
}
each = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def states(scheduler, curve, trials=30):
    search = Trainings(scheduler, EPOCHS, curve, trials, workers=3).run()
    return [(run.state, run.step) for run in search.runs], [r.trial for r in search.resumed]


@each
@given(seed=SEEDS)
@quick
def test_with_one_objective_several_decide_as_one(make, seed):
    curve = curves(seed, 1)
    assert states(make((1.0,)), curve) == states(make(1.0), lambda *at: curve(*at)[0])


@each
@given(seed=SEEDS)
@quick
def test_an_objective_named_twice_counts_once(make, seed):
    curve = curves(seed, 1)
    assert states(make((1.0, 1.0)), lambda *at: curve(*at) * 2) == states(make((1.0,)), curve)


@each
@given(seed=SEEDS, m=st.integers(2, 3))
@quick
def test_neither_order_nor_units_nor_directions_of_objectives_matter(make, seed, m):
    curve = curves(seed, m)
    plain = states(make((1.0,) * m), curve)
    assert states(make((1.0,) * m), lambda *at: curve(*at)[::-1]) == plain

    def turned(*at):
        first, *others = curve(*at)
        return (np.expm1(5 * first), *(-1000 * x - 7 for x in others))

    assert states(make((1.0, *[-1.0] * (m - 1))), turned) == plain


@each
@given(seed=SEEDS)
@quick
def test_who_is_dominated_never_goes_on_before_who_dominates(make, seed):
    scheduler, curve = make((1.0, 1.0)), curves(seed)
    search = Trainings(scheduler, EPOCHS, curve, 30, workers=3).run()
    for runs, trial, verdict in search.said:
        step = runs[trial].step
        if not isinstance(verdict, Go):
            continue
        behind = [r.trial for r in runs if step in dict(r.curve)]
        for other in behind:
            if isinstance(scheduler, AshaStopping) and dominates(
                curve(other, step), curve(trial, step)
            ):
                again = replace(runs[other], state="running", step=step)
                upto = tuple(p for p in again.curve if p[0] <= step)
                again = replace(again, curve=upto, others=again.others[: len(upto)])
                asked = [*runs[:other], again, *runs[other + 1 :]]
                assert scheduler.judge(asked, other) == Go()
    known = dict[int, Run]()
    for given_ in search.resumed:
        run = search.runs[given_.trial]
        step = max(s for s, _ in run.curve if s < given_.until and s in scheduler_steps(scheduler))
        for other in search.runs:
            waited = other.state == "paused" and other.step == step and other.trial in known
            assert not (waited and dominates(curve(other.trial, step), curve(run.trial, step)))
        known[run.trial] = run


def scheduler_steps(scheduler):
    return EPOCHS.rungs(scheduler.eta)


def test_two_of_three_are_stopped_and_the_reason_says_all_values():
    def at(trial, *values):
        return Run(trial, "running", 27, 1, ((1, values[0]),), others=(values[1:],))

    runs = [at(0, 0.1, 9.0), at(1, 0.2, 8.0), at(2, 0.3, 9.5)]
    said = AshaStopping(EPOCHS, (1.0, 1.0)).judge(runs, 2)
    assert said.reason == (
        "epochs 1 of 27: 2 of 3 are ahead of (0.3, 9.5); the best 1 go on, up to (0.1, 9)"
    )


def test_who_breaks_a_limit_comes_after_all_who_do_not():
    def at(trial, *values):
        return Run(trial, "paused", 1, 1, ((1, values[0]),), others=(values[1:],))

    runs = [at(0, 0.9, 5.0), at(1, 0.1, 20.0), at(2, 0.5, 12.0)]
    both = (1.0, 1.0)
    assert Asha(EPOCHS, both).resume(runs).trial == 2
    assert Asha(EPOCHS, both, limits=((1, 1.0, 10.0),)).resume(runs).trial == 0
    assert Asha(EPOCHS, both, limits=((1, 1.0, 3.0),)).resume(runs).trial == 0, "breaks it least"
    assert finalist(EPOCHS, both, runs, 1, ((1, 1.0, 10.0),)).trial == 0


@given(seed=SEEDS)
@quick
def test_with_one_objective_percentiles_differ_only_between_two_means(seed):
    """There the one value is compared with a point between them, and of several there is none."""
    curve = curves(seed, 1)
    one, several = (Percentile(EPOCHS, sign, least_trials=2) for sign in (1.0, (1.0,)))
    search = Trainings(several, EPOCHS, curve, 30, workers=3).run()
    for runs, trial, verdict in search.said:
        if sum(run.state == "done" for run in runs) % 2:
            assert type(one.judge(runs, trial)) is type(verdict)


def test_a_report_looks_at_few_points_of_many(monkeypatch):
    rng = np.random.default_rng(0)
    fronts = kept([tuple(p) for p in rng.random((2000, 2)).tolist()], asking=False)
    fronts.trials(1)
    sorted_anew = []
    monkeypatch.setattr("assay.schedulers.fronts._ranked", sorted_anew.append)
    fronts.put(2000, (0.5, 0.5))
    assert fronts.place(2000, (0.5, 0.5)) > 0
    assert not sorted_anew
