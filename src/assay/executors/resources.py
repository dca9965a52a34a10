"""What this machine has for trials: the cores and the memory that may be used here and now.

A limit of any control group above a process holds too. Inside a container the path of the process's
group may be the host's, of which only the end, or nothing, is to be seen.
"""

from __future__ import annotations

import math
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from assay.executors.gpus import Gpus, gpus_here

_MB = 1 << 20
_ROOT = Path("/")


@dataclass(frozen=True)
class Machine:
    """What may be used here."""

    cores: int
    memory_mb: float
    gpus: Gpus = field(default_factory=Gpus)


def this_machine(*, gpus: bool) -> Machine:
    """What this process may use; `gpus` says whether GPUs matter, which may take a second."""
    return Machine(usable_cores(), free_memory_mb(), gpus_here(os.environ) if gpus else Gpus())


def forks() -> bool:
    """Whether this system can fork, which worker processes need; Windows cannot."""
    return hasattr(os, "fork")


def usable_cores(root: Path = _ROOT) -> int:
    """Cores that this process may use: its affinity, and the CPU quota of its container or job.

    A quota of 1.5 cores counts as 2: one busy thread does not use it up.
    """
    cores = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    quotas = [_quota(folder) for folder in _groups("cpu", root)]
    return max(1, min([cores, *(math.ceil(quota) for quota in quotas if quota)]))


def free_memory_mb(root: Path = _ROOT) -> float:
    """Memory that can be had now (MiB), within the limits of the container or job."""
    import psutil

    free = float(psutil.virtual_memory().available)
    for folder in _groups("memory", root):
        limit = _number(folder, "memory.max", "memory.limit_in_bytes")
        used = _number(folder, "memory.current", "memory.usage_in_bytes")
        if limit is not None:
            free = min(free, limit - max(0.0, (used or 0.0) - _cache(folder)))
    return max(0.0, free) / _MB


def _groups(controller: str, root: Path) -> list[Path]:
    """Folders of the control groups of this process, of both versions."""
    found: list[Path] = []
    with suppress(OSError, ValueError):
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            inner = Path(path.lstrip("/"))
            for mount in _mounts(controller, names):
                found += [root / mount / part for part in (inner, *inner.parents)]
    return [folder for folder in dict.fromkeys(found) if folder.is_dir()]


def _mounts(controller: str, names: str) -> list[str]:
    """Where groups with these controllers are, if the one wanted is among them."""
    if not names:  # version 2: all controllers in one place
        return ["sys/fs/cgroup"]
    if controller in names.split(","):
        return [f"sys/fs/cgroup/{controller}", f"sys/fs/cgroup/{names}"]
    return []


def _quota(folder: Path) -> float | None:
    """Cores' worth of time that a group has; None for no limit."""
    quota, period = _number(folder, "cpu.cfs_quota_us"), _number(folder, "cpu.cfs_period_us")
    with suppress(OSError, ValueError):
        most, every = (folder / "cpu.max").read_text().split()
        quota, period = float(most), float(every)
    return quota / period if quota and period and quota > 0 else None


def _cache(folder: Path) -> float:
    """Bytes in use that the system gives back when they are needed."""
    with suppress(OSError, ValueError):
        lines = (folder / "memory.stat").read_text().splitlines()
        stat = dict(line.split() for line in lines)
        return float(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return 0.0


def _number(folder: Path, *names: str) -> float | None:
    """The number in the first of these files that holds one; "max" is none."""
    for name in names:
        with suppress(OSError, ValueError):
            return float((folder / name).read_text())
    return None
