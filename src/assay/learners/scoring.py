"""Metrics: what is measured on held-out rows, in the direction in which people read it.

Class labels are whole numbers here, 0 … C-1 in sorted order of the labels; with two classes the
second is the positive one. Predictions are (n,) numbers, or (n, C) probabilities.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import get_scorer, get_scorer_names

from assay.core.errors import DataError, SpecError, did_you_mean
from assay.learners.aggregates import AGGREGATES, of_all
from assay.learners.formulas import LOSSES, Numbers
from assay.math.resampling import Weighted

Direction: TypeAlias = Literal["minimize", "maximize"]
Needs: TypeAlias = Literal["predict", "proba", "decision", "model"]


@dataclass(frozen=True)
class Metric:
    """How predictions are judged.

    Attributes:
        name: its name here; scikit-learn's scorer name where the two agree.
        direction: "maximize" or "minimize"; errors are positive and minimised.
        needs: the output of the model that it looks at: "predict", "proba" (probabilities),
            "decision" (a score that ranks) or "model" (the fitted model itself).
        decomposable: whether it is a mean over rows, so that rows can be compared one by one.
        unit: what its numbers are, in words.
        why: why it was chosen.
    """

    name: str
    direction: Direction
    needs: Needs
    decomposable: bool = False
    unit: str = ""
    why: str = field(default="", compare=False)
    function: Callable[..., Any] | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, Any]:
        """What the plan of a study says of it."""
        return {"name": self.name, "direction": self.direction}


def _scores(*names: str, needs: Needs = "predict") -> dict[str, Metric]:
    return {name: Metric(name, "maximize", needs, unit="score, at most 1") for name in names}


def _errors(unit: str, *names: str, decomposable: bool = False) -> dict[str, Metric]:
    return {name: Metric(name, "minimize", "predict", decomposable, unit) for name in names}


_ANY_CLASSES: dict[str, Metric] = {
    "accuracy": Metric("accuracy", "maximize", "predict", True, "share of rows"),
    "log_loss": Metric("log_loss", "minimize", "proba", True, "nats per row"),
    "brier": Metric("brier", "minimize", "proba", True, "squared probability"),
    **_scores("balanced_accuracy", "matthews_corrcoef"),
    **_scores("f1_macro", "f1_micro", "f1_weighted"),
    **_scores("precision_macro", "precision_weighted", "recall_macro", "recall_weighted"),
    **_scores("roc_auc_ovr", "roc_auc_ovr_weighted", needs="proba"),
}
_TWO_CLASSES: dict[str, Metric] = {
    **_scores("f1", "precision", "recall", "jaccard"),
    **_scores("roc_auc", "average_precision", needs="decision"),
}
_REGRESSION: dict[str, Metric] = {
    **_errors("units of the target", "rmse", "median_absolute_error", "max_error"),
    **_errors("units of the target", "mae", decomposable=True),
    **_errors("squared units of the target", "mse", decomposable=True),
    **_errors("share of the true value", "mape", decomposable=True),
    **_errors("squared log ratio", "msle", decomposable=True),
    **_errors("log ratio", "rmsle"),
    **_scores("r2", "explained_variance"),
}
METRICS: dict[str, Metric] = _ANY_CLASSES | _TWO_CLASSES | _REGRESSION

_OF_ONE_CLASS = ("f1", "precision", "recall", "jaccard")

# The least value of a score, where it is not 0.
_LEAST = {"r2": -np.inf, "explained_variance": -np.inf, "matthews_corrcoef": -1.0}

ALIASES: dict[str, str] = {
    "acc": "accuracy",
    "auc": "roc_auc",
    "auroc": "roc_auc",
    "ap": "average_precision",
    "mcc": "matthews_corrcoef",
    "logloss": "log_loss",
    "cross_entropy": "log_loss",
    "neg_log_loss": "log_loss",
    "brier_score": "brier",
    "neg_brier_score": "brier",
    "neg_root_mean_squared_error": "rmse",
    "root_mean_squared_error": "rmse",
    "neg_mean_squared_error": "mse",
    "mean_squared_error": "mse",
    "neg_mean_absolute_error": "mae",
    "mean_absolute_error": "mae",
    "neg_median_absolute_error": "median_absolute_error",
    "neg_mean_absolute_percentage_error": "mape",
    "mean_absolute_percentage_error": "mape",
    "neg_mean_squared_log_error": "msle",
    "neg_root_mean_squared_log_error": "rmsle",
    "neg_max_error": "max_error",
}


def metric(
    name: str | Callable[..., Any],
    task: str,
    y: Any = None,
    *,
    direction: Direction | None = None,
) -> Metric:
    """The metric of this name, checked against the task.

    Args:
        name: "auto", a name from METRICS or ALIASES, any other scorer name of scikit-learn, one of
            its metric functions, which stands for its name, a scorer `f(model, X, y)`, greater is
            better, or a function `f(y, prediction)`.
        task: "classification" or "regression".
        y: the target, to know the number of classes.
        direction: needed for `f(y, prediction)`, which does not say it.

    Raises:
        SpecError: unknown, not for this task or number of classes, or without a direction.

    >>> metric("neg_root_mean_squared_error", "regression").name
    'rmse'
    >>> metric("auto", "classification", ["a", "b", "b", "a"]).name
    'roc_auc'
    """
    name = name_of(name) or name
    if callable(name):
        return _own(name, direction)
    sizes = np.unique(np.asarray(y), return_counts=True)[1] if y is not None else None
    classes = None if sizes is None or task != "classification" else len(sizes)
    if name == "auto":
        return _auto(task, sizes)
    known = ALIASES.get(name.lower(), name.lower())
    if known == "roc_auc" and classes is not None and classes > 2:
        why = f"{classes} classes: each against the rest, then the mean"
        return replace(METRICS["roc_auc_ovr"], why=why)
    if known not in METRICS and name in get_scorer_names():
        return replace(_own(get_scorer(name), None), name=name, why="as you said")
    if known not in METRICS:
        raise SpecError(f"No metric {name!r}. {did_you_mean(name, [*_fitting(task, classes)])}")
    if known not in _fitting(task, classes):
        what = task if classes is None else f"{task} with {classes} classes"
        raise SpecError(
            f"The metric {name!r} does not fit {what}. "
            f"Choose one of {', '.join(sorted(_fitting(task, classes)))}."
        )
    chosen = METRICS[known]
    if direction is not None and direction != chosen.direction:
        raise SpecError(f"{known} is {chosen.direction}d; direction={direction!r} contradicts it.")
    return replace(chosen, why="as you said")


def name_of(function: Any) -> str | None:
    """The scorer name of a metric function of scikit-learn that METRICS has; None for anything else.

    >>> from sklearn.metrics import f1_score, log_loss
    >>> name_of(f1_score), name_of(log_loss), name_of(max)
    ('f1', 'neg_log_loss', None)
    """
    return _names().get(function) if inspect.isfunction(function) else None


@cache
def _names() -> dict[Any, str]:
    """Each metric function by the scorer that calls it with its defaults."""
    named = [(name, get_scorer(name)) for name in get_scorer_names()]
    return {
        scorer._score_func: name
        for name, scorer in named
        if ALIASES.get(name, name) in METRICS and scorer._kwargs in ({}, {"average": "binary"})
    }


def positive_class(name: str, labels: Sequence[Any], scorer: Any = None) -> Any:
    """The one class that the metric is about; None if it is about all of them.

    Args:
        name: of the metric.
        labels: sorted.
        scorer: one of scikit-learn's, which says it instead of the name.

    >>> positive_class("recall", ["no", "yes"])
    'yes'
    >>> positive_class("recall", [1, 2], get_scorer("recall"))
    1
    """
    asked = labels[-1]
    if scorer is not None:
        given = getattr(scorer, "_kwargs", {})
        name = name_of(getattr(scorer, "_score_func", None)) or ""
        name = name if given.get("average", "binary") == "binary" else ""
        asked = given.get("pos_label", 1)
    if name not in _OF_ONE_CLASS:
        return None
    return asked if asked in labels else labels[-1]


def check_model(metric: Metric, model: Any) -> None:
    """SpecError if `model` cannot give what the metric looks at."""
    wanted = {"proba": ("predict_proba",), "decision": ("decision_function", "predict_proba")}
    methods = wanted.get(metric.needs, ("predict",))
    if not any(hasattr(model, method) for method in methods):
        raise SpecError(
            f"{type(model).__name__} has no {' or '.join(methods)}, which {metric.name} needs. "
            "Choose another metric (accuracy, f1), or wrap the model in CalibratedClassifierCV."
        )


def predict(model: Any, X: Any, metric: Metric, classes: NDArray[Any] | None) -> Numbers:
    """What the metric looks at: (n,) numbers, or (n, C) probabilities for three classes and more.

    Args:
        classes: (C,) sorted labels, or None for regression. A class that the model has not seen
            gets probability 0.

    Raises:
        SpecError: the model has no such output.
        DataError: the model predicts NaN or infinity.
    """
    check_model(metric, model)
    if metric.needs == "decision" and hasattr(model, "decision_function"):
        output = np.asarray(model.decision_function(X), dtype=float)
    elif metric.needs in ("decision", "proba"):
        output = _probabilities(model, X, classes)
    else:
        output = np.asarray(model.predict(X))
        output = output if classes is None else np.searchsorted(classes, output)
    output = output.astype(float)
    if not np.isfinite(output).all():
        raise DataError(f"{type(model).__name__} predicts NaN or infinity.")
    return output


def value(
    metric: Metric, y: Any, prediction: Numbers, *, classes: NDArray[Any] | None = None
) -> float:
    """The metric of `prediction` for the true `y`, on the metric's own scale and direction.

    Args:
        y: (n,) numbers; class codes for classification.
        classes: the labels behind the codes; only the user's own functions see them.

    Raises:
        DataError: not defined for these rows, such as an AUC when all are of one class.
    """
    if metric.function is not None:
        if classes is not None:
            y, prediction = classes[y], classes[prediction.astype(int)]
        return float(metric.function(y, prediction))
    losses = per_row(metric, y, prediction)
    if losses is not None:
        return recompose(metric, losses)
    return of_all(AGGREGATES[metric.name], np.asarray(y), prediction)


def per_row(metric: Metric, y: Any, prediction: Numbers) -> Numbers | None:
    """(n,) loss of each row, lower is better; None if the metric is no mean over rows."""
    if not metric.decomposable:
        return None
    return LOSSES[metric.name](np.asarray(y), prediction)


def weighted(metric: Metric) -> Weighted | None:
    """The metric for many weightings of the rows at once; None for means and users' functions."""
    return AGGREGATES.get(metric.name) if metric.function is None else None


