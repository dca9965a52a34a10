"""Search spaces of scikit-learn estimators: each range with its source, each default the user's own.

Ranges follow published studies. Where an estimator's default is a special value outside of a
continuous range (None, 0, "scale"), the range becomes a list with that value in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.parameters import Choice, Float, Int, Ordinal, Parameter, plain
from assay.core.space import Space

SOURCES: dict[str, str] = {
    "Bischl 2023": "Bischl et al. 2023, Hyperparameter optimization, WIREs Data Mining and "
    "Knowledge Discovery 13(2) e1484, arXiv:2107.05847; the recommended search spaces, as in the "
    "R package mlr3tuningspaces (default)",
    "rbv2": "Binder, Pfisterer and Bischl 2020, Collecting empirical data about hyperparameters "
    "for data driven AutoML; part of YAHPO Gym, arXiv:2109.03670; as in mlr3tuningspaces (rbv2)",
    "Grinsztajn 2022": "Grinsztajn, Oyallon and Varoquaux 2022, Why do tree-based models still "
    "outperform deep learning on tabular data?, arXiv:2207.08815; its published configuration files",
    "auto-sklearn": "Feurer et al. 2015, Efficient and robust automated machine learning, NeurIPS; "
    "the ranges in the source of auto-sklearn's components",
    "FLAML": "Wang, Wu, Weimer and Zhu 2021, FLAML: a fast and lightweight AutoML library, MLSys; "
    "the search spaces in its source",
    "Gorishniy 2021": "Gorishniy, Rubachev, Khrulkov and Babenko 2021, Revisiting deep learning "
    "models for tabular data, NeurIPS, arXiv:2106.11959; the spaces of its appendix",
}


@dataclass(frozen=True)
class Range:
    """Where to search one parameter, and who says so."""

    parameter: Parameter
    source: str
    usual: Any = None
    """The library's own default, where the estimator may not say it."""


def _decades(low: int, high: int) -> list[float]:
    return [float(f"1e{k}") for k in range(low, high + 1)]


_SHARES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
_DEPTHS = [1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, None]
_LAYERS = [
    *([width] for width in (16, 32, 64, 100, 128, 256)),
    *([width] * 2 for width in (16, 32, 64, 128, 256)),
    *([width] * 3 for width in (16, 32, 64, 128, 256)),
]

