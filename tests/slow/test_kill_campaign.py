"""One study of each scenario of the campaign; its counts are in results/kill_campaign.json."""

from __future__ import annotations

import faulthandler
from importlib.util import find_spec

import pytest
from tests.slow.kill_campaign import SCENARIOS, study_under_fire

_NEEDS = {"dask": "distributed", "ray": "ray", "slurm": "submitit"}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
def test_a_study_under_fire_comes_to_its_end_and_loses_nothing(name: str) -> None:
    faulthandler.cancel_dump_traceback_later()  # minutes
    if find_spec(_NEEDS.get(name, "assay")) is None:  # looked for, not imported: Ray is asked first
        pytest.skip(f"{_NEEDS[name]} is not installed")
    run = study_under_fire(name, seed=2026)
    assert sum(run.kills.values()) >= 5  # Ray takes long to start
    assert run.facts["acknowledged_events_checked"] > 0
