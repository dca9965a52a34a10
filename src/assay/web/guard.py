"""What stands before every request: who asks, from where, and how much.

Plain ASGI: it sees each request before anything else does, and each answer after it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias

from assay.web.keys import Door

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 256 * 1024
"""The longest body of a request."""
_OPEN = ("/login", "/static/")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-frame-options": "DENY",
    "cache-control": "no-store",
}
"""Of every answer that does not set its own."""


class TooLargeError(Exception):
    """The body of a request is longer than `MOST_BYTES`."""


class Guard:
    """Refuses what does not come from this dashboard's own pages in the browser of a known user.

    Args:
        app: what is guarded.
        door: knows tokens and sessions.
        hosts: values of the Host header that are ours, with port. Any other is refused, so that
            a foreign name that points here (DNS rebinding) reaches nothing.
        cookie: the name of the session's cookie.
        readonly: refuse every request that could change something.
    """

    def __init__(
        self, app: App, *, door: Door, hosts: Iterable[str], cookie: str, readonly: bool
    ) -> None:
        self._app, self._door, self._cookie = app, door, cookie
        self._hosts = frozenset(host.lower() for host in hosts)
        self._readonly = readonly

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        headers = _Headers(scope["headers"])
        refusal = self._refusal(scope, headers)
        answer = _with_headers(send)
        if refusal is not None:
            await _refuse(answer, *refusal, wants_page=headers.wants_page)
            return
        try:
            await self._app(scope, _limited(receive), answer)
        except TooLargeError:
            await _refuse(answer, 413, "The request is too large.", wants_page=False)

    def _refusal(self, scope: Scope, headers: _Headers) -> tuple[int, str] | None:
        method, path = scope["method"], scope["path"]
        host = headers.one("host").lower()
        if host not in self._hosts:
            return 421, "This name is not one of the dashboard's. Use the address that it printed."
        if method not in ("GET", "HEAD", "POST"):
            return 405, "Only GET, HEAD and POST are known here."
        site = headers.one("sec-fetch-site")
        navigates = headers.one("sec-fetch-mode") == "navigate" and method != "POST"
        if site not in ("", "same-origin", "none") and not navigates:
            return 403, "This request comes from another page."
        if method == "POST" and not self._same_origin(headers, host):
            return 403, "This request comes from another page."
        if not headers.short_enough:
            return 413, "The request is too large."
        login = path == "/login"
        if method == "POST" and self._readonly and not login:
            return 403, "This dashboard is for looking only."
        if path.startswith(_OPEN[1]) or login or self._known(headers):
            return None
        return 401, "Log in first: open the address that the dashboard printed."

    def _same_origin(self, headers: _Headers, host: str) -> bool:
        """A page of ours says so. Who sends the token itself in a header is no page."""
        origin = headers.one("origin").lower()
        if origin:
            return origin in (f"http://{host}", f"https://{host}")
        return headers.one("sec-fetch-site") == "same-origin" or self._bears_token(headers)

    def _known(self, headers: _Headers) -> bool:
        return self._bears_token(headers) or self._door.knows(headers.cookie(self._cookie))

    def _bears_token(self, headers: _Headers) -> bool:
        kind, _, word = headers.one("authorization").partition(" ")
        return kind.lower() == "bearer" and self._door.is_token(word.strip())


class _Headers:
    """The headers of a request; one that is there twice counts as not there."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._found: dict[str, list[str]] = {}
        for name, value in raw:
            self._found.setdefault(name.decode("latin-1").lower(), []).append(
                value.decode("latin-1")
            )

    def one(self, name: str) -> str:
        found = self._found.get(name, ())
        return found[0] if len(found) == 1 else ""

    def cookie(self, name: str) -> str:
        try:
            jar = SimpleCookie(self.one("cookie"))
        except CookieError:
            return ""
        return jar[name].value if name in jar else ""

    @property
    def short_enough(self) -> bool:
        length = self.one("content-length")
        return not length or (length.isdigit() and int(length) <= MOST_BYTES)

    @property
    def wants_page(self) -> bool:
        return "text/html" in self.one("accept")


def _limited(receive: Receive) -> Receive:
    """The body, up to its longest: one that is sent in pieces has no length to look at before."""
    got = 0

    async def limited() -> Message:
        nonlocal got
        message = await receive()
        got += len(message.get("body", b""))
        if got > MOST_BYTES:
            raise TooLargeError
        return message

    return limited


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower() for name, _ in message.get("headers", ())}
            more = [
                (name.encode(), value.encode())
                for name, value in HEADERS.items()
                if name.encode() not in own
            ]
            message["headers"] = [*message.get("headers", ()), *more]
        await send(message)

    return sending


async def _refuse(send: Send, status: int, text: str, *, wants_page: bool) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    if status == 401 and wants_page:
        status, headers = 303, [*headers, (b"location", b"/login")]
    body = f"{text}\n".encode()
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
