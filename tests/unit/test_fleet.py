"""The fleet executor: shared out, lost, taken back, taken over; on a board in memory, with its own clock."""

from __future__ import annotations

import pytest

from assay.core.errors import StateError
from assay.core.jobs import Broken, Done, Job, Measurement, Step
from assay.core.protocols import Member
from assay.executors.crew import SILENT_S
from assay.executors.fleet import FleetExecutor
from assay.stores.board_memory import MemoryBoard

DONE = Done(values={"value": 1.0})


class Desk:
    """A local executor whose jobs end when the test says so."""

    def __init__(self, slots=1):
        self.slots, self.jobs, self.said, self.polls = slots, [], [], 0

    @property
    def free(self):
        return self.slots - len(self.jobs)

    def submit(self, job):
        if not self.free:
            raise StateError("full")
        self.jobs.append(job.id)

    def end(self, job_id, message=DONE):
        self.jobs.remove(job_id)
        self.said.append((job_id, message))

    def poll(self, timeout_s):
        self.polls += 1
        said, self.said = self.said, []
        return said

    def cancel(self, job_id):
        self.end(job_id, Broken(kind="cancelled", reason="cancelled"))

    def close(self):
        self.slots = 0


class Clock:
    """Time that passes a little with each look at it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.001
        return self.now


class Lab:
    """A driver with one slot of its own, and workers on a board."""

    def __init__(self, workers=(), board=None, slots=1):
        self.board, self.clock, self.desk = board or MemoryBoard(), Clock(), Desk(slots)
        self.dead, self.seen = set(), []
        for name in workers:
            self.join(name)
        self.fleet = self.driver()

    def driver(self):
        self.desk = Desk(self.desk.slots)
        return FleetExecutor(
            self.desk,
            self.board,
            died=lambda member: member.worker in self.dead,
            welcome=self.seen.append,
            clock=self.clock,
        )

    def join(self, name, slots=1):
        self.board.join(Member(name, "node-7", "there", 7, "1", slots))

    def later(self, seconds=1.1):
        """What is heard after some time."""
        self.clock.now += seconds
        return self.fleet.poll(0)

    def silence(self, *living, seconds=SILENT_S + 3):
        """What is heard while only some of the workers live."""
        heard = []
        for _ in range(int(seconds)):
            for name in living:
                self.board.beat(name)
            heard += self.later(1.1)
        return heard


def job(number, **more):
    return Job(**{"id": number, "trial": number, "stage": "search", "config": {}, **more})


def test_here_comes_first_then_the_workers_and_no_more_than_there_is_room():
    lab = Lab(["w"])
    assert lab.fleet.free == 2
    for number in (1, 2):
        lab.fleet.submit(job(number))
    assert lab.desk.jobs == [1]
    assert [task.job.id for task in lab.board.tasks()] == [2]
    assert lab.fleet.free == 0
    with pytest.raises(StateError):
        lab.fleet.submit(job(3))


def test_who_joins_later_is_counted_and_welcomed_once():
    lab = Lab()
    assert lab.fleet.free == 1
    lab.join("w", slots=3)
    lab.later()
    lab.later()
    assert lab.fleet.free == 4
    assert [member.worker for member in lab.seen] == ["w"]


def test_messages_arrive_in_order_under_the_number_of_their_job():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 9)
    lab.board.deliver("w", [(task.number, Step(step=1, value=0.5)), (task.number, DONE)])
    assert lab.later(0.1) == [(2, Step(step=1, value=0.5)), (2, DONE)]
    assert lab.fleet.free == 1


def test_a_task_is_settled_only_when_the_next_poll_says_that_its_end_is_written():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 9)
    lab.board.deliver("w", [(task.number, DONE)])
    assert lab.later() == [(2, DONE)]
    assert [found.number for found in lab.board.tasks()] == [task.number]
    lab.later()
    assert (lab.board.tasks(), lab.board.letters()) == ([], [])


def test_a_silent_worker_is_dismissed_and_its_job_lost():
    lab = Lab(["w", "v"])
    for number in (1, 2, 3):
        lab.fleet.submit(job(number))
    (task,) = lab.board.claim("w", 1)
    lab.board.claim("v", 1)
    lab.board.deliver("w", [(task.number, Step(step=1, value=0.5))])
    step, (number, broken) = lab.silence("v")
    assert step == (2, Step(step=1, value=0.5))
    assert (number, broken.kind) == (2, "lost")
    assert "w (process 7 on node-7) was silent for 3" in broken.reason
    assert [member.worker for member in lab.board.crew()] == ["v"]


def test_what_a_worker_that_was_paused_delivers_too_late_is_refused():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 1)
    assert [message.kind for _, message in lab.silence()] == ["lost"]
    assert lab.board.deliver("w", [(task.number, DONE)]) == {task.number}
    assert lab.board.beat("w") is None
    assert lab.silence(seconds=3) == []


def test_a_driver_that_slept_does_not_take_its_workers_for_dead():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    lab.board.claim("w", 1)
    assert lab.later(10_000) == []
    assert lab.later(10_000) == []


def test_a_worker_that_is_known_to_be_dead_is_lost_at_once():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    lab.board.claim("w", 1)
    lab.dead.add("w")
    ((number, broken),) = lab.later()
    assert (number, broken.kind) == (2, "lost")
    assert "has died" in broken.reason


def test_what_it_delivered_before_it_left_counts():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 1)
    lab.board.deliver("w", [(task.number, DONE)])
    lab.board.leave("w")
    assert lab.later() == [(2, DONE)]


def test_a_worker_that_leaves_without_a_word_has_lost_its_job():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    lab.board.claim("w", 1)
    lab.board.leave("w")
    ((_, broken),) = lab.later()
    assert (broken.kind, "left" in broken.reason) == ("lost", True)


def test_what_nobody_takes_runs_here_when_there_is_room():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    lab.later()
    lab.desk.end(1)
    assert lab.later(0.01) == [(1, DONE)]
    lab.later()
    assert lab.desk.jobs == [2]
    assert lab.board.claim("w", 1) == []


def test_a_cancelled_job_ends_once_here_and_elsewhere():
    lab = Lab(["w"])
    for number in (1, 2):
        lab.fleet.submit(job(number))
    (task,) = lab.board.claim("w", 1)
    for number in (1, 2, 2, 1):
        if number != 1 or lab.desk.jobs:
            lab.fleet.cancel(number)
    ended = lab.later()
    assert sorted((number, message.kind) for number, message in ended) == [
        (1, "cancelled"),
        (2, "cancelled"),
    ]
    assert lab.board.deliver("w", [(task.number, DONE)]) == {task.number}


def test_jobs_on_the_test_set_never_leave_this_machine():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    with pytest.raises(StateError):
        lab.fleet.submit(job(2, stage="test"))
    assert lab.board.tasks() == []


def test_a_cluster_without_workers_is_polled_so_that_it_finds_those_that_come():
    lab = Lab(slots=0)
    lab.desk.poll = lambda timeout_s: setattr(lab.desk, "slots", 1) or []
    assert lab.fleet.free == 0
    assert lab.fleet.poll(0.01) == []
    assert lab.fleet.free == 1


# --- the next driver


def units(*folds):
    return tuple((0, fold, 0) for fold in folds)


def of(*folds):
    return [Measurement(unit=unit, value=float(unit[1])) for unit in units(*folds)]


def test_the_next_driver_takes_over_what_workers_do_and_did():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2, units=units(0, 1, 2), seeds=(5, 5, 5)))
    (task,) = lab.board.claim("w", 1)
    lab.board.deliver("w", [(task.number, message) for message in of(0, 1)])
    lab.fleet = lab.driver()  # the old one is dead; unit 0 is in the log, says the plan
    lab.fleet.submit(job(11, trial=1))
    lab.fleet.submit(job(12, trial=2, units=units(1, 2), seeds=(5, 5)))
    assert len(lab.board.tasks()) == 1
    assert lab.fleet.poll(0) == [(12, of(1)[0])]
    lab.board.deliver("w", [(task.number, message) for message in (*of(1, 2), DONE)])
    assert lab.later() == [(12, of(2)[0]), (12, DONE)], "unit 1 came before"
    lab.later()
    assert lab.board.tasks() == []


def test_there_is_room_to_take_over_everything_before_the_first_poll():
    lab = Lab(["w"], slots=3)
    for number in range(4):
        lab.fleet.submit(job(number))
    lab.board.claim("w", 1)
    lab.desk.slots = 1
    lab.fleet = lab.driver()
    for number in range(2):
        assert lab.fleet.free
        lab.fleet.submit(job(10 + number, trial=number))
    assert lab.fleet.free
    lab.fleet.submit(job(13, trial=3))
    assert {task.job.trial for task in lab.board.tasks() if task.worker} == {3}


def test_what_the_next_driver_does_not_ask_for_is_removed():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 1)
    lab.fleet = lab.driver()
    lab.later()
    assert lab.board.tasks() == []
    assert lab.board.deliver("w", [(task.number, DONE)]) == {task.number}


def test_a_failure_that_the_dead_driver_may_have_counted_is_not_counted_again():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    (task,) = lab.board.claim("w", 1)
    lab.board.deliver("w", [(task.number, Broken(kind="crashed", reason="gone"))])
    lab.fleet = lab.driver()
    lab.fleet.submit(job(12, trial=2))
    assert lab.desk.jobs == [12]
    assert lab.later() == []
    assert lab.board.tasks() == []


def test_closing_leaves_the_tasks_for_the_next_driver():
    lab = Lab(["w"])
    lab.fleet.submit(job(1))
    lab.fleet.submit(job(2))
    lab.board.claim("w", 1)
    lab.fleet.close()
    lab.fleet.close()
    assert lab.fleet.free == 0
    assert len(lab.board.tasks()) == 1
