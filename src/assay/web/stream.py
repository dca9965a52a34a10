"""Server-sent events: each open page is told when its study, or the list of them, has changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import TypeAlias

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from assay.core.errors import AssayError
from assay.web.lab import Lab, Pulse, UnknownStudyError, as_json
from assay.web.listing import Listed, Listing

_LIST = ""  # no key of a study
_LOOK_S = 0.5
_BEAT_S = 15.0
_SHARE = 0.1  # of the time at most goes into looking, however long the log is
MOST_LISTENERS = 1000
Told: TypeAlias = Pulse | Listed | None


class Streams:
    """Who listens to which study, or to the list. One task looks at each, however many pages are open.

    A listener keeps the newest pulse alone: a slow one misses some, and costs no memory.
    """

    def __init__(self, lab: Lab, listing: Listing) -> None:
        self._lab, self._listing = lab, listing
        self._listeners: dict[str, set[asyncio.Queue[Told]]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._latest: dict[str, Pulse | Listed] = {}
        self._closing = False

    @property
    def count(self) -> int:
        """How many pages listen."""
        return sum(map(len, self._listeners.values()))

    async def answer(self, request: Request) -> Response:
        """The stream of a study, or of the list where the address names none, for a page."""
        key = request.path_params.get("key", _LIST)
        if self.count >= MOST_LISTENERS:
            return Response("Too many pages listen.\n", 503, {"retry-after": "10"})
        if key != _LIST:
            await to_thread.run_sync(lambda: self._lab.study(key))
        return StreamingResponse(
            self.listen(key), media_type="text/event-stream", headers={"x-accel-buffering": "no"}
        )

    async def listen(self, key: str) -> AsyncIterator[bytes]:
        """The lines to send to a page: where the study stands, now and whenever that changes.

        Each line says all, so that a page that was cut off needs nothing of what it missed.
        """
        queue: asyncio.Queue[Told] = asyncio.Queue(1)
        self._listeners.setdefault(key, set()).add(queue)
        if key not in self._tasks:
            self._tasks[key] = asyncio.create_task(self._look(key))
        elif key in self._latest:
            _put(queue, self._latest[key])
        try:
            yield b"retry: 1000\n\n"
            sent: Told = None
            while not self._closing:
                try:
                    pulse = await asyncio.wait_for(queue.get(), _BEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
                    continue
                if pulse is None:
                    break
                if pulse != sent:
                    sent = pulse
                    yield b"id: %d\ndata: %b\n\n" % (pulse.length, as_json(pulse))
        finally:
            self._leave(key, queue)

    def _leave(self, key: str, queue: asyncio.Queue[Told]) -> None:
        listeners = self._listeners.get(key, set())
        listeners.discard(queue)
        if not listeners:
            self._listeners.pop(key, None)
            self._latest.pop(key, None)
            task = self._tasks.pop(key, None)
            if task is not None:
                task.cancel()

    async def _look(self, key: str) -> None:
        """Look at a study again and again, the less often the longer a look takes."""
        while True:
            began = monotonic()
            try:
                pulse = await to_thread.run_sync(lambda: self._now(key))
            except UnknownStudyError:
                self._tell(key, None)
                return
            except AssayError:
                await asyncio.sleep(2.0)  # a storage that is away may come back
                continue
            if pulse != self._latest.get(key):
                self._latest[key] = pulse
                self._tell(key, pulse)
            took = monotonic() - began
            await asyncio.sleep(max(_LOOK_S, took / _SHARE))

    def _now(self, key: str) -> Pulse | Listed:
        return self._listing.pulse() if key == _LIST else self._lab.study(key).pulse()

    def _tell(self, key: str, pulse: Told) -> None:
        for queue in self._listeners.get(key, ()):
            _put(queue, pulse)

    def close(self) -> None:
        """End all streams, so that the server can stop at once."""
        self._closing = True
        for key in list(self._listeners):
            self._tell(key, None)
        for task in self._tasks.values():
            task.cancel()


def _put(queue: asyncio.Queue[Told], pulse: Told) -> None:
    if queue.full():
        queue.get_nowait()
    queue.put_nowait(pulse)
