"""scikit-learn's own tests of estimators and searches, with SearchCV in the place of its own."""

from __future__ import annotations

import faulthandler
import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from assay.sklearn import SearchCV

RESULTS = Path(__file__).with_name("results") / "sklearn_suite.json"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("model", "grid"),
    [
        (LogisticRegression(), {"C": [0.1, 1.0]}),
        (Ridge(), {"alpha": [0.1, 1.0]}),
        (make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0]}),
    ],
    ids=["classifier", "regressor", "pipeline"],
)
def test_it_passes_check_estimator_wherever_grid_search_does(model, grid):
    def failed(search):
        return {
            found["check_name"]: str(found["exception"])
            for found in check_estimator(search, on_fail=None)
            if found["status"] == "failed"
        }

    theirs = failed(GridSearchCV(model, grid, cv=2, error_score="raise"))
    ours = failed(SearchCV(model, grid, n_trials=2, cv=2, error_score="raise", random_state=0))
    assert {name: why for name, why in ours.items() if name not in theirs} == {}


@pytest.mark.slow
def test_scikit_learns_own_tests_of_searches_pass(tmp_path):
    faulthandler.cancel_dump_traceback_later()  # minutes on a busy machine
    shim = Path(__file__).parents[1] / "integration"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "sklearn_shim"),
            *("-c", os.devnull, f"--rootdir={tmp_path}", "--import-mode=importlib", "--tb=short"),
            *("--pyargs", "sklearn.model_selection.tests.test_search"),
        ],
        env={**os.environ, "PYTHONPATH": str(shim)},
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    ended = re.search(r"(\d+) passed, (\d+) skipped", done.stdout)
    assert ended, done.stdout[-500:]
    found = {
        "passed": int(ended[1]),
        "skipped": int(ended[2]),
        "scikit-learn": version("scikit-learn"),
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
