"""The GPUs of this machine, found without any library that computes on them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_NVIDIA_S = 10.0  # a driver that wakes up its cards takes seconds
_VISIBLE = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES")
"""The variables that say which GPUs a process may use; the first that is set is obeyed."""


@dataclass(frozen=True)
class Gpus:
    """GPUs by the names that `variable` takes, such as "0", "GPU-8f3…" or "MIG-1c2…".

    Attributes:
        variable: the environment variable that restricts a process to some of them.
        ids: what may be used here.
        also: other variables that the names need to mean the same in every process.
    """

    variable: str = _VISIBLE[0]
    ids: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)


def gpus_here(environment: Mapping[str, str]) -> Gpus:
    """The GPUs that a process with this environment may use.

    A variable that restricts GPUs is obeyed, whatever the machine has. Then NVIDIA's are asked of
    `nvidia-smi` (instances of a partitioned card are named one by one), and AMD's are counted
    where their driver lists them.
    """
    for variable in _VISIBLE:
        if variable in environment:
            return Gpus(variable, _listed(environment[variable]))
    if ids := nvidia_ids(_said_by_nvidia()):
        # nvidia-smi counts by bus, CUDA by speed unless it is told
        return Gpus("CUDA_VISIBLE_DEVICES", ids, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"})
    if ids := amd_ids(Path("/sys/class/kfd/kfd/topology/nodes")):
        return Gpus("HIP_VISIBLE_DEVICES", ids)
    return Gpus()


def nvidia_ids(listing: str) -> tuple[str, ...]:
    r"""Ids from what `nvidia-smi -L` prints: the number of a card, or the names of its instances.

    A process can use one instance only, and cards beside instances are named in full.

    >>> nvidia_ids("GPU 0: T4 (UUID: GPU-5d)\nGPU 1: T4 (UUID: GPU-6e)")
    ('0', '1')
    >>> nvidia_ids("GPU 0: A100 (UUID: GPU-5d)\n  MIG 3g.20gb Device 0: (UUID: MIG-c7)")
    ('MIG-c7',)
    """
    cards: dict[str, tuple[str, list[str]]] = {}
    card = ""
    for line in listing.splitlines():
        kind, _, rest = line.strip().partition(" ")
        uuid = line.rpartition("UUID: ")[2].rstrip(") ")
        if kind == "GPU":
            card = rest.partition(":")[0]
            cards[card] = (uuid, [])
        elif kind == "MIG" and card:
            cards[card][1].append(uuid)
    if not any(instances for _, instances in cards.values()):
        return tuple(cards)
    return tuple(name for uuid, instances in cards.values() for name in instances or [uuid])


def amd_ids(nodes: Path) -> tuple[str, ...]:
    """A number for each GPU among the nodes that AMD's driver lists; CPUs have no SIMD units."""
    found = 0
    with suppress(OSError):
        for node in nodes.iterdir():
            with suppress(OSError, ValueError, KeyError):
                lines = (node / "properties").read_text().splitlines()
                found += int(dict(line.split() for line in lines)["simd_count"]) > 0
    return tuple(map(str, range(found)))


def _listed(value: str) -> tuple[str, ...]:
    """The ids in a variable; as in CUDA, what follows one that cannot exist is not used."""
    ids: list[str] = []
    for name in (part.strip() for part in value.split(",")):
        if not name or name.startswith("-") or name == "NoDevFiles":
            break
        ids.append(name)
    return tuple(ids)


def _said_by_nvidia() -> str:
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run([program, "-L"], capture_output=True, timeout=_NVIDIA_S, check=True)
        return done.stdout.decode(errors="replace")
    return ""
