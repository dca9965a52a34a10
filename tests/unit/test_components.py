"""Components, their legal combinations, and the designs made of them."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.components import Component, called, checked, legal, with_needed, without
from assay.core.designs import DESIGNS, next_steps, reference, variants
from assay.core.errors import SpecError

NAMES = "abcdefgh"


def parts(k):
    return [Component(name) for name in NAMES[:k]]


@st.composite
def linked(draw):
    """Components where later ones may require earlier ones."""
    k = draw(st.integers(1, 6))
    made = []
    for i in range(k):
        needs = draw(st.lists(st.sampled_from(NAMES[:i]), unique=True)) if i else []
        made.append(Component(NAMES[i], requires=needs))
    return made


@given(linked(), st.data())
def test_taking_one_away_or_adding_one_stays_legal(components, data):
    name = data.draw(st.sampled_from([c.name for c in components]))
    everything = frozenset(c.name for c in components)
    less = without(components, everything, name)
    more = with_needed(components, frozenset(), name)
    assert name not in less
    assert legal(components, less)
    assert name in more
    assert legal(components, more)


@given(linked(), st.sampled_from([d for d in DESIGNS if d != "fraction"]))
def test_a_design_has_legal_different_variants_and_begins_with_its_reference(components, design):
    if design == "factorial" and len(components) > 4:
        with pytest.raises(SpecError, match=r"16|32|64"):
            variants(components, design)
        return
    found = variants(components, design)
    assert found[0] == reference(components, design)
    assert len(set(found)) == len(found)
    assert all(legal(components, v) for v in found)
    names = [called(components, v) for v in found]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("k", range(4, 9))
def test_in_a_fraction_no_main_effect_is_mixed_with_another_or_with_an_interaction(k):
    found = variants(parts(k), "fraction")
    on = np.array([[1 if name in v else -1 for name in NAMES[:k]] for v in found])
    assert len(found) == {4: 8, 5: 16, 6: 16, 7: 16, 8: 16}[k] < 2**k
    assert found[0] == frozenset(NAMES[:k])
    for a in range(k):
        assert on[:, a].sum() == 0
        for b, c in combinations([i for i in range(k) if i != a], 2):
            assert on[:, a] @ on[:, b] == 0
            assert on[:, a] @ (on[:, b] * on[:, c]) == 0


def test_a_path_goes_on_from_any_variant():
    components = parts(3)
    assert set(next_steps(components, frozenset("ab"))) == {frozenset("a"), frozenset("b")}
    assert next_steps(components, frozenset()) == []


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Component("my scaler"), "without spaces"),
        (lambda: Component("x", step="s", features=["a"]), "two components"),
        (lambda: Component("x", on=1, off=1).values(), "both when on and when off"),
        (lambda: Component("x", on=object(), off=1).values(), "JSON value"),
        (lambda: checked([]), "needs a list"),
        (lambda: checked([Component("a"), Component("a")]), "different names"),
        (lambda: checked([Component("aug", requires=["scaler"]), Component("scale")]), "'scale'"),
        (lambda: reference([Component("a", excludes=["b"]), Component("b")], "path"), "add-one-in"),
        (lambda: reference(parts(2), "all"), "leave-one-out"),
        (lambda: variants(parts(3), "fraction"), "factorial"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(make, says):
    with pytest.raises(SpecError, match=says):
        make()