def recompose(metric: Metric, losses: Numbers) -> float:
    """The metric's value from the losses that `per_row` gives."""
    mean = float(np.mean(losses, dtype=float))
    return 1 - mean if metric.direction == "maximize" else mean


def bounds(metric: Metric) -> tuple[float, float]:
    """The least and the largest value that the metric can have; infinite where it is not known.

    >>> bounds(METRICS["r2"]), bounds(METRICS["mae"])
    ((-inf, 1.0), (0.0, inf))
    """
    if metric.function is not None or metric.name not in METRICS:
        return -np.inf, np.inf
    if metric.direction == "minimize":
        return 0.0, np.inf
    return _LEAST.get(metric.name, 0.0), 1.0


def default_smallest_gain(metric: Metric, floor: float) -> float:
    """The gain worth having if nobody says otherwise.

    Half a point (0.005) for scores; 1 % of the value of the dummy model, `floor`, for errors.

    >>> default_smallest_gain(METRICS["roc_auc"], 0.5)
    0.005
    >>> default_smallest_gain(METRICS["rmse"], 80.0)
    0.8
    """
    if metric.direction == "maximize" and metric.function is None:
        return 0.005
    size = abs(floor)
    return 0.01 * size if np.isfinite(size) and size > 0 else 0.005


def _auto(task: str, sizes: NDArray[Any] | None) -> Metric:
    if task != "classification":
        return replace(METRICS["rmse"], why="the usual error of a regression")
    if sizes is None:
        raise SpecError("The metric 'auto' needs y for classification, got none.")
    if len(sizes) == 2:
        why = "two classes: how well they are ranked, whatever the threshold"
        return replace(METRICS["roc_auc"], why=why)
    equal = sizes.sum() / len(sizes)
    if sizes.min() < equal / 2:
        why = f"the rarest class has {sizes.min():,} rows where equal shares were {equal:,.0f}"
        return replace(METRICS["balanced_accuracy"], why=why)
    return replace(METRICS["accuracy"], why=f"{len(sizes)} classes of similar size")


