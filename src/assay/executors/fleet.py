"""Runs jobs here and by workers elsewhere, which take them from the board of the study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Self

from assay.core.jobs import Broken, Done, Job, Measurement, Message
from assay.core.protocols import Board, Executor, Member, Task
from assay.executors.crew import Crew

_LETTERS_EVERY_S = 0.03
_CREW_EVERY_S = 1.0


class FleetExecutor:
    """An executor of this machine, and whoever joins the study while it runs.

    What is free here is used first. A job that was posted and that nobody takes runs here when
    there is room. A worker that goes silent is dismissed, and its jobs end as lost; what it sends
    later is refused. Tasks that an earlier driver left on the board are taken over with what their
    workers have said already; those that nobody asks for by the first `poll` are removed.

    Args:
        local: runs jobs here; it is closed with this one.
        board: of the study.
        died: whether a member is known to be dead, as a process of this machine can be.
        welcome: is called once with each worker that joins.
    """

    def __init__(
        self,
        local: Executor,
        board: Board,
        *,
        died: Callable[[Member], bool],
        welcome: Callable[[Member], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._local, self._board, self._clock = local, board, clock
        self._crew = Crew(board, died, welcome, clock)
        self._here: set[int] = set()
        self._away: dict[int, Job] = {}
        self._measured: dict[int, set[tuple[int, int, int]]] = {}
        self._inbox: list[tuple[int, Message]] = []
        self._over: set[int] = set()
        self._unclaimed: set[int] = set()
        self._last_letter = 0
        self._letters_due = self._crew_due = 0.0
        self._left: dict[int, Task] = {}
        self._said: dict[int, list[Message]] = {}
        self._closed = False
        self._take_over()

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        if self._closed:
            return 0
        idle = self._crew.slots - len(self._away) - len(self._left)
        return self._local.free + max(0, idle) + len(self._left)

    def submit(self, job: Job) -> None:
        """Start a job here, or offer it to the workers elsewhere.

        Raises:
            StateError: there is no room here, and none elsewhere.
            SpecError: the config cannot be sent.
        """
        if (task := self._same(job)) is not None:
            self._adopt(task, job)
        elif self._local.free or job.stage == "test" or self.free < 1:
            self._local.submit(job)
            self._here.add(job.id)
        else:
            (number,) = self._board.post([job])
            self._away[number] = job

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Messages by job id, in order, as soon as there are any; [] after `timeout_s` without.

        What the poll before returned is durable by now, so its tasks are settled.
        """
        self._settle()
        until = self._clock() + timeout_s
        while True:
            now = self._clock()
            if now >= self._crew_due:
                self._crew_due = now + _CREW_EVERY_S
                self._look_at_crew()
            elif self._away and now >= self._letters_due:
                self._letters_due = now + _LETTERS_EVERY_S
                self._read_letters()
            self._hear_local(0.0 if self._inbox else until - self._clock())
            if self._inbox or not (self._here or self._away) or self._clock() >= until:
                return self._handed_out()

    def cancel(self, job_id: int) -> None:
        """Stop a job; `poll` then gives its Broken. Does nothing if it has ended."""
        if job_id in self._here:
            self._local.cancel(job_id)
        for number, job in list(self._away.items()):
            if job.id == job_id:
                self._board.settle([number])
                self._end(number, Broken(kind="cancelled", reason="The job was cancelled."))

    def close(self) -> None:
        """Kill what runs here. Tasks stay on the board, for the next driver to take over."""
        self._closed = True
        self._local.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    # What an earlier driver left

    def _take_over(self) -> None:
        """Keep what its workers still do or have done; a task that broke is done again instead."""
        self._left = {task.number: task for task in self._board.tasks()}
        for letter in self._board.letters():
            self._last_letter = letter.number
            if letter.task in self._left:
                self._said.setdefault(letter.task, []).append(letter.message)
        for number, said in self._said.items():
            # whether its end is in the log already, nothing here can tell
            if isinstance(said[-1], Broken):
                self._over.add(number)
                del self._left[number]
        self._crew.look()

    def _same(self, job: Job) -> int | None:
        wanted = set(job.units)
        return next(
            (
                number
                for number, task in self._left.items()
                if (task.job.trial, task.job.stage) == (job.trial, job.stage)
                and (task.job.since, task.job.until) == (job.since, job.until)
                and wanted <= set(task.job.units)
            ),
            None,
        )

    def _adopt(self, number: int, job: Job) -> None:
        del self._left[number]
        self._away[number] = job
        for message in self._said.pop(number, ()):
            self._hear(number, message)

    # What was heard

    def _hear_local(self, patience_s: float) -> None:
        """What is said here; waits no longer than until letters are due.

        Asked for even when nothing runs here: a cluster looks for its workers while it is polled.
        """
        until = self._clock() + (min(patience_s, _LETTERS_EVERY_S) if self._away else patience_s)
        for job_id, message in self._local.poll(max(0.0, until - self._clock())):
            self._inbox.append((job_id, message))
            if isinstance(message, Done | Broken):
                self._here.discard(job_id)
        if self._away and not self._here:
            time.sleep(max(0.0, until - self._clock()))

    def _read_letters(self) -> None:
        for letter in self._board.letters(after=self._last_letter):
            self._last_letter = letter.number
            if letter.task in self._left:
                self._said.setdefault(letter.task, []).append(letter.message)
            elif letter.task in self._away:
                self._hear(letter.task, letter.message)

    def _hear(self, number: int, message: Message) -> None:
        """Pass a message on, unless the job does not want it or has had it."""
        if isinstance(message, Done | Broken):
            self._end(number, message)
            return
        job = self._away[number]
        if isinstance(message, Measurement):
            heard = self._measured.setdefault(number, set())
            if message.unit not in job.units or message.unit in heard:
                return
            heard.add(message.unit)
        self._inbox.append((job.id, message))

    def _end(self, number: int, last: Done | Broken) -> None:
        self._inbox.append((self._away.pop(number).id, last))
        self._measured.pop(number, None)
        self._unclaimed.discard(number)
        self._over.add(number)

    def _handed_out(self) -> list[tuple[int, Message]]:
        messages, self._inbox = self._inbox, []
        return messages

    def _settle(self) -> None:
        """Remove the tasks that are over, and those of an earlier driver that nobody asked for."""
        gone = self._over | self._left.keys()
        self._over, self._left, self._said = set(), {}, {}
        if gone:
            self._board.settle(sorted(gone))

    # Who is there

    def _look_at_crew(self) -> None:
        """End the tasks of those who are gone, and take back what nobody takes.

        In this order: who claimed a task before the crew was looked at and is not in it is gone for
        good, and whatever it delivered is there when the letters are read after that.
        """
        tasks = {task.number: task for task in self._board.tasks()} if self._away else {}
        self._crew.look()
        self._read_letters()
        for number in list(self._away):
            task = tasks.get(number)
            if task is None:
                self._lose(number, "The task of the job was removed from the board.")
            elif task.worker is not None and task.worker not in self._crew:
                self._lose(number, self._crew.account(task.worker))
        self._take_back({n for n in self._away if n in tasks and tasks[n].worker is None})

    def _lose(self, number: int, reason: str) -> None:
        self._end(number, Broken(kind="lost", reason=reason))

    def _take_back(self, unclaimed: Iterable[int]) -> None:
        """Run here what nobody has claimed since the last look, as far as there is room."""
        now = set(unclaimed)
        for number in sorted(now & self._unclaimed)[: self._local.free]:
            self._board.settle([number])
            job = self._away.pop(number)
            now.discard(number)
            self._local.submit(job)
            self._here.add(job.id)
        self._unclaimed = now
