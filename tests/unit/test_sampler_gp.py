"""The Gaussian-process sampler: the contract, the log it can be rebuilt from, and hard studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg  # noqa: F401 - brings a BLAS of its own, which must be there to be limited
from threadpoolctl import threadpool_limits

from assay.core.errors import SpaceError, SpecError
from assay.core.events import Asked, Failed, Measured, Told
from assay.core.history import History, fold
from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.protocols import ExhaustedError
from assay.core.rng import stream
from assay.core.space import Space
from assay.math import gp as process
from assay.math.encoding import Encoding
from assay.math.gp_fit import thinned
from assay.samplers.gp import Gp, _known, model_of
from assay.samplers.gp_history import anchor, fit_at, last_refit, memory_of
from assay.samplers.gp_search import (
    Found,
    Improvement,
    Surface,
    candidates,
    climb,
    neighbours,
    search,
    slide,
)
from assay.samplers.random import Random
from assay.testing.sampler_contract import CLAUSES, FINITE, NESTED, WIDE

MIXED = Space(
    x=Float(0, 1),
    rate=Float(1e-5, 1, log=True),
    depth=Int(1, 40),
    units=Int(8, 4096, log=True),
    size=Ordinal([1, 2, 4, 8]),
    kind=Choice(["a", "b", "c"]),
    drop=When("kind", ["b", "c"], Float(0, 0.5, step=0.05)),
    inner=When("kind", "c", Choice(["u", "v"])),
    deep=When("kind", "c", When("inner", "v", Float(0.9, 0.999, logit=True))),
    fixed=Constant("gini"),
)
FLAT = Space(x=Float(-5, 5), y=Float(-5, 5))


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As the driver of a study does: threads that wait for each other cost more than they bring."""
    with threadpool_limits(1):
        yield


def ask(sampler, space, history, seed=0):
    return sampler.ask(space, history, stream(seed, "trial", history.n_trials))


def asked(history, proposal):
    event = Asked(history.n_trials, proposal.config, history.length, "sampler", proposal.why)
    return fold([event], history)


def study(space, loss, trials, sampler=None, seed=0):
    """A study of a loss; None from it is a failure."""
    history = History()
    for number in range(trials):
        history = asked(history, ask(sampler or Gp(seed=seed), space, history, seed))
        value = loss(history.config(number))
        ended = Failed(number, "raised", "no") if value is None else Told(number, (value,))
        history = fold([ended], history)
    return history


def grown_at_random(space, loss, trials, seed=0):
    return study(space, loss, trials, Random(), seed)


def best(history):
    return min(told.values[0] for _, told in history.told())


def events_of(history):
    """The events that made a history of trials that all ended, or that still run."""
    for trial in history.trials:
        yield Asked(trial.number, dict(trial.config), trial.seen, trial.origin, trial.why)
        outcome = history.outcome(trial.number)
        if outcome is not None:
            yield outcome


def mixed_loss(config):
    bonus = {"a": 0.4, "b": 0.2, "c": 0.0}[config["kind"]]
    return (
        (config["x"] - 0.3) ** 2
        + 0.1 * (math.log10(config["rate"]) + 3) ** 2
        + 0.001 * (config["depth"] - 12) ** 2
        + bonus
        + config.get("drop", 0.0)
    )


def bowl(config):
    return (config["x"] - 1.3) ** 2 + (config["y"] + 2.1) ** 2


# --- it finds


def test_it_finds_the_bottom_of_a_bowl():
    assert best(study(FLAT, bowl, 25)) < 1e-3


def test_it_finds_the_good_branch_of_a_mixed_space():
    found = best(study(MIXED, mixed_loss, 45))
    assert found < 0.05
    assert found < best(grown_at_random(MIXED, mixed_loss, 45))


def test_signs_turn_the_direction():
    history = study(FLAT, lambda c: -bowl(c), 25, Gp(signs=(-1.0,)))
    assert max(told.values[0] for _, told in history.told()) > -1e-3
    same = study(FLAT, bowl, 25, Gp())
    assert [t.config for t in history.trials] == [t.config for t in same.trials]