_TREE = {
    "max_depth": Range(Ordinal(_DEPTHS), "rbv2 (rpart maxdepth 1–30); None, the default, added"),
    "min_samples_split": Range(Int(2, 128, log=True), "Bischl 2023 (rpart minsplit)"),
    "min_samples_leaf": Range(Int(1, 64, log=True), "Bischl 2023 (rpart minbucket)"),
}
_PRUNING = Range(
    Ordinal([0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1]),
    "Bischl 2023 (rpart cp 1e-4–0.1); 0, the default, added; cp is relative to the root's impurity",
)
_CRITERION = Range(Choice(["gini", "entropy"]), "Grinsztajn 2022, auto-sklearn")
_FOREST = {
    "max_features": Range(
        Choice(["sqrt", "log2", *_SHARES, 1.0]), "Grinsztajn 2022; 1.0 stands for their None"
    ),
    "min_samples_leaf": Range(Int(1, 50, log=True), "Grinsztajn 2022 (1.5–50.5)"),
    "min_samples_split": Range(Int(2, 20), "auto-sklearn"),
    "bootstrap": Range(Choice([True, False]), "Grinsztajn 2022, auto-sklearn, rbv2 (replace)"),
}
_BOOSTING = {
    "learning_rate": Range(Float(0.01, 1.0, log=True), "auto-sklearn"),
    "max_iter": Range(
        Int(25, 1000, log=True), "Bischl 2023 (xgboost nrounds 1–5000), narrowed for time"
    ),
    "max_leaf_nodes": Range(Int(3, 255, log=True), "auto-sklearn (3–2047), narrowed for time"),
    "min_samples_leaf": Range(Int(1, 200, log=True), "auto-sklearn"),
    "l2_regularization": Range(
        Ordinal([0.0, *_decades(-3, 3)]),
        "Bischl 2023 (xgboost lambda 1e-3–1e3), by decades; 0, the default, added",
    ),
    "max_features": Range(Float(0.1, 1.0), "Bischl 2023 (xgboost colsample_bylevel)"),
}
_OLD_BOOSTING = {
    "learning_rate": _BOOSTING["learning_rate"],
    "n_estimators": _BOOSTING["max_iter"],
    "max_depth": Range(Int(1, 15), "rbv2 (xgboost max_depth)"),
    "subsample": Range(Float(0.1, 1.0), "Bischl 2023, rbv2 (xgboost subsample)"),
    "min_samples_leaf": Range(Int(1, 200, log=True), "auto-sklearn"),
    "max_features": Range(
        Choice([None, "sqrt", "log2", *_SHARES]), "Grinsztajn 2022 (random forest)"
    ),
}
_PENALTY = Ordinal([0.0, *_decades(-3, 3)])
_SHARE = Float(0.1, 1.0)
_LIGHTGBM = {
    "learning_rate": Range(Float(2**-10, 1.0, log=True), "FLAML", 0.1),
    "n_estimators": Range(Int(4, 1000, log=True), "FLAML (4–32768), narrowed for time", 100),
    "num_leaves": Range(Int(4, 255, log=True), "FLAML (4–32768), narrowed for time", 31),
    "min_child_samples": Range(Int(2, 128, log=True), "FLAML (2–128)", 20),
    "colsample_bytree": Range(_SHARE, "FLAML (0.01–1), Bischl 2023 (0.1–1)", 1.0),
    "reg_alpha": Range(_PENALTY, "FLAML (2^-10–2^10), by decades; 0, the default, added", 0.0),
    "reg_lambda": Range(_PENALTY, "FLAML (2^-10–2^10), by decades; 0, the default, added", 0.0),
}
_XGBOOST = {
    "learning_rate": Range(Float(1e-4, 1.0, log=True), "Bischl 2023 (eta)", 0.3),
    "n_estimators": Range(
        Int(4, 1000, log=True), "Bischl 2023 (nrounds 1–5000), narrowed for time", 100
    ),
    "max_depth": Range(Int(1, 20), "Bischl 2023", 6),
    "min_child_weight": Range(Float(1e-3, 128.0, log=True), "FLAML", 1.0),
    "subsample": Range(_SHARE, "Bischl 2023, FLAML", 1.0),
    "colsample_bytree": Range(_SHARE, "Bischl 2023", 1.0),
    "colsample_bylevel": Range(_SHARE, "Bischl 2023", 1.0),
    "reg_alpha": Range(
        _PENALTY, "Bischl 2023 (alpha 1e-3–1e3), by decades; 0, the default, added", 0.0
    ),
    "reg_lambda": Range(Float(1e-3, 1e3, log=True), "Bischl 2023 (lambda)", 1.0),
}
_CATBOOST = {
    "learning_rate": Range(
        Float(1e-3, 1.0, log=True), "Gorishniy 2021 (1e-5–1), narrowed for time", 0.03
    ),
    "iterations": Range(
        Int(25, 1000, log=True), "Bischl 2023 (xgboost nrounds 1–5000), narrowed for time", 1000
    ),
    "depth": Range(Int(3, 10), "Gorishniy 2021", 6),
    "l2_leaf_reg": Range(Float(1.0, 10.0, log=True), "Gorishniy 2021", 3.0),
    "subsample": Range(_SHARE, "Bischl 2023 (xgboost subsample)", 0.8),
}
_C = Range(Float(1e-4, 1e4, log=True), "Bischl 2023 (glmnet s 1e-4–1e4; C is its inverse)")
_ALPHA = Range(Float(1e-4, 1e4, log=True), "Bischl 2023 (glmnet s)")
_CLASS_WEIGHT = Range(Choice([None, "balanced"]), "auto-sklearn (balancing: none, weighting)")
_SVM = {
    "C": Range(Float(1e-4, 1e3, log=True), "rbv2 (svm cost)"),
    "gamma": Range(
        Choice(["scale", 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]),
        'rbv2 (svm gamma 1e-4–1e3), narrowed to 10, by half decades; "scale", the default, added',
    ),
}
_EPSILON = Range(Float(1e-3, 1.0, log=True), "auto-sklearn (libsvm_svr)")
_NEIGHBORS = {
    "n_neighbors": Range(Int(1, 50, log=True), "Bischl 2023 (kknn k); at most a third of the rows"),
    "weights": Range(Choice(["uniform", "distance"]), "auto-sklearn"),
    "p": Range(Choice([1, 2]), "auto-sklearn"),
}
_MLP = {
    "hidden_layer_sizes": Range(
        Choice(_LAYERS), "auto-sklearn (1–3 layers of 16–264); 100, the default, added"
    ),
    "activation": Range(Choice(["relu", "tanh"]), "auto-sklearn"),
    "alpha": Range(Float(1e-5, 1.0, log=True), "auto-sklearn"),
    "learning_rate_init": Range(Float(1e-4, 0.5, log=True), "auto-sklearn"),
}

RANGES: dict[str, dict[str, Range]] = {
    "LogisticRegression": {"C": _C, "class_weight": _CLASS_WEIGHT},
    "LinearSVC": {"C": _C, "class_weight": _CLASS_WEIGHT},
    "RidgeClassifier": {"alpha": _ALPHA, "class_weight": _CLASS_WEIGHT},
    "Ridge": {"alpha": _ALPHA},
    "Lasso": {"alpha": _ALPHA},
    "ElasticNet": {
        "alpha": _ALPHA,
        "l1_ratio": Range(Float(0.0, 1.0), "Bischl 2023 (glmnet alpha)"),
    },
    "DecisionTreeClassifier": _TREE | {"ccp_alpha": _PRUNING, "criterion": _CRITERION},
    "DecisionTreeRegressor": _TREE,
    "RandomForestClassifier": _FOREST | {"criterion": _CRITERION},
    "RandomForestRegressor": _FOREST,
    "ExtraTreesClassifier": _FOREST | {"criterion": _CRITERION},
    "ExtraTreesRegressor": _FOREST,
    "HistGradientBoostingClassifier": _BOOSTING,
    "HistGradientBoostingRegressor": _BOOSTING,
    "GradientBoostingClassifier": _OLD_BOOSTING,
    "GradientBoostingRegressor": _OLD_BOOSTING,
    "SVC": _SVM,
    "SVR": _SVM | {"epsilon": _EPSILON},
    "KNeighborsClassifier": _NEIGHBORS,
    "KNeighborsRegressor": _NEIGHBORS,
    "MLPClassifier": _MLP,
    "MLPRegressor": _MLP,
    "LGBMClassifier": _LIGHTGBM,
    "LGBMRegressor": _LIGHTGBM,
    "XGBClassifier": _XGBOOST,
    "XGBRegressor": _XGBOOST,
    "CatBoostClassifier": _CATBOOST,
    "CatBoostRegressor": _CATBOOST,
}  # fmt: skip
PACKAGES = ("sklearn", "lightgbm", "xgboost", "catboost")
"""Where the classes of `RANGES` come from."""


