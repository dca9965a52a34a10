"""The models that the command line knows, with the preprocessing they need inside.

The model's own parameters have their library's defaults, which are the control group. Preprocessing
is fitted on the training rows of each fold alone, since it is part of the pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from assay.core.errors import DataError, SpecError, did_you_mean
from assay.core.space import Space
from assay.learners import boosted
from assay.learners.spaces import RANGES, SOURCES, Range, space_for

Preparation: TypeAlias = Literal["scaled", "filled", "native"]

_MOST_CATEGORIES = 50  # one-hot columns of one feature; rarer categories share one
_NATIVE_CATEGORIES = 254  # HistGradientBoosting takes 255 with the missing one

PREPARATIONS: dict[str, str] = {
    "scaled": "missing numbers become the median with an indicator column, then all numbers are "
    "standardised; categories become one-hot columns",
    "filled": "missing numbers become the median with an indicator column; categories become "
    "one-hot columns",
    "native": "missing numbers and categories are left to the model",
}


@dataclass(frozen=True)
class Kind:
    """A model of the catalogue, by task; `standardise_y` for models that need a target of scale 1."""

    about: str
    preparation: Preparation
    classifier: Callable[..., Any] | None
    regressor: Callable[..., Any] | None
    standardise_y: bool = False
    package: str = "sklearn"
    boosted: Mapping[str, Range] | None = None

    def make(self, task: str) -> Callable[..., Any] | None:
        return self.classifier if task == "classification" else self.regressor

    def searched(self, task: str) -> Iterator[tuple[str, Range, Any]]:
        """Name, range and default of each parameter, whether the package is installed or not."""
        if self.boosted is not None:
            yield from ((name, known, known.usual) for name, known in self.boosted.items())
            return
        make: Any = self.make(task)
        defaults = make().get_params()
        for name, known in RANGES[make.__name__].items():
            yield name, known, defaults[name]


@dataclass(frozen=True)
class Model:
    """A model ready to be tuned.

    Attributes:
        name: its name in the catalogue.
        estimator: the whole pipeline, unfitted, with scikit-learn's defaults.
        space: its search space; names are those of the model's own parameters.
        prefix: what comes before such a name in the pipeline's parameters.
        sources: where the range of each parameter comes from.
        preparation: what happens to the features first, in words.
    """

    name: str
    estimator: Any
    space: Space
    prefix: str
    sources: dict[str, str]
    preparation: str


def _boosted(name: str, make: Callable[[str], Any], ranges: Mapping[str, Range]) -> Kind:
    return Kind(
        f"boosted trees of {name}",
        "filled",
        partial(make, "classification"),
        partial(make, "regression"),
        package=name.lower(),
        boosted=ranges,
    )


MODELS: dict[str, Kind] = {
    "logistic_regression": Kind("linear model", "scaled", LogisticRegression, None),
    "ridge": Kind("linear model, squared penalty", "scaled", None, Ridge),
    "elastic_net": Kind("linear model, mixed penalty", "scaled", None, ElasticNet),
    "decision_tree": Kind("one tree", "filled", DecisionTreeClassifier, DecisionTreeRegressor),
    "random_forest": Kind(
        "mean of trees on bootstrap samples", "filled", RandomForestClassifier, RandomForestRegressor
    ),
    "extra_trees": Kind(
        "mean of trees with random cuts", "filled", ExtraTreesClassifier, ExtraTreesRegressor
    ),
    "hist_gradient_boosting": Kind(
        "boosted trees on binned features",
        "native",
        HistGradientBoostingClassifier,
        HistGradientBoostingRegressor,
    ),
    "svm": Kind("support vectors, RBF kernel", "scaled", SVC, SVR, standardise_y=True),
    "k_neighbors": Kind("nearest rows", "scaled", KNeighborsClassifier, KNeighborsRegressor),
    "mlp": Kind("neural network", "scaled", MLPClassifier, MLPRegressor, standardise_y=True),
    "lightgbm": _boosted("LightGBM", boosted.lightgbm, RANGES["LGBMClassifier"]),
    "xgboost": _boosted("XGBoost", boosted.xgboost, RANGES["XGBClassifier"]),
    "catboost": _boosted("CatBoost", boosted.catboost, RANGES["CatBoostClassifier"]),
}  # fmt: skip

ALIASES: dict[str, str] = {
    "auto": "hist_gradient_boosting",
    "gradient_boosting": "hist_gradient_boosting",
    "boosting": "hist_gradient_boosting",
    "gbm": "hist_gradient_boosting",
    "hgb": "hist_gradient_boosting",
    "logistic": "logistic_regression",
    "logreg": "logistic_regression",
    "elasticnet": "elastic_net",
    "tree": "decision_tree",
    "cart": "decision_tree",
    "rf": "random_forest",
    "forest": "random_forest",
    "et": "extra_trees",
    "svc": "svm",
    "svr": "svm",
    "knn": "k_neighbors",
    "nearest_neighbors": "k_neighbors",
    "neural_network": "mlp",
}


def names(task: str) -> list[str]:
    """The models for a task, of the packages that are installed."""
    return [n for n, k in MODELS.items() if k.make(task) and boosted.installed(k.package)]


def model(name: str, task: str, X: Any) -> Model:
    """The model of this name for features like `X`.

    Args:
        name: a name from `names(task)` or an alias; "auto" is hist_gradient_boosting.
        task: "classification" or "regression".
        X: (n, d) all features, a DataFrame or an array of numbers; only the kinds of its columns
            and its number of rows are used.

    Raises:
        SpecError: no such model, or not for this task.
        DataError: a column that is neither numbers nor categories.

    >>> model("auto", "regression", np.zeros((50, 2))).space.names[:2]
    ('learning_rate', 'max_iter')
    """
    plain = name.lower().replace("-", "_").replace(" ", "_")
    known = ALIASES.get(plain, plain)
    if known not in MODELS:
        raise SpecError(f"No model {name!r}. {did_you_mean(plain, names(task))}")
    kind = MODELS[known]
    make = kind.make(task)
    if make is None:
        raise SpecError(f"{known} is not for {task}. Choose one of {', '.join(names(task))}.")
    numbers, dates, categories = _columns(X)
    core = make()
    if kind.preparation == "native" and categories:
        core.set_params(categorical_features=list(range(len(categories))))
    prefix = "model__"
    ranges = {name: known_range for name, known_range, _ in kind.searched(task)}
    if kind.standardise_y and task == "regression":
        core = TransformedTargetRegressor(core, transformer=StandardScaler())
        prefix = "model__regressor__"
    if isinstance(core, boosted.Coded):
        prefix = "model__estimator__"
    gapped = _gapped(X, categories)
    preparation = _prepare(kind.preparation, numbers, dates, categories, gapped)
    estimator = Pipeline([("prepare", preparation), ("model", core)])
    return Model(
        name=known,
        estimator=estimator,
        space=space_for(estimator, prefix=prefix, rows=len(X)),
        prefix=prefix,
        sources={name: known_range.source for name, known_range in ranges.items()},
        preparation=PREPARATIONS[kind.preparation],
    )


def page() -> str:
    """The documentation page of the catalogue, in Markdown; docs/models.md is this text."""
    lines = [
        "# Built-in models",
        "",
        "`assay tune data.csv --target y --model NAME`. Without `--model`: `hist_gradient_boosting`.",
        "The control group is the library's own default for every parameter. Preprocessing is part",
        "of the model: it is fitted on the training rows of each fold alone.",
        "",
        "The number of trees of a forest is not searched: it is a matter of time, not of tuning",
        "(Probst and Boulesteix 2018, JMLR 18(181)).",
        "",
        "This page is generated by `assay.learners.models.page()`.",
    ]
    for name, kind in MODELS.items():
        lines += _section(name, kind)
    lines += ["", "## Sources", ""]
    lines += [f"- **{short}**: {long}." for short, long in SOURCES.items()]
    return "\n".join(lines) + "\n"


def _section(name: str, kind: Kind) -> list[str]:
    tasks = [task for task in ("classification", "regression") if kind.make(task)]
    lines = ["", f"## {name}", "", f"{kind.about.capitalize()}; for {' and '.join(tasks)}. "]
    also = [alias for alias, known in ALIASES.items() if known == name]
    lines[-1] += f"Also called {', '.join(f'`{alias}`' for alias in also)}." if also else ""
    lines[-1] = lines[-1].strip()
    if kind.boosted is not None:
        lines[-1] += f" Needs {kind.package}: `pip install 'assay[boosting]'`."
    lines += ["", f"First, {PREPARATIONS[kind.preparation]}."]
    if kind.standardise_y:
        lines += ["For regression the target is standardised for the fit."]
    lines += ["", "| parameter | values | default | for | source |", "|---|---|---|---|---|"]
    rows: dict[tuple[str, str, str, str], list[str]] = {}
    for task in tasks:
        for parameter, known, default in kind.searched(task):
            form = known.parameter.to_json()
            cells = (parameter, _values(form), _code(default), known.source)
            rows.setdefault(cells, []).append(task)
    for (parameter, values, default, source), used in rows.items():
        both = "both" if len(used) == 2 else used[0]
        lines.append(f"| `{parameter}` | {values} | {default} | {both} | {source} |")
    return lines


def _values(form: dict[str, Any]) -> str:
    if "values" in form:
        return ", ".join(_code(value) for value in form["values"])
    scale = " (log)" if form["scale"] == "log" else ""
    return f"{form['low']:g} – {form['high']:g}{scale}"


def _code(value: Any) -> str:
    plain = list(value) if isinstance(value, tuple) else value
    return f"`{plain}`"


def _prepare(
    preparation: Preparation,
    numbers: list[Any],
    dates: list[Any],
    categories: list[Any],
    gapped: bool,
) -> Any:
    days = FunctionTransformer(_days, feature_names_out="one-to-one")
    if preparation == "native":
        if not categories and not dates:
            return "passthrough"
        codes = OrdinalEncoder(
            handle_unknown="use_encoded_value",
            unknown_value=np.nan,
            encoded_missing_value=np.nan,
            max_categories=_NATIVE_CATEGORIES,
        )
        # the model knows the categories by their place: they come first
        coded = [("categories", _after_gaps(codes, gapped), categories), ("dates", days, dates)]
        return ColumnTransformer(coded if dates else coded[:1], remainder="passthrough")
    fill = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    scale = make_pipeline(fill, StandardScaler()) if preparation == "scaled" else fill
    one_hot = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=_MOST_CATEGORIES, sparse_output=False
    )
    coded = _after_gaps(one_hot, gapped)
    parts = [("numbers", scale, numbers), ("categories", coded, categories)]
    if dates:
        parts.append(("dates", make_pipeline(days, scale), dates))
    return ColumnTransformer(parts)


def _gapped(X: Any, categories: list[Any]) -> bool:
    """Whether a missing category is pandas' own NA, which encoders refuse beside text."""
    columns = (X[which] if isinstance(which, str) else X.iloc[:, which] for which in categories)
    return any(
        repr(cell) == "<NA>"
        for column in columns
        for cell in np.asarray(column, dtype=object)[column.isna()]
    )


