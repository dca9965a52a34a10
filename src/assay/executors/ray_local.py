"""A Ray cluster on this machine alone, which ends with this process."""

from __future__ import annotations

import os
import secrets
import select
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from ipaddress import IPv6Address, ip_address
from typing import Any

import psutil

from assay.core.errors import StateError

_TRIES = 2
_LOOK_EVERY_S = 5.0
_STORE_BYTES = (
    128 << 20
)  # the smallest share of memory that Ray takes gladly; trials hold their own


def demand_token() -> None:
    """Have the local cluster ask everyone for a token. Ray reads this once, when it is imported.

    Raises:
        StateError: Ray was imported without it.
    """
    if os.environ.get("RAY_AUTH_MODE") == "token":
        return
    if "ray" in sys.modules:
        raise StateError(
            "Ray was imported before without RAY_AUTH_MODE=token, and without it any user of this"
            " machine could run code in a local cluster. Set it before the import, or connect to a"
            " cluster of your own and use ray://auto."
        )
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))


def local_ray(ray: Any, cpus: int) -> Callable[[], None]:
    """Start Ray with `cpus` CPUs on the loopback interface; the function that ends it.

    Ray replaces a loopback address by one that the network can reach, and then listens on all
    interfaces. It keeps to loopback where it takes clusters to be impossible, as on macOS, so it is
    told that this is such a machine. What it listens at is looked at afterwards.

    Raises:
        StateError: it does not start, listens elsewhere, or this process uses Ray already.
    """
    if ray.is_initialized():
        raise StateError(
            "This process is connected to a Ray cluster already. Use ray://auto to run trials there."
        )
    before, listened = set(psutil.Process().children()), _listening()
    problem = None
    for _ in range(_TRIES):  # a busy machine may be too slow for its deadlines once
        try:
            with _set(_environment()), _no_cluster(ray):
                ray.init(
                    num_cpus=cpus,
                    include_dashboard=False,
                    object_store_memory=_STORE_BYTES,
                    configure_logging=False,
                    log_to_driver=False,
                )
            break
        except Exception as error:  # what Ray raises here has no common class
            problem = error
            ray.shutdown()
            _end(psutil.Process(), before)
    else:
        raise StateError(
            f"A local Ray cluster did not start, tried {_TRIES} times: {problem}. The machine may be"
            " too busy or short of memory; workers=N without Ray needs far less."
        ) from problem
    leash = _leash([child.pid for child in psutil.Process().children() if child not in before])

    def leave() -> None:
        ray.shutdown()
        leash.communicate()  # closes its input, and waits for its end

    if foreign := [at for at in _listening() - listened if not _is_loopback(at[0])]:
        leave()
        raise StateError(f"The local Ray cluster listened at {foreign}, not on loopback only.")
    return leave


def hold(pids: Sequence[int]) -> None:
    """The process of a leash: waits for the end of its input, then kills these and what they began.

    Ray's own processes end with the one that started them, but for some that those started in turn.
    """
    held: set[psutil.Process] = set()
    ended = False
    while not ended:
        for pid in pids:
            with suppress(psutil.Error):
                root = psutil.Process(pid)
                held |= {root, *root.children(recursive=True)}
        ended = bool(select.select([sys.stdin], [], [], _LOOK_EVERY_S)[0])
    for process in held:
        with suppress(psutil.Error):
            process.kill()


def _end(root: psutil.Process, but: set[psutil.Process]) -> None:
    """Kill what this process began, except for some: a start that failed leaves parts of Ray behind."""
    for child in root.children():
        if child not in but:
            for process in [*child.children(recursive=True), child]:
                with suppress(psutil.Error):
                    process.kill()


def _leash(pids: Sequence[int]) -> subprocess.Popen[bytes]:
    """Hold these processes, so that they end with this one however it ends."""
    start = (
        "import sys; sys.path[:] = sys.argv[2:];"
        "from assay.executors.ray_local import hold; hold([int(pid) for pid in sys.argv[1].split()])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", start, " ".join(map(str, pids)), *map(str, sys.path)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    return {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
    }


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _no_cluster(ray: Any) -> Iterator[None]:
    constants = ray._private.ray_constants
    before = constants.ENABLE_RAY_CLUSTER
    constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def _listening() -> set[tuple[str, int]]:
    """Where this process and those that it started accept connections."""
    me = psutil.Process()
    ours = {me.pid, *(child.pid for child in me.children(recursive=True))}
    return {
        (at.laddr.ip, at.laddr.port)
        for at in psutil.net_connections("tcp")
        if at.status == psutil.CONN_LISTEN and at.pid in ours
    }


def _is_loopback(host: str) -> bool:
    address = ip_address(host)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback
