"""The board of a study in its SQLite file, for workers on the same machine."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence

from assay.core.jobs import Job, Message
from assay.core.protocols import Letter, Member, Task
from assay.stores.board_form import is_last, pack_job, pack_message, unpack_job, unpack_message
from assay.stores.database import Database
from assay.stores.reader import Reader

_FREE = "select number, job from task where study = ? and worker is null order by number limit ?"
_OPEN = "select 1 from task where number = ? and study = ? and worker = ? and not ended"
_CREW = (
    "select worker, host, place, pid, birth, slots, differs, beats from member where study = ?"
    " order by number"
)


class SqliteBoard:
    """See `Board`; `SqliteStore.board` makes it.

    Args:
        file: the store's connection.
        study: whose board it is.
        touch: called before a driver changes anything; raises StateError if it lost its seat.
    """

    def __init__(self, file: Database | Reader, study: str, touch: Callable[[str], None]) -> None:
        self._file = file
        self._study = study
        self._touch = touch

    def post(self, jobs: Sequence[Job]) -> list[int]:
        self._touch(self._study)
        packed = [pack_job(job) for job in jobs]
        with self._file.write(sum(map(len, packed))) as db:
            return [_inserted(db, "task (study, job)", self._study, job) for job in packed]

    def tasks(self) -> list[Task]:
        self._touch(self._study)
        query = "select number, job, worker from task where study = ? order by number"
        rows = self._file.read(lambda db: db.execute(query, (self._study,)).fetchall())
        return [Task(number, unpack_job(job), worker) for number, job, worker in rows]

    def letters(self, *, after: int = 0) -> list[Letter]:
        query = "select number, task, message from letter where study = ? and number > ? order by number"
        rows = self._file.read(lambda db: db.execute(query, (self._study, after)).fetchall())
        return [Letter(number, task, unpack_message(message)) for number, task, message in rows]

    def settle(self, tasks: Sequence[int]) -> None:
        self._touch(self._study)
        mine = [(number, self._study) for number in tasks]
        with self._file.write() as db:
            db.executemany("delete from letter where task = ? and study = ?", mine)
            db.executemany("delete from task where number = ? and study = ?", mine)

    def crew(self) -> list[Member]:
        rows = self._file.read(lambda db: db.execute(_CREW, (self._study,)).fetchall())
        return [
            Member(worker, host, place, pid, birth, slots, tuple(json.loads(differs)), beats)
            for worker, host, place, pid, birth, slots, differs, beats in rows
        ]

    def dismiss(self, worker: str) -> None:
        self._touch(self._study)
        self.leave(worker)

    def join(self, member: Member) -> None:
        row = (self._study, *member[:6], json.dumps(member.differs, ensure_ascii=False))
        with self._file.write() as db:
            db.execute(
                "insert into member (study, worker, host, place, pid, birth, slots, differs)"
                " values (?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
                row,
            )

    def leave(self, worker: str) -> None:
        with self._file.write() as db:
            db.execute("delete from member where study = ? and worker = ?", (self._study, worker))

    def beat(self, worker: str) -> frozenset[int] | None:
        me = (self._study, worker)
        with self._file.write() as db:
            beaten = "update member set beats = beats + 1 where study = ? and worker = ?"
            if db.execute(beaten, me).rowcount == 0:
                return None
            held = db.execute("select number from task where study = ? and worker = ?", me)
            return frozenset(number for (number,) in held)

    def claim(self, worker: str, limit: int) -> list[Task]:
        if not self._file.read(lambda db: db.execute(_FREE, (self._study, 1)).fetchone()):
            return []  # most often so; a look costs much less than a transaction
        with self._file.write() as db:
            if not self._joined(db, worker):
                return []
            rows = db.execute(_FREE, (self._study, limit)).fetchall()
            mine = [(worker, number) for number, _ in rows]
            db.executemany("update task set worker = ? where number = ?", mine)
        return [Task(number, unpack_job(job), worker) for number, job in rows]

    def deliver(self, worker: str, messages: Sequence[tuple[int, Message]]) -> frozenset[int]:
        packed = [(number, is_last(said), pack_message(said)) for number, said in messages]
        accepted = set()
        with self._file.write(sum(len(message) for *_, message in packed)) as db:
            if self._joined(db, worker):
                for number, last, message in packed:
                    if db.execute(_OPEN, (number, self._study, worker)).fetchone():
                        accepted.add(number)
                        _inserted(db, "letter (study, task, message)", self._study, number, message)
                        if last:
                            db.execute("update task set ended = 1 where number = ?", (number,))
        return frozenset(number for number, _ in messages) - accepted

    def _joined(self, db: sqlite3.Connection, worker: str) -> bool:
        query = "select 1 from member where study = ? and worker = ?"
        return db.execute(query, (self._study, worker)).fetchone() is not None


def _inserted(db: sqlite3.Connection, into: str, *values: object) -> int:
    """The number of a new row."""
    marks = ", ".join("?" * len(values))
    done = db.execute(f"insert into {into} values ({marks})", values)  # noqa: S608 - our own names
    return done.lastrowid or 0
