"""`assay dashboard` that answers each line it is sent with what its memory is used for.

    python -m benchmarks.web.accounted STORAGE --port PORT

The C library's own account (glibc alone has one) tells what is in use from what is free and kept;
Python's own tells how many blocks its objects take.
"""

from __future__ import annotations

import ctypes
import gc
import json
import sys
import threading

import psutil

from assay.cli import assay

_FIELDS = ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")  # fmt: skip


class _Account(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in _FIELDS]


def account() -> dict[str, float]:
    """Megabytes of this process: resident, in use by the C library, free and kept by it; blocks of Python."""
    gc.collect()
    found = {
        "rss_mb": round(psutil.Process().memory_info().rss / 1e6, 1),
        "python_blocks": sys.getallocatedblocks(),
    }
    tell = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if tell is not None:
        tell.restype = _Account
        said = tell()
        found["in_use_mb"] = round((said.uordblks + said.hblkhd) / 1e6, 1)
        found["free_mb"] = round(said.fordblks / 1e6, 1)
    return found


def _answer() -> None:
    for _ in sys.stdin:
        print(json.dumps(account()), flush=True)


if __name__ == "__main__":
    threading.Thread(target=_answer, daemon=True).start()
    assay(["dashboard", *sys.argv[1:]])
