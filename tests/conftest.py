"""Hypothesis draws the same examples in every run, and no example is too slow on a busy machine."""

import pytest
from hypothesis import HealthCheck, settings
from tests.postgres import running

settings.register_profile(
    "assay",
    derandomize=True,
    deadline=None,
    max_examples=40,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("assay")


@pytest.fixture(scope="session")
def postgres():
    """One PostgreSQL server for all tests of this process; each asks it for a place of its own."""
    with running() as server:
        yield server
