"""Slots for trials: how many run at once, and which cores and GPUs each of them has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from assay.core.errors import SpecError
from assay.executors.gpus import Gpus
from assay.executors.resources import Machine

_EPSILON = 1e-9  # 1 / 0.1 trials share a GPU, and 0.1 is not exact


@dataclass(frozen=True)
class Slots:
    """How many trials run at once, and what each of them has.

    Attributes:
        count: trials at once.
        threads: for BLAS, OpenMP and the like in each; None for an equal share of the cores.
        environments: variables of each slot, which say what GPUs are its own; () without GPUs.
        why: what bound the count, in words; "" when it was given.
        executor: "local", or the URL of a cluster.
        gpus: GPUs of each, where the cluster hands them out.
    """

    count: int = 1
    threads: int | None = None
    environments: tuple[Mapping[str, str], ...] = ()
    why: str = ""
    executor: str = "local"
    gpus: float | None = None


def slots_on(
    machine: Machine,
    workers: int | str,
    *,
    cpus: int | None = None,
    gpus: float | None = None,
    memory_mb: float | None = None,
) -> Slots:
    """The slots for trials on a machine.

    Args:
        machine: what there is.
        workers: trials at once; "auto" for as many as fit.
        cpus: cores of each; None for one at least.
        gpus: GPUs of each: a whole number, or a fraction of one that trials share; None: any.
        memory_mb: what each may hold at most (MiB). Bounds "auto" only, and never to nothing: it
            is a cap that most trials do not reach.

    Raises:
        SpecError: a wish that is out of range or does not fit; says what there is.

    >>> slots_on(Machine(8, 64_000), "auto", cpus=2).why
    '8 cores / 2 each'
    >>> machine = Machine(8, 64_000, Gpus(ids=("0", "1")))
    >>> [slot["CUDA_VISIBLE_DEVICES"] for slot in slots_on(machine, 4, gpus=0.5).environments]
    ['0', '1', '0', '1']
    """
    check_wishes(workers, cpus, gpus)
    fits = {f"{_many(machine.cores, 'core')} / {cpus or 1} each": machine.cores // (cpus or 1)}
    if gpus is not None:
        fits[f"{_many(len(machine.gpus.ids), 'GPU')} / {gpus:g} each"] = _room(machine.gpus, gpus)
    if memory_mb is not None:
        fits[f"{machine.memory_mb:,.0f} MB free / {memory_mb:,.0f} each"] = max(
            1, int(machine.memory_mb // memory_mb)
        )
    tightest = min(fits, key=lambda said: fits[said])
    count = max(1, fits[tightest]) if workers == "auto" else int(workers)
    _check_fit(machine, count, cpus, gpus)
    return Slots(
        count=count,
        threads=cpus,
        environments=_handed_out(machine.gpus, count, gpus) if gpus is not None else (),
        why=tightest if workers == "auto" else "",
    )


def check_wishes(workers: int | str, cpus: int | None, gpus: float | None) -> None:
    """Refuse what no machine can give.

    Raises:
        SpecError: not numbers, or out of range.
    """
    if workers != "auto" and (
        isinstance(workers, bool) or not isinstance(workers, int) or workers < 1
    ):
        raise SpecError(f"workers needs a whole number >= 1, or 'auto', got {workers!r}.")
    if cpus is not None and (isinstance(cpus, bool) or not isinstance(cpus, int) or cpus < 1):
        raise SpecError(f"cpus_per_trial needs a whole number >= 1, got {cpus!r}.")
    if gpus is None:
        return
    if (
        isinstance(gpus, bool)
        or not isinstance(gpus, int | float)
        or not (0 < gpus < 1 or (gpus >= 1 and gpus % 1 == 0))
    ):
        raise SpecError(
            "gpus_per_trial needs a whole number >= 1, or a fraction to share one, such as 0.5,"
            f" got {gpus!r}."
        )


def _check_fit(machine: Machine, count: int, cpus: int | None, gpus: float | None) -> None:
    """Refuse what this machine has not got, with the numbers."""
    if cpus is not None and count * cpus > machine.cores:
        raise SpecError(
            f"{_many(count, 'worker')} with cpus_per_trial={cpus} need {count * cpus} cores, and"
            f" {machine.cores} may be used here (by CPU affinity and container limits). Ask for"
            " fewer, or for 'auto' workers, as many as fit."
        )
    if gpus is not None and count > _room(machine.gpus, gpus):
        ids = ", ".join(machine.gpus.ids) or "none"
        raise SpecError(
            f"{_many(count, 'worker')} with gpus_per_trial={gpus:g} need more GPUs than there are"
            f" here: {ids}. Ask for fewer, or name others in {machine.gpus.variable}."
        )


def _room(gpus: Gpus, each: float) -> int:
    """How many trials fit on the GPUs."""
    if each < 1:
        return len(gpus.ids) * int(1 / each + _EPSILON)
    return len(gpus.ids) // int(each)


def _handed_out(gpus: Gpus, count: int, each: float) -> tuple[Mapping[str, str], ...]:
    """The variables of each slot. Trials that share go to different GPUs first."""
    size = max(1, int(each))
    own = [",".join(gpus.ids[i : i + size]) for i in range(0, len(gpus.ids) - size + 1, size)]
    return tuple({**gpus.also, gpus.variable: own[slot % len(own)]} for slot in range(count))


def _many(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
