"""What a person may do here: the same events as from anywhere, with who did it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from assay.api.study import Study
from assay.core.errors import SpecError, StateError
from assay.core.events import Wish
from assay.web.lab import Lab, as_json

_LONGEST = 10_000
T = TypeVar("T")


class _Steer(msgspec.Struct, forbid_unknown_fields=True):
    wish: Wish
    reason: str = ""


class _Note(msgspec.Struct, forbid_unknown_fields=True):
    text: str
    trial: int | None = None


class _Enqueue(msgspec.Struct, forbid_unknown_fields=True):
    config: dict[str, Any]
    note: str = ""


class Actions:
    """Each takes a JSON object and answers with one."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    async def steer(self, request: Request) -> Response:
        """Ask the driver to pause, to go on or to stop."""
        asked = await _body(request, _Steer)

        def act(study: Study) -> str:
            holder = study.store.driver(study.name)
            if holder is None:
                raise StateError(
                    "Nobody drives this study now, so nobody would hear it. Go on with `assay resume`, "
                    "or the same call in Python."
                )
            study.steer(asked.wish, _short(asked.reason, "reason"))
            return f"Asked process {holder.pid} on {holder.host} to {asked.wish}."

        return await self._done(request, act)

    async def note(self, request: Request) -> Response:
        """Keep a remark."""
        asked = await _body(request, _Note)
        text = _short(asked.text, "note").strip()
        if not text:
            raise SpecError("A note needs a text, got none.")

        def act(study: Study) -> str:
            if asked.trial is not None:
                study.history.trial(asked.trial)
            study.note(text, trial=asked.trial)
            return "Noted."

        return await self._done(request, act)

    async def enqueue(self, request: Request) -> Response:
        """Queue a config."""
        asked = await _body(request, _Enqueue)

        def act(study: Study) -> str:
            study.enqueue(asked.config, source="dashboard", note=_short(asked.note, "note"))
            return "Queued: it comes before the sampler's next."

        return await self._done(request, act)

    async def _done(self, request: Request, act: Callable[[Study], str]) -> Response:
        key = request.path_params["key"]
        said = await to_thread.run_sync(lambda: self._lab.writing(key, act))
        return Response(as_json({"done": said}), media_type="application/json")


async def _body(request: Request, kind: type[T]) -> T:
    """The JSON object that was sent.

    A form cannot send this content type to another site without asking first.

    Raises:
        SpecError: it is something else.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise SpecError("Send a JSON object as application/json.")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SpecError(f"This is not what is expected here: {error}.") from None


def _short(text: str, what: str) -> str:
    if len(text) > _LONGEST:
        raise SpecError(f"The {what} has {len(text):,} characters; {_LONGEST:,} are the most.")
    return text
