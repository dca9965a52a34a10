"""Serving the dashboard: on this machine alone unless something else is asked for."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import uvicorn

from assay.api.parts import sqlite_path
from assay.core.errors import SpecError
from assay.web.app import application
from assay.web.guard import App
from assay.web.keys import Door, user_key

PORT = 8765
_TRIED = 20
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_MOST_AT_ONCE = 1100


@dataclass(frozen=True)
class Served:
    """Where a dashboard is, and how to get in."""

    address: str
    link: str
    token: str
    loopback: bool


def serve(
    storage: str,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    readonly: bool = False,
    names: Sequence[str] = (),
    said: Callable[[Served], None],
) -> None:
    """Serve until a signal ends it.

    Args:
        host: the address to listen at; another than this machine's own makes the dashboard
            reachable from elsewhere, without encryption.
        port: None: 8765, or the next one that is free.
        readonly: nothing can be changed through it.
        names: further names under which browsers reach it, such as behind a proxy.
        said: is told where it is once it can be reached.

    Raises:
        SpecError: the address cannot be used.
        StoreError: the user's key cannot be kept.
    """
    bound = listening(host, port)
    number = bound.getsockname()[1]
    door = Door(user_key(), f"{_place(storage)}\0{'look' if readonly else 'act'}")
    app = application(
        storage, door=door, hosts=hosts_of(host, number, names), port=number, readonly=readonly
    )
    loopback = _is_loopback(bound.getsockname()[0])
    shown = "127.0.0.1" if host in ("", "0.0.0.0") else f"[{host}]" if ":" in host else host  # noqa: S104
    address = f"http://{shown}:{number}/"
    server = _server(app)
    said(Served(address, f"{address}login?code={door.link()}", door.token, loopback))
    try:
        server.run(sockets=[bound])
    finally:
        bound.close()


def _server(app: App) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_AT_ONCE,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=15,
        h11_max_incomplete_event_size=16 * 1024,
        http="h11",
        ws="none",
    )
    return uvicorn.Server(config)


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens there and nowhere else.

    Raises:
        SpecError: the address or the port cannot be had.
    """
    wanted = [port] if port is not None else range(PORT, PORT + _TRIED)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in wanted:
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, number))
        except (OSError, OverflowError) as error:
            made.close()
            last = error
            continue
        made.listen(128)
        return made
    what = f"port {port}" if port is not None else f"a port from {PORT} to {PORT + _TRIED - 1}"
    why = getattr(last, "strerror", None) or str(last)
    raise SpecError(f"Cannot listen at {host!r}, {what}: {why}. Give another --port or --host.")


def hosts_of(host: str, port: int, names: Sequence[str] = ()) -> list[str]:
    """The Host headers that are ours.

    >>> hosts_of("127.0.0.1", 80)[:3]
    ['127.0.0.1:80', '127.0.0.1', 'localhost:80']
    """
    own = [host] if host and not _is_loopback(host) and host != "0.0.0.0" else []  # noqa: S104
    found = []
    for name in (*_LOOPBACK, *own, *names):
        shown = f"[{name}]" if ":" in name and not name.startswith("[") else name
        found.append(f"{shown}:{port}")
        if port in (80, 443) or name in names:
            found.append(shown)
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _place(storage: str) -> str:
    """The storage whatever it is called from here: a file by its whole path."""
    path = sqlite_path(storage)
    return storage if path is None else os.path.abspath(path)
