"""What may go wrong on this machine, found before it does."""

from __future__ import annotations

import os
import platform
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, TypeAlias

from assay import __version__
from assay.api.parts import sqlite_path
from assay.core.errors import AssayError

Mark: TypeAlias = Literal["ok", "note", "problem"]
_EXTRAS = {
    "sklearn": ("sklearn", "pandas"),
    "parquet": ("pyarrow",),
    "plot": ("matplotlib", "plotly"),
    "optuna": ("optuna",),
    "hydra": ("hydra",),
    "yaml": ("yaml",),
    "boosting": ("catboost", "lightgbm", "xgboost"),
    "torch": ("torch",),
    "lightning": ("lightning",),
    "keras": ("keras",),
    "transformers": ("transformers",),
    "mlflow": ("mlflow",),
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "postgres": ("psycopg",),
    "dask": ("distributed",),
    "ray": ("ray",),
    "slurm": ("submitit",),
    "gpu": ("pynvml",),
}
_LEAST_FREE = 500 * 2**20


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, and what to do if not."""

    what: str
    mark: Mark
    said: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its entries."""
        return asdict(self)


def examine(storage: str) -> list[Finding]:
    """Everything that is looked at. A check that breaks is a problem of its own, and ends no other."""
    found: list[Finding] = []
    for check in (
        _python,
        _extras,
        _sqlite,
        _storage_of(storage),
        _memory,
        _machine,
        _process,
        _clock,
    ):
        try:
            found += check()
        except Exception as error:
            found.append(
                Finding(
                    check.__name__.strip("_"), "problem", f"{type(error).__name__}: {error}",
                    "Please report this.",
                )
            )  # fmt: skip
    return found


def _python() -> Iterator[Finding]:
    yield Finding(
        "Assay", "ok", f"{__version__} on Python {platform.python_version()}, {platform.platform()}"
    )
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    if encoding != "utf8":
        yield Finding(
            "terminal",
            "note",
            f"its encoding is {encoding or 'not known'}",
            "Set PYTHONIOENCODING=utf-8.",
        )


def _extras() -> Iterator[Finding]:
    core = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "msgspec"))
    yield Finding("packages", "ok", core)
    there = [name for name, packages in _EXTRAS.items() if all(map(find_spec, packages))]
    missing = [name for name in _EXTRAS if name not in there]
    said = ", ".join(there) or "none"
    advice = (
        f"Not installed: {', '.join(missing)}. pip install 'assay[{missing[0]}]' adds one."
        if missing
        else ""
    )
    yield Finding("extras", "ok", said, advice)


def _sqlite() -> Iterator[Finding]:
    from assay.stores.locks import affected

    said = f"SQLite {sqlite3.sqlite_version}"
    if not affected(sqlite3.sqlite_version_info):
        yield Finding("database", "ok", said)
        return
    yield Finding(
        "database", "note", f"{said} has the WAL-reset bug; Assay works around it",
        "Nothing to do. A Python with SQLite 3.51.3 or newer needs no workaround.",
    )  # fmt: skip


def _storage_of(storage: str) -> Callable[[], Iterator[Finding]]:
    def storage_() -> Iterator[Finding]:
        path = sqlite_path(storage)
        if path is None:
            yield Finding("storage", "note", f"{storage} is not a file and was not looked at")
            return
        try:
            folder = Path(path).absolute().parent
        except FileNotFoundError:  # from os.getcwd
            yield Finding(
                "storage", "problem", "the working folder is not there any more", "cd to another."
            )
            return
        if not folder.is_dir():
            yield Finding(
                "storage",
                "problem",
                f"there is no folder {folder}",
                "Make it, or name another --storage.",
            )
            return
        yield _writable(folder)
        yield _readable(path)
        free = shutil.disk_usage(folder).free
        mark: Mark = "ok" if free > _LEAST_FREE else "problem"
        yield Finding(
            "disk", mark, f"{free / 2**30:.1f} GiB free", "" if mark == "ok" else "Make room."
        )

    return storage_