@pytest.mark.parametrize("factor", [1024.0, 2.0**-20])
def test_the_scale_of_the_losses_makes_no_difference(factor):
    history = study(FLAT, bowl, 12)
    other = study(FLAT, lambda c: factor * bowl(c), 12)
    for a, b in zip(history.trials, other.trials, strict=True):
        assert a.config == pytest.approx(b.config, abs=1e-6)


# --- it is a function of the log


def test_a_history_opened_again_gives_the_same_proposals():
    """Warm memos, kept from trial to trial, against none: the very same config and words."""
    history = History()
    sampler = Gp(seed=1)
    for number in range(42):
        proposal = ask(sampler, MIXED, history)
        if number % 8 == 1:
            opened_again = fold(list(events_of(history)))
            assert ask(sampler, MIXED, opened_again) == proposal
            assert ask(sampler, MIXED, history) == proposal
        history = asked(history, proposal)
        value = mixed_loss(history.config(number)) if number % 7 else None
        ended = Failed(number, "raised", "") if value is None else Told(number, (value,))
        history = fold([ended], history)


def test_older_histories_say_what_they_said():
    history, said = History(), []
    for number in range(30):
        said.append((history, ask(Gp(), MIXED, history)))
        history = asked(history, said[-1][1])
        history = fold([Told(number, (mixed_loss(history.config(number)),))], history)
    for earlier, proposal in said:
        assert ask(Gp(), MIXED, earlier) == proposal


def test_a_rebuild_needs_two_fits_at_most():
    history = grown_at_random(FLAT, bowl, 150)
    ask(Gp(), FLAT, history)
    memory = memory_of(FLAT, history, 1.0)
    assert set(memory.fits) == {anchor(last_refit(150)), last_refit(150)}


def test_running_trials_and_the_order_of_ending_are_part_of_the_log():
    history = grown_at_random(FLAT, bowl, 8)
    for _ in range(3):
        history = asked(history, ask(Gp(), FLAT, history))
    history = fold([Told(10, (1.0,)), Failed(8, "raised", "")], history)
    again = fold(list(events_of(grown_at_random(FLAT, bowl, 8))))
    for number in (8, 9, 10):
        trial = history.trial(number)
        again = fold([Asked(number, dict(trial.config), trial.seen, "sampler", trial.why)], again)
    again = fold([Told(10, (1.0,)), Failed(8, "raised", "")], again)
    assert ask(Gp(), FLAT, history) == ask(Gp(), FLAT, again)


@pytest.mark.parametrize("n", [4, 5, 6, 19, 20, 39, 40, 79, 80, 333, 1000, 5000])
def test_the_schedule(n):
    refit, first = last_refit(n), anchor(last_refit(n))
    assert 4 <= first <= refit <= n
    assert n - refit <= n / 20
    assert last_refit(refit) == refit
    assert anchor(first) == first
    assert last_refit(first) == first
    assert refit < 2 * first


# --- what it says


def test_it_says_why():
    history = study(FLAT, bowl, 12)
    why = ask(Gp(), FLAT, history).why
    assert why["sampler"] == "gp"
    assert why["acquisition"] == "logEI"
    assert why["n"] == 12
    assert why["refit"] is True
    assert why["transform"] in {"plain", "soft tail", "log"}
    assert 0 <= why["nearest"] < 12
    assert why["distance"] > 0
    assert why["sd"] > 0
    assert why["improvement"] > 0
    assert canonical(why)


@pytest.mark.parametrize(("sign", "offset"), [(1.0, 100.0), (-1.0, -7.0)])
def test_it_speaks_in_the_units_of_the_objective(sign, offset):
    history = study(FLAT, lambda c: sign * bowl(c) + offset, 25, Gp(signs=(sign,)))
    for trial in history.trials[20:]:
        assert abs(trial.why["mean"] - trial.value) < 5 * trial.why["sd"] + 0.5


def test_the_nearest_trial_is_the_nearest():
    history = study(FLAT, lambda c: c["x"], 12)
    config, why = ask(Gp(), FLAT, history)
    distances = [abs(t.config["x"] - config["x"]) for t in history.trials]
    near = history.trial(why["nearest"]).config
    assert abs(near["x"] - config["x"]) <= sorted(distances)[3]


# --- hard studies


