"""The rules of selection on real data: the committed figures hold what is said of them, and can be made again."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.slow.real_data import data_set
from tests.slow.small_studies import one_study
from tests.slow.study_summary import facts_of

pytestmark = pytest.mark.slow
FOUND = json.loads((Path(__file__).parent / "results" / "small_studies.json").read_text("utf-8"))
ALL = {name: value for name, (value, _) in FOUND["all"].items()}


def test_there_are_enough_studies():
    assert FOUND["data sets"] >= 15
    assert FOUND["studies"] >= 15 * 3 * 5


def test_the_best_value_promises_more_than_it_holds():
    """T1, T3."""
    assert ALL["cv apparent"] > ALL["cv argbest"] + 1
    assert ALL["cv argbest: worse than the control"] > 15
    assert ALL["naive error"] > 1
    assert ALL["bbc error"] < 0.5


def test_a_guard_of_one_standard_error_keeps_the_gain_and_takes_most_of_the_harm():
    """T4, and the default of the guard."""
    assert ALL["cv guard 1"] > 0.85 * ALL["cv argbest"]
    assert (
        ALL["cv guard 1: worse than the control"] < 0.5 * ALL["cv argbest: worse than the control"]
    )
    assert ALL["cv guard 2"] < 0.8 * ALL["cv argbest"]


def test_splits_of_their_own_are_harmless_with_recheck_and_guard_alone():
    """T2."""
    assert (
        ALL["reshuffled argbest: worse than the control"]
        > ALL["fixed argbest: worse than the control"]
    )
    assert ALL["reshuffled guard 1"] > ALL["fixed guard 1"] - 0.5


def test_forgiving_racing_is_free():
    """T12."""
    assert ALL["forgiving fits"] < 0.75
    assert ALL["forgiving gain"] > ALL["cv argbest"] - 0.5


def test_a_study_can_be_made_again():
    one, two = (one_study(data_set("breast_cancer"), "tree", 0) for _ in range(2))
    assert one == two
    facts = facts_of(one)
    assert np.isfinite(list(facts.values())).all()
    assert facts["cv apparent"] >= 0
