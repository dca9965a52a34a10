"""Which config of a list comes next: tables that behave like the one at hand count more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.learners.alike import Seen, facts_of, seen
from assay.learners.starts import starts

NOTHING = np.full(3, np.nan)
LOGS = np.array([[-0.1, -1.0, 0.5, 0.0], [-0.1, -1.0, 0.5, 0.0], [0.3, 0.6, -1.0, -0.2]])
LOGS = np.concatenate([LOGS, LOGS[2:]])
FACTS = np.array([[-0.5, 6.0, 2.0]] * 2 + [[-0.1, 9.0, 2.0]] * 2)


def shares(logs):
    return np.clip((np.exp(logs) - np.exp(-1)) / (1 - np.exp(-1)), 0, 1)


def of(seconds=(1.0, 1.0, 1.0, 1.0)):
    names = ("a", "b", "c", "d")
    return Seen(names, LOGS, shares(LOGS), np.array(seconds), FACTS)


def test_with_no_evidence_all_tables_count_the_same():
    assert of().weights({}, NOTHING) == pytest.approx([0.25] * 4)


def test_tables_that_agree_with_what_was_seen_count_more():
    weights = of().weights({0: 0.3}, NOTHING)
    assert weights[2:].sum() > 0.9
    assert of().next({0: 0.3}, NOTHING, [1, 2, 3]) == 2
    assert of().next({0: -0.1}, NOTHING, [1, 2, 3]) == 1


def test_so_do_those_of_like_facts():
    assert of().next({}, np.array([-0.1, 9.0, np.nan]), [0, 1, 2]) == 2
    assert of().next({}, np.array([-0.5, 6.0, 2.0]), [0, 1, 2]) == 1


def test_no_table_is_ever_left_out():
    assert (of().weights({0: 5.0, 1: -5.0}, NOTHING) >= 0.02 / 4 - 1e-12).all()


def test_what_gains_more_per_second_comes_first():
    facts = np.array([-0.5, 6.0, 2.0])
    assert of((1.0, 500.0, 1.0, 1.0)).next({}, facts, [0, 1]) == 0


def test_a_trial_that_tells_nothing_moves_no_weight():
    assert of().weights({1: np.nan}, NOTHING) == pytest.approx(of().weights({}, NOTHING))


def test_facts_that_cannot_be_told_are_nan():
    assert np.isnan(facts_of(10, 2, np.nan, 1.0)[0])
    assert facts_of(10, 2, 1.0, 1.0)[0] == 0


MODELS = sorted({one.model for one in starts()})


@pytest.mark.parametrize("model", MODELS)
def test_every_list_has_its_tables(model):
    found, many = seen(model), sum(one.model == model for one in starts())
    rows = len(found.tables)
    assert found.logs.shape == found.shares.shape == (rows, many)
    assert found.facts.shape == (rows, 3)
    assert found.seconds.shape == (many,)
    assert ((found.shares >= 0) & (found.shares <= 1)).all()
    for name in ("logs", "seconds", "facts"):
        assert np.isfinite(getattr(found, name)).all()


@given(
    st.sampled_from(MODELS),
    st.dictionaries(st.integers(0, 23), st.floats(-5, 2) | st.just(float("nan")), max_size=10),
)
def test_the_next_is_free_and_the_same_each_time(model, tried):
    free = [place for place in range(24) if place not in tried]
    facts = facts_of(700, 8, 0.5, 1.0)
    chosen = {seen(model).next(tried, facts, free) for _ in range(2)}
    assert len(chosen) == 1
    assert chosen <= set(free)
