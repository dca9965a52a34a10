"""Hypothesis draws the same examples in every run, and no example is too slow on a busy machine."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "assay",
    derandomize=True,
    deadline=None,
    max_examples=40,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("assay")
