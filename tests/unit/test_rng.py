"""Random streams: the same name gives the same numbers, another name gives others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.rng import derived_seed, stream

NAMES = st.lists(st.integers(0, 2**62) | st.text(max_size=5), max_size=3).map(tuple)


@given(seed=st.integers(0, 2**64), name=NAMES)
def test_the_same_name_gives_the_same_stream(seed, name):
    assert stream(seed, *name).random(4).tolist() == stream(seed, *name).random(4).tolist()
    assert derived_seed(seed, *name) == derived_seed(seed, *name)
    assert 0 <= derived_seed(seed, *name) < 2**31


def test_names_that_look_alike_are_different():
    names = [(), (1,), ("1",), (1, 1), (11,), ("1", 1), (1, "1"), ("trial", 0), ("trial0",), (0,)]
    assert len({stream(7, *name).random() for name in names}) == len(names)
    assert len({stream(seed, "trial", 0).random() for seed in range(50)}) == 50


def test_numpy_integers_name_the_same_stream():
    assert stream(np.int64(7), "trial", np.int32(3)).random() == stream(7, "trial", 3).random()


def test_streams_of_trials_are_not_correlated():
    drawn = np.array([stream(0, "trial", trial).random(200) for trial in range(40)])
    assert abs(np.corrcoef(drawn) - np.eye(40)).max() < 0.35
    assert abs(drawn.mean() - 0.5) < 0.02


@pytest.mark.parametrize(
    ("name", "first", "seed"),
    [(("trial", 3), 0.9417539752540462, 1815692875), (("unit", 0), 0.3929495026107094, 2026069702)],
)
def test_streams_stay_what_they_were(name, first, seed):
    """Studies are replayed by later versions: these numbers never change."""
    assert stream(7, *name).random() == first
    assert derived_seed(7, *name) == seed