@pytest.mark.parametrize(
    "loss",
    [
        pytest.param(lambda c: 0.0, id="constant"),
        pytest.param(lambda c: math.exp(3 * abs(c["x"])) + 1e6 * (c["y"] > 0), id="heavy tail"),
        pytest.param(lambda c: 1e300 * c["x"], id="huge"),
        pytest.param(lambda c: 1e-300 * c["x"], id="tiny"),
        pytest.param(lambda c: 1e9 + 1e-3 * c["x"], id="a small difference of large numbers"),
        pytest.param(lambda c: None if c["x"] > 2 else bowl(c), id="30 % failing"),
        pytest.param(lambda c: None, id="all failing"),
        pytest.param(lambda c: 1.0 if c["x"] > 0 else None, id="constant or failing"),
        pytest.param(lambda c: float(round(c["x"])), id="steps"),
    ],
)
def test_odd_losses(loss):
    history = study(FLAT, loss, 16)
    assert len({canonical(t.config) for t in history.trials}) == 16
    assert all(FLAT.contains(t.config) for t in history.trials)
    reasons = [t.why.get("reason", "") for t in history.trials]
    assert not any("inverted" in reason or "finite" in reason for reason in reasons)


def test_a_heavy_tail_does_not_hide_the_bottom():
    history = study(FLAT, lambda c: bowl(c) + (1e6 if c["x"] < 0 else 0.0), 35)
    assert best(history) < 0.05


def test_failures_are_kept_away_from():
    history = study(FLAT, lambda c: None if c["x"] > 0.5 else bowl(c), 40)
    failures = [t.number for t in history.trials if t.state == "failed"]
    assert sum(number >= 20 for number in failures) <= 6  # three quarters of the space fail
    assert best(history) < 1.0  # at x = 0.5 it is 0.64


def test_noise():
    rng = np.random.default_rng(5)
    history = study(FLAT, lambda c: bowl(c) + rng.normal(), 40)
    late = [bowl(t.config) for t in history.trials[25:]]
    assert np.median(late) < 2.0


def test_one_parameter():
    space = Space(rate=Float(1e-6, 1, log=True))
    history = study(space, lambda c: (math.log10(c["rate"]) + 4.2) ** 2, 20)
    assert best(history) < 1e-3


def test_forty_dimensions():
    space = Space({f"x{i:02}": Float(0, 1) for i in range(40)})

    def loss(config):
        return sum((config[f"x{i:02}"] - 0.2 * i) ** 2 for i in range(5))

    assert best(study(space, loss, 40)) < best(grown_at_random(space, loss, 40))


def test_pure_categorical():
    space = Space({f"c{i}": Choice(list("abcde")) for i in range(6)})
    goal = dict(zip(space.names, "badcea", strict=True))

    def loss(config):
        return sum(config[name] != goal[name] for name in goal)

    history = study(space, loss, 60)
    assert best(history) == 0.0
    assert len({canonical(t.config) for t in history.trials}) == 60


def test_many_gridded_parameters_are_searched_in_part():
    space = Space({f"i{n:02}": Int(0, 1000) for n in range(30)} | {"c": Choice(list("xyz"))})
    history = study(space, lambda c: c["i00"] + c["i01"], 18)
    assert all(space.contains(t.config) for t in history.trials)


@pytest.mark.parametrize(
    "space", [FINITE, CLAUSES, NESTED, WIDE], ids=["finite", "clauses", "nested", "wide"]
)
def test_special_spaces(space):
    numbers = stream(0, "losses")
    try:
        history = study(space, lambda c: float(numbers.random()), 25)
    except ExhaustedError:
        history = History()
    assert all(space.contains(t.config) for t in history.trials)


def test_a_finite_space_ends():
    history = History()
    sampler = Gp()
    with pytest.raises(ExhaustedError, match=r"all 9 configs .*tried"):
        for number in range(20):
            history = asked(history, ask(sampler, FINITE, history))
            history = fold([Told(number, (float(number % 3),))], history)
    assert history.n_trials == 9


def test_given_repeats_of_the_only_config():
    space = Space(fixed=Constant("gini"))
    history = History()
    for number in range(7):
        event = Asked(number, {"fixed": "gini"}, history.length, "control")
        history = fold([event, Told(number, (float(number),))], history)
    with pytest.raises(ExhaustedError):
        ask(Gp(), space, history)