def _writable(folder: Path) -> Finding:
    from assay.stores.sqlite import SqliteStore

    try:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".assay-doctor-") as inside:
            SqliteStore(str(Path(inside, "probe.db"))).close()
    except (OSError, AssayError) as error:
        return Finding(
            "folder", "problem", f"{folder} cannot hold a study: {error}", "Name another --storage."
        )
    return Finding("folder", "ok", f"{folder} can hold studies")


def _readable(path: str) -> Finding:
    from assay.stores.sqlite import SqliteStore

    if not os.path.exists(path):
        return Finding("storage", "ok", f"{path} is not there yet")
    try:
        store = SqliteStore(path, readonly=True)
        names = list(store.studies())
        store.close()
    except AssayError as error:
        return Finding("storage", "problem", str(error), "See assay verify.")
    return Finding(
        "storage", "ok", f"{path} holds {len(names)} {'study' if len(names) == 1 else 'studies'}"
    )


def _memory() -> Iterator[Finding]:
    """Where the rows of sealed test sets are known again. Without it a study runs, and says so."""
    from assay.stores.seals import SealRegistry, home

    advice = "Set ASSAY_HOME to a folder where you may write."
    try:
        folder = home()
    except RuntimeError as error:
        yield Finding("memory", "note", str(error), advice)
        return
    there = next(path for path in (folder, *folder.parents) if path.exists())
    _, wrong = SealRegistry.open(folder) if any(folder.glob("seals.*")) else (None, None)
    if wrong is None and not os.access(there, os.W_OK):
        wrong = f"test sets cannot be remembered: {there} is read-only for you"
    if wrong:
        yield Finding("memory", "note", wrong, advice)
    else:
        yield Finding("memory", "ok", f"test sets are remembered in {folder}")


def _machine() -> Iterator[Finding]:
    from assay.executors.resources import this_machine

    here = this_machine(gpus=True)
    gpus = f"{len(here.gpus.ids)} GPUs" if here.gpus.ids else "no GPU"
    cores = f"{here.cores} {'core' if here.cores == 1 else 'cores'}"
    yield Finding(
        "machine", "ok", f"{cores}, {here.memory_mb / 1024:.1f} GiB of memory free, {gpus}"
    )


def _process() -> Iterator[Finding]:
    """A trial in a process of its own, from the start to its value."""
    from assay.executors.resources import forks

    if not forks():
        yield Finding(
            "trials", "note", "this system cannot fork: trials run in the study's own process, one at a time",
            "For several workers, timeouts and memory caps use Linux, as in WSL on Windows, or macOS.",
        )  # fmt: skip
        return
    try:
        tempfile.gettempdir()
    except FileNotFoundError as error:
        yield Finding(
            "trials", "problem", str(error.strerror), "Set TMPDIR to a folder where you may write."
        )
        return
    from assay.core.jobs import Done, Job
    from assay.executors.local import LocalExecutor

    began = time.monotonic()
    executor = LocalExecutor(_one, workers=1)
    try:
        executor.submit(Job(id=0, trial=0, stage="search", config={}))
        messages: list[Any] = []
        while not messages and time.monotonic() - began < 30:
            messages += executor.poll(0.25)
    finally:
        executor.close()
    took = time.monotonic() - began
    if messages and isinstance(messages[-1][1], Done):
        yield Finding("trials", "ok", f"a process started and answered in {took:.1f} s")
        return
    said = str(messages[-1][1].reason) if messages else "it did not answer within 30 s"
    yield Finding("trials", "problem", said, "Use isolation='none' in Python until this is mended.")


def _one(job: Any, emit: Any) -> float:
    return 1.0


def _clock() -> Iterator[Finding]:
    year = time.gmtime().tm_year
    if year < 2026:
        yield Finding(
            "clock", "problem", f"this machine believes that it is {year}", "Set its clock."
        )
        return
    yield Finding("clock", "ok", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"
