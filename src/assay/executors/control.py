"""What driver and zygote say to each other. Workers are known by a serial number, never reused."""

from __future__ import annotations

import struct
from typing import TypeAlias

from msgspec import Struct

FORK = b"F"
KILL = b"K"
ORDER = struct.Struct(">cI")
"""An order to the zygote: FORK (with a socket and an output pipe attached) or KILL, and whom."""


class Forked(Struct, frozen=True, tag="forked"):
    """The worker exists."""

    worker: int
    pid: int


class Ended(Struct, frozen=True, tag="ended"):
    """The worker's process is gone; a negative code is the signal that ended it."""

    worker: int
    code: int
    cpu_s: float


class Refused(Struct, frozen=True, tag="refused"):
    """The system gave no process for the worker."""

    worker: int
    reason: str


class Unloadable(Struct, frozen=True, tag="unloadable"):
    """`evaluate` cannot be loaded in a clean process: nothing can ever run."""

    reason: str


News: TypeAlias = Forked | Ended | Refused | Unloadable