def _fitting(task: str, classes: int | None) -> dict[str, Metric]:
    if task != "classification":
        return _REGRESSION
    return _ANY_CLASSES if classes is not None and classes > 2 else _ANY_CLASSES | _TWO_CLASSES


def _own(function: Callable[..., Any], direction: Direction | None) -> Metric:
    name = getattr(function, "__name__", None) or _scorer_name(function)
    if _is_scorer(function):
        if direction == "minimize":
            raise SpecError(f"A scorer f(model, X, y) like {name} is maximised by convention.")
        return Metric(name, "maximize", "model", function=function, why="your own scorer")
    if direction not in ("minimize", "maximize"):
        raise SpecError(
            f'Say direction="minimize" or "maximize" for your metric {name}(y, prediction), '
            f"got {direction!r}."
        )
    return Metric(name, direction, "predict", function=function, why="your own metric")


def _is_scorer(function: Callable[..., Any]) -> bool:
    """A scikit-learn scorer takes (model, X, y), a metric (y, prediction)."""
    if hasattr(function, "_score_func"):
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        parameter
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in positional and parameter.default is inspect.Parameter.empty
    ]
    if len(needed) not in (2, 3):
        raise SpecError(
            f"A metric is f(y, prediction) or f(model, X, y); {function!r:.80} takes {len(needed)}."
        )
    return len(needed) == 3


def _scorer_name(scorer: Any) -> str:
    inner = getattr(scorer, "_score_func", None)
    return str(getattr(inner, "__name__", type(scorer).__name__))


def _probabilities(model: Any, X: Any, classes: NDArray[Any] | None) -> Numbers:
    if classes is None:
        raise SpecError("Probabilities need a classification task.")
    given = np.asarray(model.predict_proba(X), dtype=float)
    full = np.zeros((len(given), len(classes)))
    full[:, np.searchsorted(classes, model.classes_)] = given
    return full[:, 1] if len(classes) == 2 else full
