"""The zygote: a clean process that loads `evaluate` once and forks warm workers from it.

It runs nothing but imports and forks. It never fits a model, so no BLAS or OpenMP threads exist in
it, and forking is safe even if the user's own process has used them. It is the parent of all
workers: it kills them, reaps them, and takes everything down with it when the driver goes away.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import resource
import select
import signal
import socket
import sys
import time
from contextlib import suppress

import msgspec

from assay.core.jobs import Evaluate
from assay.executors import processes
from assay.executors.control import FORK, ORDER, Ended, Forked, News, Refused, Unloadable
from assay.executors.frames import framed
from assay.executors.text import account, headline
from assay.executors.worker import serve

_WATCH_MS = 1000
_PATIENCE_S = 2.0


def main(control_fd: int, parcel_fd: int) -> None:
    """Load `evaluate` from one descriptor, take orders on the other until it closes."""
    del sys.argv[1:]
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    zygote = Zygote(control)
    with suppress(ConnectionError):  # the driver is gone: so are we
        evaluate = zygote.load(parcel_fd)
        if evaluate is not None:
            zygote.serve(evaluate)
    zygote.end_all()


class Zygote:
    """Parent of the workers, by process id."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._driver = os.getppid()
        self._workers: dict[int, int] = {}
        self._others: set[int] = set()

    def load(self, parcel_fd: int) -> Evaluate | None:
        """`evaluate`, or None after telling the driver why it cannot be loaded."""
        try:
            with open(parcel_fd, "rb") as file:
                file.seek(0)
                evaluate: Evaluate = pickle.load(file)  # noqa: S301 - our own driver wrote it
        except BaseException as error:
            self._tell(Unloadable(account(error)))
            return None
        gc.freeze()  # a collection in a worker would touch, and so copy, every shared page
        processes.adopt_orphans()
        self._others = set(processes.children(os.getpid()))
        return evaluate

    def serve(self, evaluate: Evaluate) -> None:
        """Fork and kill as ordered, and report workers that end, until the driver is gone."""
        woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(woken, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        poller = select.poll()
        poller.register(self._control, select.POLLIN)
        poller.register(woken, select.POLLIN)
        while os.getppid() == self._driver:
            ready = [fd for fd, _ in poller.poll(_WATCH_MS)]
            if woken in ready:
                os.read(woken, 4096)
                self._reap()
            if self._control.fileno() in ready and not self._obey(evaluate, (woken, wake)):
                return

    def end_all(self) -> None:
        """Kill every process that began under this one, then exit; code 0 tells that it is done."""
        for pid in self._workers:
            processes.end(pid)
        until = time.monotonic() + _PATIENCE_S
        while (rest := processes.children(os.getpid())) and time.monotonic() < until:
            for pid in rest:
                processes.end(pid)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            time.sleep(0.002)
        os._exit(0)

    def _obey(self, evaluate: Evaluate, ours: tuple[int, int]) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, ORDER.size, 2)
        if not data:
            return False
        order, worker = ORDER.unpack(data)
        if order == FORK:
            self._fork(worker, evaluate, fds, ours)
        else:
            for pid in [pid for pid, known in self._workers.items() if known == worker]:
                processes.end(pid)
        return True

    def _fork(self, worker: int, evaluate: Evaluate, fds: list[int], ours: tuple[int, int]) -> None:
        sys.stdout.flush()
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            self._tell(Refused(worker, headline(error)))
        if pid == 0:
            _become_worker(zygote, evaluate, fds, [*ours, self._control.detach()])
        for fd in fds:
            os.close(fd)
        if pid > 0:
            self._workers[pid] = worker
            self._tell(Forked(worker, pid))

    def _reap(self) -> None:
        """Report the workers that ended, and end what they left behind."""
        with suppress(ChildProcessError):
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
                if not pid:
                    break
                worker = self._workers.pop(pid, None)
                if worker is not None:
                    processes.end_group(pid)
                    code = os.waitstatus_to_exitcode(status)
                    self._tell(Ended(worker, code, usage.ru_utime + usage.ru_stime))
        for pid in processes.children(os.getpid()):
            if pid not in self._workers and pid not in self._others:
                processes.end(pid)  # an orphan of a dead worker; its own orphans follow

    def _tell(self, news: News) -> None:
        self._control.sendall(framed(msgspec.msgpack.encode(news)))


def _become_worker(zygote: int, evaluate: Evaluate, fds: list[int], close: list[int]) -> None:
    """Turn a fresh fork into a worker; never returns."""
    code = 1
    try:
        processes.die_with_parent()
        if os.getppid() != zygote:
            return  # it died before we asked
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        processes.adopt_orphans()
        connection, output = fds
        for standard in (1, 2):
            os.dup2(output, standard)
        for fd in (output, *close):
            os.close(fd)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(  # type: ignore[union-attr]
                encoding="utf-8", errors="backslashreplace", line_buffering=True
            )
        os.set_inheritable(connection, False)
        _prepare_for_crashes()
        serve(socket.socket(fileno=connection), evaluate)
        code = 0
    except ConnectionError:
        code = 0  # the driver hung up in the middle of an answer
    except Exception as error:
        print(account(error), file=sys.stderr, flush=True)  # noqa: T201 - goes to the driver
    finally:
        os._exit(code)


def _prepare_for_crashes() -> None:
    """Say where in Python a crash was, and write no core file.

    A core file takes long and fills the disk. A limit of 1 byte, unlike 0, holds for systems too
    that give it to a program (`do_coredump` in Linux's fs/coredump.c).
    """
    faulthandler.enable(2)
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else 1, most))
