"""Real processes on one study in PostgreSQL: shared, killed, cut off, with a server that restarts."""

from __future__ import annotations

from contextlib import closing

import pytest
from tests.integration.server_fleet import ServerFleet
from tests.postgres import running

from assay.core.events import Retried


@pytest.fixture
def own():
    """A server that nobody else uses."""
    with running() as server:
        yield server


def test_drivers_one_after_another_and_workers_meet_the_budget_while_the_server_restarts(
    own, tmp_path
):
    with closing(ServerFleet(tmp_path, own.new(), trials=24, seconds=0.15)) as fleet:
        fleet.hold()
        driver = fleet.start("drive")
        workers = [fleet.start("work"), fleet.start("work")]
        fleet.gather(2)
        fleet.until(lambda: fleet.told() > 2)
        before = fleet.events()
        own.restart()
        assert fleet.events()[: len(before)] == before
        fleet.until(lambda: fleet.told() > 6)
        driver.kill()
        driver.communicate()
        before = fleet.events()
        own.restart()
        assert fleet.finish(fleet.start("drive")) == "24"
        assert [fleet.finish(worker) for worker in workers] == ["complete", "complete"]
        fleet.check_whole()
        assert fleet.events()[: len(before)] == before
        assert not [event for event in fleet.events() if isinstance(event, Retried)]


def test_a_worker_of_few_rights_takes_the_seat_of_nobody_but_works(postgres, tmp_path):
    """The same study through two roles: one that drives, one that may only work."""
    from assay.stores.postgres.grants import grant

    postgres.sql("create role only_driver login; create role only_worker login")
    url = postgres.new()
    schema = url.rpartition("=")[2]
    grant(url, "only_driver", "driver")
    grant(url, "only_worker", "worker")
    with closing(ServerFleet(tmp_path, url, trials=8, seconds=0.1)) as fleet:
        worker = fleet.start("work", url=postgres.url(schema, user="only_worker"))
        driver = fleet.start("drive", url=postgres.url(schema, user="only_driver"))
        assert fleet.finish(driver) == "8"
        assert fleet.finish(worker) == "complete"
        fleet.check_whole()
