"""refit: the model to use, once a study has said which settings those are."""

from __future__ import annotations

from typing import Any

from assay.api.study import Study
from assay.api.systems import Trained
from assay.core.errors import StateError


def refit(study: Study, X: Any, y: Any, *, seed: int | None = None) -> Any:
    """The estimator with the settings of `study.best`, fitted on these rows.

    What the verdict says of the sealed rows is true of a model that has not seen them. After it, all
    rows there are may be used: that is what this is for.

    Args:
        study: as `tune` returned it.
        X, y: rows with the columns of the study.
        seed: of everything random in the estimator; None: the seed of the study.

    Returns:
        The fitted estimator, with its preprocessing.

    Raises:
        StateError: the study was opened from a storage or has no estimator, or no trial has a value.

    >>> import assay
    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> study = assay.tune("ridge", X, y, budget=8, test=0.0, isolation="none")
    >>> round(assay.refit(study, X, y).score(X, y), 1)
    0.5
    """
    if not isinstance(study.system, Trained):
        raise StateError(
            "This study does not hold its estimator. Call refit with what `assay.tune` returned, or set "
            "study.best.config in your estimator yourself."
        )
    from assay.inputs import from_arrays
    from assay.learners import estimators, models

    data = study.spec.data or {}
    model, table = study.system.model, from_arrays(X, y)
    if isinstance(model, str):
        model = models.model(model, data["task"], table.X).estimator
    params = {data["model"]["prefix"] + name: v for name, v in study.best.config.items()}
    built = estimators.build(model, params, study.spec.seed if seed is None else seed)
    return built.fit(table.X, table.y)
