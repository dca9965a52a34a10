"""Executors by URL, such as dask://host:8786, ray://auto and slurm://partition?timeout_min=60."""

from __future__ import annotations

from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from assay.core.errors import SpecError, did_you_mean
from assay.core.jobs import Evaluate
from assay.executors.remote_driver import RemoteExecutor

_ENGINES = ("dask", "ray", "slurm")
_EXAMPLES = (
    "'local', 'dask://host:8786', 'dask://local', 'ray://auto', 'ray://local', 'slurm://partition'"
)
_SLURM_OWN = ("folder", "cluster")


class Cluster(NamedTuple):
    """Where jobs run: `address` is in the engine's own words, `here` a cluster of ours on this machine."""

    engine: str
    address: str
    options: dict[str, str]
    here: bool


def cluster_at(url: str) -> Cluster:
    """The cluster behind a URL.

    Raises:
        SpecError: no such engine, or an option that it does not have.

    >>> cluster_at("dask://10.0.0.7:8786?slots=4")
    Cluster(engine='dask', address='tcp://10.0.0.7:8786', options={'slots': '4'}, here=False)
    >>> cluster_at("ray://local").here
    True
    """
    parts = urlsplit(url)
    engine, place = parts.scheme, parts.netloc
    if "@" in place:
        raise SpecError(
            f"Give no password in a URL: it would be kept in the study. Executor: {place.rpartition('@')[2]!r}"
        )
    if engine not in _ENGINES or (engine != "slurm" and not place):
        raise SpecError(f"Cannot tell what executor {url!r} is. Use one of {_EXAMPLES}.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = options.keys() - {"slots"} if engine != "slurm" else {"slots"} & options.keys()
    for name in unknown:
        known = ["slots"] if engine != "slurm" else [*_SLURM_OWN, "timeout_min", "mem_gb"]
        raise SpecError(f"Executor {url!r} has no option {name!r}. {did_you_mean(name, known)}")
    if "slots" in options and not (options["slots"].isdecimal() and int(options["slots"])):
        raise SpecError(f"slots in {url!r} needs a whole number >= 1, got {options['slots']!r}.")
    here = engine != "slurm" and place == "local"
    return Cluster(engine, _address(engine, place), options, here)


def check_cluster(url: str, *, workers: int | str, gpus: float | None) -> None:
    """Refuse what cannot run there; called before a study is begun.

    Raises:
        SpecError: says what to ask for instead.
    """
    cluster = cluster_at(url)
    if cluster.engine == "dask" and gpus is not None:
        raise SpecError(
            "Dask hands out no GPUs, so gpus_per_trial cannot be kept there. Start one Dask worker for"
            " each GPU, with CUDA_VISIBLE_DEVICES set, and leave gpus_per_trial out."
        )
    if cluster.engine == "slurm":
        if workers == "auto":
            raise SpecError("Slurm needs a number of workers: each is a Slurm job.")
    elif workers != 1 and not cluster.here:
        raise SpecError(
            f"A cluster that runs already has a size of its own, and workers={workers} does not change"
            f" it. For fewer trials at once use {cluster.engine}://…?slots={workers}, without workers."
        )


def cluster_executor(
    evaluate: Evaluate,
    url: str,
    *,
    workers: int,
    cpus: int | None,
    gpus: float | None,
    memory_mb: float | None,
) -> RemoteExecutor:
    """The executor behind a URL.

    Raises:
        SpecError, StateError: it cannot be used; says why.
    """
    cluster = cluster_at(url)
    slots = int(cluster.options["slots"]) if "slots" in cluster.options else None
    if cluster.engine == "dask":
        from assay.executors.dask import dask_executor

        return dask_executor(
            evaluate,
            cluster.address,
            workers=workers,
            slots=slots,
            threads=cpus,
            memory_mb=memory_mb,
        )
    if cluster.engine == "ray":
        from assay.executors.ray import ray_executor

        return ray_executor(
            evaluate,
            cluster.address,
            workers=workers,
            slots=slots,
            cpus=cpus,
            gpus=gpus,
            memory_mb=memory_mb,
        )
    from assay.executors.slurm import slurm_executor

    return slurm_executor(
        evaluate,
        workers=workers,
        settings=_slurm_settings(cluster, gpus),
        threads=cpus,
        memory_mb=memory_mb,
        folder=cluster.options.get("folder", "assay-slurm"),
        cluster=cluster.options.get("cluster", "slurm"),
    )


def _address(engine: str, place: str) -> str:
    if place == "local" or engine == "slurm":
        return place
    if engine == "dask":
        return f"tcp://{place}"
    return place if place == "auto" else f"ray://{place}"


def _slurm_settings(cluster: Cluster, gpus: float | None) -> dict[str, Any]:
    """What submitit is told; names are its own, and whole numbers are numbers."""
    settings: dict[str, Any] = {
        name: int(value) if value.isdecimal() else value
        for name, value in cluster.options.items()
        if name not in _SLURM_OWN
    }
    if cluster.address:
        settings["slurm_partition"] = cluster.address
    if gpus is not None:
        settings["gpus_per_node"] = int(gpus)
    return settings
