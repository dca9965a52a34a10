"""Runs a script, or `assay` with arguments, as on Windows: without what POSIX alone has.

python without_posix.py script.py      python without_posix.py -m assay status lab
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.abc
import os
import runpy
import select
import signal
import socket
import subprocess  # it needs some of what goes
import sys
import types

import psutil

HIDDEN = {"fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog"}
OF_OS = [
    "O_DIRECTORY",
    "fork",
    "forkpty",
    "register_at_fork",
    "getpgid",
    "getsid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "killpg",
    "mkfifo",
    "nice",
    "pread",
    "pwrite",
    "sched_getaffinity",
    "setsid",
    "setpgid",
    "sysconf",
    "uname",
    "wait",
    "wait3",
    "wait4",
    "WNOHANG",
    "chown",
    "fchown",
    "fchmod",
    "getloadavg",
]
OF_SIGNAL = [
    "SIGKILL",
    "SIGSTOP",
    "SIGHUP",
    "SIGCHLD",
    "SIGALRM",
    "SIGUSR1",
    "SIGUSR2",
    "SIGQUIT",
    "ITIMER_REAL",
    "ITIMER_VIRTUAL",
    "ITIMER_PROF",
    "setitimer",
    "getitimer",
    "alarm",
    "pthread_sigmask",
    "pthread_kill",
    "sigwait",
    "siginterrupt",
]


class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def _locking(fd, mode, count):
    """Windows' lock of bytes, by POSIX's of the file."""
    assert os.lseek(fd, 0, os.SEEK_CUR) >= 8, "bytes that others read would be locked"
    assert count == 1
    try:
        fcntl.flock(fd, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise PermissionError(13, "Permission denied") from error


def hide():
    for name in ("numpy", "joblib") if "tune" in sys.argv else ("numpy",):
        with contextlib.suppress(ModuleNotFoundError):  # as they are here, they need what goes
            importlib.import_module(name)
    sys.meta_path.insert(0, Absent())
    for name in HIDDEN:
        sys.modules.pop(name, None)
    subprocess.os, subprocess.signal, subprocess.select = (  # it keeps what it needs
        types.SimpleNamespace(**vars(module)) for module in (os, signal, select)
    )
    for module, names in ((os, OF_OS), (signal, OF_SIGNAL), (select, ["poll"])):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    for name in ("AF_UNIX", "recv_fds", "send_fds"):
        delattr(socket, name)
    windows = types.ModuleType("msvcrt")
    windows.LK_UNLCK, windows.LK_NBLCK, windows.locking = 0, 2, _locking
    if "--no-msvcrt" in sys.argv:
        sys.argv.remove("--no-msvcrt")
    else:
        sys.modules["msvcrt"] = windows


if __name__ == "__main__":
    assert subprocess
    assert psutil
    hide()
    del sys.argv[0]
    if sys.argv[0] == "-m":
        del sys.argv[0]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
