"""Does the model learn anything from the features?"""

from __future__ import annotations

import numpy as np
import pytest
from tests.unit.lab import born, data_of, history_of, measured, spec_of

from assay.analysis.conclusion import conclude
from assay.analysis.floor import above_floor, floor_warning
from assay.analysis.selection import select
from assay.core.events import FLOOR, Asked, Told
from assay.core.history import fold
from assay.learners.estimators import dummy
from assay.learners.scoring import METRICS, predict, value
from assay.math.intervals import corrected_paired
from assay.report.view import view_of

DUMMY = [0.5, 0.52, 0.48]


def study(control, *, dummy=DUMMY, way="maximize", challenger=None):
    """A study on data whose dummy model and control have these values on the folds."""
    folds = len(control)
    spec = spec_of(data=data_of(folds=folds), directions={"accuracy": way})

    def units(values):
        return {(0, fold, 0): value for fold, value in enumerate(values)}

    events = [*born(spec), *measured(FLOOR, "floor", units(dummy or []))]
    for number, values in enumerate([control, challenger] if challenger else [control]):
        events += [
            Asked(number, {"x": 0.5 + number / 10}, 0, "sampler" if number else "control"),
            *measured(number, "search", units(values)),
            Told(number, (sum(values) / folds,)),
        ]
    return spec, fold(events)


@pytest.mark.parametrize("way", ["maximize", "minimize"])
def test_the_gain_over_the_dummy_is_paired_corrected_and_positive_when_better(way):
    sign = 1 if way == "maximize" else -1
    control = [value + sign * gain for value, gain in zip(DUMMY, [0.1, 0.12, 0.13], strict=True)]
    spec, history = study(control, way=way)
    found, wanted = above_floor(spec, history), corrected_paired([0.1, 0.12, 0.13], 0.5, 0.95)
    assert (found.estimate, found.low) == pytest.approx((wanted.estimate, wanted.low))
    assert floor_warning(spec, history) == ""


@pytest.mark.parametrize(
    "control", [[0.5, 0.53, 0.47], [0.7, 0.45, 0.5], [0.3, 0.3, 0.3], DUMMY], ids=str
)
def test_a_control_that_is_no_better_beyond_noise_is_warned_of(control):
    spec, history = study(control)
    said = floor_warning(spec, history)
    assert said.startswith("Warning: ")
    assert "is not shown to learn anything from these columns" in said
    assert f"(accuracy {sum(control) / 3:.4g} against 0.5)" in said


def test_with_one_fold_the_noise_of_the_control_stands_in():
    spec, history = study([0.55], dummy=[0.5])
    assert floor_warning(spec, history) == "", "better, and no noise is known"
    noise = {(0, 0, 1): 0.45, (0, 0, 2): 0.65}
    probed = {(0, 0, 0): 0.55, (0, 0, 1): 0.45}
    noisy = fold([*measured(0, "probe", probed), *measured(0, "control", noise)], history)
    assert floor_warning(spec, noisy)
    assert floor_warning(*study([0.49], dummy=[0.5]))


def test_without_data_a_dummy_or_a_control_nothing_is_said():
    spec = spec_of()
    assert above_floor(spec, history_of(spec, [1.0, 0.5])) is None
    for plan, history in (study([0.3] * 3, dummy=None), (spec, fold(born(spec)))):
        assert above_floor(plan, history) is None
        assert floor_warning(plan, history) == ""


def test_the_warning_is_part_of_the_verdict_and_of_the_summary_before_it():
    spec, history = study([0.5, 0.53, 0.47], challenger=[0.6, 0.6, 0.6])
    warning = floor_warning(spec, history)
    assert view_of("lab", spec, history).card.sentence.endswith(warning)
    chosen = fold([select(spec, history)], history)
    assert conclude(spec, chosen).verdict["sentence"].endswith(warning)
    spec, history = study([0.8, 0.81, 0.82], challenger=[0.6, 0.6, 0.6])
    assert "Warning" not in view_of("lab", spec, history).card.sentence


def test_where_a_dummy_is_perfect_the_metric_is_blamed_and_not_the_model():
    said = floor_warning(*study([0.9, 0.85, 0.95], dummy=[1.0] * 3))
    assert "accuracy 1, the best there is" in said
    assert "learn anything from these columns" not in said
    assert floor_warning(*study([1.2, 1.3, 1.25], dummy=[1.0] * 3)) == ""


@pytest.mark.parametrize(
    ("name", "values"),
    [("f1", [2 / 3] * 2), ("precision", [0.5] * 2), ("recall", [1.0] * 2), ("accuracy", [0.5] * 2)],
)
def test_the_dummy_is_the_same_on_every_fold_of_equal_classes(name, values):
    metric, truth = METRICS[name], np.array(["no", "yes"] * 10)
    parts = (np.append(truth, more) for more in ("no", "yes"))  # the most frequent class changes
    models = [dummy("classification", metric, y).fit(np.zeros((21, 1)), y) for y in parts]
    codes, labels = (truth == "yes").astype(int), np.array(["no", "yes"])
    found = [value(metric, codes, predict(m, np.zeros((20, 1)), metric, labels)) for m in models]
    assert found == pytest.approx(values)
