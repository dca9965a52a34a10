"""What a program prints, line by line, until the program has ended."""

from __future__ import annotations

from collections.abc import Iterator
from queue import Empty, Queue
from subprocess import Popen
from threading import Thread
from typing import IO

_AHEAD = 1_000
_SILENT_S = 1.0


def lines_of(process: Popen[str]) -> Iterator[str]:
    """Its lines, up to its end or, if it leaves others behind that hold its output, a silence after it."""
    lines: Queue[str | None] = Queue(_AHEAD)
    Thread(target=_listen, args=(process.stdout, lines), daemon=True).start()
    while True:
        ended = process.poll() is not None
        try:
            line = lines.get(timeout=_SILENT_S)
        except Empty:
            if ended:  # since before this silence began
                return
            continue
        if line is None:
            return
        yield line


def _listen(output: IO[str], lines: Queue[str | None]) -> None:
    """In a thread of its own: no other wait for a pipe is the same on every system."""
    with output:
        for line in output:
            lines.put(line)
    lines.put(None)
