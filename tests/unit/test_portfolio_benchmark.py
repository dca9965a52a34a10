"""The portfolio's builder: it picks what complements, and never looks at the data set it is judged on."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.portfolio.build import at_random, greedy, interval, left_out, normalised


def scores():
    return np.random.default_rng(0).random((12, 40))


def test_it_takes_what_the_others_lack():
    table = np.array([[0.0, 0.1, 1.0], [0.0, 0.1, 1.0], [1.0, 0.9, 0.0]])
    assert greedy(table, 2) == [0, 2]


def test_each_addition_lowers_the_mean_as_far_as_one_can():
    table = scores()
    chosen = greedy(table, 3)
    before = table[:, chosen[:2]].min(1)
    best = min(np.minimum(before, table[:, k]).mean() for k in range(40))
    assert table[:, chosen].min(1).mean() == best


def test_the_left_out_data_set_has_no_say():
    table = scores()
    other = table.copy()
    other[3] = np.random.default_rng(1).random(40)
    ours, theirs = greedy(np.delete(table, 3, 0)), greedy(np.delete(other, 3, 0))
    assert ours == theirs
    assert left_out(table)[3].tolist() == np.minimum.accumulate(table[3, ours]).tolist()


def test_normalised_losses_are_0_for_the_best_and_1_from_the_median_on():
    loss = np.array([[3.0, 1.0, 2.0, 9.0, 1.5]])  # the last is the published one
    assert normalised(loss).tolist() == [[1.0, 0.0, 2 / 3, 1.0, 1 / 3]]


def test_more_random_configs_are_never_worse():
    found = at_random(scores(), np.random.default_rng(2))
    assert (np.diff(found, axis=1) <= 0).all()


def test_the_interval_holds_the_mean():
    mean, low, high = interval(np.linspace(-1, 0, 50), np.random.default_rng(3))
    assert low < mean < high < 0


# --- what a search tries first


@pytest.fixture(scope="module")
def tables():
    pytest.importorskip("lightgbm")
    from benchmarks.portfolio import tables

    return tables


def test_what_gains_more_per_second_comes_first(tables):
    gains = np.array([[0.0, 0.1, 1.0], [0.0, 0.1, 1.0]])
    dear = np.array([[50.0, 1.0, 1.0]] * 2)
    assert tables.greedy(gains, np.ones((2, 3)), 1) == [0]
    assert tables.greedy(gains, dear, 2) == [1, 0]


def measured(tables, found):
    names = np.repeat([f"t{i}" for i in range(len(found) // 2)], 2)
    facts = np.random.default_rng(7).normal(size=(len(found), 3))
    return tables.Measured(names, np.log(found + 0.5), found, np.ones(found.shape), facts)


@pytest.mark.parametrize("adapting", [False, True])
def test_a_list_is_judged_on_a_table_that_had_no_say(tables, adapting):
    found, mild = scores(), scores()
    mild[4:6] += 1e-9  # its own losses, but only what a search sees of them, decide
    chosen = tables.left_out(measured(tables, found), adapting=adapting)[4:6]
    assert (
        chosen.tolist() == tables.left_out(measured(tables, mild), adapting=adapting)[4:6].tolist()
    )
    other = np.random.default_rng(1).random((2, 40))
    listed = tables.greedy(np.delete(found, [4, 5], 0), np.ones((10, 40)), tables.LISTED)
    found[4:6] = other
    again = tables.left_out(measured(tables, found), adapting=adapting)[4:6]
    assert set(again.ravel()) <= set(listed)
    assert (again == chosen).all() != adapting
    assert (again[:, 0] == chosen[:, 0]).all()


def test_time_is_counted_until_a_config_is_good_and_the_model_as_it_comes_is_in_it(tables):
    found = np.ones((2, 40))
    found[:, 3] = 0.0
    first = np.array([[3, *range(4, 11)], [*range(4, 11), 3]])
    one, other = tables.hits(measured(tables, found), first)
    assert other - one == pytest.approx(np.log(9 / 2))


def test_a_search_on_a_table_knows_nothing_of_it(tables):
    from benchmarks.portfolio.searches import without

    learner = next(one for one in tables.LEARNERS if one.name == "svr")
    lists, seen = without(learner, "engel")
    assert "engel" in tables.read(learner).names
    assert "engel" not in seen.tables
    assert len(lists["svr"]["configs"]) == seen.logs.shape[1] == tables.LISTED


def test_searches_are_compared_with_the_same_that_borrow_nothing(tables):
    from benchmarks.portfolio.searches import MOST, report

    def row(table, most, hit):
        return {"learner": "svr", "table": table, "most": most, "seed": 0, "hit": hit, "took": 5.0}

    rows = [row(name, most, 1.0 if most else None) for name in "ab" for most in MOST]
    assert "| svr | 2 | 0.10 [0.10, 0.10] |" in report([*rows, row("c", 8, 0.1)])


def test_drawn_tables_are_always_the_same(tables):
    for name in ("numbers3", "numbers8"):
        (X, y), (again, z) = (tables.NUMBERS[name]() for _ in range(2))
        assert (X == again).all()
        assert (y == z).all()


def test_no_table_of_the_benchmark_of_searches_is_among_them(tables):
    from benchmarks.sklearn.tasks import TASKS

    assert not {task.name for task in TASKS} & {*tables.CLASSES, *tables.NUMBERS}


def test_the_written_list_is_what_the_measurements_give(tables):
    from assay.learners.starts import lists

    assert list(lists()) == [one.name for one in tables.LEARNERS]
    for learner in tables.LEARNERS:
        assert lists()[learner.name] == tables.told(learner)
