"""CMA-ES: the formulas by hand, what it reaches, and that its state is nothing but the history."""

from __future__ import annotations

import math

import numpy as np
import pytest

from assay.core.errors import SpecError
from assay.core.events import Asked, Failed, Told
from assay.core.history import History, fold
from assay.core.parameters import Float, Int
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cmaes import CmaEs
from assay.samplers.cmaes_state import rates, started, updated, warm_started

FIVE = Space({f"x{i}": Float(-5, 5) for i in range(5)})


def minimised(function, space, trials, *, sampler=None, seed=0, fails=lambda n: False):
    """The history of a run; the objective takes the values in alphabetical order."""
    sampler, history = sampler or CmaEs(), History()
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        value = function(np.array([config[name] for name in sorted(config)], dtype=float))
        ended = Failed(number, "raised", "no") if fails(number) else Told(number, (float(value),))
        history = fold([Asked(number, config, history.length, "sampler", why), ended], history)
    return history


def best(history, sign=1):
    return min(sign * told.values[0] for _, told in history.told())


def sphere(x):
    return ((x - 1.3) ** 2).sum()


# --- formulas


def test_the_default_rates_by_hand():
    """Table 1 for d = 2 and a population of 6."""
    raw = [math.log(3.5) - math.log(i) for i in range(1, 7)]
    up, down = raw[:3], raw[3:]
    mu = sum(up) ** 2 / sum(w * w for w in up)
    mu_bad = sum(down) ** 2 / sum(w * w for w in down)
    c_1 = 2 / (3.3**2 + mu)
    c_mu = 2 * (0.25 + mu + 1 / mu - 2) / (16 + mu)
    most = min(1 + c_1 / c_mu, 1 + 2 * mu_bad / (mu + 2), (1 - c_1 - c_mu) / (2 * c_mu))
    found = rates(2, 6)
    assert found.weights[:3] == pytest.approx([w / sum(up) for w in up])
    assert found.weights[3:] == pytest.approx([most * w / -sum(down) for w in down])
    assert (found.mu_eff, found.c_1, found.c_mu) == pytest.approx((mu, c_1, c_mu))
    assert found.c_sigma == pytest.approx((mu + 2) / (mu + 7))
    assert found.d_sigma == pytest.approx(1 + found.c_sigma)  # mu_eff < d + 2
    assert found.c_c == pytest.approx((4 + mu / 2) / (6 + mu))
    assert found.expected == pytest.approx(math.sqrt(2) * (1 - 1 / 8 + 1 / 84))


def test_one_generation_by_hand():
    """One dimension, where every matrix is a number; losses put the points in the order c, a, d, b."""
    state = started(np.array([0.5]), 0.2)
    assert state.population == 4
    a, b, c, d = 0.6, 0.1, 0.7, 0.3
    after = updated(state, np.array([[a], [b], [c], [d]]), np.array([2.0, 9.0, 1.0, 5.0]))
    r = rates(1, 4)
    y = [(x - 0.5) / 0.2 for x in (c, a, d, b)]
    step = r.weights[0] * y[0] + r.weights[1] * y[1]
    path = math.sqrt(r.c_sigma * (2 - r.c_sigma) * r.mu_eff) * step
    length = abs(path) / math.sqrt(1 - (1 - r.c_sigma) ** 2)
    small = length < (1.4 + 2 / 2) * r.expected
    path_c = small * math.sqrt(r.c_c * (2 - r.c_c) * r.mu_eff) * step
    weights = [w if w >= 0 else w / (v * v) for w, v in zip(r.weights, y, strict=True)]
    cov = 1 - r.c_1 - r.c_mu * sum(r.weights) + (not small) * r.c_1 * r.c_c * (2 - r.c_c)
    cov += r.c_1 * path_c**2 + r.c_mu * sum(w * v * v for w, v in zip(weights, y, strict=True))
    assert after.mean == pytest.approx([0.5 + 0.2 * step])
    assert after.path_sigma == pytest.approx([path])
    assert after.path_c == pytest.approx([path_c])
    growth = r.c_sigma / r.d_sigma * (abs(path) / r.expected - 1)
    assert after.sigma == pytest.approx(0.2 * math.exp(growth))
    assert after.cov == pytest.approx(np.array([[cov]]))
    assert (after.generation, after.restarts, after.bests) == (1, 0, (1.0,))


