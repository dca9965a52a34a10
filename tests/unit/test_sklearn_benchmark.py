"""What the benchmark of searches counts: when a search had the target, and what a run that never had it costs."""

from __future__ import annotations

import pytest

pytest.importorskip("lightgbm")

from benchmarks.sklearn.clock import Clock, course
from benchmarks.sklearn.run import by_turns
from benchmarks.sklearn.summary import TUNERS, counted, page, reached
from benchmarks.sklearn.tasks import TASKS

RUN = {"cpu_s": 10.0, "course": [[1.0, 0.2, 0.5], [2.5, 0.4, 0.8], [4.0, 0.5, 0.7]]}


def test_only_candidates_that_got_better_are_on_the_course():
    nan = float("nan")
    found = [(1.0, "a", nan), (2.0, "b", 0.3), (3.0, "c", 0.3), (4.0, "d", 0.1), (5.0, "e", 0.9)]
    assert list(course(found)) == [(2.0, "b", 0.3), (5.0, "e", 0.9)]


def test_a_candidate_of_which_a_fit_failed_is_passed_over():
    clock = Clock("accuracy")
    fits = ["floor", "a", "a", "a", "b", "c", "c", "c"]  # of b one fold was scored, of d none
    clock.calls = [(float(at), {"k": k}, 0.5) for at, k in enumerate(fits)]
    scores = [0.5, float("nan"), 0.5, float("nan")]
    results = {"params": [{"k": k} for k in "abcd"], "mean_test_score": scores}
    assert list(clock.matched(results)) == [(3.0, {"k": "a"}, 0.5), (7.0, {"k": "c"}, 0.5)]


def test_each_tuner_is_the_first_as_often_as_any_other():
    turns = [by_turns("abc", turn) for turn in range(6)]
    assert sorted(turn[0] for turn in turns) == list("aabbcc")
    assert all(sorted(turn) == list("abc") for turn in turns)


def test_the_first_moment_counts_and_never_counts_twice_the_run():
    assert (reached([RUN["course"]], 0.75), counted([RUN], 0.75)) == (2.5, 2.5)
    assert (reached([RUN["course"]], 0.85), counted([RUN], 0.85)) == (None, 20.0)


def test_it_is_the_average_of_the_runs_that_has_to_get_there():
    late = [[3.0, 0.3, 0.9], [5.0, 0.4, 0.6]]
    assert reached([RUN["course"], late], 0.5) == 3.0  # before, one run would give nothing
    assert reached([RUN["course"], late], 0.85) == 3.0  # (0.8 + 0.9) / 2; 0.7 and 0.6 come later
    assert reached([RUN["course"], late], 0.9) is None


def test_the_page_says_what_is_missing():
    reference = {("wine", 0): {"default": 0.4, "good": 0.8}}
    rows = {"reference": reference, "assay": {("wine", 0): RUN | {"claim": "BETTER"}}}
    rows |= {name: {("wine", 0): RUN} for name in TUNERS[1:]}
    text = "\n".join(page(rows))
    assert "**Not complete.** Of 10 seeds of all tuners are missing: digits 10," in text
    assert "| wine | **2.50 [2.50, 2.50]** 100% |" in text
    assert "| grid | 1.00 [1.00, 1.00] |" in text
    assert "| wine | 0 | **2.50 (1 of 1)** |" in text


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_grid_searches_what_the_space_has(task):
    model = task.model()
    assert set(task.grid) <= set(task.space)
    assert set(task.space) <= set(model.get_params())
    assert set(task.cheap) <= set(task.space)
