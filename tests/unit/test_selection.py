"""Which trial is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.lab import born, data_of, history_of, measured, spec_of

from assay.analysis.selection import best_trial, candidates, ranked, select, shortlist
from assay.core.errors import StateError
from assay.core.events import (
    CONTROL,
    Asked,
    Concluded,
    Failed,
    Frozen,
    Opened,
    Opening,
    Sealed,
    Selected,
    Told,
)
from assay.core.history import fold
from assay.core.spec import Evidence
from assay.math.intervals import paired_t

NOISY = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.2})
QUIET = measured(0, "probe", {(0, 0, 0): 1.0, (0, 0, 1): 1.0})


def rechecked(spec, values, *fresh, control=(1.0, 1.1, 0.9)):
    """A noisy study; `fresh` are the values of trials 1, 2, … on seeds 1, 2, 3."""
    events = list(NOISY)
    for number, found in enumerate([control, *fresh]):
        units = {(0, 0, s): v for s, v in enumerate(found, start=1) if v is not None}
        events += measured(number, "control" if number == 0 else "recheck", units)
    return history_of(spec, values, *events)


@given(
    st.lists(st.none() | st.integers(-3, 3).map(float), max_size=12),
    st.sampled_from(["minimize", "maximize"]),
)
def test_ranking_is_best_first_and_earlier_first_without_failures(values, way):
    spec = spec_of(directions={"value": way})
    order = ranked(spec, history_of(spec, values))
    sign = 1 if way == "minimize" else -1
    keys = [(sign * values[number], number) for number in order]
    assert keys == sorted(keys)
    assert set(order) == {n for n, v in enumerate(values) if v is not None}


def test_the_shortlist_is_the_best_trials_without_the_control():
    spec = spec_of(evidence=Evidence(top=2))
    assert shortlist(spec, history_of(spec, [0.0, 3.0, 1.0, 2.0, None])) == [2, 3]


def test_the_shortlist_has_five_trials_or_a_tenth():
    spec = spec_of()
    assert len(shortlist(spec, history_of(spec, [1.0] * 20))) == 5
    assert len(shortlist(spec, history_of(spec, [1.0] * 73))) == 8


def test_the_challenger_is_the_best_on_fresh_units_alone():
    spec = spec_of()
    history = rechecked(spec, [1.0, 0.1, 0.9], (0.9, 1.0, 0.8), (0.2, 0.25, 0.1))
    found = select(spec, history)
    assert (found.challenger, found.trial, found.rule) == (2, 2, "recheck+guard")
    assert [row["trial"] for row in found.table] == [2, 1]


def test_the_table_has_the_search_gain_beside_the_fresh_one():
    spec = spec_of()
    history = rechecked(spec, [1.0, 0.1], (0.9, 1.0, 0.7))
    (row,) = select(spec, history).table
    fresh = paired_t([1.0 - 0.9, 1.1 - 1.0, 0.9 - 0.7], 0.95)
    assert row["search_gain"] == pytest.approx(0.9)
    assert row["fresh_gain"] == pytest.approx(fresh.estimate)
    assert (row["se"], row["low"]) == pytest.approx((fresh.se, fresh.low))
    assert row["n"] == 3


def test_the_control_is_kept_unless_the_gain_exceeds_the_guard():
    fresh = (0.9, 1.05, 0.75)  # gains 0.1, 0.05, 0.15: mean 0.1, se 0.029
    for guard, kept in ((1.0, 1), (3.4, 1), (3.5, 0), (50.0, 0)):
        spec = spec_of(evidence=Evidence(guard=guard))
        found = select(spec, rechecked(spec, [1.0, 0.1], fresh))
        assert (found.trial, found.challenger) == (kept, 1), guard
        assert ("does not exceed" in found.reason) == (kept == 0)


def test_what_rounding_leaves_is_said_to_be_no_gain():
    spec = spec_of()
    fresh = (0.9, 1.2, 0.9)  # 0.1 - 0.1 + 0, but for the last digits
    assert 0 < abs((1.0 - 0.9) + (1.1 - 1.2) + 0.0) < 1e-15
    assert "trial 1 gains +0 on 3" in select(spec, rechecked(spec, [1.0, 0.1], fresh)).reason


def test_a_guard_of_zero_still_keeps_a_control_that_is_better():
    spec = spec_of(evidence=Evidence(guard=0.0))
    worse = rechecked(spec, [1.0, 0.1], (1.1, 1.2, 1.0))
    assert select(spec, worse).trial == CONTROL
    equal = rechecked(spec, [1.0, 0.1], (1.0, 1.1, 0.9))
    assert select(spec, equal).trial == CONTROL


def test_when_maximising_the_larger_fresh_value_wins():
    spec = spec_of(directions={"value": "maximize"})
    history = rechecked(spec, [1.0, 3.0, 2.0], (1.5, 1.6, 1.4), (2.5, 2.6, 2.5))
    assert select(spec, history).trial == 2


def test_one_fresh_evaluation_is_held_against_the_noise_of_the_control():
    spec = spec_of(evidence=Evidence(rechecks=1))
    small = rechecked(spec, [1.0, 0.1], (0.95,))
    assert select(spec, small).trial == CONTROL
    large = rechecked(spec, [1.0, 0.1], (0.1,))
    assert select(spec, large).trial == 1


def test_one_fresh_evaluation_without_known_noise_proves_nothing():
    spec = spec_of(evidence=Evidence(rechecks=1, repeats=1))
    history = fold(
        [
            *born(spec),
            Asked(0, {"x": 0.5}, 0, "control"),
            Told(0, (1.0,)),
            *NOISY,
            Asked(1, {"x": 0.2}, 0),
            Told(1, (0.1,)),
            *measured(1, "recheck", {(0, 0, 1): 0.1}),
        ]
    )
    assert candidates(spec, history) == []
    assert select(spec, history).trial == CONTROL


def test_trials_that_could_not_be_measured_again_are_left_out():
    spec = spec_of()
    history = rechecked(spec, [1.0, 0.1, 0.2], (None, None, None), (0.2, 0.3, 0.1))
    assert [c.trial for c in candidates(spec, history)] == [2]
    lost = rechecked(spec, [1.0, 0.1], (None, None, None))
    assert select(spec, lost).trial == select(spec, lost).challenger == CONTROL


def test_a_deterministic_objective_is_decided_by_the_search():
    spec = spec_of()
    found = select(spec, history_of(spec, [1.0, 0.4, 0.2], *QUIET))
    assert (found.trial, found.challenger, found.rule) == (2, 2, "best")
    found = select(spec, history_of(spec, [1.0, 1.4, 1.2], *QUIET))
    assert (found.trial, found.challenger) == (0, 2), "the control is best; 2 came closest"
    found = select(spec, history_of(spec, [1.0], *QUIET))
    assert (found.trial, found.challenger) == (0, 0)


def test_a_deterministic_model_on_data_is_decided_on_fresh_splits():
    spec = spec_of(data=data_of(folds=2, ratio=1.0), evidence=Evidence(rechecks=2))
    events = [*born(spec)]
    values = [(1.0, 1.2), (0.1, 0.2), (0.3, 0.5)]
    fresh = [(1.0, 1.1), (1.0, 1.2), (0.4, 0.6)]
    for number in range(3):
        origin = "control" if number == 0 else "sampler"
        events.append(Asked(number, {"x": number / 7}, 0, origin))
        folds = {(0, f, 0): v for f, v in enumerate(values[number])}
        events += measured(number, "search", folds)
        events.append(Told(number, (sum(values[number]) / 2,)))
    events += QUIET
    for number in range(3):
        units = {(r, f, 0): v for r in (1, 2) for f, v in enumerate(fresh[number])}
        events += measured(number, "recheck", units)
    found = select(spec, fold(events))
    assert (found.trial, found.challenger, found.rule) == (2, 2, "recheck+guard")
    assert found.table[0]["fresh_gain"] == pytest.approx((0.6 + 0.5) / 2)


def test_without_control_the_best_value_is_kept():
    spec = spec_of(control=None)
    found = select(spec, history_of(spec, [1.0, 0.4], control=False))
    assert (found.trial, found.challenger, found.rule) == (1, 1, "best")


# --- the trial to use


def concluded(action):
    return Concluded({"action": action})


def test_before_the_selection_the_best_value_is_the_trial_to_use():
    spec = spec_of()
    assert best_trial(spec, history_of(spec, [1.0, 0.3, 0.4])) == 1
    with pytest.raises(StateError, match="No trial has a value"):
        best_trial(spec, history_of(spec, [None]))


def test_after_it_the_selected_one_and_then_what_the_verdict_recommends():
    spec = spec_of()
    history = history_of(spec, [1.0, 0.3, 0.4], Selected(0, 2, "recheck+guard", "", []))
    assert best_trial(spec, history) == 0
    assert best_trial(spec, fold([concluded("USE_TUNED")], history)) == 2
    assert best_trial(spec, fold([concluded("KEEP_DEFAULTS")], history)) == 0
    assert best_trial(spec, fold([concluded(None)], history)) == 0


def test_a_look_at_another_trial_recommends_that_one():
    spec = spec_of()
    events = [
        born(spec)[0],
        Sealed("s", 9, "m", "0", "1"),
        *(
            e
            for n, v in enumerate([1.0, 0.3, 0.4])
            for e in (Asked(n, {"x": 0.1}, 0), Told(n, (v,)))
        ),
        Selected(1, 1, "recheck+guard", "", []),
        Frozen((0, 1), 1, "p"),
        Opening(1, "f", (0, 2)),
        Opened(1, {"gain": {"challenger": 2}}),
    ]
    assert best_trial(spec, fold([*events, concluded("USE_TUNED")])) == 2
    assert best_trial(spec, fold([*events, concluded("KEEP_DEFAULTS")])) == 0


def test_a_failed_control_is_no_control():
    spec = spec_of()
    events = [*born(spec), Asked(0, {"x": 0.5}, 0, "control"), Failed(0, "raised", "no")]
    history = fold([*events, Asked(1, {"x": 0.2}, 0), Told(1, (0.1,))])
    assert select(spec, history).rule == "best"
