"""What the corrected paired t costs where Assay claims by it: `final="nested"`, on nine tables and no gain.

An outer fold of a nested study compares the config that was chosen on its training rows with the defaults, both fitted
on the same rows. Where no config differs from the defaults, that is two fits of one tree with two seeds, whatever was
searched; so the searches are left out. Figures: results/nested_alarms.json.
"""

from __future__ import annotations

import faulthandler
import json
from pathlib import Path

import numpy as np
import pytest
from tests.slow.real_data import data_set

from assay.math.intervals import corrected_paired

pytestmark = pytest.mark.slow

RESULTS = Path(__file__).parent / "results" / "nested_alarms.json"
TABLES = ("bananas", "solar", "yeast", "phishing", "anes96", "fair", "mroz", "meps", "wages_union")
STUDIES, ROWS, FOLDS = 400, 150, 5


def gains(data, rng):
    """Of one study, fold by fold: accuracy of one seed less that of another."""
    from sklearn.model_selection import KFold
    from sklearn.tree import DecisionTreeClassifier

    rows = rng.choice(len(data.y), ROWS, replace=False)
    X, y = data.X[rows], data.y[rows]

    def right(train, hidden):
        seed = int(rng.integers(2**31))
        tree = DecisionTreeClassifier(max_features=0.4, min_samples_leaf=4, random_state=seed)
        return tree.fit(X[train], y[train]).score(X[hidden], y[hidden])

    outer = KFold(FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
    return [right(*fold) - right(*fold) for fold in outer.split(X)]


def claims(name):
    """The shares of studies that claim a gain and a loss, by the interval that the verdict rests on."""
    rng = np.random.default_rng([9, *map(ord, name)])
    found = [gains(data_set(name), rng) for _ in range(STUDIES)]
    intervals = [corrected_paired(one, 1 / (FOLDS - 1)) for one in found if np.ptp(one)]
    better, worse = sum(i.low > 0 for i in intervals), sum(i.high < 0 for i in intervals)
    return {"better": better / STUDIES, "worse": worse / STUDIES}


@pytest.fixture(scope="module")
def found():
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    figures = {name: claims(name) for name in TABLES}
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def test_nested_studies_claim_no_gain_where_there_is_none(found):
    for name, one in found.items():
        assert one["better"] <= 0.05, name