def test_losses_that_turn_negative_after_logarithms_were_chosen():
    history = grown_at_random(FLAT, lambda c: math.exp(bowl(c) / 5), 24)
    assert ask(Gp(), FLAT, history).why["transform"] == "log"
    history = asked(history, ask(Gp(), FLAT, history))
    history = fold([Told(24, (-1.0,))], history)
    assert ask(Gp(), FLAT, history).why["transform"] == "soft tail"


def test_a_finite_space_is_searched_by_looking_at_all_of_it():
    space = Space(a=Int(0, 40), b=Int(0, 40))
    history = study(space, lambda c: (c["a"] - 31) ** 2 + (c["b"] - 7) ** 2, 25)
    assert best(history) == 0.0


def test_impossible_clauses_are_said():
    space = Space(x=Float(0, 1), forbid="x >= 0")
    with pytest.raises(SpaceError, match="allowed"):
        ask(Gp(), space, History())


def test_workers_get_different_configs():
    history = study(FLAT, bowl, 8)
    for _ in range(8):
        history = asked(history, ask(Gp(), FLAT, history))
    late = np.array([[t.config["x"], t.config["y"]] for t in history.trials[8:]])
    gaps = np.linalg.norm(late[:, None] - late[None], axis=2) + 9 * np.eye(8)
    assert gaps.min() > 1e-3


@pytest.mark.parametrize("trials", [450, 2000])
def test_a_long_history(trials):
    history = grown_at_random(FLAT, bowl, trials)
    proposal = ask(Gp(), FLAT, history)
    assert bowl(proposal.config) < best(history)
    assert proposal.why["n"] == trials


def test_numerical_trouble_gives_a_spread_config_and_says_so(monkeypatch):
    def broken(matrix):
        raise process.SingularError("no inverse today")

    history = study(FLAT, bowl, 8)
    monkeypatch.setattr(process, "inverse", broken)
    proposal = ask(Gp(), FLAT, history)
    assert FLAT.contains(proposal.config)
    assert proposal.why["fallback"] == "sobol"
    assert "inverted" in proposal.why["reason"]


@pytest.mark.parametrize("signs", [(), (1.0, 0.5), (0.5,), "up", None])
def test_wrong_signs_are_refused(signs):
    with pytest.raises(SpecError, match="each objective"):
        Gp(signs=signs)


# --- parts


def test_thinning_keeps_the_best_and_spreads_the_rest():
    rng = np.random.default_rng(0)
    targets = rng.normal(size=1000)
    kept = thinned(targets, 100)
    assert len(np.unique(kept)) == 100
    assert set(np.argsort(targets)[:50]) <= set(kept)
    ranks = np.argsort(np.argsort(targets))[kept]
    assert ranks.max() > 950
    assert np.array_equal(thinned(targets[:100], 100), np.arange(100))


def test_a_fit_depends_on_its_prefix_alone():
    short, long = (grown_at_random(FLAT, bowl, n) for n in (40, 70))
    one = fit_at(memory_of(FLAT, short, 1.0), short, 40)
    other = fit_at(memory_of(FLAT, long, 1.0), long, 40)
    assert np.array_equal(one.hyper.lengths, other.hyper.lengths)
    assert one.hyper.noise == other.hyper.noise
    assert one.transform == other.transform


# --- the search


def surface_of(space, trials=20, seed=0):
    """The acquisition after random trials whose losses are random but smooth in the rows."""
    encoding = Encoding(space)
    rng = np.random.default_rng(seed)
    points = encoding.snap(rng.random((trials, encoding.size)))
    rows = encoding.rows(points)
    targets = np.sin(rows @ rng.normal(0, 4, rows.shape[1]))
    hyper = process.Hyperparameters(np.full(len(encoding.searched), 0.7), 1e-3)
    posterior = process.Posterior(rows, targets, encoding.owner, hyper)
    order = np.argsort(targets)
    improvement = Improvement(posterior, float(posterior.fitted().min()))
    return Surface(encoding, [improvement], posterior.scale, trials), points[order]


