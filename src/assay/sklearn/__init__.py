"""Assay in scikit-learn: `SearchCV(estimator, space).fit(X, y)`."""

from __future__ import annotations

from assay.sklearn.search import SearchCV

__all__ = ["SearchCV"]
