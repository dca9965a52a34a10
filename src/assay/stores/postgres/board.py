"""The board of a study in the database, for workers on any machine that reaches it."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from typing import Any, Protocol

from assay.core.jobs import Job, Message
from assay.core.protocols import Letter, Member, Task
from assay.stores.board_form import is_last, pack_job, pack_message, unpack_job, unpack_message
from assay.stores.postgres.link import Link

LOOK_S = 0.5
"""So long an idle worker trusts that nothing was posted because it heard nothing."""


class Place(Protocol):
    """What a board needs of its store."""

    def entered(self, study: str) -> int: ...
    def token(self, study: str) -> str | None: ...
    def driving(self, study: str, function: str, *values: object) -> list[tuple[Any, ...]]: ...


class PostgresBoard:
    """See `Board`; `PostgresStore.board` makes it.

    A driver's calls wait while the server is away. A worker's do not: its jobs go on meanwhile, and
    it asks again by itself. A claim whose answer was lost is asked for again under the same number,
    so that no task is held by a worker that does not know of it.
    """

    def __init__(self, store: Place, link: Link, study: str) -> None:
        self._store, self._link, self._study = store, link, study
        self._requests: dict[str, int] = {}
        self._looked: dict[str, float] = {}
        self._channel = ""

    # The driver

    def post(self, jobs: Sequence[Job]) -> list[int]:
        packed = [pack_job(job) for job in jobs]
        if not packed:
            self._drive("lease_check")
            return []
        key = secrets.token_hex(12) + ":"
        return [number for (number,) in self._drive("board_post", key, packed)]

    def tasks(self) -> list[Task]:
        rows = self._drive("board_tasks")
        return [Task(number, unpack_job(job), worker) for number, job, worker in rows]

    def letters(self, *, after: int = 0) -> list[Letter]:
        rows = self._link.call("board_letters", self._number, after)
        return [Letter(number, task, unpack_message(said)) for number, task, said in rows]

    def settle(self, tasks: Sequence[int]) -> None:
        self._drive("board_settle", list(tasks))

    def crew(self) -> list[Member]:
        rows = self._link.call("board_crew", self._number)
        return [
            Member(worker, host, place, pid, birth, slots, tuple(json.loads(differs)), beats)
            for worker, host, place, pid, birth, slots, differs, beats in rows
        ]

    def dismiss(self, worker: str) -> None:
        self._drive("board_dismiss", worker)

    def _drive(self, function: str, *values: object) -> list[tuple[Any, ...]]:
        token = self._store.token(self._study)
        return self._store.driving(self._study, function, self._number, token, *values)

    # A worker

    def join(self, member: Member) -> None:
        differs = json.dumps(member.differs, ensure_ascii=False)
        self._link.call("board_join", self._number, *member[:6], differs)  # no job runs yet

    def leave(self, worker: str) -> None:
        self._work("board_leave", worker)

    def beat(self, worker: str) -> frozenset[int] | None:
        ((held,),) = self._work("board_beat", worker)
        return None if held is None else frozenset(held)

    def claim(self, worker: str, limit: int) -> list[Task]:
        now = time.monotonic()
        if not self._heard() and now - self._looked.get(worker, -LOOK_S) < LOOK_S:
            return []
        request = self._requests.setdefault(worker, secrets.randbits(62))
        rows = self._work("board_claim", worker, request, limit)
        del self._requests[worker]
        if rows:
            self._looked.pop(worker, None)
        else:
            self._looked[worker] = now
        return [Task(number, unpack_job(job), worker) for number, job in rows]

    def deliver(self, worker: str, messages: Sequence[tuple[int, Message]]) -> frozenset[int]:
        tasks = [number for number, _ in messages]
        lasts = [is_last(said) for _, said in messages]
        packed = [pack_message(said) for _, said in messages]
        delivery = secrets.randbits(62)
        ((gone,),) = self._work("board_deliver", worker, delivery, tasks, lasts, packed)
        return frozenset(gone)

    def _heard(self) -> bool:
        """Whether something may have been posted since the last look, as far as a hint tells."""
        if not self._channel:
            ((self._channel,),) = self._work("board_channel")
        return self._link.listen(self._channel)

    def _work(self, function: str, *values: object) -> list[tuple[Any, ...]]:
        return self._link.call(function, self._number, *values, patience_s=0)

    @property
    def _number(self) -> int:
        return self._store.entered(self._study)
