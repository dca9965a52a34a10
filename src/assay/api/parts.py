"""From names to parts: the store behind a URL, the sampler behind a word, the executor behind both."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import fields, replace
from importlib import import_module
from os.path import expanduser
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpecError, did_you_mean
from assay.core.familiar import here_called
from assay.core.protocols import Executor, Sampler, Scheduler, Store
from assay.core.space import Space
from assay.core.spec import Limits, StudySpec
from assay.executors.resources import forks, this_machine
from assay.executors.slots import Slots, check_wishes, slots_on
from assay.stores.postgres.address import is_postgres, shown

if TYPE_CHECKING:
    from assay.core.jobs import Evaluate
    from assay.samplers.joint import Joint

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
ORDERS = ("asynchronous", "strict")
_SCHEDULERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "asha": ("asha", "Asha", {}),
    "asha-stopping": ("asha", "AshaStopping", {}),
    "halving": ("halving", "Halving", {}),
    "hyperband": ("halving", "Halving", {"brackets": None}),
    "median": ("percentile", "Percentile", {}),
    "percentile": ("percentile", "Percentile", {"percent": 25.0}),
    "racing": ("racing", "Racing", {}),
    "thaw": ("thaw", "Thaw", {}),
    "thaw-stopping": ("thaw", "ThawStopping", {}),
}
"""The module and the class of each scheduler, and the settings that its name implies."""
_SCHEDULERS_OF_SEVERAL = _SCHEDULERS | {"racing": ("racing_fronts", "RacingFronts", {})}
"""The same where there are several objectives."""
SCHEDULERS = tuple(_SCHEDULERS)
_AUTO = {"epochs": "thaw-stopping", "subset": "asha", "folds": "racing"}
"""The scheduler that "auto" is, by the kind of the fidelity."""
_AUTO_OF_SEVERAL: dict[str, dict[str, Any]] = {
    "epochs": {"name": "asha-stopping", "eta": 2, "parts": 13},
    "folds": {"name": "racing"},
}
"""The same for several objectives; nothing on subsets, where `asha` lost (docs/decisions/0053)."""
_GIVEN = {"seed", "signs", "beliefs", "constraints"}
"""What a study tells its sampler; not for users to set."""
_ENDING = ("auto", "gp", "tpe", "random")
"""The samplers that end a search where `enough` is among their settings."""
_KNOWING = ("auto", "gp")
"""The samplers that use what was known before: beliefs and earlier studies."""
_NO_FORK = "This system (Windows) cannot fork, so trials run in this process, one at a time. "


def store_at(storage: str | Store | None, *, readonly: bool = False) -> Store:
    """The store behind a URL such as "sqlite:///lab.db" or "postgresql://user@host/database".

    A file name ending in .db is one in SQLite; None: memory.

    Raises:
        SpecError: a URL of no known kind.
        StoreError: the file cannot be used.
    """
    if storage is None:
        from assay.stores.memory import MemoryStore

        return MemoryStore()
    if not isinstance(storage, str):
        return storage
    if is_postgres(storage):
        from assay.stores.postgres.store import PostgresStore

        return PostgresStore(storage, readonly=readonly)
    path = sqlite_path(storage)
    if path is None:
        raise SpecError(
            f"Cannot tell what storage {shown(storage)!r} is. Use 'sqlite:///lab.db' (without options after "
            "a ?), the name of a file that ends in .db, or 'postgresql://user@host/database'; in Python "
            "None keeps a study in memory."
        )
    from assay.stores.sqlite import SqliteStore

    return SqliteStore(path, readonly=readonly)


def sqlite_path(storage: str) -> str | None:
    """The file of an SQLite storage URL; None for another kind of storage.

    >>> sqlite_path("sqlite:///lab.db"), sqlite_path("sqlite:////var/lab.db"), sqlite_path("lab.db")
    ('lab.db', '/var/lab.db', 'lab.db')
    """
    if storage.startswith("sqlite:///"):
        path = storage.removeprefix("sqlite:///")
        # SQLAlchemy knows ":memory:" and "lab.db?timeout=9"
        return None if path.startswith(":memory:") or "?" in path else expanduser(path)
    if "://" in storage or not storage.endswith((".db", ".sqlite", ".sqlite3")):
        return None
    return expanduser(storage)


def order_settings(
    order: str, lag: int | None, workers: int | Slots | None = None
) -> dict[str, Any] | None:
    """The order of results as the plan keeps it; None for the asynchronous one.

    Args:
        workers: how many trials run at once; a warning says when some of them can only wait.

    Raises:
        SpecError: an unknown order, or a lag without strict order.
    """
    if order not in ORDERS:
        raise SpecError(f"No order {order!r}. {did_you_mean(str(order), ORDERS)}")
    if order == "asynchronous":
        if lag is not None:
            raise SpecError(f"lag={lag!r} belongs to order='strict'; leave it out, or add that.")
        return None
    if isinstance(lag, int) and workers is not None and at_once(workers) > lag + 1:
        warnings.warn(
            f"In strict order with lag={lag} at most {lag + 1} trials run at once; the other "
            f"{at_once(workers) - lag - 1} of {at_once(workers)} workers wait during the search.",
            stacklevel=3,
        )
    return {"name": "strict", "lag": lag}


def sampler_settings(sampler: str | Mapping[str, Any]) -> dict[str, Any]:
    """A sampler's name and settings as the plan keeps them.

    Args:
        sampler: {"name": "auto", "enough": 0.01}, or the same in words, "auto enough=0.01".

    Raises:
        SpecError: an unknown name or setting.
    """
    if not isinstance(sampler, str | Mapping):
        raise SpecError(_no_name("sampler", sampler))
    settings = _in_words(sampler) if isinstance(sampler, str) else dict(sampler)
    name = settings.get("name")
    if name not in SAMPLERS:
        hint = here_called(name) or f" {did_you_mean(str(name), SAMPLERS)}"
        raise SpecError(f"No sampler {name!r}.{hint}")
    known = {f.name for f in fields(_kind(name))} - _GIVEN
    if name in _ENDING:
        known |= {"enough"}
    for setting in settings.keys() - {"name"}:
        if setting not in known:
            raise SpecError(
                f"Sampler {name!r} has no setting {setting!r}. {did_you_mean(setting, known)}"
                if known
                else f"Sampler {name!r} has no settings, got {setting!r}."
            )
    return settings


def _no_name(what: str, given: object) -> str:
    return (
        f"{what} needs a name, or a dict with its name and settings, got {type(given).__name__}."
        f"{here_called(given)}"
    )


def _in_words(said: str) -> dict[str, Any]:
    """The name, and settings that are numbers."""
    name, *words = said.split() or [said]
    settings: dict[str, Any] = {"name": name}
    for word in words:
        setting, _, number = word.partition("=")
        try:
            settings[setting] = float(number)
        except ValueError:
            raise SpecError(
                f"A sampler's settings are written as NAME=NUMBER, got {word!r} in {said!r}; for "
                'example "auto enough=0.01".'
            ) from None
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
    options = {k: v for k, v in spec.sampler.items() if k not in ("name", "enough")}
    beliefs = tuple((name, b.value, b.strength) for name, b in spec.beliefs.items())
    told = {
        "seed": spec.seed,
        "signs": spec.signs,
        "beliefs": beliefs,
        "constraints": _limits(spec),
    }
    options |= {f.name: told[f.name] for f in fields(kind) if f.name in told}
    made: Sampler = kind(**options)
    if (tolerance := spec.sampler.get("enough")) is not None:
        made = _ending(spec, made, tolerance)
    return Unique(_in_part(spec, made) if spec.scheduler else made)


def _in_part(spec: StudySpec, made: Sampler) -> Sampler:
    """A sampler that reads trials that were evaluated in part; why which, docs/decisions/0047-thaw.md."""
    joint = _joint(spec)
    if joint is not None:
        return joint
    from assay.samplers.at_fidelity import AtFidelity

    return AtFidelity(made, spec.sign)


def _joint(spec: StudySpec) -> Joint | None:
    """The process over configs and steps, where it is what reads the trials."""
    fidelity, scheduler = spec.space.fidelity, _scheduler(spec)
    if spec.sampler["name"] not in _KNOWING or not spec.single or spec.bounds or fidelity is None:
        return None
    subset = fidelity.kind == "subset" and spec.scheduler and spec.scheduler["name"] == "asha"
    steps = fidelity.rungs(scheduler.eta) if subset else getattr(scheduler, "steps", None)
    if steps is None:
        return None
    from assay.samplers.joint import Joint

    beliefs = tuple((n, b.value, b.strength) for n, b in spec.beliefs.items())
    return Joint(steps, spec.seed, spec.signs[0], beliefs)


def _ending(spec: StudySpec, sampler: Sampler, tolerance: Any) -> Sampler:
    """The sampler, until it is enough."""
    from assay.samplers.enough import Enough

    if not spec.single or spec.bounds or spec.scheduler:
        raise SpecError(
            "'enough' ends searches for one objective, without constraints and without a scheduler. "
            "Leave it out of the sampler's settings."
        )
    return Enough(sampler, tolerance, spec.signs[0], spec.seed)


def scheduler_settings(
    scheduler: str | Mapping[str, Any] | None,
    space: Space,
    *,
    single: bool = True,
    strict: bool = False,
) -> dict[str, Any] | None:
    """A scheduler's name and settings as the plan keeps them; None: every trial is evaluated in full.

    "auto" is nothing for a space without a fidelity, in strict order, or for several objectives on a
    subset of the data.

    Raises:
        SpecError: an unknown name.
    """
    if scheduler is None:
        return None
    if not isinstance(scheduler, str | Mapping):
        raise SpecError(_no_name("scheduler", scheduler))
    settings = {"name": scheduler} if isinstance(scheduler, str) else dict(scheduler)
    name = settings.get("name")
    if name == "auto":
        if space.fidelity is None or strict:
            return None
        kind = space.fidelity.kind
        chosen = {"name": _AUTO[kind]} if single else _AUTO_OF_SEVERAL.get(kind)
        return chosen and {**chosen, **_but_name(settings)}
    _check_scheduler(name)
    return settings


def _but_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in settings.items() if key != "name"}


def _check_scheduler(name: Any) -> None:
    if name not in _SCHEDULERS:
        known = ("auto", *SCHEDULERS)
        hint = here_called(name) or f" {did_you_mean(str(name), known)}"
        raise SpecError(f"No scheduler {name!r}.{hint}")


def scheduler_of(spec: StudySpec) -> Scheduler | None:
    """The scheduler of a study; None if it has none.

    Raises:
        SpecError: an unknown name or setting, or one that does not suit the fidelity.
    """
    made = _scheduler(spec)
    if hasattr(made, "forecast") and (joint := _joint(spec)):
        from assay.samplers.joint import Forecast

        made = replace(made, forecast=Forecast(joint, spec.space))
    scheduler: Scheduler | None = made
    return scheduler


def _scheduler(spec: StudySpec) -> Any:
    """The scheduler by its settings alone."""
    if spec.scheduler is None:
        return None
    name = spec.scheduler.get("name")
    _check_scheduler(name)
    assert name is not None
    module, kind, implied = (_SCHEDULERS if spec.single else _SCHEDULERS_OF_SEVERAL)[name]
    made = getattr(import_module(f"assay.schedulers.{module}"), kind)
    settable = {f.name for f in fields(made)}
    known = settable - {"fidelity", "sign", "forecast", "limits"}
    settings = _but_name(spec.scheduler)
    for setting in settings:
        if setting not in known:
            raise SpecError(
                f"Scheduler {name!r} has no setting {setting!r}. {did_you_mean(setting, known)}"
            )
    if "limits" in settable:
        settings["limits"] = spec.limits_on_the_way
    return made(spec.space.fidelity, spec.sign, **{**implied, **settings})


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
            f"Sampler {name!r} makes no use of {what}. Use the sampler 'auto' or 'gp', or leave {what} out."
        )
    if not spec.single:
        raise SpecError(
            f"{what} needs one objective, and this study has {len(spec.signs)}. Leave {what} out."
        )


def _kind(name: str) -> Any:
    module, kind = _KINDS[name]
    return getattr(import_module(f"assay.samplers.{module}"), kind)


def slots_for(
    workers: int | str,
    *,
    cpus: int | None = None,
    gpus: float | None = None,
    isolation: str = "process",
    limits: Limits = Limits(),  # noqa: B008 - frozen
    executor: str = "local",
) -> Slots:
    """How many trials run at once, and what each has: on this machine, or on a cluster.

    Raises:
        SpecError: a wish that is out of range, does not fit this machine, or needs a process; an
            executor that does not exist or cannot do what is asked.
    """
    check_wishes(workers, cpus, gpus)
    if executor != "local":
        return _slots_of_cluster(executor, workers, cpus, gpus, isolation, limits)
    if isolation == "none" and (cpus is not None or gpus is not None):
        raise SpecError(
            "isolation='none' runs trials in this process, which has its cores and GPUs already: "
            "cpus_per_trial and gpus_per_trial need isolation='process'."
        )
    single = isolation == "none" or not forks()
    if single or (workers != "auto" and cpus is None and gpus is None):
        return Slots(1 if workers == "auto" else int(workers))
    machine = this_machine(gpus=gpus is not None)
    return slots_on(machine, workers, cpus=cpus, gpus=gpus, memory_mb=limits.memory_mb)


def at_once(workers: int | Slots) -> int:
    """How many trials run at once."""
    return workers.count if isinstance(workers, Slots) else workers


def on_this_machine(workers: int | Slots) -> int | Slots:
    """The same without a cluster: for what must not leave this machine."""
    return replace(workers, executor="local", gpus=None) if isinstance(workers, Slots) else workers


def _slots_of_cluster(
    url: str,
    workers: int | str,
    cpus: int | None,
    gpus: float | None,
    isolation: str,
    limits: Limits,
) -> Slots:
    if not forks():  # before what follows: it cannot even be imported there
        raise SpecError(_NO_FORK + f"Drive studies at {url!r} from Linux.")
    from assay.executors.remote_url import check_cluster, cluster_at

    check_cluster(url, workers=workers, gpus=gpus)
    if isolation == "none":
        raise SpecError(
            f"isolation='none' runs trials in this process, not at {url!r}. Leave one of them out."
        )
    if cluster_at(url).here:
        here = slots_for(workers, cpus=cpus, gpus=gpus, limits=limits)
        return replace(here, executor=url, threads=cpus, gpus=gpus)
    return Slots(int(workers), threads=cpus, executor=url, gpus=gpus)


def executor_of(
    evaluate: Evaluate, *, workers: int | Slots, isolation: str, limits: Limits
) -> Executor:
    """Child processes, a cluster, or this process for isolation="none".

    Raises:
        SpecError: as `check_execution`.
        StateError: the cluster does not answer.
    """
    check_execution(workers=workers, isolation=isolation, limits=limits)
    if isinstance(workers, Slots) and workers.executor != "local":
        from assay.executors.remote_url import cluster_executor

        return cluster_executor(
            evaluate,
            workers.executor,
            workers=workers.count,
            cpus=workers.threads,
            gpus=workers.gpus,
            memory_mb=limits.memory_mb,
        )
    if isolation == "process" and not forks():
        warnings.warn(_NO_FORK + "A crash ends this program.", stacklevel=2)
    elif isolation == "process":
        from assay.executors.local import LocalExecutor

        slots = workers if isinstance(workers, Slots) else Slots(workers)
        return LocalExecutor(
            evaluate,
            workers=slots.count,
            memory_mb=limits.memory_mb,
            threads_per_worker=slots.threads,
            environments=slots.environments,
        )
    from assay.executors.inline import InlineExecutor

    return InlineExecutor(evaluate)


def check_execution(*, workers: int | Slots, isolation: str, limits: Limits) -> None:
    """Refuse what no executor can do; called before a study is begun too.

    Raises:
        SpecError: an unknown isolation, a wrong number of workers, or limits that need a process.
    """
    count = at_once(workers)
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise SpecError(f"workers needs a whole number >= 1, got {count!r}.")
    if isolation not in ("process", "none"):
        raise SpecError(f"isolation needs 'process' or 'none', got {isolation!r}.")
    if not (limits.seconds or limits.memory_mb or count > 1):
        return
    if isolation == "process" and not forks():
        raise SpecError(
            _NO_FORK + "A timeout, a memory cap and several workers need a system that forks."
        )
    if isolation == "none":
        raise SpecError(
            "isolation='none' runs trials in this process, one at a time: a timeout, a memory cap "
            "and several workers need isolation='process'."
        )


def allowed_defaults(space: Space) -> dict[str, Any] | None:
    """The default config, if every active parameter has a default and no clause forbids it."""
    defaults = space.defaults()
    return defaults if defaults is not None and space.allowed(defaults) else None
