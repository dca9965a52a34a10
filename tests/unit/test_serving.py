"""A worker's loop: on a board in memory, with jobs that end when the test says so."""

from __future__ import annotations

from itertools import count

import pytest

from assay.core.errors import DeniedError, SpecError, StoreError
from assay.core.jobs import Broken, Done, Job, Step
from assay.core.protocols import Member
from assay.executors import serving
from assay.executors.serving import Serving
from assay.stores.board_memory import MemoryBoard

DONE = Done(values={"value": 1.0})


class Desk:
    """An executor that is asked what it has heard once for each entry of `script`."""

    def __init__(self, script, slots=1):
        self.script, self.slots = iter(script), slots
        self.jobs, self.cancelled = [], []

    @property
    def free(self):
        return self.slots - len(self.jobs)

    def submit(self, job):
        self.jobs.append(job.id)

    def cancel(self, number):
        self.cancelled.append(number)
        if number in self.jobs:
            self.jobs.remove(number)

    def poll(self, timeout_s):
        said = next(self.script)(self)
        for number, message in said:
            if isinstance(message, Done | Broken) and number in self.jobs:
                self.jobs.remove(number)
        return said


class Lab:
    """A board with jobs on it, and one worker that serves as long as its script goes."""

    def __init__(self, monkeypatch, jobs=1):
        monkeypatch.setattr(serving.time, "sleep", lambda seconds: None)
        monkeypatch.setattr(serving, "_BATCH_S", 0.0)
        monkeypatch.setattr(serving, "_AGAIN_S", 0.0)
        monkeypatch.setattr(serving, "BEAT_S", 0.0)
        self.board, self.names = MemoryBoard(), count(1)
        self.board.post([Job(id=9, trial=n, stage="search", config={}) for n in range(jobs)])

    def member(self):
        return Member(f"w{next(self.names)}", "here", "place", 1, "1", 1)

    def serve(self, *script, ended=lambda: None, slots=1):
        self.desk = Desk([*script, self.stop], slots)
        self.serving = Serving(self.board, self.desk, self.member, ended=ended)
        return self.serving.run()

    def stop(self, desk):
        self.serving.stopping = True
        return []

    @property
    def letters(self):
        return [letter.message for letter in self.board.letters()]


def quiet(desk):
    return []


def test_it_takes_a_job_and_leaves_what_it_says(monkeypatch):
    lab = Lab(monkeypatch)
    step = Step(step=1, value=0.5)
    assert lab.serve(lambda desk: [(1, step)], lambda desk: [(1, DONE)]) == "stopped"
    assert lab.letters == [step, DONE]
    assert lab.board.crew() == [], "it has left"


def test_it_takes_no_more_than_it_has_room_for(monkeypatch):
    lab = Lab(monkeypatch, jobs=3)
    lab.serve(quiet, slots=2)
    assert [task.worker for task in lab.board.tasks()] == ["w1", "w1", None]


def test_told_to_stop_it_gives_its_jobs_back_as_lost(monkeypatch):
    lab = Lab(monkeypatch)
    assert lab.serve(quiet) == "stopped"
    [last] = lab.letters
    assert (last.kind, last.reason) == ("lost", "Worker w1 was stopped.")


def test_an_idle_worker_leaves_when_there_is_a_reason(monkeypatch):
    monkeypatch.setattr(serving, "_ASK_S", 0.0)
    reasons = iter([None, "complete"])
    lab = Lab(monkeypatch, jobs=0)
    assert lab.serve(quiet, quiet, ended=lambda: next(reasons)) == "complete"


def test_a_worker_with_a_job_does_not_ask_whether_to_leave(monkeypatch):
    monkeypatch.setattr(serving, "_ASK_S", 0.0)
    lab = Lab(monkeypatch)
    assert lab.serve(quiet, quiet, ended=lambda: pytest.fail("asked")) == "stopped"


def test_a_worker_that_was_dismissed_drops_its_jobs_and_joins_anew(monkeypatch):
    lab = Lab(monkeypatch)

    def dismissed(desk):
        lab.board.dismiss("w1")
        return []

    def late(desk):
        assert desk.cancelled == [1]
        assert [member.worker for member in lab.board.crew()] == ["w2"]
        return [(1, DONE)]  # of the job that it was told to drop

    lab.serve(dismissed, late)
    assert lab.letters == []


def test_a_task_that_its_driver_removed_is_killed(monkeypatch):
    lab = Lab(monkeypatch)

    def removed(desk):
        lab.board.settle([1])
        return []

    lab.serve(removed, quiet)
    assert lab.desk.cancelled == [1]
    assert lab.letters == []


class Away:
    """A board of a storage that cannot be reached while `gone`."""

    def __init__(self, board):
        self.board, self.gone = board, False

    def __getattr__(self, name):
        if self.gone and name in ("beat", "claim", "deliver"):
            raise StoreError("the storage is away")
        return getattr(self.board, name)


def test_what_was_said_while_the_storage_was_away_is_delivered_later(monkeypatch):
    lab = Lab(monkeypatch)
    lab.board = Away(lab.board)

    def leaves(desk):
        lab.board.gone = True
        return [(1, Step(step=1, value=0.5))]

    def comes_back(desk):
        assert lab.letters == []
        lab.board.gone = False
        return []

    lab.serve(leaves, lambda desk: [(1, DONE)], quiet, comes_back, quiet)
    assert lab.letters == [Step(step=1, value=0.5), DONE]


def test_a_storage_that_stays_away_ends_the_worker(monkeypatch):
    lab = Lab(monkeypatch)
    lab.board = Away(lab.board)
    monkeypatch.setattr(serving, "_PATIENCE_S", -1.0)

    def leaves(desk):
        lab.board.gone = True
        return []

    with pytest.raises(StoreError, match="the storage is away"):
        lab.serve(leaves, quiet)


@pytest.mark.parametrize("call", ["beat", "claim", "deliver"])
def test_a_right_that_it_lacks_ends_the_worker_at_once(monkeypatch, call):
    lab = Lab(monkeypatch)
    heard = []

    def denied(*_):
        raise DeniedError("lacks a right")

    def says_and_is_denied(desk):
        heard.append(desk.jobs)
        return [(1, DONE)]

    setattr(lab.board, call, denied)
    with pytest.raises(DeniedError, match="lacks a right"):
        lab.serve(says_and_is_denied, quiet, quiet)
    assert len(heard) <= 1


def test_jobs_that_cannot_be_loaded_here_are_given_to_others(monkeypatch):
    lab = Lab(monkeypatch)

    def unloadable(desk):
        raise SpecError("no module named torch")

    with pytest.raises(SpecError, match="torch"):
        lab.serve(unloadable)
    [last] = lab.letters
    assert (last.kind, last.reason) == ("lost", "no module named torch")
