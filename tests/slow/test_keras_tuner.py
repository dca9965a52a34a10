"""KerasTuner itself, beside our `HyperParameters`: pip install keras-tuner keras torch.

It needs a backend of Keras, which is too large for the fast tests. What was run is in results/keras_tuner.json.
"""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.integration.test_optuna_carried import build, ours

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
os.environ.setdefault("KERAS_BACKEND", "torch")
RESULTS = Path(__file__).with_name("results") / "keras_tuner.json"


def test_keras_tuner_itself_asks_for_the_same():
    """Both learn the same names from one function."""
    theirs = pytest.importorskip("keras_tuner").HyperParameters()
    build(theirs)
    study = ours.run(lambda trial: build(ours.HyperParameters(trial)), n_trials=20)
    searched = sorted(p.name for p in theirs.space if type(p).__name__ != "Fixed")
    assert searched == sorted(study.spec.space)
    tools = {name: version(name) for name in ("keras-tuner", "keras")}
    RESULTS.write_text(json.dumps({"searched": searched, **tools}, indent=1) + "\n")
