"""What each figure of a study shows, as plain arrays: the one place that knows a figure.

The page, the dashboard, notebooks and `assay.plot` draw these; none of them computes one.
"""
