"""T14 on eight tables with several rows of one unit: what rows drawn one by one promise, and whether PF03 says so.

All but `chicks` had no part in the design. Figures: results/units.json.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.slow.real_data import UNITS, data_set

pytestmark = pytest.mark.slow
RESULTS = Path(__file__).parent / "results" / "units.json"


def with_unit(data):
    """The table as it comes, with the number of each row's unit."""
    import pandas as pd

    return pd.DataFrame(data.X, columns=list(data.columns)).assign(
        **{UNITS[data.name]: data.groups}
    )


def skill(data, folds):
    """The share of variance (of right answers beyond the commonest) that a forest explains, each fold."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.model_selection import GroupKFold, cross_val_score

    X = with_unit(data).to_numpy(float)
    regression = data.task == "regression"
    forest = (RandomForestRegressor if regression else RandomForestClassifier)(100, random_state=0)
    groups = data.groups if isinstance(folds, GroupKFold) else None
    right = cross_val_score(forest, X, data.y, groups=groups, cv=folds)
    if regression:
        return right
    chance = np.bincount(data.y).max() / len(data.y)
    return (right - chance) / (1 - chance)


def finding_of(data, rows):
    from assay.api.preflight import quick_preflight
    from assay.api.prepare import Wishes, prepare
    from assay.inputs import from_arrays

    table = from_arrays(with_unit(data).iloc[rows].reset_index(drop=True), data.y[rows])
    return quick_preflight(prepare(table, "random_forest", Wishes(task=data.task)))["PF03"]


@pytest.fixture(scope="module")
def found():
    from sklearn.model_selection import GroupKFold, KFold

    figures = {}
    for name in UNITS:
        data = data_set(name)
        shuffled = np.random.default_rng(0).permutation(len(data.y))
        mixed = skill(data, KFold(5, shuffle=True, random_state=0)).mean()
        apart = skill(data, GroupKFold(5, shuffle=True, random_state=0)).mean()
        figures[name] = {
            "rows": len(data.y),
            "units": len(np.unique(data.groups)),
            "rows one by one": round(float(mixed), 3),
            "units together": round(float(apart), 3),
            "PF03, rows as they come": finding_of(data, np.arange(len(data.y))).level,
            "PF03, rows shuffled": finding_of(data, shuffled).level,
        }
    RESULTS.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return figures


def flattered(one):
    return one["rows one by one"] - one["units together"]


def test_rows_that_belong_together_flatter(found):
    new = [flattered(one) for name, one in found.items() if name != "chicks"]
    assert flattered(found["chicks"]) > 0.2
    assert sum(gap > 0.1 for gap in new) >= 5
    assert np.mean(new) > 0.1


def test_the_check_finds_units_that_stand_together_and_refuses_no_table_without_the_fault(found):
    as_they_come = {name: one["PF03, rows as they come"] for name, one in found.items()}
    told = {name for name, level in as_they_come.items() if level in ("fix", "care")}
    assert {"chicks", "invest", "wages", "states", "training", "births"} <= told
    for one in found.values():
        if flattered(one) < 0.05:
            assert {one["PF03, rows as they come"], one["PF03, rows shuffled"]} <= {"ok", "note"}
