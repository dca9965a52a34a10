"""A network that is cut between a worker, or a driver, and the server: real packets, really lost.

The worker, or the driver, lives in a network namespace of its own; its only cable is taken down.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from contextlib import closing

import pytest
from tests.integration.server_fleet import ServerFleet
from tests.postgres import running

from assay.core.events import Asked, Retried

HERE, THERE = "10.213.77.1", "10.213.77.2"


def ip(*words: str, check: bool = True) -> None:
    subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


class Cable:
    """A network namespace and its one cable to this one."""

    def __init__(self) -> None:
        self.space = f"assay{os.getpid()}"
        self.near, self.far = f"as{os.getpid()}a", f"as{os.getpid()}b"
        ip("netns", "add", self.space)
        ip("link", "add", self.near, "type", "veth", "peer", "name", self.far)
        ip("link", "set", self.far, "netns", self.space)
        ip("addr", "add", f"{HERE}/30", "dev", self.near)
        ip("link", "set", self.near, "up")
        ip("-n", self.space, "addr", "add", f"{THERE}/30", "dev", self.far)
        ip("-n", self.space, "link", "set", self.far, "up")
        ip("-n", self.space, "link", "set", "lo", "up")

    @property
    def inside(self) -> tuple[str, ...]:
        """Words before a command that is to run there."""
        return ("ip", "netns", "exec", self.space)

    def cut(self) -> None:
        ip("-n", self.space, "link", "set", self.far, "down")

    def mend(self) -> None:
        ip("-n", self.space, "link", "set", self.far, "up")

    def remove(self) -> None:
        ip("netns", "del", self.space, check=False)
        ip("link", "del", self.near, check=False)


@pytest.fixture
def cable():
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and iproute2")
    try:
        cable = Cable()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespace can be made here: {error.stderr.strip()}")
    yield cable
    cable.remove()


@pytest.fixture
def server(cable):
    with running(f"127.0.0.1,{HERE}") as server:
        yield server


@pytest.mark.slow
def test_a_worker_that_is_cut_off_loses_nothing(server, cable, tmp_path):
    with closing(ServerFleet(tmp_path, server.new(), trials=60, seconds=0.3)) as fleet:
        worker = fleet.start("work", *cable.inside)
        driver = fleet.start("drive")
        fleet.until(lambda: fleet.crew() == 1 and fleet.told() > 2)
        for seconds in (1.0, 4.0):
            before = fleet.events()
            cable.cut()
            time.sleep(seconds)
            cable.mend()
            assert fleet.events()[: len(before)] == before
            told = fleet.told()
            fleet.until(lambda seen=told: fleet.told() > seen or driver.poll() is not None)
        assert fleet.finish(driver) == "60"
        assert fleet.finish(worker) == "complete"
        fleet.check_whole()
        assert len([e for e in fleet.events() if isinstance(e, Retried)]) <= 2


@pytest.mark.slow
def test_a_driver_that_is_cut_off_is_followed_and_writes_nothing_more(server, cable, tmp_path):
    """The second is not told that the first is dead: it waits for its silence, as on other machines."""
    with closing(ServerFleet(tmp_path, server.new(), trials=40, seconds=0.3)) as fleet:
        first = fleet.start("drive", *cable.inside)
        fleet.until(lambda: fleet.told() > 2)
        schema = fleet.url.rpartition("=")[2]
        cable.cut()
        # as if it were another machine: its process cannot be looked up from here
        server.sql(f"update {schema}.lease set place = 'another machine'")
        time.sleep(31)
        before = fleet.events()
        second = fleet.start("drive")
        fleet.until(lambda: len(fleet.events()) > len(before))
        cable.mend()
        _, err = first.communicate(timeout=120)
        assert first.returncode != 0
        assert "is driven by process" in err
        assert fleet.finish(second) == "40"
        fleet.check_whole()
        assert fleet.events()[: len(before)] == before
        assert len([e for e in fleet.events() if isinstance(e, Asked)]) == 40
