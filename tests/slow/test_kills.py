"""300 kills with -9 of running studies: drivers and workers, at random moments.

Passed when every study ends with the outcomes of an undisturbed one, its chain and proposals
verify, and nothing that a driver had acknowledged is missing from the log.
"""

from __future__ import annotations

import faulthandler
import json
import random
from pathlib import Path

import pytest
from tests.integration.killing import Counts, run_to_end, start
from tests.integration.story import events_of, outcomes, story

import assay

KILLS = 300
RESULTS = Path(__file__).with_name("kills.json")


@pytest.mark.slow
def test_kills(tmp_path: Path) -> None:
    faulthandler.cancel_dump_traceback_later()  # a quarter of an hour
    start(tmp_path / "calm.db", tmp_path).communicate(timeout=120)
    calm = events_of(tmp_path / "calm.db")
    rng, counts, studies, equal = random.Random(2026), Counts(), 0, 0
    while counts.drivers + counts.workers < KILLS:
        storage = tmp_path / f"{studies}.db"
        workers = 0 if studies % 2 else 5
        run_to_end(storage, tmp_path, rng, counts, drivers=7, workers=workers)
        events = events_of(storage)
        assert outcomes(events) == outcomes(calm)
        if not workers:
            assert story(events) == story(calm)
            equal += 1
        with assay.open_study(f"sqlite:///{storage}") as study:
            assert study.verify() == []
        studies += 1
    found = {
        "kills_of_drivers": counts.drivers,
        "kills_of_workers": counts.workers,
        "studies": studies,
        "studies_with_equal_logs": equal,
        "acknowledged_events_checked": counts.acknowledged,
        "acknowledged_events_lost": 0,
        "broken_chains": 0,
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
