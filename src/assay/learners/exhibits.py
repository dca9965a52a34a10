"""Real data and models for the demonstration in acts; all ship inside pip packages, nothing is downloaded.

Two tables come from statsmodels and river, which the extra `proofs` installs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.core.rng import stream

DIGITS_ROWS = 150
_REFITS = 5


def _csv(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [",".join(names), *(",".join(str(cell) for cell in row) for row in rows)]
    return "\n".join(lines) + "\n"


def digits_csv(seed: int) -> tuple[str, str]:
    """150 handwritten digits to learn from, and all others; the target is whether one is odd."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    names = [f"pixel{k}" for k in range(bunch.data.shape[1])]
    table = np.column_stack([bunch.data.astype(int), bunch.target % 2])
    order = stream(seed, "exhibit").permutation(len(table))
    few, rest = order[:DIGITS_ROWS], order[DIGITS_ROWS:]
    head = [*names, "odd"]
    return _csv(head, table[np.sort(few)]), _csv(head, table[np.sort(rest)])


def chicks_csv() -> str:
    """The weights of 50 chicks over three weeks on four diets (Crowder and Hand 1990)."""
    from river import datasets

    rows = [(x["time"], x["chick"], x["diet"], y) for x, y in datasets.ChickWeights()]
    return _csv(("time", "chick", "diet", "weight"), rows)


def affairs_csv() -> str:
    """6,366 married women asked by a magazine in 1974 (Fair 1978); the target is any affair."""
    import statsmodels.api as sm

    frame = sm.datasets.fair.load_pandas().data
    names = [name for name in frame.columns if name != "affairs"]
    rows = np.column_stack([frame[names], (frame["affairs"] > 0).astype(int)])
    return _csv([*names, "affair"], [[f"{cell:g}" for cell in row] for row in rows])


def scaled_ridge() -> tuple[Any, NDArray[Any], NDArray[Any]]:
    """A ridge behind a scaler, and the diabetes data, whose columns have equal norms already."""
    from sklearn.datasets import load_diabetes
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = load_diabetes(return_X_y=True)
    return Pipeline([("scaler", StandardScaler()), ("model", Ridge())]), X, y


def accuracy(
    name: str, config: Mapping[str, Any], train: tuple[Any, Any], test: tuple[Any, Any]
) -> float:
    """The accuracy of a built-in model with a config on rows that it has not seen: the mean of 5 fits."""
    from assay.learners.models import model

    X, y = train
    found = []
    for seed in range(_REFITS):
        built = model(name, "classification", X)
        settings = {f"{built.prefix}{key}": value for key, value in config.items()}
        built.estimator.set_params(**settings, **{f"{built.prefix}random_state": seed})
        fitted = built.estimator.fit(X, y)
        found.append(float(np.mean(fitted.predict(test[0]) == test[1])))
    return float(np.mean(found))
