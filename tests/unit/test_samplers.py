"""What each sampler promises beyond the contract: its points, its order, its words at the end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import qmc

from assay.core.errors import SpaceError
from assay.core.events import Asked, Told
from assay.core.history import History, fold
from assay.core.jsonform import canonical
from assay.core.parameters import Choice, Float, Int, Ordinal, When
from assay.core.protocols import ExhaustedError
from assay.core.rng import stream
from assay.core.space import Space
from assay.samplers.cube import MOST_MISSES
from assay.samplers.fixed import Fixed
from assay.samplers.grid import Grid
from assay.samplers.halton import Halton, bases, halton_point, permutations, radical_inverse
from assay.samplers.random import Random
from assay.samplers.sobol import MOST_DIMS, Sobol, scrambled, sobol_point, unscrambled
from assay.samplers.unique import Unique

NOT_SHIFTED = np.zeros(MOST_DIMS, np.uint64)


def cube(dims):
    return Space({f"x{i:03}": Float(0, 1) for i in range(dims)})


def told(configs, origin="sampler", why=None):
    """A history in which these configs were tried."""
    history = History()
    for number, config in enumerate(configs):
        events = [Asked(number, config, history.length, origin, why), Told(number, (0.0,))]
        history = fold(events, history)
    return history


def after(sampled):
    """A history with so many proposals; what they were makes no difference."""
    return told([{}] * sampled)


def ask(sampler, space, history=None, seed=0):
    history = history or History()
    return sampler.ask(space, history, stream(seed, "trial", history.n_trials))


def walk(sampler, space, start=None, seed=0):
    """All configs until the sampler is exhausted, and its last words."""
    history, configs = start or History(), []
    for _ in range(2000):
        try:
            config, why = ask(sampler, space, history, seed)
        except ExhaustedError as error:
            return configs, str(error)
        configs.append(config)
        history = fold([Asked(history.n_trials, config, 0, "sampler", why)], history)
    raise AssertionError("it does not end")


# --- Sobol


def test_unscrambled_sobol_points_are_those_of_scipy():
    ours = [sobol_point(i, unscrambled(MOST_DIMS), NOT_SHIFTED) for i in range(300)]
    with pytest.warns(UserWarning, match="balance"):
        theirs = qmc.Sobol(MOST_DIMS, scramble=False).random(300)
    np.testing.assert_array_equal(ours, theirs)


def test_a_far_sobol_point_is_that_of_scipy():
    engine = qmc.Sobol(5, scramble=False).fast_forward(2**20 + 12345)
    theirs = engine.random(1)[0]
    directions = unscrambled(5)
    np.testing.assert_array_equal(sobol_point(2**20 + 12345, directions, NOT_SHIFTED[:5]), theirs)


@given(seed=st.integers(0, 2**32), m=st.integers(0, 7))
def test_scrambled_sobol_has_one_point_in_each_of_2_to_the_m_cells(seed, m):
    points = np.array([sobol_point(i, *scrambled(seed, 10)) for i in range(2**m)])
    cells = np.sort((points * 2**m).astype(int), axis=0)
    np.testing.assert_array_equal(cells, np.arange(2**m)[:, None].repeat(10, axis=1))


@pytest.mark.parametrize("rows", [1, 2, 4, 8, 16, 32, 64])
def test_the_first_two_dimensions_fill_every_rectangle_of_equal_area_once(rows):
    points = np.array([sobol_point(i, *scrambled(5, 2)) for i in range(64)])
    cells = (points * [rows, 64 // rows]).astype(int)
    assert len({tuple(cell) for cell in cells.tolist()}) == 64  # a (0, m, 2)-net


def test_scrambling_keeps_sobol_uniform_over_seeds():
    first = np.array([sobol_point(0, *scrambled(seed, 3)) for seed in range(300)])
    assert abs(first.mean(axis=0) - 0.5).max() < 4 * np.sqrt(1 / 12 / 300)


def test_a_dimension_does_not_change_when_others_are_added():
    np.testing.assert_array_equal(
        sobol_point(9, *scrambled(1, 3)), sobol_point(9, *scrambled(1, 40))[:3]
    )
    np.testing.assert_array_equal(halton_point(9, 1, 3), halton_point(9, 1, 40)[:3])


def test_sobol_integrates_better_than_chance():
    points = np.array([sobol_point(i, *scrambled(2, 6)) for i in range(256)])
    error = abs(np.prod(1 + (points - 0.5), axis=1).mean() - 1)
    assert error < 0.005  # the standard deviation of the random mean is 0.05


def test_beyond_its_table_sobol_goes_on_with_halton():
    space = cube(MOST_DIMS + 6)
    points = np.array([list(ask(Sobol(7), space, after(i)).config.values()) for i in range(81)])
    assert points.shape == (81, 70)
    for dim, base in zip(range(MOST_DIMS, MOST_DIMS + 3), (3, 5, 7), strict=True):
        counts = np.bincount((points[: base**2, dim] * base).astype(int))
        assert counts.tolist() == [base] * base
    correlations = np.corrcoef(points.T) - np.eye(70)
    assert abs(correlations[MOST_DIMS:]).max() < 0.6


# --- Halton


def test_unscrambled_halton_points_are_those_of_scipy():
    theirs = qmc.Halton(12, scramble=False).random(200)
    plain = {base: [list(range(base))] * 40 for base in bases(12)}
    ours = [[radical_inverse(i, b, plain[b]) for b in bases(12)] for i in range(200)]
    np.testing.assert_allclose(ours, theirs, atol=1e-12)


def test_the_bases_are_the_primes():
    assert bases(10) == (2, 3, 5, 7, 11, 13, 17, 19, 23, 29)


@given(seed=st.integers(0, 2**32), base=st.sampled_from([2, 3, 5, 7, 31]))
def test_scrambled_halton_has_one_point_in_each_cell(seed, base):
    points = [radical_inverse(i, base, permutations(seed, base)) for i in range(base**2)]
    assert sorted(int(x * base**2 + 1e-9) for x in points) == list(range(base**2))
    assert max(points) < 1


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_the_index_is_the_number_of_sampled_trials(kind):
    assert ask(kind(), cube(2), after(17)).why == {"sampler": kind.__name__.lower(), "index": 17}
    given_ones = told([{}] * 5, origin="control")
    assert ask(kind(), cube(2), given_ones) == ask(kind(), cube(2))


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_another_seed_gives_another_sequence(kind):
    assert ask(kind(0), cube(3)).config != ask(kind(1), cube(3)).config


@pytest.mark.parametrize("kind", [Sobol, Halton])
def test_forbidden_points_are_rotated_to_distinct_allowed_ones(kind):
    space = Space(a=Float(0, 1), b=Float(0, 1), require="a < 0.1 and b > 0.5")
    said = [ask(kind(), space, after(i)) for i in range(100)]
    assert all(space.contains(config) for config, _ in said)
    assert len({canonical(config) for config, _ in said}) == 100
    assert any(why.get("misses") for _, why in said)
    values = np.array([[c["a"] / 0.1, (c["b"] - 0.5) / 0.5] for c, _ in said])
    assert abs(values.mean(axis=0) - 0.5).max() < 0.1  # they fill what is allowed


@pytest.mark.parametrize("sampler", [Random(), Sobol(), Halton()])
def test_a_clause_that_allows_nothing_is_named(sampler):
    space = Space(a=Float(0, 1), b=Float(0, 1), forbid="a < 0.9", require="a > 1")
    with pytest.raises(
        SpaceError, match=rf"None of {MOST_MISSES:,} .* 0\.3% .*'a < 0.9' is forbid"
    ):
        ask(sampler, space)


@pytest.mark.parametrize(
    ("sampler", "config"),
    [
        (Random(), {"lr": 0.00126707897075305, "depth": 80, "kind": "c"}),
        (Sobol(1), {"lr": 0.642155482582046, "depth": 65, "kind": "a"}),
        (Halton(1), {"lr": 0.494670055848584, "depth": 22, "kind": "a"}),
    ],
)
def test_proposals_stay_what_they_were(sampler, config):
    """Studies are replayed by later versions: these configs never change."""
    space = Space(lr=Float(1e-4, 1, log=True), depth=Int(1, 100), kind=Choice(list("abc")))
    said = ask(sampler, space, after(3)).config
    assert said == {**config, "lr": pytest.approx(config["lr"], rel=1e-14)}


# --- Random


def test_random_is_uniform_on_the_scale_of_each_parameter():
    space = Space(lr=Float(1e-4, 1, log=True), depth=Int(1, 4), kind=Choice(["a", "b"]))
    configs = [ask(Random(), space, after(i)).config for i in range(600)]
    logs = np.log10([config["lr"] for config in configs])
    assert abs(logs.mean() + 2) < 0.2
    counts = np.bincount([config["depth"] for config in configs])[1:]
    assert counts.min() > 110
    assert 240 < sum(config["kind"] == "a" for config in configs) < 360


def test_random_counts_its_misses():
    space = Space(a=Float(0, 1), forbid="a < 0.9")
    whys = [ask(Random(), space, seed=seed).why for seed in range(20)]
    assert any(why.get("misses", 0) > 5 for why in whys)


# --- Grid


MODELS = Space(
    model=Choice(["tree", "linear"]),
    depth=When("model", "tree", Int(1, 9)),
    grow=When("model", "tree", Choice(["leaf", "level"])),
    leaves=When("model", "tree", When("grow", "leaf", Ordinal([7, 15, 31]))),
)


def test_a_grid_takes_active_parameters_only():
    configs, words = walk(Grid(points=3), MODELS)
    assert Grid(points=3).size(MODELS) == 3 * (3 + 1) + 1 == len(configs)
    assert len({canonical(config) for config in configs}) == 13
    assert {"model": "linear"} in configs
    assert {"model": "tree", "depth": 5, "grow": "level"} in configs
    assert words == "all 13 configs of the grid were tried"


def test_a_grid_has_the_ends_of_every_range():
    configs, _ = walk(Grid(points=3), Space(lr=Float(1e-4, 1, log=True), n=Int(1, 100, log=True)))
    assert {c["lr"] for c in configs} == {1e-4, 1e-2, 1.0}
    assert {c["n"] for c in configs} == {1, 10, 100}


def test_a_grid_applies_clauses():
    space = Space(a=Int(1, 5), b=Int(1, 5), require="a <= b")
    configs, words = walk(Grid(), space)
    assert Grid().size(space) == len(configs) == 15
    assert words == "all 15 configs of the grid were tried"


def test_a_grid_skips_what_was_tried():
    space = Space(a=Int(1, 3), b=Choice(["x", "y"]))
    tried = [{"a": 1, "b": "y"}, {"a": 3, "b": "x"}]
    configs, _ = walk(Grid(), space, told(tried, origin="control"))
    assert len(configs) == 4
    assert not [config for config in configs if config in tried]


def test_a_grid_goes_on_after_another_samplers_trial():
    space = Space(a=Int(1, 3))
    configs, _ = walk(Grid(), space, told([{"a": 2}], why={"sampler": "random", "index": 9}))
    assert configs == [{"a": 1}, {"a": 3}]


def test_a_grid_that_is_too_large_says_its_size():
    for attempt in (Grid(points=10).size, lambda space: ask(Grid(points=10), space)):
        with pytest.raises(SpaceError, match=r"10 points has 10,000,000 configs .* fewer points"):
            attempt(cube(7))


def test_a_grid_without_allowed_configs_says_so():
    with pytest.raises(SpaceError, match=r"forbid all 5 configs of the grid"):
        ask(Grid(), Space(a=Float(0, 1), forbid="a >= 0"))


@pytest.mark.parametrize("points", [0, -1, 2.5, True, "5"])
def test_a_grid_needs_points(points):
    with pytest.raises(SpaceError, match="whole number >= 1"):
        Grid(points=points)


# --- Fixed


def test_fixed_proposes_the_list_in_order_then_ends():
    space = Space(a=Int(1, 9, default=4), b=Choice(["x", "y"]))
    given_ones = [{"b": "x"}, {"a": 2, "b": "y"}, {"b": "x"}]
    configs, words = walk(Fixed(given_ones), space)
    assert configs == [{"a": 4, "b": "x"}, {"a": 2, "b": "y"}, {"a": 4, "b": "x"}]
    assert words == "all 3 given configs were tried"


def test_fixed_does_not_follow_changes_of_its_list():
    given_ones = [{"a": 1}]
    sampler = Fixed(given_ones)
    given_ones[0]["a"] = 2
    assert ask(sampler, Space(a=Int(1, 9))).config == {"a": 1}


def test_fixed_tells_apart_what_python_does_not():
    assert Fixed([{"a": 1}]) != Fixed([{"a": True}])
    assert Fixed([{"a": 1}]) != [{"a": 1}]


def test_fixed_says_which_config_does_not_fit():
    with pytest.raises(SpaceError, match=r"Given config 0 .*'a': 12 is outside \[1, 9\]"):
        ask(Fixed([{"a": 12}]), Space(a=Int(1, 9)))


@pytest.mark.parametrize("configs", [[], "abc", None, [1], {"a": 1}])
def test_fixed_needs_configs(configs):
    with pytest.raises(SpaceError, match="list of one config or more"):
        Fixed(configs)


# --- Unique


@pytest.mark.parametrize("inner", [Random(), Sobol(), Halton(), Grid(points=9)])
def test_unique_tries_every_config_once(inner):
    configs, words = walk(Unique(inner), MODELS)
    assert len({canonical(config) for config in configs}) == len(configs) == 9 * 4 + 1
    assert "all 37 configs" in words


def test_unique_says_what_it_replaced():
    space = Space(a=Int(1, 3))
    first = ask(Sobol(), space).config
    history = told([first], origin="control")
    proposal = ask(Unique(Sobol()), space, history)
    assert proposal.config != first
    assert proposal.why == {"sampler": "sobol", "index": 0, "repeats": 0}


def test_unique_finds_the_needle_that_draws_miss():
    space = Space(a=Int(1, 200), b=Int(1, 200), require="a == 77 and b == 123")
    config, why = ask(Unique(Random()), space)
    assert config == {"a": 77, "b": 123}
    assert why == {"sampler": "unique"}


def test_unique_passes_on_what_its_sampler_cannot_do():
    with pytest.raises(SpaceError, match="Given config 0"):
        ask(Unique(Fixed([{"a": 99}])), Space(a=Int(1, 10)))


def test_unique_says_that_nothing_is_allowed():
    with pytest.raises(SpaceError, match="forbid all 10 configs"):
        ask(Unique(Random()), Space(a=Int(1, 10), forbid="a > 0"))


def test_unique_leaves_continuous_and_huge_spaces_alone():
    for space in (cube(2), Space(a=Int(1, 10**7))):
        assert ask(Unique(Random()), space) == ask(Random(), space)