def _after_gaps(encoder: Any, gapped: bool) -> Any:
    gaps = FunctionTransformer(_without_na, feature_names_out="one-to-one")
    return make_pipeline(gaps, encoder) if gapped else encoder


def _without_na(categories: Any) -> Any:
    return categories.astype(object).where(categories.notna(), None)


def _days(dates: Any) -> Any:
    """Days since 1970-01-01 of each column, as dates in a CSV file are read; times with a zone in UTC."""
    columns = (dates[name].to_numpy(dtype="datetime64[us]") for name in dates.columns)
    day = np.timedelta64(1, "D")
    return np.column_stack([(column - np.datetime64(0, "us")) / day for column in columns])


def _columns(X: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """The columns of numbers, of dates and of categories: by name, or by place where the names are no text.

    A ColumnTransformer takes whole numbers for places, whatever the columns are called.
    """
    if not hasattr(X, "iloc"):
        if X.dtype.kind not in "iufb":
            raise DataError(
                f"An array X must hold numbers, got {X.dtype}. Give a DataFrame for categories."
            )
        return list(range(X.shape[1])), [], []
    kinds = {name: X[name].dtype.kind for name in X.columns}
    for name, kind in kinds.items():
        if kind in "mc":
            raise DataError(
                f"Column {name!r} holds {X[name].dtype}; models need numbers or categories. "
                "Turn spans of time into numbers, such as days."
            )
    known = {name: name if isinstance(name, str) else i for i, name in enumerate(kinds)}
    numbers, dates = (
        [known[name] for name, kind in kinds.items() if kind in wanted] for wanted in ("iuf", "M")
    )
    return numbers, dates, [one for one in known.values() if one not in (*numbers, *dates)]
