"""The second opinion: the right test for each kind of data, and a sensible p value."""

import numpy as np
import pytest

from assay.analysis.second_opinion import second_opinion
from assay.math.rows import Independent, grouped, ordered

N = 200
RNG = np.random.default_rng(0)
Y = RNG.integers(0, 2, N)
RIGHT = {"metric": "mse", "decomposable": True}


def opinion(control, selected, rows=None, **kind):
    kind = {**RIGHT, **kind}
    return second_opinion(Y, np.atleast_2d(control), np.atleast_2d(selected), rows or Independent(N),
                          np.random.default_rng(1), **kind)  # fmt: skip


CONTROL = RNG.exponential(size=(3, N))


@pytest.mark.parametrize(
    ("control", "better", "rows", "kind", "test"),
    [
        (CONTROL, CONTROL - 0.5 * RNG.random(N), None, {}, "sign flips"),
        (CONTROL, CONTROL - 0.5 * RNG.random(N), ordered(N, 1), {}, "Diebold"),
        ((RNG.random(N) < 0.4) * 1.0, (RNG.random(N) < 0.1) * 1.0, None, {}, "McNemar"),
        (Y + 4 * RNG.normal(size=N), Y + 0.3 * RNG.normal(size=N), None,
         {"metric": "roc_auc", "decomposable": False}, "DeLong"),
    ],
)  # fmt: skip
def test_each_kind_of_data_has_its_test(control, better, rows, kind, test):
    found = opinion(control, better, rows, **kind)
    assert found["test"].startswith((test, "exact " + test))
    assert found["p"] < 0.01
    assert opinion(control, control, rows, **kind)["p"] == 1


def test_where_no_test_suits_there_is_none():
    assert opinion(CONTROL, CONTROL, grouped(np.arange(N) // 4)) is None
    assert opinion(CONTROL, CONTROL, metric="f1", decomposable=False) is None
    assert opinion(CONTROL, CONTROL, ordered(N, 1), metric="roc_auc", decomposable=False) is None