@pytest.mark.parametrize(
    "space", [MIXED, NESTED, CLAUSES, FLAT], ids=["mixed", "nested", "clauses", "flat"]
)
def test_what_is_found_is_in_the_space_and_scored_as_it_is(space):
    surface, ranked = surface_of(space)
    ranked = ranked[surface.encoding.allowed(ranked)]
    found = search(surface, ranked, np.random.default_rng(1))
    finite = np.isfinite(found.scores)
    assert np.allclose(surface.encoding.snap(found.points), found.points, atol=1e-9)
    assert np.allclose(surface.score(found.points)[finite], found.scores[finite], atol=1e-5)
    assert surface.encoding.allowed(found.points).all()


@pytest.mark.parametrize("space", [MIXED, NESTED, FLAT], ids=["mixed", "nested", "flat"])
def test_climbing_goes_up(space):
    surface, ranked = surface_of(space)
    rng = np.random.default_rng(2)
    points = candidates(surface.encoding, ranked, 512, rng)
    scores = surface.score(points)
    start = Found(points, scores).best_first().at(np.arange(5))
    top = climb(surface, start, rng)
    assert top.scores[0] >= start.scores[0]
    more = candidates(surface.encoding, ranked, 4000, rng)
    assert top.scores[0] > surface.score(more).max() - 0.1


def test_sliding_leaves_what_is_not_active_or_gridded():
    surface, ranked = surface_of(MIXED)
    start = Found(ranked, surface.score(ranked))
    moved = slide(surface, start)
    encoding = surface.encoding
    held = ~encoding.active(ranked)
    held[:, encoding.gridded] = True
    assert np.array_equal(moved.points[held], ranked[held])
    assert (moved.points != ranked).any()
    assert (moved.scores >= start.scores).all()


def test_neighbours_differ_in_one_choice():
    surface, ranked = surface_of(MIXED)
    points, owners = neighbours(surface.encoding, ranked[:3], np.random.default_rng(0))
    parents = set(surface.encoding.space.names) - {"kind", "inner"}
    for point, owner in zip(points, owners, strict=True):
        config, origin = (surface.encoding.config(p) for p in (point, ranked[owner]))
        differ = {n for n in config.keys() & origin.keys() if config[n] != origin[n]}
        assert len(differ & parents) <= 1
        assert len(differ) <= 1


def test_a_place_where_a_trial_runs_promises_little():
    history = grown_at_random(FLAT, lambda c: 10 + 3 * c["x"], 12)
    alone = model_of(memory_of(FLAT, history, 1.0), history)
    for _ in range(3):
        history = asked(history, ask(Gp(), FLAT, history))
    memory = memory_of(FLAT, history, 1.0)
    model = model_of(memory, history)
    there = memory.points([12, 13, 14])
    assert (model.surface.score(there) < alone.surface.score(there) - 1).all()
    rows = memory.encoding.rows(there)
    assert model.posterior.predict(rows)[0] == pytest.approx(alone.posterior.predict(rows)[0])


def test_one_running_trial_is_believed_to_be_no_better_than_the_best():
    """Else the wait for one promising trial would stop all improvement."""
    history = grown_at_random(FLAT, lambda c: 10 + 3 * c["x"], 12)
    history = asked(history, ask(Gp(), FLAT, history))
    assert history.trial(12).why["mean"] < best(history)
    model = model_of(memory_of(FLAT, history, 1.0), history)
    (improvement,) = model.surface.terms
    assert model.posterior.targets[12] >= improvement.best


@pytest.mark.parametrize("running", [1, 20, 70])
def test_many_trials_may_run(running):
    history = study(MIXED, mixed_loss, 8)
    for _ in range(running):
        config = ask(Random(), MIXED, history).config
        history = fold([Asked(history.n_trials, config, history.length, "sampler", None)], history)
    proposal = ask(Gp(), MIXED, history)
    assert "fallback" not in proposal.why
    assert history.find(proposal.config) is None


# --- failures, standard errors, bent scales


def narrow(config):
    """Works only where x + y is small; the best is at the edge of that."""
    return None if config["x"] + config["y"] > -1 else bowl(config)