def test_the_update_does_not_depend_on_the_axes():
    """Rotated points give the rotated state: C^(-1/2) is used rightly."""
    rng = stream(0, "rotation")
    turn = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    points, losses = rng.normal(0, 0.05, (7, 3)), rng.random(7)
    middle = np.full(3, 0.5)
    one = two = started(middle, 0.1)
    for _ in range(3):
        one = updated(one, middle + points, losses)
        two = updated(two, middle + points @ turn.T, losses)
    assert two.cov == pytest.approx(turn @ one.cov @ turn.T)
    assert two.mean - middle == pytest.approx(turn @ (one.mean - middle))
    assert two.sigma == pytest.approx(one.sigma)


def test_a_warm_start_is_the_normal_around_the_best():
    state = warm_started(np.array([[0.2, 0.5], [0.4, 0.5]]))
    assert state.mean == pytest.approx([0.3, 0.5])
    assert state.sigma**2 * state.cov == pytest.approx(np.diag([0.02, 0.01]))
    assert np.linalg.det(state.cov) == pytest.approx(1)


# --- what it reaches


@pytest.mark.parametrize("seed", range(3))
def test_it_solves_the_sphere(seed):
    assert best(minimised(sphere, FIVE, 1500, seed=seed)) < 1e-8


def test_it_follows_a_narrow_valley():
    space = Space({f"x{i}": Float(-2, 2) for i in range(2)})
    rosenbrock = lambda x: 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2  # noqa: E731
    assert best(minimised(rosenbrock, space, 700)) < 1e-8


def test_it_maximises_when_told_to():
    history = minimised(lambda x: -sphere(x), FIVE, 400, sampler=CmaEs(signs=(-1.0,)))
    assert best(history, sign=-1) < 1e-3


def test_whole_numbers_and_failures():
    space = Space(a=Int(0, 100), b=Int(1, 1000, log=True), c=Float(0, 1))
    aim = np.array([71, 30, 0.25])
    history = minimised(
        lambda x: np.abs((x - aim) / [100, 100, 1]).sum(), space, 700, fails=lambda n: n % 10 < 3
    )
    assert best(history) < 0.02


def test_an_optimum_in_a_corner():
    assert best(minimised(lambda x: x.sum(), FIVE, 600)) < -24


@pytest.mark.parametrize("value", [0.0, None])
def test_flat_and_always_failing_objectives_start_again_elsewhere(value):
    history = minimised(lambda x: value or 0, FIVE, 500, fails=lambda n: value is None)
    whys = [trial.why for trial in history.trials]
    assert whys[-1]["restarts"] >= 1
    assert whys[-1]["population"] > whys[0]["population"]


def test_it_starts_where_earlier_trials_were_good():
    history = History()
    rng = stream(0, "others")
    for number in range(40):
        config = FIVE.from_unit(rng.random(5).tolist())
        value = float(sphere(np.array(list(config.values()))))
        asked = Asked(number, config, history.length, "sampler", {"sampler": "random"})
        history = fold([asked, Told(number, (value,))], history)
    warm = [CmaEs().ask(FIVE, history, stream(1, "trial", n)) for n in range(40)]
    values = [sphere(np.array(list(proposal.config.values()))) for proposal in warm]
    assert np.median(values) < np.median([told.values[0] for _, told in history.told()])
    assert warm[0].why["after"] == 40


# --- state


def test_rebuilt_state_equals_incremental_state():
    history = minimised(sphere, FIVE, 60)
    events = []
    for trial in history.trials:
        events.append(Asked(trial.number, trial.config, trial.seen, trial.origin, trial.why))
        events.append(Told(trial.number, trial.values))
    for upto in (60, 17, 8, 1, 0, 33):
        part = fold(events[: 2 * upto])
        config, why = CmaEs().ask(FIVE, part, stream(0, "trial", upto))
        if upto < 60:
            assert (config, why) == (events[2 * upto].config, events[2 * upto].why)
        older = History(history._columns, 2 * upto)
        assert CmaEs().ask(FIVE, older, stream(0, "trial", upto)) == (config, why)


def test_results_may_come_in_any_order():
    history, running = History(), []
    rng = stream(0, "order")
    for number in range(400):
        config, why = CmaEs().ask(FIVE, history, stream(0, "trial", number))
        history = fold([Asked(number, config, history.length, "sampler", why)], history)
        running.append((number, float(sphere(np.array(list(config.values()))))))
        if len(running) == 8:
            done = running.pop(int(rng.integers(8)))
            history = fold([Told(done[0], (done[1],))], history)
    assert best(history) < 0.01


@pytest.mark.parametrize("fields", [{"signs": (1.0, 1.0)}, {"sigma": 0}, {"sigma": 2}])
def test_wrong_settings_are_refused(fields):
    with pytest.raises(SpecError):
        CmaEs(**fields)
