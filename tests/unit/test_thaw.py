"""Freeze and thaw: what trials promise, who goes on, and the model behind it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assay
from assay import Choice, Fidelity, Float, Space
from assay.api.parts import sampler_of, scheduler_of
from assay.core.events import Asked, Failed, Paused, Reported, Resumed, Stopped, Told
from assay.core.history import fold
from assay.core.rng import stream
from assay.core.runs import Go, Resume, Run, Stop
from assay.report.phase import Standing, standing
from assay.samplers.gp_history import BENT_FROM, memory_of
from assay.samplers.joint import SPREAD_EVERY, Joint
from assay.samplers.joint_model import Data, InFull, belief, carried, fit_at, last_fit
from assay.schedulers.thaw import Thaw, ThawStopping

MOST = 24
EPOCHS = Fidelity("epochs", 1, MOST)
SPACE = Space(
    x=Float(0, 1), y=Float(0, 1), kind=Choice(["a", "b"]), fidelity=Fidelity("epochs", 1, MOST)
)
STEPS = (3, 6, 12, 24)


def level(config):
    away = (config["x"] - 0.7) ** 2 + (config["y"] - 0.2) ** 2
    return away + 0.2 * (config["kind"] == "b")


def value(config, step):
    return level(config) * (1 + 2 / step) + 1.0 / step


def training(trial):
    for step in trial.steps:
        trial.report(step, value(trial.config, step))
    return value(trial.config, trial.to_step)


def search(scheduler, budget=28, **options):
    given = {
        "sampler": "gp", "evidence": None, "isolation": "none", "progress": False, "seed": 3,
    }  # fmt: skip
    return assay.optimize(training, SPACE, budget=budget, scheduler=scheduler, **(given | options))


# --- rungs on one scale


@given(
    seed=st.integers(0, 99),
    scale=st.floats(0.5, 20),
    shift=st.floats(-9, 9),
    factor=st.floats(0.5, 4),
    offset=st.floats(-5, 5),
)
def test_units_and_the_fall_from_rung_to_rung_drop_out(seed, scale, shift, factor, offset):
    rng = np.random.default_rng(seed)
    top = rng.normal(size=(9, 1))
    table = np.hstack([factor * top + offset, top])
    table[6:, 1] = np.nan
    found = carried(table)
    assert np.allclose(found[:6, 1], top[:6, 0]), "losses in full stay what they are"
    assert np.array_equal(np.argsort(found[:, 0]), np.argsort(table[:, 0]))
    assert np.isfinite(found[:, 0]).all()
    moved = carried(scale * table + shift)
    assert np.allclose(moved, scale * found + shift, equal_nan=True)


def test_matched_rungs_have_one_level_and_nearly_one_spread():
    rng = np.random.default_rng(0)
    top = rng.normal(size=40)
    found = carried(np.column_stack([5 * top + 3, top]))
    assert np.median(found[:, 0] - found[:, 1]) == pytest.approx(0, abs=1e-9)
    assert found[:, 0].std() == pytest.approx(top.std(), rel=0.2)


# --- the model


def told(n, upto=3, seed=0):
    """A history of n trials that were paused at a step; every fourth went all the way."""
    rng = np.random.default_rng(seed)
    events = [created()]
    for number in range(n):
        config = {"x": rng.random(), "y": rng.random(), "kind": str(rng.choice(["a", "b"]))}
        end = MOST if number % 4 == 0 else upto
        events.append(Asked(number, config, 0, until=end if end < MOST else None))
        events += [Reported(number, s, value(config, s)) for s in range(1, end + 1)]
        if end < MOST:
            events.append(Paused(number, end, "waits"))
        else:
            events.append(Told(number, (value(config, MOST),)))
    return fold(events)


def created(scheduler="thaw"):
    study = assay.Study(SPACE, sampler="gp", scheduler=scheduler, seed=3, control=None)
    return next(iter(study.store.read(study.name)))


def test_a_config_has_at_most_four_rows_and_the_last_is_what_it_reached():
    history = told(12)
    steps = (1, 2, 3, 6, 12, 24)
    data = Data.of(memory_of(SPACE, history, 1.0), history, steps)
    configs, counts = np.unique(data.rows[:, :-1], axis=0, return_counts=True)
    assert len(configs) == 12
    assert counts.max() == 4
    assert (data.rows[:, -1] == 1).sum() == 3, "those that were evaluated in full"


def test_what_is_expected_in_full_follows_the_first_steps():
    history = told(24)
    held = belief(memory_of(SPACE, history, 1.0), history, STEPS)
    truth = [value(history.config(n), MOST) for n in range(24)]
    assert (
        np.corrcoef(np.argsort(np.argsort(held.means)), np.argsort(np.argsort(truth)))[0, 1] > 0.9
    )
    complete = np.arange(24) % 4 == 0
    assert held.complete
    assert held.best == held.means[complete].min()
    assert held.variances[complete].max() < held.variances[~complete].min()


def test_the_gradient_of_the_acquisition_is_its_slope():
    history = told(16)
    memory = memory_of(SPACE, history, 1.0)
    held = belief(memory, history, STEPS)
    term, rows = InFull(held.posterior, held.best), memory.encoding.rows(memory.points([1, 2]))
    rows = rows + 0.013
    value_, gradient = term.with_gradient(rows)
    assert np.allclose(value_, term.value(rows))
    for column in range(rows.shape[1]):
        up, down = rows.copy(), rows.copy()
        up[:, column] += 1e-6
        down[:, column] -= 1e-6
        slope = (term.value(up) - term.value(down)) / 2e-6
        assert np.allclose(gradient[:, column], slope, rtol=1e-3, atol=1e-4)


def test_a_failed_trial_is_avoided_and_makes_no_trouble():
    history = told(12)
    failed = fold([Asked(12, history.config(8), 0), Failed(12, "error", "x")], history)
    before = belief(memory_of(SPACE, history, 1.0), history, STEPS)
    after = belief(memory_of(SPACE, failed, 1.0), failed, STEPS)
    assert after.means[8] > before.means[8]


def declared_badly(n):
    """Paused trials of a learning rate without a logarithm: nearly all that matters is at its low end."""
    rng = np.random.default_rng(1)
    events = [created()]
    for number, rate in enumerate(rng.random(n) ** 4):
        events.append(Asked(number, {"rate": rate}, 0, until=3))
        events += [Reported(number, s, abs(math.log(rate / 0.003)) + 1 / s) for s in (1, 2, 3)]
        events.append(Paused(number, 3, "waits"))
    return fold(events)


@pytest.mark.parametrize(("trials", "bent"), [(BENT_FROM, False), (40, True)])
def test_a_scale_that_was_declared_badly_is_bent_once_there_are_some_trials(trials, bent):
    space = Space(rate=Float(0, 1), fidelity=EPOCHS)
    history = declared_badly(trials)
    memory = memory_of(space, history, 1.0)
    hyper = fit_at(memory, history, STEPS, trials - 1).hyper  # of the trials before
    assert (hyper.bends is not None) == bent
    if bent:
        assert hyper.bends[0, 0] < 0, "the low end is stretched"
        assert not hyper.bends[:, 1].any(), "the steps are not bent"


@given(n=st.integers(6, 500))
def test_fits_are_of_trials_that_were_asked(n):
    assert 0 < last_fit(n) <= n
    assert last_fit(last_fit(n)) == last_fit(n)


@pytest.mark.parametrize("length", [9, 14, 20])
def test_a_proposal_follows_from_the_log_alone(length):
    """Whether the model was asked before, and of which histories, makes no difference."""
    joint, whole = Joint(STEPS, 3), told(24)
    short = whole.at(whole.asked_at(length))
    fresh = told(length)
    joint.ask(SPACE, whole, stream(0, "trial", 24))
    for ask in (
        lambda h: joint.ask(SPACE, h, stream(0, "trial", length)),
        lambda h: joint.promises(SPACE, h, None),
    ):
        assert ask(short) == ask(fresh)


def test_one_start_in_six_is_spread_over_the_space():
    joint = Joint(STEPS, 3)
    for n in range(9, 21):
        why = joint.ask(SPACE, told(n), stream(0, "trial", n)).why
        assert ("design" in why) == (n % SPREAD_EVERY == SPREAD_EVERY - 1)


def test_while_none_is_complete_the_one_expected_to_be_best_goes_on():
    rng = np.random.default_rng(1)
    events = [created()]
    for number in range(8):
        config = {"x": rng.random(), "y": rng.random(), "kind": "a"}
        events.append(Asked(number, config, 0, until=3))
        events += [Reported(number, s, value(config, s)) for s in (1, 2, 3)]
        events.append(Paused(number, 3, "waits"))
    history = fold(events)
    promises = Joint(STEPS).promises(SPACE, history, None)
    best = min(range(8), key=lambda n: level(history.config(n)))
    assert promises == [math.inf if n == best else -math.inf for n in range(8)]


def test_where_nothing_is_paused_the_one_that_came_furthest_goes_on():
    """With several workers the one expected to be best changes often; none would ever end."""
    rng = np.random.default_rng(1)
    events = [created()]
    configs = [{"x": rng.random(), "y": rng.random(), "kind": "a"} for _ in range(8)]
    worst = max(range(8), key=lambda n: level(configs[n]))
    for number, config in enumerate(configs):
        steps = (1, 2, 3, 4, 5, 6) if number == worst else (1, 2, 3)
        events.append(Asked(number, config, 0, until=MOST))
        events += [Reported(number, s, value(config, s)) for s in steps]
    promises = Joint(STEPS).promises(SPACE, fold(events), 0)
    assert promises == [math.inf if n == worst else -math.inf for n in range(8)]


@pytest.mark.parametrize("at_once", [2, 4, 8])
def test_trials_that_run_beside_each_other_come_to_their_end(at_once):
    study = assay.Study(SPACE, scheduler="thaw-stopping", sampler="gp", seed=3)
    running, complete = [], 0
    for _ in range(12 * MOST):
        while len(running) < at_once:
            running.append((study.ask(), 0))
        trial, step = running.pop(0)
        trial.report(step + 1, value(trial.config, step + 1))
        if step + 1 == MOST:
            study.tell(trial, value(trial.config, MOST))
            complete += 1
        elif not trial.should_stop():
            running.append((trial, step + 1))
    assert complete >= 3


def test_a_better_trial_promises_more_and_a_complete_one_nothing():
    history = told(20)
    promises = Joint(STEPS).promises(SPACE, history, None)
    assert all((p is None) == (n % 4 == 0) for n, p in enumerate(promises))
    paused = sorted((n for n in range(20) if n % 4), key=lambda n: level(history.config(n)))
    good, bad = (np.mean([promises[n] for n in some]) for some in (paused[:3], paused[-3:]))
    assert good > bad + 1


# --- the rules


class Says:
    """A forecast that says what it was told."""

    def __init__(self, *promises):
        self.given = promises

    def promises(self, history, apart=None):
        return self.given


def paused(trial, step, promise):
    curve = tuple((s, 1.0) for s in range(1, step + 1))
    return Run(trial, "paused", step, step, curve, promise=promise)


PROMISES = st.floats(-5, 5)


@given(promises=st.lists(PROMISES, min_size=1, max_size=9), steps=st.data())
@settings(max_examples=50)
def test_the_slot_goes_to_who_promises_most_or_to_a_new_trial(promises, steps):
    at = [steps.draw(st.sampled_from(STEPS[:-1])) for _ in promises]
    runs = [paused(k, s, p) for k, (s, p) in enumerate(zip(at, promises, strict=True))]
    given_ = Thaw(EPOCHS, forecast=Says()).resume(runs)
    if max(promises) < 0:
        assert given_ is None
    else:
        assert isinstance(given_, Resume)
        assert promises[given_.trial] == max(promises)
        assert given_.until == STEPS[STEPS.index(at[given_.trial]) + 1]


@pytest.mark.parametrize("promise", [-2.0, -math.inf, 0.0, 3.0, math.inf])
def test_a_trial_is_stopped_where_a_new_one_promises_more(promise):
    scheduler = ThawStopping(EPOCHS, parts=8)
    run = replace(paused(0, 3, promise), state="running", until=MOST)
    verdict = scheduler.judge([run], 0)
    assert isinstance(verdict, Go if promise >= 0 else Stop)
    if isinstance(verdict, Stop):
        assert "epochs 3 of 24" in verdict.reason
    assert scheduler.judge([replace(run, protected=True)], 0) == Go()


def test_a_silent_model_leaves_the_judgement_to_the_ranks():
    runs = [
        replace(paused(k, 3, None), state="running", curve=((3, float(k)),), until=MOST)
        for k in range(4)
    ]
    scheduler = ThawStopping(EPOCHS, parts=8)
    assert [type(scheduler.judge(runs, k)) for k in range(4)] == [Go, Go, Stop, Stop]
    assert Thaw(EPOCHS, forecast=Says()).resume([paused(0, 3, None)]) is None


def test_a_pause_says_what_decides_who_goes_on():
    run = replace(paused(0, 3, None), state="running")
    by_promise, by_rank = (
        Thaw(EPOCHS, forecast=forecast).judge([run], 0).reason for forecast in (Says(), None)
    )
    assert by_promise == (
        "epochs 3 of 24 with 1: goes on when nothing else, old or new, promises more per step"
    )
    assert "place 1 of 1" in by_rank


# --- a search


@pytest.mark.parametrize("scheduler", ["thaw", "thaw-stopping"])
@pytest.mark.parametrize("sampler", ["gp", "auto"])
def test_a_search_finds_the_optimum_for_a_part_of_the_steps(scheduler, sampler):
    study = search(scheduler, sampler=sampler)
    events = list(study.store.read(study.name))
    cut = {event.trial for event in events if isinstance(event, Stopped | Paused)}
    steps = sum(isinstance(event, Reported) for event in events)
    assert study.best.value < 1.0 / MOST + 0.02
    assert steps < 0.6 * 28 * MOST
    assert len(cut) > 10
    assert study.verify() == []
    assert all("epochs" in e.reason for e in events if isinstance(e, Stopped | Paused | Resumed))


@pytest.mark.parametrize("scheduler", ["thaw", "thaw-stopping"])
def test_other_samplers_thaw_by_rank(scheduler):
    study = search(scheduler, sampler="random")
    assert scheduler_of(study.spec).forecast is None
    assert study.verify() == []


def test_maximising_is_minimising_the_opposite():
    def opposite(trial):
        for step in trial.steps:
            trial.report(step, -value(trial.config, step))
        return -value(trial.config, trial.to_step)

    low = search("thaw", budget=20)
    high = assay.optimize(
        opposite, SPACE, direction="maximize", budget=20, scheduler="thaw", sampler="gp", seed=3,
        evidence=None, isolation="none", progress=False,
    )  # fmt: skip
    assert [t.config for t in low.trials] == [t.config for t in high.trials]
    assert [t.state for t in low.trials] == [t.state for t in high.trials]


@pytest.mark.parametrize("workers", [2, 4])
def test_several_at_once_make_no_trouble(workers):
    study = search("thaw", budget=24, workers=workers, isolation="process")
    assert len({tuple(sorted(t.config.items())) for t in study.trials}) == 24
    assert study.verify() == []


def test_the_model_reads_thawing_and_subsets_and_others_keep_one_rung():
    rows = Space(x=Float(0, 1), fidelity=Fidelity("rows", 1, 27, "subset"))
    for space, scheduler, joint in (
        (SPACE, "thaw", True),
        (SPACE, "asha", False),
        (rows, "asha", True),
        (rows, "halving", False),
    ):
        study = assay.Study(space, scheduler=scheduler)
        assert isinstance(sampler_of(study.spec).inner, Joint) == joint


def test_a_stopped_trial_has_ended_for_who_looks_how_far_a_search_is():
    study = search("thaw-stopping", budget=20)
    stopped = sum(trial.state == "stopped" for trial in study.trials)
    assert 0 < stopped < 20
    assert study.history.n_ended == 20 - stopped
    assert standing(study.spec, study.history) == Standing("finished", 20, 20)
    first = study.history.at(study.history.length // 2)
    now = standing(study.spec, first)
    assert now.done == first.n_trials - len(first.running())
