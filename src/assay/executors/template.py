"""The driver's hold on the zygote: starts it, gives it orders, hears its news, ends it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, NamedTuple

import msgspec

from assay.core.errors import SpecError
from assay.executors import processes
from assay.executors.control import FORK, KILL, ORDER, Forked, News
from assay.executors.frames import Frames
from assay.executors.output import Output
from assay.executors.resources import usable_cores

# The path comes first, so that the child finds what the driver finds, this package included.
_START = (
    "import sys; sys.path[:] = sys.argv[3:];"
    "from assay.executors.zygote import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)
_RECEIVE = 1 << 16
_PATIENCE_S = 5.0
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OMP_THREAD_LIMIT",  # holds for a model that asks for more too
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "LOKY_MAX_CPU_COUNT",  # what n_jobs=-1 means in joblib, scikit-learn and LightGBM
)


def thread_settings(workers: int, threads: int | None) -> dict[str, str]:
    """Environment variables that give each worker its share of threads.

    Args:
        workers: how many run at the same time.
        threads: for each; None for an equal share of the cores, where a variable that the user
            has set already is left alone.
    """
    if threads is not None:
        return dict.fromkeys(_THREAD_VARIABLES, str(threads))
    share = str(max(1, usable_cores() // workers))
    return {name: os.environ.get(name, share) for name in _THREAD_VARIABLES}


class Ending(NamedTuple):
    """How a zygote ended: have its workers been ended by it, and what is there to say?"""

    orderly: bool
    account: str


class Template:
    """One zygote process."""

    def __init__(self, parcel: IO[bytes], environment: Mapping[str, str]) -> None:
        if not sys.executable:
            raise SpecError(
                "This Python does not know its own executable, so no worker can be started."
                ' Run with isolation="none".'
            )
        self._control, theirs = socket.socketpair()
        self.output = Output()
        fds = (theirs.fileno(), parcel.fileno())
        path = map(str, sys.path)
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, *map(str, fds), *path],
            stdin=subprocess.DEVNULL,
            stdout=self.output.write_end,
            stderr=self.output.write_end,
            pass_fds=fds,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        theirs.close()
        self.output.close_write_end()
        self._frames = Frames()
        self._decode = msgspec.msgpack.Decoder(News).decode
        self.loaded = False  # it forks only when it has loaded the objective

    def fileno(self) -> int:
        return self._control.fileno()

    def fork(self, worker: int, connection: socket.socket, output_fd: int) -> None:
        """Ask for a worker at the other end of these."""
        with suppress(ConnectionError):  # its end is heard as news
            order = ORDER.pack(FORK, worker)
            socket.send_fds(self._control, [order], [connection.fileno(), output_fd])

    def kill(self, worker: int) -> None:
        """Ask for the end of a worker; its parent does it, so no other process can be hit."""
        with suppress(ConnectionError):
            self._control.sendall(ORDER.pack(KILL, worker))

    def news(self) -> list[News] | None:
        """What happened, or None if the zygote is gone."""
        try:
            data = self._control.recv(_RECEIVE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return []
        except ConnectionError:
            return None
        if not data:
            return None
        news = [self._decode(frame) for frame in self._frames.feed(data)]
        self.loaded = self.loaded or any(isinstance(item, Forked) for item in news)
        return news

    def close(self) -> Ending:
        """Hang up, upon which the zygote ends its workers and itself, unless it is dead or hangs."""
        self._control.close()
        try:
            code = self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            processes.end(self._process.pid)
            code = self._process.wait()
        said = self.output.text()
        self.output.close()
        return Ending(code == 0, f"code {code}{': ' if said else ''}{said}")
