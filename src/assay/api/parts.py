"""From names to parts: the store behind a URL, the sampler behind a word, the executor behind both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpecError, did_you_mean
from assay.core.protocols import Executor, Sampler, Store
from assay.core.spec import Limits, StudySpec

if TYPE_CHECKING:
    from assay.core.jobs import Evaluate

_KINDS = {
    "auto": ("auto", "Auto"),
    "gp": ("gp", "Gp"),
    "tpe": ("tpe", "Tpe"),
    "cmaes": ("cmaes", "CmaEs"),
    "evolution": ("evolution", "Evolution"),
    "random": ("random", "Random"),
    "sobol": ("sobol", "Sobol"),
    "halton": ("halton", "Halton"),
    "grid": ("grid", "Grid"),
}
"""The module and the class of each sampler: only those that are asked for are imported."""
SAMPLERS = tuple(_KINDS)
_GIVEN = {"seed", "signs", "beliefs", "constraints"}
"""What a study tells its sampler; not for users to set."""
_KNOWING = ("auto", "gp")
"""The samplers that use what was known before: beliefs and earlier studies."""


def store_at(storage: str | Store | None, *, readonly: bool = False) -> Store:
    """The store behind a URL such as "sqlite:///lab.db", or a file name ending in .db; None: memory.

    Raises:
        SpecError: a URL of no known kind.
        StoreError: the file cannot be used.
    """
    if storage is None:
        from assay.stores.memory import MemoryStore

        return MemoryStore()
    if not isinstance(storage, str):
        return storage
    path = sqlite_path(storage)
    if path is None:
        raise SpecError(
            f"Cannot tell what storage {storage!r} is. Use 'sqlite:///lab.db', or the name of a "
            "file that ends in .db."
        )
    from assay.stores.sqlite import SqliteStore

    return SqliteStore(path, readonly=readonly)


def sqlite_path(storage: str) -> str | None:
    """The file of an SQLite storage URL; None for another kind of storage.

    >>> sqlite_path("sqlite:///lab.db"), sqlite_path("sqlite:////var/lab.db"), sqlite_path("lab.db")
    ('lab.db', '/var/lab.db', 'lab.db')
    """
    if storage.startswith("sqlite:///"):
        return storage.removeprefix("sqlite:///")
    if "://" in storage or not storage.endswith((".db", ".sqlite", ".sqlite3")):
        return None
    return storage


def sampler_settings(sampler: str | Mapping[str, Any]) -> dict[str, Any]:
    """A sampler's name and settings as the plan keeps them.

    Raises:
        SpecError: an unknown name or setting.
    """
    settings = {"name": sampler} if isinstance(sampler, str) else dict(sampler)
    name = settings.get("name")
    if name not in SAMPLERS:
        raise SpecError(f"No sampler {name!r}. {did_you_mean(str(name), SAMPLERS)}")
    known = {f.name for f in fields(_kind(name))} - _GIVEN
    for setting in settings.keys() - {"name"}:
        if setting not in known:
            raise SpecError(
                f"Sampler {name!r} has no setting {setting!r}. {did_you_mean(setting, known)}"
                if known
                else f"Sampler {name!r} has no settings, got {setting!r}."
            )
    return settings


def sampler_of(spec: StudySpec) -> Sampler:
    """The sampler of a study; one that never repeats a config of a finite space.

    Raises:
        SpecError: the sampler cannot search for so many objectives, or cannot keep to constraints.
    """
    from assay.samplers.unique import Unique

    kind = _kind(spec.sampler["name"])
    if spec.beliefs:
        check_knowing(spec, "beliefs")
    if spec.bounds and kind.__name__ == "CmaEs":
        raise SpecError(
            "Sampler 'cmaes' cannot keep to constraints. Use 'auto', 'gp', 'tpe' or 'evolution'."
        )
    options = {k: v for k, v in spec.sampler.items() if k != "name"}
    beliefs = tuple((name, b.value, b.strength) for name, b in spec.beliefs.items())
    told = {
        "seed": spec.seed,
        "signs": spec.signs,
        "beliefs": beliefs,
        "constraints": _limits(spec),
    }
    options |= {f.name: told[f.name] for f in fields(kind) if f.name in told}
    return Unique(kind(**options))


def _limits(spec: StudySpec) -> tuple[tuple[int | str, float, float], ...]:
    """The constraints of a study in the form of `assay.samplers.constraints`."""
    place = {name: i for i, name in enumerate(spec.objectives)}
    return tuple((place.get(c.name, c.name), c.sign, c.sign * c.bound) for c in spec.bounds)


def check_knowing(spec: StudySpec, what: str) -> None:
    """See that the sampler of a study uses what was known before.

    Raises:
        SpecError: it does not, or there are several objectives.
    """
    name = spec.sampler["name"]
    if name not in _KNOWING:
        raise SpecError(
            f"Sampler {name!r} makes no use of {what}. Use sampler='auto' or 'gp', or leave {what} out."
        )
    if not spec.single:
        raise SpecError(
            f"{what} needs one objective, and this study has {len(spec.signs)}. Leave {what} out."
        )


def _kind(name: str) -> Any:
    module, kind = _KINDS[name]
    return getattr(import_module(f"assay.samplers.{module}"), kind)


def executor_of(evaluate: Evaluate, *, workers: int, isolation: str, limits: Limits) -> Executor:
    """Child processes, or this process for isolation="none".

    Raises:
        SpecError: as `check_execution`.
    """
    check_execution(workers=workers, isolation=isolation, limits=limits)
    if isolation == "process":
        from assay.executors.local import LocalExecutor

        return LocalExecutor(evaluate, workers=workers, memory_mb=limits.memory_mb)
    from assay.executors.inline import InlineExecutor

    return InlineExecutor(evaluate)


def check_execution(*, workers: int, isolation: str, limits: Limits) -> None:
    """Refuse what no executor can do; called before a study is begun too.

    Raises:
        SpecError: an unknown isolation, a wrong number of workers, or limits that need a process.
    """
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise SpecError(f"workers needs a whole number >= 1, got {workers!r}.")
    if isolation not in ("process", "none"):
        raise SpecError(f"isolation needs 'process' or 'none', got {isolation!r}.")
    if isolation == "none" and (limits.seconds or limits.memory_mb or workers > 1):
        raise SpecError(
            "isolation='none' runs trials in this process, one at a time: a timeout, a memory cap "
            "and several workers need isolation='process'."
        )
