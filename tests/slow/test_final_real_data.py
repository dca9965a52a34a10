"""T17 on real tables: does the interval of a whole study hold a true gain of real rows in 95 %?

Each study is `assay.tune` on a few hundred rows of a table, drawn by chance; the truth is the gain of its two configs
on all the other rows of the table. Where rows belong together, whole units are drawn. None of the tables had a part in
the design; they, the models and the metrics were chosen before any was run. Figures: results/final_real_*.json.
"""

from __future__ import annotations

import faulthandler
import json
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from tests.slow.raw_rows import go_on
from tests.slow.real_data import data_set
from tests.slow.test_final_coverage import (
    RANDOM_TREES,
    RESULTS,
    STUDIES,
    Kind,
    leafy_tree,
    one,
    regression_tree,
    right,
    summary,
    tree,
)

pytestmark = pytest.mark.slow


def rows_and_rest(table, rng, n, target=None):
    """So many rows of a table, whole units together, and all the others; the target may be one of its columns."""
    data = data_set(table)
    X, y = data.X, data.y
    if target is not None:
        at = data.columns.index(target)
        X, y = np.delete(X, at, axis=1), X[:, at].astype(int)
    if data.groups is None:
        rows = rng.choice(len(y), n, replace=False)
    else:
        units = np.unique(data.groups)
        each = len(y) // len(units)
        chosen = rng.choice(units, n // each, replace=False)
        rows = np.concatenate([np.flatnonzero(data.groups == unit) for unit in chosen])
    rest = np.setdiff1d(np.arange(len(y)), rows)
    return (X[rows], y[rows]), (X[rest], y[rest])


def of(table, *what, **how):
    target = how.pop("target", None)
    return Kind(partial(rows_and_rest, table, target=target), *what, **how)


MEN = {"of_rows": "groups", "unit": 8}
KINDS = {
    "bananas_tree_accuracy": of("bananas", tree, "accuracy", 300),
    "randhie_tree_rmse": of("randhie", regression_tree, "rmse", 300),
    "yeast_tree_log_loss": of("yeast", leafy_tree, "log_loss", 300),
    "meps_tree_roc_auc": of("meps", tree, "roc_auc", 400),
    "meps_random_trees_roc_auc": of("meps", leafy_tree, "roc_auc", 400, RANDOM_TREES),
    "wages_tree_rmse": of("wages", regression_tree, "rmse", 480, **MEN),
    "unions_tree_roc_auc": of("wages", tree, "roc_auc", 960, target="union", **MEN),
}
"""The last two are of men, eight years of each; of 60 men, a fold without a union is refused in one of 60 studies."""


def line_of(name, number):
    """One study; it knows of no other, or rows that both have would be refused."""
    kind = KINDS[name]
    rows, rest = kind.draw(np.random.default_rng([29, number, *map(ord, name)]), kind.rows)
    with TemporaryDirectory() as home, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSAY_HOME", home)
        return one(kind, *rows, rest, number)


def kept(name, lines):
    found = summary(name, KINDS[name], lines)
    path = RESULTS / f"final_real_{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return found


@pytest.mark.parametrize("name", KINDS)
def test_the_intervals_of_studies_of_real_rows_cover_the_true_gain(name):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    # no upper limit of a line: where two configs differ on a handful of rows, the noise of one row covers too often
    right(kept(name, [line_of(name, number) for number in range(STUDIES)]), most=1.0)


@pytest.mark.parametrize("grouped", [False, True])
def test_the_intervals_of_each_kind_of_real_rows_cover_the_true_gain(grouped):
    """Of the figures that are there, those of this kind together."""
    names = [name for name, kind in KINDS.items() if bool(kind.of_rows) == grouped]
    files = [RESULTS / f"final_real_{name}.json" for name in names]
    every = [json.loads(file.read_text("utf-8")) for file in files if file.exists()]
    if not every:
        pytest.skip("no figures of this kind yet")
    assert 0.92 <= np.mean([found["coverage"] for found in every]) <= 0.98


if __name__ == "__main__":  # KIND RAW.jsonl MOST: so many further studies, to go on with later
    wanted, raw, most = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    if (done := go_on(raw, most, STUDIES, partial(line_of, wanted))) is not None:
        kept(wanted, done)
