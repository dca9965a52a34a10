"""Several fitted models as one: their predictions averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Averaged:
    """Predicts the mean of what its models predict; classes by mean probability, or by vote.

    Args:
        models: fitted on the same rows, at least one.

    >>> class Says:
    ...     def __init__(self, y): self.y = y
    ...     def predict(self, X): return np.full(len(X), self.y)
    >>> Averaged([Says(1.0), Says(4.0)], classes=None).predict([[0], [0]])
    array([2.5, 2.5])
    """

    def __init__(self, models: Sequence[Any], classes: NDArray[Any] | None) -> None:
        self._models = models
        self._labels = classes
        if all(hasattr(model, "predict_proba") for model in models):
            self.predict_proba = self._predict_proba
            self.classes_ = models[0].classes_
        if all(hasattr(model, "decision_function") for model in models):
            self.decision_function = self._decision_function

    def predict(self, X: Any) -> NDArray[Any]:
        """Numbers, or labels."""
        if self._labels is None:
            return self._mean("predict", X)
        if hasattr(self, "predict_proba"):
            return _named(self.classes_, self._predict_proba(X))
        votes = [model.predict(X)[:, None] == self._labels for model in self._models]
        return _named(self._labels, np.sum(votes, axis=0))

    def _predict_proba(self, X: Any) -> NDArray[Any]:
        return self._mean("predict_proba", X)

    def _decision_function(self, X: Any) -> NDArray[Any]:
        return self._mean("decision_function", X)

    def _mean(self, output: str, X: Any) -> NDArray[Any]:
        return np.asarray(np.mean([getattr(model, output)(X) for model in self._models], axis=0))


def _named(labels: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(labels[weights.argmax(axis=1)])
