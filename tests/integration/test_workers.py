"""Real processes on one study: shared, killed, stopped, paused, taken over."""

from __future__ import annotations

import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import psutil
import pytest
from tests.integration.crew import Crew
from tests.integration.fleet_program import TRIALS

from assay import open_study
from assay.core.events import Asked, Concluded, Measured, Retried, Told
from assay.stores.sqlite import SqliteStore

PATIENCE_S = 60.0


class Fleet(Crew):
    """Processes of one study in a file."""

    def __init__(self, home: Path) -> None:
        super().__init__(home, PATIENCE_S)
        self.storage = home / "lab.db"

    def start(self, role: str, seconds: float = 0.02) -> subprocess.Popen[str]:
        return self.begin(role, self.storage, seconds)

    def said(self) -> object:
        return self.notes

    @property
    def notes(self) -> list[list[str]]:
        file = self.home / "notes.txt"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def crew(self) -> int:
        if not self.storage.exists():
            return 0
        try:
            return self.rows("member")
        except sqlite3.Error:
            return 0

    def rows(self, table: str) -> int:
        with sqlite3.connect(self.storage, timeout=30) as db:
            (count,) = db.execute(f"select count(*) from {table}").fetchone()
        db.close()
        return count

    def busy(self, process: subprocess.Popen[str]) -> bool:
        """Whether it is evaluating now."""
        children = {str(c.pid) for c in psutil.Process(process.pid).children(recursive=True)}
        begun = Counter(n[3] for n in self.notes if n[0] == "begin")
        ended = Counter(n[3] for n in self.notes if n[0] == "end")
        return any(begun[pid] > ended[pid] for pid in children)


@pytest.fixture
def fleet(tmp_path):
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.close()


def events_of(fleet, kind):
    store = SqliteStore(fleet.storage)
    try:
        return [event for event in store.read("study") if isinstance(event, kind)]
    finally:
        store.close()


def check_whole(fleet):
    """Every budget is exact, nothing is counted twice, nothing is left lying about."""
    asked, told = events_of(fleet, Asked), events_of(fleet, Told)
    assert [event.trial for event in asked] == list(range(TRIALS))
    assert sorted(event.trial for event in told) == list(range(TRIALS))
    counted = Counter((e.trial, e.unit) for e in events_of(fleet, Measured) if e.stage != "probe")
    assert set(counted.values()) <= {1}
    assert len(events_of(fleet, Concluded)) == 1
    assert [fleet.rows(table) for table in ("task", "letter")] == [0, 0]
    with open_study(str(fleet.storage)) as study:
        assert study.verify() == []


def searched_twice(fleet):
    """The trials of the search that were begun more than once."""
    seed = fleet.notes[0][2]
    begun = Counter(note[1] for note in fleet.notes if note[0] == "begin" and note[2] == seed)
    return {trial: times for trial, times in begun.items() if times > 1 and trial != "0"}


def test_a_driver_and_three_workers_share_a_study(fleet):
    fleet.hold()
    workers = [fleet.start("work") for _ in range(3)]
    driver = fleet.start("drive", 0.3)
    fleet.gather(3)
    assert fleet.finish(driver) == str(TRIALS)
    assert [fleet.finish(worker) for worker in workers] == ["complete"] * 3
    check_whole(fleet)
    assert searched_twice(fleet) == {}
    assert len({note[4] for note in fleet.notes}) > 1, "workers have evaluated, too"
    assert fleet.crew() == 0


def test_a_killed_worker_costs_one_more_evaluation(fleet):
    fleet.hold()
    driver, worker = fleet.start("drive", 0.2), fleet.start("work", 0.2)
    fleet.gather(1)
    fleet.until(lambda: fleet.busy(worker))
    worker.kill()
    fleet.finish(driver)
    check_whole(fleet)
    lost = events_of(fleet, Retried)
    assert [event.kind for event in lost] == ["lost"]
    assert str(worker.pid) in lost[0].reason
    assert set(searched_twice(fleet)) == {str(lost[0].trial)}


def test_a_worker_that_is_told_to_stop_gives_its_job_back(fleet):
    fleet.hold()
    driver, worker = fleet.start("drive", 0.2), fleet.start("work", 0.2)
    fleet.gather(1)
    fleet.until(lambda: fleet.busy(worker))
    worker.terminate()
    assert fleet.finish(worker) == "stopped"
    fleet.finish(driver)
    check_whole(fleet)
    assert ["was stopped" in event.reason for event in events_of(fleet, Retried)] == [True]


def test_workers_go_on_when_the_driver_is_killed_and_the_next_takes_over(fleet):
    fleet.hold()
    worker, driver = fleet.start("work", 0.4), fleet.start("drive", 0.4)
    fleet.gather(1)
    fleet.until(lambda: fleet.busy(worker))
    mine = [n for n in fleet.notes if n[0] == "begin"]
    driver.kill()
    driver.communicate()
    fleet.finish(fleet.start("drive", 0.4))
    check_whole(fleet)
    assert mine
    assert not events_of(fleet, Retried)
    assert len(searched_twice(fleet)) <= 1, "only what the dead driver itself evaluated"


def test_any_of_several_equal_processes_may_die(fleet):
    fleet.hold()
    first = fleet.start("drive", 0.1)
    fleet.until(lambda: fleet.notes)  # else one of the others might drive from the beginning
    others = [fleet.start("share", 0.1) for _ in range(2)]
    fleet.gather(2)
    first.kill()
    first.communicate()
    assert "it was driven from here" in {fleet.finish(other) for other in others}
    check_whole(fleet)
