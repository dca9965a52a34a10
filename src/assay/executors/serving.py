"""A worker's own loop: take jobs from the board, run them, leave what they say there."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from msgspec.structs import replace

from assay.core.errors import DeniedError, SpecError, StoreError
from assay.core.jobs import Broken, Done, Message
from assay.core.protocols import Board, Executor, Member, Task
from assay.executors.crew import BEAT_S

T = TypeVar("T")

_BATCH_S, _BATCH = 0.05, 50
_AGAIN_S = 0.5
_PATIENCE_S = 300.0  # without the storage
_ASK_S = 2.0


class Serving:
    """Works for a study until it is told to stop, or `ended` says why there is nothing more to do.

    While the storage is away the jobs go on, and what they said is kept and delivered later. When a
    task is gone, because its driver dropped it or believed this worker dead, its job is killed.

    Args:
        board: of the study.
        executor: runs the jobs.
        member: makes what this worker says of itself, with a new name each time.
        ended: is asked now and then while there is no job; a reason to leave, or None.
    """

    def __init__(
        self,
        board: Board,
        executor: Executor,
        member: Callable[[], Member],
        *,
        ended: Callable[[], str | None],
    ) -> None:
        self._board, self._executor, self._member, self._ended = board, executor, member, ended
        self._name = ""
        self._tasks: set[int] = set()
        self._outbox: list[tuple[int, Message]] = []
        self._oldest = self._beat_due = self._ask_due = self._again_at = 0.0
        self._away_since: float | None = None
        self.stopping = False

    def run(self) -> str:
        """Serve; the reason why it ended.

        Raises:
            StoreError: the storage was away for too long, or refuses this user.
            SpecError: the objective cannot be loaded; its jobs are given back as lost.
        """
        self._join()
        try:
            return self._serve()
        except SpecError as error:  # another worker may be able to load it
            self._give_up(str(error))
            raise
        finally:
            self._leave()

    def _serve(self) -> str:
        while not self.stopping:
            self._beat()
            self._claim()
            self._hear()
            self._deliver()
            if (reason := self._reason()) is not None:
                return reason
        return "stopped"

    def _join(self) -> None:
        member = self._member()
        self._name = member.worker
        self._board.join(member)
        self._beat_due = time.monotonic() + BEAT_S

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_due:
            return
        self._beat_due = now + BEAT_S
        mine: frozenset[int] | None = frozenset(self._tasks)
        held = self._reach(lambda: self._board.beat(self._name), mine)
        self._drop(self._tasks - (held or frozenset()))
        if held is None:
            self._reach(self._join, None)

    def _claim(self) -> None:
        room = self._executor.free
        if not room:
            return
        none: list[Task] = []
        for task in self._reach(lambda: self._board.claim(self._name, room), none):
            self._tasks.add(task.number)
            self._ask_due = time.monotonic() + _ASK_S
            self._executor.submit(replace(task.job, id=task.number))

    def _hear(self) -> None:
        """Collect what the jobs say; an idle worker rests instead."""
        if not self._tasks:
            time.sleep(_BATCH_S)
        for number, message in self._executor.poll(_BATCH_S):
            if number in self._tasks:
                if not self._outbox:
                    self._oldest = time.monotonic()
                self._outbox.append((number, message))

    def _deliver(self) -> None:
        """Leave messages on the board, a batch at a time, the end of a job at once."""
        ends = [number for number, said in self._outbox if isinstance(said, Done | Broken)]
        ripe = time.monotonic() - self._oldest >= _BATCH_S or len(self._outbox) >= _BATCH
        if self._outbox and (ends or ripe):
            batch = list(self._outbox)
            gone = self._reach(lambda: self._board.deliver(self._name, batch), None)
            if gone is not None:
                del self._outbox[: len(batch)]
                self._tasks -= set(ends)
                self._drop(set(gone))

    def _drop(self, gone: set[int]) -> None:
        """Stop working on tasks that are not ours any more."""
        self._tasks -= gone
        self._outbox = [(number, said) for number, said in self._outbox if number not in gone]
        for number in gone:
            self._executor.cancel(number)

    def _reason(self) -> str | None:
        if self._tasks or self._away_since or time.monotonic() < self._ask_due:
            return None
        self._ask_due = time.monotonic() + _ASK_S
        return self._reach(self._ended, None)

    def _reach(self, call: Callable[[], T], otherwise: T) -> T:
        """What the storage answers; `otherwise` while it is away.

        Raises:
            DeniedError: it lacks a right there, now as later.
            StoreError: it has been away for too long.
        """
        now = time.monotonic()
        if now < self._again_at:
            return otherwise
        try:
            answer = call()
        except DeniedError:
            raise
        except StoreError:
            self._away_since = self._away_since or now
            if time.monotonic() - self._away_since > _PATIENCE_S:
                raise
            self._again_at = time.monotonic() + _AGAIN_S
            return otherwise
        self._away_since = None
        return answer

    def _give_up(self, reason: str) -> None:
        """End all jobs as lost, for one reason."""
        broken = Broken(kind="lost", reason=reason)
        last = [*self._outbox, *((number, broken) for number in sorted(self._tasks))]
        self._tasks, self._outbox = set(), []
        try:
            self._board.deliver(self._name, last)
        except StoreError:
            pass  # the driver will miss this worker

    def _leave(self) -> None:
        if self._tasks:
            self._give_up(f"Worker {self._name} was stopped.")
        try:
            self._board.leave(self._name)
        except StoreError:
            pass  # so it will then
