"""Sketches: what they tell of two sets is what the sets themselves would tell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.math.sketches import contained, containment, sketch

hash_lists = st.lists(st.integers(0, 2**64 - 1), max_size=300)
few_values = st.lists(st.integers(0, 60), max_size=300)


def hashes(numbers):
    return np.array(numbers, dtype=np.uint64)


@given(st.one_of(hash_lists, few_values), st.one_of(hash_lists, few_values), st.integers(1, 400))
def test_the_share_is_that_of_the_members_which_the_sketch_can_know(old, new, k):
    old, new = hashes(old), hashes(new)
    kept = sketch(old, k=k)
    known = new if len(kept) < k else new[new <= kept[-1]]
    wanted = float(np.isin(known, old).mean()) if len(known) else 0.0
    assert containment(new, kept, k=k) == pytest.approx(wanted)
    assert contained(np.sort(new), kept, k=k) == containment(new, kept, k=k)


@given(hash_lists, hash_lists)
def test_a_sketch_of_a_small_set_is_exact(old, new):
    old, new = hashes(old), hashes(new)
    wanted = float(np.isin(new, old).mean()) if len(new) else 0.0
    assert containment(new, sketch(old)) == pytest.approx(wanted)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_sketch_of_a_large_set_is_near(share):
    members = np.random.default_rng(0).integers(2**63, size=60_000).astype(np.uint64)
    common = int(30_000 * share)
    new = members[30_000 - common : 60_000 - common]
    assert containment(new, sketch(members[:30_000])) == pytest.approx(share, abs=0.06)
