"""A board of lists, for workers that are threads of the driver's process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import count

from assay.core.jobs import Job, Message
from assay.core.protocols import Letter, Member, Task
from assay.stores.board_form import is_last


class MemoryBoard:
    """See `Board`. Ends with its process.

    >>> board = MemoryBoard()
    >>> board.post([Job(id=0, trial=0, stage="search", config={"x": 0.5})])
    [1]
    >>> board.join(Member("w", "here", "", 0, "", slots=1))
    >>> [task.job.config for task in board.claim("w", 1)]
    [{'x': 0.5}]
    """

    def __init__(self) -> None:
        self._tasks: dict[int, Task] = {}
        self._ended: set[int] = set()
        self._letters: list[Letter] = []
        self._crew: dict[str, Member] = {}
        self._task_numbers, self._letter_numbers = count(1), count(1)
        self._lock = threading.RLock()

    def post(self, jobs: Sequence[Job]) -> list[int]:
        with self._lock:
            posted = [Task(next(self._task_numbers), job, None) for job in jobs]
            self._tasks |= {task.number: task for task in posted}
            return [task.number for task in posted]

    def tasks(self) -> list[Task]:
        with self._lock:
            return list(self._tasks.values())

    def letters(self, *, after: int = 0) -> list[Letter]:
        with self._lock:
            return [letter for letter in self._letters if letter.number > after]

    def settle(self, tasks: Sequence[int]) -> None:
        with self._lock:
            gone = set(tasks)
            for number in gone:
                self._tasks.pop(number, None)
            self._ended -= gone
            self._letters = [letter for letter in self._letters if letter.task not in gone]

    def crew(self) -> list[Member]:
        with self._lock:
            return list(self._crew.values())

    def dismiss(self, worker: str) -> None:
        with self._lock:
            self._crew.pop(worker, None)

    def join(self, member: Member) -> None:
        with self._lock:
            self._crew.setdefault(member.worker, member)

    def leave(self, worker: str) -> None:
        self.dismiss(worker)

    def beat(self, worker: str) -> frozenset[int] | None:
        with self._lock:
            member = self._crew.get(worker)
            if member is None:
                return None
            self._crew[worker] = member._replace(beats=member.beats + 1)
            return frozenset(n for n, task in self._tasks.items() if task.worker == worker)

    def claim(self, worker: str, limit: int) -> list[Task]:
        with self._lock:
            if worker not in self._crew:
                return []
            free = [task for task in self._tasks.values() if task.worker is None][:limit]
            taken = [task._replace(worker=worker) for task in free]
            self._tasks |= {task.number: task for task in taken}
            return taken

    def deliver(self, worker: str, messages: Sequence[tuple[int, Message]]) -> frozenset[int]:
        with self._lock:
            accepted = {
                number for number, message in messages if self._accept(worker, number, message)
            }
            return frozenset(number for number, _ in messages) - accepted

    def _accept(self, worker: str, number: int, message: Message) -> bool:
        task = self._tasks.get(number)
        if worker not in self._crew or task is None or task.worker != worker:
            return False
        if number in self._ended:
            return False
        self._letters.append(Letter(next(self._letter_numbers), number, message))
        if is_last(message):
            self._ended.add(number)
        return True
