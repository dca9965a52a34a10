"""TPE: what counts as good, densities over conditional spaces, hard studies, and its state."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import SpaceError, SpecError
from assay.core.events import Asked, Failed, Told
from assay.core.history import History, fold
from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, When
from assay.core.rng import stream
from assay.core.space import Space
from assay.math.pareto import front_ranks, hypervolume
from assay.samplers.random import Random
from assay.samplers.tpe import Tpe
from assay.samplers.tpe_past import past_of
from assay.samplers.tpe_split import best_front, best_places, good_count, split
from assay.samplers.tpe_tree import Tree, TreeParzen
from assay.testing.sampler_contract import SEEDS
from assay.testing.spaces import configs, spaces

NESTED = Space(
    model=Choice(["linear", "tree", "net"]),
    depth=When("model", "tree", Int(1, 4)),
    optimizer=When("model", "net", Choice(["sgd", "adam"])),
    momentum=When("model", "net", When("optimizer", "sgd", Float(0.5, 0.99))),
    layers=When("model", ["tree", "net"], Ordinal([1, 2, 4])),
)
PLANE = Space(x=Float(0, 1), y=Float(1e-4, 1, log=True))


def searched(sampler, space, values, trials, *, seed=0, fails=lambda config: False):
    history = History()
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        assert space.contains(config)
        asked = Asked(number, config, history.length, "sampler", why)
        if fails(config):
            ended = Failed(number, "raised", "no")
        else:
            found = values(config)
            told = found if isinstance(found, tuple) else (found,)
            ended = Told(number, tuple(float(value) for value in told))
        history = fold([asked, ended], history)
    return history


def best(history):
    return min(told.values[0] for _, told in history.told())


def medians(space, values, trials, *, seeds=3, **more):
    """The median best value of TPE and of random search."""
    return [
        np.median([best(searched(s, space, values, trials, seed=k, **more)) for k in range(seeds)])
        for s in (Tpe(), Random())
    ]


def told_past(losses, signs=(1.0,)):
    """A past of one parameter with these losses; None failed."""
    space, events = Space(x=Float(0, 1)), []
    for number, values in enumerate(losses):
        events.append(Asked(number, {"x": number / len(losses)}, 0, "sampler", None))
        told = values if isinstance(values, tuple) or values is None else (values,)
        events.append(Failed(number, "raised", "") if told is None else Told(number, told))
    return past_of(space, fold(events), signs)


# --- good and bad


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.data())
def test_the_best_are_the_lowest_and_of_equal_ones_the_earliest(losses, data):
    count = data.draw(st.integers(1, len(losses)))
    expected = sorted(range(len(losses)), key=lambda i: (losses[i], i))[:count]
    assert best_places(np.array(losses, dtype=float), count).tolist() == expected


@given(
    st.lists(st.none() | st.floats(-1e6, 1e6), min_size=2, max_size=60).filter(
        lambda found: any(value is not None for value in found)
    ),
    st.lists(st.integers(100, 200), unique=True, max_size=4),
)
def test_every_trial_is_good_or_bad_and_failed_and_running_ones_are_bad(losses, running):
    parts = split(told_past(losses), running)
    told = [value for value in losses if value is not None]
    assert len(parts.good) == good_count(len(told))
    assert sorted([*parts.good, *parts.bad]) == sorted([*range(len(losses)), *running])
    assert all(losses[number] is not None for number in parts.good)
    bar = max(losses[number] for number in parts.good)
    assert all(
        number in running or losses[number] is None or losses[number] >= bar for number in parts.bad
    )
    for weights in (parts.good_weights, parts.bad_weights):
        assert (weights > 0).all()
    assert list(parts.good_weights) == sorted(parts.good_weights, reverse=True)


def test_the_share_of_good_trials_falls():
    counts = [good_count(n) for n in range(1, 20_000)]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert good_count(100_000) < 600


def test_signs_say_which_way_is_better():
    losses = [float(n) for n in range(20)]
    assert set(split(told_past(losses), []).good) == {0, 1, 2}
    assert set(split(told_past(losses, signs=(-1.0,)), []).good) == {17, 18, 19}
    both = [(float(n), float(n)) for n in range(20)]
    assert set(split(told_past(both, signs=(-1.0, -1.0)), []).good) == {17, 18, 19}


@given(SEEDS, st.integers(1, 12), st.sampled_from([2, 3, 4]))
def test_of_several_objectives_the_first_fronts_are_best(seed, count, m):
    losses = stream(seed, "losses").integers(0, 6, (12, m)).astype(float)
    chosen, ranks = best_front(losses, count), front_ranks(losses)
    assert len(set(chosen.tolist())) == count
    assert sorted(ranks[chosen]) == sorted(ranks)[:count]


def test_of_one_front_the_points_with_most_volume_are_kept():
    crowded = [[0.0, 4.0], [1.0, 1.0], [1.1, 0.95], [4.0, 0.0]]
    assert set(best_front(np.array(crowded), 3)) == {0, 1, 3}


# --- densities


def whole_mass(space, mixture, tree):
    """The density summed over every config; a real parameter is integrated."""
    fine = (np.arange(2000) + 0.5) / 2000
    total = 0.0
    grids = [fine if axis.positions is None else axis.positions for axis in tree.axes]
    active = {}
    for point in product(*[grid if len(grid) < 2000 else [0.5] for grid in grids]):
        config = tree.config(space, point)
        active[canonical({k: v for k, v in config.items() if k != "momentum"})] = config
    for config in active.values():
        point = np.array([tree.encoded(space, config)])
        if "momentum" in config:
            point = np.repeat(point, 2000, axis=0)
            point[:, tree.names.index("momentum")] = fine
        total += np.exp(mixture.log_density(point)).mean()
    return total


@pytest.mark.parametrize("count", [0, 1, 12])
def test_densities_over_a_conditional_space_integrate_to_one(count):
    tree, rng = Tree(NESTED), stream(0, "density", count)
    drawn = [NESTED.from_unit(rng.random(5).tolist()) for _ in range(count)]
    points = np.array([tree.encoded(NESTED, c) for c in drawn]).reshape(-1, 5)
    mixture = TreeParzen(tree, points, rng.random(count), narrowest=0.06)
    assert whole_mass(NESTED, mixture, tree) == pytest.approx(1, abs=1e-3)


def test_samples_follow_the_density_branch_by_branch():
    tree, rng = Tree(NESTED), stream(0, "branches")
    drawn = [NESTED.from_unit(rng.random(5).tolist()) for _ in range(8)]
    points = np.array([tree.encoded(NESTED, c) for c in drawn])
    mixture = TreeParzen(tree, points, np.ones(8), narrowest=0.06)
    samples = mixture.sample(20_000, rng)
    configs_ = [tree.config(NESTED, np.nan_to_num(point, nan=0.5)) for point in samples]
    for model, depth, layers in product(["tree"], [1, 2, 3, 4], [1, 2, 4]):
        config = {"model": model, "depth": depth, "layers": layers}
        chance = math.exp(mixture.log_density(np.array([tree.encoded(NESTED, config)]))[0])
        share = sum(canonical(c) == canonical(config) for c in configs_) / len(configs_)
        assert share == pytest.approx(chance, abs=0.01)


@given(space=spaces(clauses=False), data=st.data())
def test_encoded_configs_are_decoded_again_and_samples_are_active_where_they_should(space, data):
    tree = Tree(space)
    drawn = [data.draw(configs(space)) for _ in range(3)]
    points = np.array([tree.encoded(space, config) for config in drawn])
    for config, point in zip(drawn, points, strict=True):
        again = tree.config(space, np.nan_to_num(point, nan=0.5))
        assert again.keys() == config.keys()
    mixture = TreeParzen(tree, points, np.ones(3), narrowest=0.06)
    for point in mixture.sample(5, stream(0, "samples")):
        active = {tree.names[j] for j in np.flatnonzero(~np.isnan(point))}
        assert active == set(tree.config(space, np.nan_to_num(point, nan=0.5)))


def test_what_is_good_in_one_branch_says_nothing_of_another():
    """Good trees are deep; the linear branch, which has no good trial, keeps the flat prior."""
    space = Space(
        kind=Choice(["a", "b"]),
        x=When("kind", "a", Float(0, 1)),
        z=When("kind", "b", Float(0, 1)),
    )
    tree = Tree(space)
    good = np.array([tree.encoded(space, {"kind": "a", "x": x}) for x in (0.9, 0.92, 0.95)])
    mixture = TreeParzen(tree, good, np.ones(3), narrowest=0.06)

    def density(**config):
        return math.exp(mixture.log_density(np.array([tree.encoded(space, config)]))[0])

    assert density(kind="a", x=0.92) > 5 * density(kind="a", x=0.2)
    assert density(kind="b", z=0.92) == pytest.approx(density(kind="b", z=0.08))


# --- studies


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (math.log10(config["y"]) + 1) ** 2 / 16


def test_it_beats_random_search():
    tpe, random = medians(PLANE, bowl, 60)
    assert tpe < 0.5 * random


def test_conditional_spaces():
    def loss(config):
        if config["model"] == "tree":
            return abs(config["depth"] - 3) + config["layers"] / 4
        return 3.0 - config.get("momentum", 0)

    tpe, random = medians(NESTED, loss, 50)
    assert tpe <= random
    assert tpe == 0.25


def test_always_failing_trials_are_evenly_spread():
    history = searched(Tpe(), PLANE, bowl, 25, fails=lambda config: True)
    assert [trial.why["start"] for trial in history.trials] == list(range(25))


def test_several_objectives():
    space = Space(x=Float(0, 1), y=Float(0, 1), z=Float(0, 1))

    def values(config):
        x, rest = config["x"], config["y"] + config["z"]
        return x, 1 - math.sqrt(x) + 3 * rest

    def volume(sampler):
        history = searched(sampler, space, values, 80)
        return hypervolume([told.values for _, told in history.told()], (1, 7))

    assert volume(Tpe(signs=(1.0, 1.0))) > volume(Random())


def test_proposals_are_the_same_after_an_increasing_transformation_and_with_the_sign_turned():
    plain = searched(Tpe(), PLANE, bowl, 40)
    bent = searched(Tpe(), PLANE, lambda c: math.log(bowl(c)), 40)
    turned = searched(Tpe(signs=(-1.0,)), PLANE, lambda c: -bowl(c), 40)
    for other in (bent, turned):
        assert [trial.config for trial in other.trials] == [trial.config for trial in plain.trials]


def test_running_trials_are_kept_apart():
    history = searched(Tpe(), PLANE, bowl, 30)
    proposals = []
    for number in range(30, 46):
        config, why = Tpe().ask(PLANE, history, stream(0, "same"))
        proposals.append(canonical(config))
        history = fold([Asked(number, config, history.length, "sampler", why)], history)
    assert len(set(proposals)) > 4, "from the same random numbers"


def test_tried_configs_of_a_finite_space_are_not_proposed_again():
    space = Space(a=Int(0, 5), b=Choice(["x", "y", "z"]), c=Ordinal([1, 2, 4]))
    history = searched(Tpe(), space, lambda c: c["a"], 40)
    assert len({canonical(trial.config) for trial in history.trials}) >= 38


def test_clauses_that_forbid_where_it_would_go():
    space = Space(x=Float(0, 1), y=Float(0, 1), forbid="x + y < 0.8")
    history = searched(Tpe(), space, lambda c: c["x"] + c["y"], 60)
    assert best(history) < 0.83
    with pytest.raises(SpaceError):
        searched(Tpe(), Space(x=Float(0, 1), forbid="x >= 0"), bowl, 1)


# --- what it says, and its state


def test_it_says_why():
    history = searched(Tpe(), PLANE, bowl, 30)
    why = history.trial(29).why
    assert why.keys() == {"sampler", "good", "nearest", "score"}
    assert why["sampler"] == "tpe"
    assert why["good"] == good_count(29)
    points = np.array([PLANE.to_unit(trial.config) for trial in history.trials])
    assert why["nearest"] == np.argmin(((points[:29] - points[29]) ** 2).sum(axis=1))


@given(space=spaces(clauses=False), data=st.data())
def test_the_nearest_trial_counts_categories_and_activity(space, data):
    def distance(one, other):
        total = 0.0
        for name in one.keys() | other.keys():
            if name not in one or name not in other:
                total += 1
            elif isinstance(space[name], Choice) and not isinstance(space[name], Ordinal):
                total += canonical(one[name]) != canonical(other[name])
            else:
                total += (space[name].to_unit(one[name]) - space[name].to_unit(other[name])) ** 2
        return total

    *tried, asked = [data.draw(configs(space)) for _ in range(6)]
    history = fold(Asked(number, config, 0, "sampler", None) for number, config in enumerate(tried))
    history = fold([Told(number, (0.0,)) for number in (3, 0, 4, 1)], history)  # 2 is running
    past = past_of(space, history, (1.0,))
    found = past.nearest(np.array(past.tree.encoded(space, asked)))
    assert found != 2
    least = min(distance(asked, tried[number]) for number in (3, 0, 4, 1))
    assert distance(asked, tried[found]) == pytest.approx(least, abs=1e-9)


def test_another_category_is_as_far_as_the_whole_range_of_a_number():
    space = Space(kind=Choice(["a", "b", "c"]), x=Float(0, 1))
    tried = [{"kind": "b", "x": 0.0}, {"kind": "a", "x": 0.9}]
    events = [Asked(number, config, 0, "sampler", None) for number, config in enumerate(tried)]
    past = past_of(space, fold([*events, Told(0, (0.0,)), Told(1, (0.0,))]), (1.0,))
    assert past.nearest(np.array(past.tree.encoded(space, {"kind": "a", "x": 0.0}))) == 1


def test_older_histories_and_rebuilt_ones_give_the_same():
    history = searched(Tpe(), NESTED, len, 40, fails=lambda c: len(c) == 4)
    for upto in (40, 11, 0, 39, 25):
        older = History(history._columns, 2 * upto)
        events = []
        for trial in older.trials:
            events.append(Asked(trial.number, trial.config, trial.seen, trial.origin, trial.why))
            events.append(trial.failure or Told(trial.number, trial.values))
        asked = [Tpe().ask(NESTED, past, stream(1, upto)) for past in (older, fold(events))]
        assert asked[0] == asked[1]
    assert (
        history.trial(30).config
        == Tpe().ask(NESTED, History(history._columns, 60), stream(0, "trial", 30)).config
    )


def test_constants_change_nothing_but_the_config():
    space = Space(x=Float(0, 1), y=Float(1e-4, 1, log=True), zz=Constant("gini"))
    assert best(searched(Tpe(), space, bowl, 60)) < 0.005


@pytest.mark.parametrize("fields", [{"start": 1}, {"candidates": 0}, {"start": 2.5}])
def test_wrong_settings_are_refused(fields):
    with pytest.raises(SpecError, match=next(iter(fields))):
        Tpe(**fields)
