"""A PostgreSQL server of the tests' own: a new cluster in a temporary folder, fsync on."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest

HBA = """
local all all              trust
host  all ann all          scram-sha-256
host  all all all          trust
"""
CONFIG = """
fsync = on
unix_socket_directories = '{folder}'
port = {port}
listen_addresses = '{listen}'
max_connections = 100
shared_buffers = 32MB
log_min_messages = fatal
restart_after_crash = on
"""


def binaries() -> Path | None:
    """The folder of the newest installed server."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if found:
        return found[-1].parent
    config = shutil.which("pg_config")
    if config:
        folder = Path(subprocess.check_output([config, "--bindir"], text=True).strip())
        return folder if (folder / "initdb").exists() else None
    return None


def _version(initdb: Path) -> float:
    try:
        return float(initdb.parent.parent.name)
    except ValueError:
        return 0.0


def require() -> Path:
    """The server's programs. Without them a test is skipped, and in CI it fails."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'assay[postgres]'")
    found = binaries()
    if found is None:
        why = "there is no PostgreSQL server here: apt-get install postgresql"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    return found


class Server:
    """A running server. `url()` is over TCP on this machine, as root of the database."""

    def __init__(self, programs: Path, folder: Path, listen: str = "127.0.0.1") -> None:
        self.programs, self.folder, self.host = programs, folder, listen.rpartition(",")[2]
        self.data = folder / "data"
        self.port = _free_port()
        self._numbers = count()
        self._owner = _owner()
        if self._owner:
            shutil.chown(folder, self._owner, self._owner)
        self._run(
            "initdb", "-D", self.data, "-U", "postgres", "-E", "UTF8", "--no-sync", "-A", "trust"
        )
        (self.data / "pg_hba.conf").write_text(HBA)
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(CONFIG.format(folder=folder, port=self.port, listen=listen))
        self.start()

    def start(self) -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-l", self.folder / "log", "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", self.data, "-w", "-m", mode, "stop", check=False)

    def restart(self) -> None:
        """As after the loss of all of its processes: nothing is written in order."""
        self._run(
            "pg_ctl", "-D", self.data, "-w", "-m", "immediate", "-l", self.folder / "log", "restart"
        )

    @property
    def pid(self) -> int:
        return int((self.data / "postmaster.pid").read_text().split()[0])

    def kill(self) -> None:
        """kill -9 of the server's first process; the others notice that and end."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        while _lives(pid):
            time.sleep(0.005)

    def come_back(self) -> None:
        """Start after a kill, as soon as the processes that were left have let go of the memory."""
        end = time.monotonic() + 30
        while True:
            try:
                (self.data / "postmaster.pid").unlink(missing_ok=True)
                self.start()
            except AssertionError:
                assert time.monotonic() < end
                time.sleep(0.05)
            else:
                return

    def url(
        self, schema: str | None = None, *, user: str = "postgres", database: str = "postgres"
    ) -> str:
        place = f"?schema={schema}" if schema else ""
        return f"postgresql://{user}@{self.host}:{self.port}/{database}{place}"

    def new(self) -> str:
        """The address of a place where nothing was stored yet."""
        return self.url(f"place_{next(self._numbers)}")

    def sql(self, text: str, **how: str) -> list[tuple]:
        import psycopg

        with psycopg.connect(self.url(**how), autocommit=True) as db:
            cursor = db.execute(text)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *words: object, check: bool = True) -> None:
        # What the server prints goes into files: it would keep a pipe open as long as it lives.
        with (self.folder / "said").open("wb") as said:
            done = subprocess.run(
                [self.programs / program, *map(str, words)],
                cwd="/",
                env={"PATH": os.environ["PATH"], "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
                **_as(self._owner),
            )
        log = self.folder / "log"
        why = (self.folder / "said").read_text() + (log.read_text()[-2000:] if log.exists() else "")
        assert not check or done.returncode == 0, why


def _owner() -> str | None:
    """The server refuses to be run by root; then it is run by Debian's user for it, or nobody."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _as(owner: str | None) -> Mapping[str, object]:
    if owner is None:
        return {}
    return {"user": owner, "group": pwd.getpwnam(owner).pw_gid, "extra_groups": []}


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def running(listen: str = "127.0.0.1") -> Iterator[Server]:
    """A server of one's own, to be restarted and killed."""
    programs = require()
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    folder.chmod(0o755)
    try:
        server = Server(programs, folder, listen)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
