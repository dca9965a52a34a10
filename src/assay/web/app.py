"""The dashboard as an ASGI application: its addresses, and what each answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from assay.core.errors import AssayError, StateError, StoreError
from assay.web import actions, data, pages
from assay.web.assets import assets
from assay.web.guard import App, Guard, TooLargeError
from assay.web.keys import Door
from assay.web.lab import Lab, UnknownStudyError, as_json
from assay.web.listing import Listing
from assay.web.memory import give_back_now_and_then
from assay.web.stream import Streams

_COOKIE_S = 30 * 86400


def application(
    storage: str, *, door: Door, hosts: list[str], port: int, readonly: bool = False
) -> App:
    """The dashboard of one storage.

    Args:
        hosts: values of the Host header that are ours, with port.
        port: makes the cookie's name, as cookies do not tell ports apart.
        readonly: nothing can be changed through it.
    """
    lab = Lab(storage)
    listing = Listing(lab)
    streams = Streams(lab, listing)
    cookie = f"assay-{port}"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        lab.warm(pages.warmed)
        giving_back = asyncio.create_task(give_back_now_and_then())
        yield
        giving_back.cancel()
        streams.close()
        lab.close()

    app = Starlette(
        routes=_routes(lab, listing, streams, Entry(door, cookie), readonly=readonly),
        lifespan=lifespan,
        exception_handlers={
            HTTPException: _http_error,
            UnknownStudyError: _unknown,
            TooLargeError: _too_large,
            AssayError: _refused,
        },
    )
    return Guard(app, door=door, hosts=hosts, cookie=cookie, readonly=readonly)


def _routes(
    lab: Lab, listing: Listing, streams: Streams, entry: Entry, *, readonly: bool
) -> list[Route]:
    made = pages.Pages(lab, listing, readonly=readonly)
    figures, acts = data.Data(lab), actions.Actions(lab)
    study = "/s/{key}"
    return [
        Route("/", made.studies),
        Route("/part/studies", made.listed),
        Route("/stream", streams.answer),
        Route("/login", entry.show),
        Route("/login", entry.log_in, methods=["POST"]),
        Route("/static/{name}", static),
        Route("/compare", made.compare),
        Route("/compare/figure", figures.compared),
        Route(study, made.overview),
        Route(f"{study}/explore", made.explore),
        Route(f"{study}/trials", made.trials),
        Route(f"{study}/trials.csv", made.csv),
        Route(f"{study}/trials/{{number:int}}", made.trial),
        Route(f"{study}/ledger", made.ledger),
        Route(f"{study}/report", made.report),
        Route(f"{study}/checks", made.checks),
        Route(f"{study}/evidence", made.evidence),
        Route(f"{study}/part/{{part}}", made.part),
        Route(f"{study}/figure/{{figure}}", figures.figure),
        Route(f"{study}/stream", streams.answer),
        Route(f"{study}/steer", acts.steer, methods=["POST"]),
        Route(f"{study}/note", acts.note, methods=["POST"]),
        Route(f"{study}/enqueue", acts.enqueue, methods=["POST"]),
    ]


class Entry:
    """The page to log in, and what it leads to."""

    def __init__(self, door: Door, cookie: str) -> None:
        self._door, self._cookie = door, cookie

    def show(self, request: Request) -> Response:
        """Ask for the token, or take the code of a link."""
        code = request.query_params.get("code", "")
        if code and self._door.opens(code):
            return self._welcome()
        return pages.html("login.html", wrong=bool(code), status=401 if code else 200)

    async def log_in(self, request: Request) -> Response:
        """Take the token that was typed."""
        try:
            typed = parse_qs((await request.body()).decode("ascii"), max_num_fields=4)
        except ValueError:
            typed = {}
        if self._door.is_token(typed.get("token", [""])[0].strip()):
            return self._welcome()
        return pages.html("login.html", wrong=True, status=401)

    def _welcome(self) -> Response:
        response = RedirectResponse("/", 303)
        response.set_cookie(
            self._cookie, self._door.session(), max_age=_COOKIE_S, httponly=True,
            samesite="strict", path="/",
        )  # fmt: skip
        return response


async def static(request: Request) -> Response:
    """A file of the fixed table.

    Modules import each other by names without a version. The browser keeps these too, but asks
    each time whether they are still the ones, so that no page runs a script of an older Assay.
    """
    asset = assets().get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    headers = {"etag": f'"{asset.tag}"', "cache-control": "private, no-cache"}
    if request.query_params.get("v") == asset.tag:
        headers["cache-control"] = "private, max-age=31536000, immutable"
    if request.headers.get("if-none-match") == headers["etag"]:
        return Response(status_code=304, headers=headers)
    return Response(asset.body, headers={**headers, "content-type": asset.kind})


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = {404: "There is no such page."}.get(error.status_code, error.detail)
    return _said(request, error.status_code, said)


def _unknown(request: Request, error: Exception) -> Response:
    return _said(request, 404, "There is no such study in this storage.")


def _too_large(request: Request, error: Exception) -> Response:
    return _said(request, 413, "The request is too large.")


def _refused(request: Request, error: Exception) -> Response:
    status = 503 if isinstance(error, StoreError) else 409 if isinstance(error, StateError) else 400
    return _said(request, status, str(error))


def _said(request: Request, status: int, text: str) -> Response:
    if "text/html" in request.headers.get("accept", ""):
        return pages.html("error.html", text=text, status=status)
    body = as_json({"error": text})
    return Response(body, status, media_type="application/json")
