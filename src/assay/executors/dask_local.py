"""A Dask cluster on this machine alone, in a process of its own that ends with ours."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import urlsplit

from assay.core.errors import StateError
from assay.executors import processes

# Not LocalCluster in this process: its workers would import the user's main module, and a script
# without `if __name__ == "__main__"` would begin again in each of them.
_START = "import sys; from assay.executors.dask import serve; serve(int(sys.argv[1]))"
_START_S = 90.0
_END_S = 10.0


class LocalCluster:
    """A scheduler and `workers` workers with one thread each, on the loopback interface.

    Raises:
        StateError: it does not start.
    """

    def __init__(self, workers: int) -> None:
        with tempfile.TemporaryFile() as said:
            path = os.pathsep.join(entry or os.getcwd() for entry in sys.path)
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START, str(workers)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,
            )
            self.address = self._first_line()
            if not self.address:
                self.close()
                said.seek(0)
                tail = said.read().decode(errors="replace")[-2000:]
                raise StateError(f"A local Dask cluster did not start. It says: {tail}")

    def check_loopback(self, addresses: Iterable[str]) -> None:
        """See that nobody can reach the cluster from another machine.

        Raises:
            StateError: an address of it is not a loopback address.
        """
        for address in (self.address, *addresses):
            if not ip_address(urlsplit(address).hostname or "").is_loopback:
                raise StateError(f"The local Dask cluster listens at {address}, not on loopback.")

    def close(self) -> None:
        """End it with all of its processes."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        processes.end(self._process.pid)
        self._process.wait()

    def _first_line(self) -> str:
        out = self._process.stdout
        assert out is not None
        until = time.monotonic() + _START_S
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([out], [], [], max(0.0, until - time.monotonic()))[0]:
                return ""
            if not (piece := os.read(out.fileno(), 4096)):
                return ""
            line += piece
        return line.decode().strip()
