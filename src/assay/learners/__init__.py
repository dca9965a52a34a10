"""Models, scores and fits: the only place that imports scikit-learn."""
