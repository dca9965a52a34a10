"""The trials that no other trial beats in every objective."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import born, spec_of

from assay.analysis.pareto import front
from assay.core.events import Asked, Failed, Told
from assay.core.history import fold

points = st.lists(st.tuples(*[st.integers(0, 4).map(float)] * 3), max_size=14)


def study(values, directions=("minimize",) * 3):
    spec = spec_of(directions=dict(zip("abc", directions, strict=False)), control=None)
    events = born(spec)
    for number, value in enumerate(values):
        events.append(Asked(number, {"x": number / 20}, 0))
        events.append(Failed(number, "raised", "") if value is None else Told(number, value))
    return spec, fold(events)


def beats(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and a != b


@given(points)
def test_the_front_is_exactly_what_nothing_beats(values):
    kept = set(front(*study(values)))
    for number, value in enumerate(values):
        assert (number in kept) == (not any(beats(other, value) for other in values))


@given(points)
def test_turning_a_direction_with_its_values_keeps_the_front(values):
    turned = [(a, -b, c) for a, b, c in values]
    ways = ("minimize", "maximize", "minimize")
    assert front(*study(turned, ways)) == front(*study(values))


def test_failed_trials_are_not_on_the_front_and_equals_both_are():
    assert front(*study([None, (1.0, 2.0, 0.0), (1.0, 2.0, 0.0), (2.0, 2.0, 0.0)])) == [1, 2]


def test_the_front_is_ordered_by_the_first_objective_best_first():
    values = [(3.0, 0.0, 0.0), (1.0, 2.0, 0.0), (2.0, 1.0, 0.0)]
    assert front(*study(values)) == [1, 2, 0]


def test_with_one_objective_the_front_is_the_best():
    spec = spec_of(directions={"a": "maximize"}, control=None)
    _, history = study([(1.0,), (3.0,), (2.0,)])
    assert front(spec, history) == [1]