def test_failures_get_a_model_when_there_are_many():
    history = study(FLAT, narrow, 30)
    whys = [t.why for t in history.trials]
    ended = np.cumsum([t.state == "failed" for t in history.trials])
    assert ended[-1] >= 5
    modelled = [i for i in range(1, 30) if "success" in whys[i]]
    assert modelled
    assert all(ended[i - 1] >= 5 and ended[i - 1] >= 0.1 * i for i in modelled)
    assert all(0 < whys[i]["success"] <= 1 for i in modelled)
    assert best(history) < 0.5


def test_a_place_in_the_middle_of_failures_is_not_thought_to_succeed():
    history = grown_at_random(FLAT, narrow, 40)
    memory = memory_of(FLAT, history, 1.0)
    _, chance = model_of(memory, history).surface.terms
    points = memory.encoding.snap(np.array([[0.9, 0.9], [0.2, 0.2]]))
    fails, works = np.exp(chance.value(memory.encoding.rows(points)))
    assert fails < 0.2
    assert works > 0.8


def with_errors(errors, trials=30):
    """Random trials; every third is wrong by much, and says so if `errors`."""
    history = History()
    for number in range(trials):
        history = asked(history, ask(Random(), FLAT, history))
        wrong = 30.0 * (number % 3 == 0)
        extra = {"se": wrong or 0.01} if errors else None
        told = Told(number, (bowl(history.config(number)) - wrong,), extra)
        history = fold([told], history)
    return history


def test_standard_errors_that_are_told_are_believed():
    def misses(history):
        memory = memory_of(FLAT, history, 1.0)
        model = model_of(memory, history)
        points = memory.encoding.snap(np.random.default_rng(0).random((200, 2)))
        means = model.targets.loss(model.posterior.predict(memory.encoding.rows(points))[0])
        truth = [bowl(memory.encoding.config(point)) for point in points]
        return np.corrcoef(means, truth)[0, 1]

    assert misses(with_errors(True)) > misses(with_errors(False)) + 0.05


def test_the_spread_over_folds_is_no_standard_error():
    """Near configs share it, so measuring one more of them does not average it away."""
    history = History()
    for number, values in enumerate(([1.0, 2.0, 3.0], [1.5, 9.0, 0.5], [2.0, 2.0, 7.0])):
        history = asked(history, ask(Random(), FLAT, history))
        found = [Measured(number, "search", (0, f, 0), value) for f, value in enumerate(values)]
        history = fold([*found, Told(number, (sum(values) / 3,))], history)
    assert memory_of(FLAT, history, 1.0).errors == [0.0, 0.0, 0.0]


def test_a_scale_that_was_declared_badly_is_bent():
    space = Space(rate=Float(1e-6, 1), x=Float(0, 1))

    def loss(config):
        return (math.log10(config["rate"]) + 3) ** 2 + config["x"]

    history = grown_at_random(space, loss, 48, seed=1)
    memory = memory_of(space, history, 1.0)
    bends = fit_at(memory, history, 48).hyper.bends
    assert bends is not None
    assert bends[0, 0] < -0.3
    assert fit_at(memory, history, 12).hyper.bends is None
    assert best(study(space, loss, 40)) < 0.05


def test_a_place_next_to_a_trial_is_known_unless_there_is_noise_or_a_grid():
    def known_next_to_the_best(history, space, step):
        model = model_of(memory_of(space, history, 1.0), history)
        near = model.surface.encoding.snap(model.points[:1] + step)
        far = model.surface.encoding.snap(1 - model.points[:1])
        return _known(model, near)[0], _known(model, far)[0]

    exact = grown_at_random(FLAT, bowl, 30)
    assert known_next_to_the_best(exact, FLAT, 1e-4) == (True, False)
    rng = np.random.default_rng(0)
    noisy = grown_at_random(FLAT, lambda c: bowl(c) + 5 * rng.normal(), 30)
    assert known_next_to_the_best(noisy, FLAT, 1e-4) == (False, False)
    grid = Space(x=Int(-5000, 5000), y=Int(-5000, 5000))
    gridded = grown_at_random(grid, lambda c: (c["x"] - 1000) ** 2 + c["y"] ** 2, 30)
    assert known_next_to_the_best(gridded, grid, 1e-4) == (False, False)
