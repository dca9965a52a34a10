"""Who may ask, and what is refused: other hosts, other origins, strangers, paths, and sheer size."""

from __future__ import annotations

import json
import os
import stat

import httpx
import pytest
from tests.web.conftest import HOST, PORT, Asker, asgi

from assay.core.errors import SpecError, StoreError
from assay.web.guard import MOST_BYTES
from assay.web.keys import Door, user_key
from assay.web.lab import key_of
from assay.web.server import hosts_of, listening

KEY = key_of("hundred")
PAGES = [
    "/", f"/s/{KEY}", f"/s/{KEY}/explore", f"/s/{KEY}/trials", f"/s/{KEY}/trials/3",
    f"/s/{KEY}/ledger", f"/s/{KEY}/report", f"/s/{KEY}/trials.csv", f"/s/{KEY}/part/card",
    f"/s/{KEY}/figure/history", f"/s/{KEY}/stream", f"/compare?study={KEY}",
    f"/compare/figure?study={KEY}", "/part/studies", "/stream",
]  # fmt: skip
ACTS = [f"/s/{KEY}/steer", f"/s/{KEY}/note", f"/s/{KEY}/enqueue"]


@pytest.mark.parametrize("path", PAGES)
def test_a_stranger_sees_nothing(path, stranger):
    assert stranger.get(path).status_code == 401
    asked = stranger.get(path, headers={"accept": "text/html"})
    assert (asked.status_code, asked.headers["location"]) == (303, "/login")
    for cookie in ("", "x", "9" * 12 + ".00", "99999999999." + "0" * 64, "\u00e4.b"):
        headers = {"cookie": f"assay-{PORT}={cookie}".encode("latin-1")}
        assert stranger.get(path, headers=headers).status_code == 401


@pytest.mark.parametrize("path", [*PAGES[:10], "/login", "/static/app.js"])
@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1", f"127.0.0.1:{PORT + 1}", "", "0.0.0.0:8765"],
)
def test_another_host_is_refused(path, host, ask):
    assert ask.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": f"http://127.0.0.1:{PORT + 1}"},
        {"origin": None},
        {"origin": f"http://{HOST}", "sec-fetch-site": "cross-site"},
        {"origin": f"http://{HOST}", "sec-fetch-site": "same-site"},
        {"origin": None, "sec-fetch-site": "none"},
    ],
)
def test_another_page_cannot_act(path, headers, ask):
    assert ask.post(path, {"text": "x"}, headers=headers).status_code == 403


def test_another_page_cannot_read_but_a_link_from_it_works(ask):
    cross = {"sec-fetch-site": "cross-site"}
    assert ask.get(PAGES[1], headers=cross).status_code == 403
    assert ask.get(PAGES[1], headers={**cross, "sec-fetch-mode": "navigate"}).status_code == 200


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"],
)
def test_a_form_of_another_page_is_no_action(kind, ask):
    headers = {"content-type": kind, "origin": f"http://{HOST}"}
    sent = ask("POST", ACTS[1], content=b'{"text":"x"}', headers=headers)
    assert sent.status_code == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_other_methods_are_unknown(method, ask):
    assert ask(method, PAGES[1]).status_code == 405
    assert ask.get(ACTS[0]).status_code == 405
    assert ask.post(PAGES[1], {}).status_code == 405


TRAVERSALS = [
    "/static/../app.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/....//app.py",
    "/static/..%5c..%5capp.py", "/static//etc/passwd", "/static/%2fetc%2fpasswd", "/static/app.js%00",
    "/static/app.js/..", "/static/./keys.py", "/static/..;/app.py", "/static/C:%5cwindows",
    "/static/file:%2f%2f%2fetc%2fpasswd", "/static/%252e%252e%252fapp.py", "/static/\u2025/app.py",
    "/static/vendor/LICENSE", "/static/__init__.py", "/static/", "/static", "/s/../../etc/passwd",
    "/s/..%2f..%2fetc%2fpasswd", "/s/%2e%2e", "/s/lab.db", "/s/*", "/s/%00", "/s/' or 1=1 --",
    f"/s/{KEY}/part/../card", f"/s/{KEY}/part/card.html", f"/s/{KEY}/part/%2e%2e%2fpage",
    f"/s/{KEY}/part/layout", f"/s/{KEY}/figure/__class__", f"/s/{KEY}/figure/..%2fhistory",
    f"/s/{KEY}/trials/-1", f"/s/{KEY}/trials/999999", f"/s/{KEY}/trials/1e3", f"/s/{KEY}/trials/0x1",
    f"/s/{KEY}/trials/99999999999999999999999999", f"/s/{KEY}/report/%2e%2e", f"/s/{KEY.upper()}",
    f"/s/{KEY}%20",
]  # fmt: skip


