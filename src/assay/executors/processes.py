"""What the system says of processes: their children, their memory, and who dies with whom."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

_LINUX = sys.platform == "linux"
_PROC_CHILDREN = os.path.exists("/proc/thread-self/children")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def children(pid: int) -> list[int]:
    """The direct children of a process; empty if it is gone.

    On Linux this reads the process's own list, which is a hundred times cheaper than asking every
    process of the machine for its parent.
    """
    if not _PROC_CHILDREN:
        return _children_by_search(pid)
    found = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += [int(child) for child in file.read().split()]
    return found


def resident_bytes(pid: int) -> int:
    """Memory that a process has in use, with what it shares with others; 0 if it is gone."""
    if not _LINUX:
        return _resident_by_psutil(pid)
    with suppress(OSError), open(f"/proc/{pid}/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE
    return 0


def family_bytes(pid: int, limit: int) -> int:
    """Memory that a process and its descendants hold.

    The plain sum counts shared pages once for each process. If it is above `limit`, and the system
    can tell, the answer is the proportional sum (a page shared by n processes counts 1/n), which
    takes the system long to find, so that data shared with other workers is not held against one.
    """
    family = list(_descent(pid))
    plain = sum(map(resident_bytes, family))
    return sum(map(_proportional_bytes, family)) if plain > limit else plain


def end(pid: int) -> None:
    """Kill a process and the process group that it leads, if they are there."""
    end_group(pid)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)  # just after a fork it leads no group yet


def end_group(leader: int) -> None:
    """Kill a process group by the id of its leader, which may be gone already."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def die_with_parent() -> None:
    """Have the system kill this process as soon as its parent dies (Linux only)."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants that lose theirs, so that none gets away (Linux only)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _descent(pid: int) -> Iterator[int]:
    yield pid
    for child in children(pid):
        yield from _descent(child)


def _proportional_bytes(pid: int) -> int:
    with suppress(OSError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        for line in file:
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return resident_bytes(pid)


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _children_by_search(pid: int) -> list[int]:
    import psutil

    with suppress(psutil.Error):
        return [child.pid for child in psutil.Process(pid).children()]
    return []


def _resident_by_psutil(pid: int) -> int:
    import psutil

    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0
