"""Where a study runs: what is needed to explain, and to repeat, its numbers."""

from __future__ import annotations

import getpass
import os
import platform
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np

from assay import __version__
from assay.core.jsonform import digest
from assay.stores.locks import affected

_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "PYTHONHASHSEED",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
)
"""The only variables that are looked at: others may be secrets."""
_GIT_S = 2.0
_GIT = ("git", "-c", "core.fsmonitor=false", "status", "--porcelain=v2", "--branch")
_GIT_OPTIONS = ("--untracked-files=no", "--ignore-submodules=dirty")
_WORDS = {
    "assay": "Assay",
    "python": "Python",
    "cpu": "CPU",
    "cores": "CPU cores",
    "usable_cores": "usable CPU cores",
    "memory_mb": "memory in MB",
    "blas": "BLAS",
    "host": "machine",
    "sqlite.version": "SQLite",
    "sqlite.wal_reset_bug": "SQLite with the WAL-reset bug",
    "git.commit": "git commit",
    "git.dirty": "uncommitted changes",
}
_DERIVED = "packages_sha256"


def environment() -> dict[str, Any]:
    """What the results may depend on, as values that JSON can hold; None where nothing can tell.

    python, platform, cpu, cores, usable_cores, memory_mb, blas, variables (thread settings and the
    like, from a fixed list), assay, packages (name → version of all that is installed),
    packages_sha256, git (commit, dirty) of the working folder or None, sqlite (version,
    wal_reset_bug), host, user. Nothing is sent anywhere and no other variable is read.

    >>> environment()["assay"] == __version__
    True
    """
    packages = dict(_installed(_folders()))
    return {
        "python": f"{platform.python_version()} ({platform.python_implementation()})",
        "platform": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "usable_cores": _usable_cores(),
        "memory_mb": _memory_mb(),
        "blas": _blas(),
        "variables": {name: _utf8(os.environ[name]) for name in _VARIABLES if name in os.environ},
        "assay": __version__,
        "packages": packages,
        "packages_sha256": digest(packages),
        "git": _git(),
        "sqlite": {
            "version": sqlite3.sqlite_version,
            "wal_reset_bug": affected(sqlite3.sqlite_version_info),
        },
        "host": _utf8(socket.gethostname()),
        "user": _user(),
    }


def changed(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between two environments, a few words each; empty if nothing does.

    >>> changed({"packages": {"numpy": "2.4.5"}}, {"packages": {"numpy": "2.4.6", "xgboost": "3.1"}})
    ['numpy: 2.4.5 → 2.4.6', 'xgboost: none → 3.1']
    """
    before, after = dict(_flat(old)), dict(_flat(new))
    return [
        f"{_WORDS.get(name, name.partition('.')[2] or name)}: {_said(one)} → {_said(other)}"
        for name in {**before, **after}
        if (one := before.get(name)) != (other := after.get(name))
    ]


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Each known fact under its dotted name."""
    for name, fact in facts.items():
        if isinstance(fact, Mapping):
            yield from _flat(fact, f"{prefix}{name}.")
        elif name != _DERIVED:
            yield prefix + name, fact


def _said(fact: Any) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    return "none" if fact is None else str(fact)


def _folders() -> tuple[tuple[str, int], ...]:
    """Where packages are looked for, and when something was last put there or taken away."""
    found = []
    for place in sys.path:
        with suppress(OSError):
            found.append((place, os.stat(place or ".").st_mtime_ns))
    return tuple(found)


@lru_cache(maxsize=1)
def _installed(folders: tuple[tuple[str, int], ...]) -> tuple[tuple[str, str], ...]:
    """All packages by name: read once, and again when a folder has changed, as an installation does."""
    return tuple(sorted(_packages()))


def _packages() -> Iterator[tuple[str, str]]:
    """Name and version of each installed package; the one that is imported, if there are two.

    Two lines of each file are read: to parse it all takes ten times as long.
    """
    seen = set()
    for distribution in metadata.distributions():
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        head = text.partition("\n\n")[0].splitlines()
        fields = dict(line.split(": ", 1) for line in head if ": " in line)
        name = fields.get("Name", "").strip().lower().replace("_", "-")
        version = fields.get("Version", "").strip()
        if name and version and name not in seen:
            seen.add(name)
            yield name, version


def _cpu() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            models = (line.partition(":")[2] for line in file if line.startswith("model name"))
            return next(models, "").strip() or platform.machine()
    except OSError:
        return platform.machine()


def _usable_cores() -> int | None:
    """Cores that this process may use; fewer than there are in a container or a batch job."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _memory_mb() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (OSError, ValueError):
        return None
    except AttributeError:  # Windows has no sysconf
        import psutil

        return int(psutil.virtual_memory().total) // 2**20


def _blas() -> str | None:
    """The BLAS that NumPy was built with."""
    config: Mapping[str, Any] = np.show_config(mode="dicts") or {}
    blas = config.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', '')} {blas.get('version', '')}".strip() or None


def _git() -> dict[str, Any] | None:
    """Commit of the working folder, and whether tracked files differ from it.

    Nothing is written, not even git's index.
    """
    try:
        answer = subprocess.run(
            [*_GIT, *_GIT_OPTIONS],
            capture_output=True,
            check=True,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            timeout=_GIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.decode(errors="replace").splitlines()
    heads = [line.removeprefix("# branch.oid ") for line in lines if "# branch.oid " in line]
    commit = heads[0] if heads and heads[0] != "(initial)" else None
    return {"commit": commit, "dirty": any(not line.startswith("#") for line in lines)}


def _user() -> str:
    try:
        return _utf8(getpass.getuser())
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"


def _utf8(text: str) -> str:
    """The text with bytes that are not UTF-8 escaped: it is stored as JSON."""
    return text.encode(errors="backslashreplace").decode()