@pytest.mark.parametrize("path", TRAVERSALS)
def test_no_path_leads_anywhere(path, ask):
    assert len(TRAVERSALS) == 40
    found = ask.get(path)
    assert found.status_code in (404, 307, 405), (path, found.text[:200])
    assert b"root:" not in found.content
    assert b"import" not in found.content


def test_a_large_body_is_refused_however_it_comes(ask):
    headers = {"content-type": "application/json", "origin": f"http://{HOST}"}
    large = json.dumps({"text": "x" * (10 * 1024 * 1024)}).encode()
    assert ask("POST", ACTS[1], content=large, headers=headers).status_code == 413

    async def pieces():
        for _ in range(64):
            yield b"x" * (MOST_BYTES // 32)

    assert ask("POST", ACTS[1], content=pieces(), headers=headers).status_code == 413


@pytest.mark.parametrize(
    "path", ["/", PAGES[1], PAGES[6], PAGES[9], "/login", "/static/app.css", "/nowhere"]
)
def test_every_answer_says_what_a_browser_may_do(path, ask):
    headers = ask.get(path).headers
    policy = headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    if not path.startswith("/static"):
        assert headers["cache-control"] == "no-store"


def test_a_link_opens_once_and_the_token_always(lab):
    app, door = asgi(lab)
    code = door.link()
    first = Asker(app, {}).get(f"/login?code={code}")
    assert first.status_code == 303
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert Asker(app, {}).get(f"/login?code={code}").status_code == 401
    session = cookie.partition(";")[0]
    assert Asker(app, {"cookie": session}).get("/").status_code == 200
    bearer = {"authorization": f"Bearer {door.token}"}
    assert Asker(app, bearer).get("/").status_code == 200
    assert Asker(app, {"authorization": f"Bearer {door.token}x"}).get("/").status_code == 401
    typed = Asker(app, {"origin": f"http://{HOST}"})
    assert typed("POST", "/login", data={"token": door.token}).status_code == 303
    assert typed("POST", "/login", data={"token": "no"}).status_code == 401
    assert typed("POST", "/login", data={"token": ""}).status_code == 401


def test_a_token_is_good_for_its_storage_and_mode_alone():
    one, other, looking = (Door(b"k" * 32, s) for s in ("a\0act", "b\0act", "a\0look"))
    assert len({one.token, other.token, looking.token}) == 3
    assert not looking.knows(one.session())
    assert not one.knows(looking.session())
    assert one.knows(Door(b"k" * 32, "a\0act").session()), "a restart logs nobody out"


def test_a_session_runs_out(monkeypatch):
    door = Door(b"k" * 32, "s")
    session = door.session()
    assert door.knows(session)
    later = Door(b"k" * 32, "s")
    import time

    now = time.time()
    monkeypatch.setattr("assay.web.keys.time.time", lambda: now + 31 * 86400)
    assert not later.knows(session)


def test_for_looking_only(lab):
    app, door = asgi(lab, readonly=True)
    ask = Asker(app, {"cookie": f"assay-{PORT}={door.session()}"})
    for path in ACTS:
        assert ask.post(path, {"text": "x", "wish": "stop", "config": {}}).status_code == 403
    page = ask.get(PAGES[1]).text
    assert "data-steer" not in page
    assert "data-act" not in page


def test_the_key_is_for_its_user_alone(tmp_path):
    key = user_key(tmp_path)
    assert len(key) == 32
    assert user_key(tmp_path) == key
    path = tmp_path / "dashboard.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    os.chmod(path, 0o644)
    with pytest.raises(StoreError, match="others may read it"):
        user_key(tmp_path)
    path.unlink()
    path.write_bytes(b"short")
    os.chmod(path, 0o600)
    with pytest.raises(StoreError, match="5 bytes"):
        user_key(tmp_path)


def test_it_listens_at_this_machine_alone():
    bound = listening("127.0.0.1", None)
    try:
        assert bound.getsockname()[0] == "127.0.0.1"
        with pytest.raises(SpecError, match="Cannot listen"):
            listening("127.0.0.1", bound.getsockname()[1])
    finally:
        bound.close()
    with pytest.raises(SpecError, match="Give another"):
        listening("no.such.host.invalid", 9)
    assert "evil" not in " ".join(hosts_of("127.0.0.1", 9000))


def test_a_slow_or_broken_client_costs_nothing(lab, serve):
    import socket

    server = serve(lab)
    held = []
    for _ in range(60):
        s = socket.create_connection(("127.0.0.1", server.port))
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        held.append(s)
    cookie = {"cookie": f"{server.cookie['name']}={server.cookie['value']}"}
    assert httpx.get(f"{server.url}/", headers=cookie).status_code == 200
    for s in held:
        s.close()
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert b" 4" in s.recv(100)
    with socket.create_connection(("127.0.0.1", server.port)) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 400_000 + b"\r\n\r\n")
        assert b" 4" in s.recv(100)
