"""Evolution: who may be a parent, what a child is, and that it gets somewhere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.errors import SpecError
from assay.core.events import Asked, Failed, Told
from assay.core.history import History, fold
from assay.core.parameters import Choice, Float, Int, When
from assay.core.rng import stream
from assay.core.space import Space
from assay.math.pareto import front_ranks, hypervolume
from assay.samplers.evolution import Evolution, crossed, fittest, mutated
from assay.samplers.random import Random
from assay.samplers.tpe_tree import Tree
from assay.testing.sampler_contract import SEEDS
from assay.testing.spaces import spaces

MIXED = Space(
    kind=Choice(["a", "b", "c"]), x=Float(0, 1), n=Int(1, 8), rate=When("kind", "b", Float(0, 1))
)


def searched(sampler, space, values, trials, *, seed=0, fails=lambda n: False):
    history = History()
    for number in range(trials):
        config, why = sampler.ask(space, history, stream(seed, "trial", number))
        told = tuple(float(value) for value in values(config))
        ended = Failed(number, "raised", "no") if fails(number) else Told(number, told)
        history = fold([Asked(number, config, history.length, "sampler", why), ended], history)
    return history


def loss(config):
    bonus = {"a": 0.5, "b": 0.0, "c": 1.0}[config["kind"]]
    return bonus + (config["x"] - 0.8) ** 2 + abs(config["n"] - 6) + config.get("rate", 0)


def two(config):
    x, y = config["x"], config["y"]
    return x, 1 - np.sqrt(x) + 3 * y


FRONT = Space(x=Float(0, 1), y=Float(0, 1))


def best(history, sign=1):
    return min(sign * told.values[0] for _, told in history.told())


def test_it_beats_random_search():
    def median(sampler):
        runs = [searched(sampler, MIXED, lambda c: (loss(c),), 120, seed=s) for s in range(5)]
        return np.median([best(run) for run in runs])

    assert median(Evolution()) < 0.5 * median(Random())


def test_signs_say_which_way_is_better():
    down = searched(Evolution(), MIXED, lambda c: (loss(c),), 80)
    up = searched(Evolution(signs=(-1.0,)), MIXED, lambda c: (-loss(c),), 80)
    assert [trial.config for trial in up.trials] == [trial.config for trial in down.trials]


def test_several_objectives_spread_along_the_front():
    def volume(sampler):
        history = searched(sampler, FRONT, two, 150)
        return hypervolume([told.values for _, told in history.told()], (1, 4))

    assert volume(Evolution(signs=(1.0, 1.0))) > volume(Random())
    assert volume(Evolution(signs=(1.0, 1.0))) > 0.97 * (3 + 2 / 3)


def test_several_objectives_with_signs():
    down = searched(Evolution(signs=(1.0, 1.0)), FRONT, two, 60)
    mixed = searched(Evolution(signs=(1.0, -1.0)), FRONT, lambda c: (two(c)[0], -two(c)[1]), 60)
    assert [trial.config for trial in mixed.trials] == [trial.config for trial in down.trials]


def test_failures_are_never_parents():
    history = searched(
        Evolution(population=10), MIXED, lambda c: (loss(c),), 90, fails=lambda n: n % 10 < 3
    )
    parents = [n for trial in history.trials for n in trial.why.get("parents", ())]
    assert parents
    assert all(n % 10 >= 3 for n in parents)
    assert best(history) < 0.5


def test_old_trials_age_out_of_a_single_objective():
    history = searched(Evolution(population=10), MIXED, lambda c: (loss(c),), 60)
    for trial in history.trials[10:]:
        assert min(trial.why["parents"]) >= trial.number - 10


def test_older_histories_and_rebuilt_ones_give_the_same():
    history = searched(Evolution(population=6), MIXED, lambda c: (loss(c),), 30)
    for upto in (30, 12, 0, 29):
        older = History(history._columns, 2 * upto)
        rebuilt = fold(
            event
            for trial in older.trials
            for event in (
                Asked(trial.number, trial.config, trial.seen, trial.origin, trial.why),
                Told(trial.number, trial.values),
            )
        )
        asked = [
            Evolution(population=6).ask(MIXED, past, stream(1, upto)) for past in (older, rebuilt)
        ]
        assert asked[0] == asked[1]


@given(seed=SEEDS, count=st.integers(1, 12))
def test_the_fittest_are_from_the_best_fronts(seed, count):
    losses = stream(seed, "losses").integers(0, 5, (12, 2)).astype(float)
    ranks = front_ranks(losses)
    chosen = fittest(losses, count)
    assert len(set(chosen.tolist())) == count
    assert sorted(ranks[chosen]) == sorted(ranks)[:count]
    assert list(ranks[chosen]) == sorted(ranks[chosen])


@given(space=spaces(clauses=False), seed=SEEDS)
def test_a_mutant_has_another_value(space, seed):
    """Of a parameter that has one; whether it is active is up to the space."""
    tree, rng = Tree(space), stream(seed, "mutant")
    point = np.array([axis.snapped(rng.random(1))[0] for axis in tree.axes])
    child = mutated(tree, point, rng)
    assert ((child >= 0) & (child <= 1)).all()
    moved = [
        axis.codes(point[[j]]) != axis.codes(child[[j]]) if axis.size > 1 else point[j] != child[j]
        for j, axis in enumerate(tree.axes)
    ]
    able = [axis.kind == "real" or axis.size > 1 for axis in tree.axes]
    assert any(moved) or not all(able)


@given(seed=SEEDS)
def test_a_child_has_its_categories_from_its_parents_and_keeps_their_middle(seed):
    tree, rng = Tree(MIXED), stream(seed, "child")
    parents = np.array([[axis.snapped(rng.random(1))[0] for axis in tree.axes] for _ in range(2)])
    child = crossed(tree, parents, rng)
    kind = tree.names.index("kind")
    assert child[kind] in parents[:, kind]
    assert ((child >= 0) & (child <= 1)).all()
    same = np.stack([parents[0], parents[0]])
    assert crossed(tree, same, rng) == pytest.approx(parents[0])


@pytest.mark.parametrize("fields", [{"population": 1}, {"tournament": 0}, {"population": 2.5}])
def test_wrong_settings_are_refused(fields):
    with pytest.raises(SpecError, match=next(iter(fields))):
        Evolution(**fields)
