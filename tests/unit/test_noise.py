"""How much a value moves when nothing changed."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.noise import noise

finite = st.floats(-100, 100, allow_nan=False)


def grid(function, repeats=3, seeds=3, folds=2):
    return {
        (r, f, s): function(r, f, s)
        for r in range(repeats)
        for f in range(folds)
        for s in range(seeds)
    }


def search(folds=2):
    return [(0, fold, 0) for fold in range(folds)]


@given(st.lists(finite, min_size=3, max_size=3), st.lists(finite, min_size=3, max_size=3))
def test_effects_that_add_up_are_told_apart_by_source(of_repeat, of_seed):
    control = grid(lambda r, f, s: of_repeat[r] + of_seed[s])
    found = noise(control, [], search=search(), ratio=0.5, fixed=False)
    assert found.split == pytest.approx(np.std(of_repeat, ddof=1), abs=1e-5)
    assert found.seed == pytest.approx(np.std(of_seed, ddof=1), abs=1e-5)
    assert found.rest == pytest.approx(0.0, abs=1e-5)


def test_repeats_of_one_seed_alone_as_a_recheck_adds_them_change_no_source():
    rng = np.random.default_rng(2)
    control = grid(lambda r, f, s: rng.normal())
    more = control | {(r, f, 0): rng.normal() for r in (3, 4) for f in (0, 1)}
    one, two = (noise(c, [], search=search(), ratio=0.5, fixed=False) for c in (control, more))
    assert (two.seed, two.split, two.rest) == (one.seed, one.split, one.rest)
    assert one.rest > 0


def test_the_sources_are_estimated_without_bias():
    rng, found = np.random.default_rng(0), []
    for _ in range(300):
        split, seed = rng.normal(0, 2.0, 8), rng.normal(0, 1.0, 8)
        rest = rng.normal(0, 0.5, (8, 8))
        control = grid(lambda r, f, s: split[r] + seed[s] + rest[r, s], 8, 8, 1)  # noqa: B023
        one = noise(control, [], search=search(1), ratio=0.2, fixed=False)
        found.append([one.split**2, one.seed**2, one.rest**2])
    assert np.mean(found, axis=0) == pytest.approx([4.0, 1.0, 0.25], rel=0.1)


@given(finite, st.floats(0.1, 10))
def test_shifting_values_changes_nothing_and_scaling_scales(shift, scale):
    rng = np.random.default_rng(1)
    control = grid(lambda r, f, s: rng.normal())
    moved = {unit: shift + scale * value for unit, value in control.items()}
    one = noise(control, [], search=search(), ratio=0.5, fixed=False)
    two = noise(moved, [], search=search(), ratio=0.5, fixed=False)
    for name in ("seed", "split", "rest", "floor", "spread"):
        assert getattr(two, name) == pytest.approx(scale * getattr(one, name), abs=1e-6)


def test_one_level_of_a_source_says_nothing_about_it():
    found = noise(grid(lambda r, f, s: r, seeds=1), [], search=search(), ratio=0.5, fixed=None)
    assert (found.seed, found.split, found.rest) == (None, 1.0, None)
    found = noise(grid(lambda r, f, s: s, repeats=1), [], search=search(), ratio=0.5, fixed=None)
    assert (found.seed, found.split, found.rest) == (1.0, None, None)


# --- the floor


def test_a_deterministic_objective_without_data_has_no_noise():
    found = noise({(0, 0, 0): 3.0}, [], search=search(1), ratio=0.0, fixed=True)
    assert (found.floor, found.spread) == (0.0, 0.0)


def test_nothing_is_known_of_the_noise_of_one_value():
    for fixed in (None, False):
        found = noise({(0, 0, 0): 3.0}, [], search=search(1), ratio=0.0, fixed=fixed)
        assert (found.floor, found.spread) == (None, None)


def test_before_any_pair_the_spread_of_a_model_without_chance_is_a_bound():
    control = {(r, f, 0): v for (r, f, _), v in grid(lambda r, f, s: 10 * f + r, seeds=1).items()}
    other = {unit: value + 0.1 * unit[1] for unit, value in control.items()}
    alone, beside = (
        noise(control, trials, search=search(), ratio=0.5, fixed=True) for trials in ([], [other])
    )
    assert (alone.paired, beside.paired) == (False, True)
    assert alone.spread > 50 * beside.spread, "the folds differ by more than two configs do"
    assert alone.spread == pytest.approx(math.sqrt(2) * np.std(list(control.values()), ddof=1))


def test_seeds_alone_give_the_spread_of_a_difference_of_two_arms():
    control = {(0, 0, s): float(v) for s, v in enumerate([1.0, 2.0, 4.0])}
    found = noise(control, [], search=search(1), ratio=0.0, fixed=False)
    assert found.spread == pytest.approx(math.sqrt(2) * np.std([1, 2, 4], ddof=1))
    assert found.floor == found.spread


def test_on_data_the_floor_is_an_a_a_comparison_of_seeds_on_the_same_folds():
    control = grid(lambda r, f, s: 10 * r + f + (0.3 if s else 0.0), seeds=2)
    found = noise(control, [], search=search(), ratio=0.5, fixed=False)
    assert found.spread == pytest.approx(0.3)
    assert found.floor == pytest.approx(0.3 * math.sqrt(1 / 2 + 0.5))


def test_the_floor_of_one_fold_has_no_correction_for_shared_rows():
    control = grid(lambda r, f, s: 0.3 * s, seeds=2, folds=1)
    found = noise(control, [], search=search(1), ratio=0.5, fixed=False)
    assert found.floor == found.spread


def test_a_deterministic_model_on_data_has_the_spread_of_the_first_trials():
    control = grid(lambda r, f, s: 0.0, repeats=1, seeds=1, folds=3)
    others = [{(0, 0, 0): 1.0, (0, 1, 0): 2.0, (0, 2, 0): 3.0}] * 3
    found = noise(control, others, search=search(3), ratio=0.5, fixed=True)
    assert found.spread == pytest.approx(1.0)
    assert found.floor == pytest.approx(math.sqrt(1 / 3 + 0.5))


def test_a_gain_that_is_the_same_on_all_folds_is_no_noise():
    control = grid(lambda r, f, s: f, repeats=1, seeds=1)
    others = [{unit: value + 5 for unit, value in control.items()}]
    assert noise(control, others, search=search(), ratio=0.5, fixed=True).floor == 0.0


def test_the_median_of_at_most_ten_trials_counts():
    control = grid(lambda r, f, s: 0.0, repeats=1, seeds=1)
    others = [{(0, 0, 0): 0.0, (0, 1, 0): math.sqrt(2) * k} for k in (1, 2, 30)]
    found = noise(control, others, search=search(), ratio=0.5, fixed=True)
    assert found.spread == pytest.approx(2.0)
    wild = [{(0, 0, 0): 0.0, (0, 1, 0): 1e6}] * 20
    found = noise(control, others[:1] * 10 + wild, search=search(), ratio=0.5, fixed=True)
    assert found.spread == pytest.approx(1.0)


def test_a_deterministic_model_on_one_split_has_the_spread_between_repeats():
    control = {(r, 0, 0): float(r) for r in range(3)}
    found = noise(control, [], search=search(1), ratio=0.25, fixed=True)
    assert found.spread == pytest.approx(math.sqrt(2))


def test_the_floor_is_the_standard_error_of_a_comparison_of_equal_arms():
    rng = np.random.default_rng(5)
    floors, differences = [], []
    for _ in range(400):
        control = grid(lambda r, f, s: rng.normal(), 3, 3, 5)
        found = noise(control, [], search=search(5), ratio=0.0, fixed=False)
        floors.append(found.floor)
        differences.append(np.mean(rng.normal(size=5) - rng.normal(size=5)))
    assert np.mean(floors) == pytest.approx(np.std(differences), rel=0.1)