def space_for(estimator: Any, *, prefix: str = "", rows: int | None = None) -> Space:
    """The space of a scikit-learn estimator, or of the known ones in a pipeline.

    Names are those of `get_params`, such as `model__learning_rate` in a pipeline; the defaults are
    the values that `estimator` has, so that the control group is exactly what was given.

    Args:
        prefix: only parameters that start with it, named without it.
        rows: training rows, which bound `n_neighbors`.

    Raises:
        SpecError: no known estimator in it, or a value outside of the built-in range.

    >>> from sklearn.linear_model import Ridge
    >>> space_for(Ridge(alpha=3.0))
    Space(alpha=Float(low=0.0001, high=10000.0, log=True, logit=False, step=None, default=3.0))
    """
    values = own_values(estimator)
    found = {
        name.removeprefix(prefix): _with_default(
            name, _narrowed(name, known, rows, values[name]), values[name]
        )
        for name, known in ranges_of(estimator).items()
        if name.startswith(prefix)
    }
    if not found:
        raise SpecError(
            f"There is no built-in space for {type(estimator).__name__}; give space=assay.Space(...). "
            f"Built in: {', '.join(sorted(RANGES))}."
        )
    return Space(found)


def ranges_of(estimator: Any) -> dict[str, Range]:
    """The known ranges of an estimator and of those inside it, by parameter name."""
    values = estimator.get_params(deep=True)
    return {
        start + name: known
        for start, part in _parts(estimator, values)
        for name, known in _ranges(part).items()
        if start + name in values
    }


def own_values(estimator: Any) -> dict[str, Any]:
    """What an estimator's parameters are; where it says nothing, what its library takes instead."""
    values: dict[str, Any] = estimator.get_params(deep=True)
    said_nothing = (name for name, value in values.items() if value is None)
    known = ranges_of(estimator)
    usual = {name: known[name].usual for name in said_nothing if name in known}
    return values | usual


def defaults_of(estimator: Any, space: Space, *, prefix: str = "") -> dict[str, Any]:
    """The config that `estimator` has now: the control group.

    Raises:
        SpecError: the space names a parameter that the estimator lacks, or does not contain a
            value that it has.
    """
    values = own_values(estimator)
    known = {name.removeprefix(prefix) for name in values if name.startswith(prefix)}
    for name in space:
        if name not in known:
            raise SpecError(
                f"{type(estimator).__name__} has no parameter {name!r}. {did_you_mean(name, known)}"
            )
    config: dict[str, Any] = {}
    for name, node in space.nodes.items():
        if node.active(config):
            config[name] = _inside(name, node.parameter, values[prefix + name])
    if (clause := space.broken_clause(config)) is not None:
        raise SpecError(
            f"The estimator's own values {config} are outside of the space: {clause}. "
            "Set them in the estimator, or widen the space."
        )
    return config


def _parts(estimator: Any, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "", estimator
    for name, value in values.items():
        if hasattr(value, "get_params") and not isinstance(value, type):
            yield f"{name}__", value


def _ranges(part: Any) -> dict[str, Range]:
    for kind in type(part).__mro__:
        if kind.__name__ in RANGES and kind.__module__.partition(".")[0] in PACKAGES:
            return RANGES[kind.__name__]
    return {}


def _narrowed(name: str, known: Range, rows: int | None, value: Any) -> Parameter:
    """The range, but with no more neighbours than a third of the rows (or than `value` says)."""
    parameter = known.parameter
    if rows is None or not name.endswith("n_neighbors") or not isinstance(parameter, Int):
        return parameter
    return replace(parameter, high=min(parameter.high, max(rows // 3, value, 2)))


def _with_default(name: str, parameter: Parameter, value: Any) -> Parameter:
    return replace(parameter, default=_inside(name, parameter, value))


def _inside(name: str, parameter: Parameter, value: Any) -> Any:
    try:
        return parameter.settle(plain(value))
    except SpaceError as error:
        raise SpecError(
            f"The estimator has {name}={value!r}, which is outside of its range in the space: {error} "
            "The control group must be in the space: set another value, or give a space with it."
        ) from None
