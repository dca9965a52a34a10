"""Studies of programs: from the command line or a study file to a run, and back from the storage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_type_hints

from assay.api.objective import run_objective
from assay.api.opened import open_study
from assay.api.options import TuneOptions, fits, in_words, schema_of
from assay.api.parts import (
    allowed_defaults,
    check_execution,
    sampler_settings,
    slots_for,
    store_at,
)
from assay.api.study import Study
from assay.core.errors import SpecError, did_you_mean
from assay.core.events import Created, Enqueued
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, Limits, StudySpec
from assay.programs.program import Program
from assay.programs.spec_words import parameter_in

Begun = Callable[[Study], None]
_NAMES = ("minimize", "maximize", "constraints", "learn_from")
"""A list of names, or one name alone."""


@dataclass(frozen=True)
class ProgramOptions:
    """Everything a study of a program can be told; what is None or empty is chosen.

    Attributes:
        command, pattern, output, shell, directory: as for `Program`.
        space: parameters by name: a text such as "1e-4..1 log default=0.1", or a table in the JSON
            form of a space; or the JSON form of a whole space, {"parameters": …, "forbid": …}.
        minimize, maximize: the names of what the program gives; without either, "value" is minimised.
        constraints: bounds on numbers that it gives, "latency_ms <= 10".
        trials, seconds, cpu_seconds: the budget of the search.
        given: configs to try first.
        smallest_gain, seed, sampler, learn_from: as for `assay.optimize`.
        evidence: repeats, top, rechecks, confirms, guard; False: nothing is measured again.
        timeout, memory_mb, retries: limits of one trial.
        workers: trials at once, or "auto".
        study, storage: where it is kept.
    """

    command: str
    space: dict[str, Any] = field(default_factory=dict)
    minimize: tuple[str, ...] = ()
    maximize: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    pattern: str | None = None
    output: str | None = None
    shell: bool = False
    directory: str | None = None
    trials: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    given: tuple[dict[str, Any], ...] = ()
    smallest_gain: float = 0.0
    seed: int = 0
    sampler: str = "auto"
    learn_from: tuple[str, ...] = ()
    evidence: dict[str, Any] | bool = True
    timeout: float | None = None
    memory_mb: float | None = None
    retries: int = 0
    workers: int | str = 1
    study: str = "program"
    storage: str = "assay.db"

    def to_json(self) -> dict[str, Any]:
        """The options that differ from their defaults."""
        default = asdict(ProgramOptions(self.command))
        return {k: v for k, v in asdict(self).items() if k == "command" or v != default[k]}


def program_options(form: Any, where: str) -> ProgramOptions:
    """The options in a mapping.

    Raises:
        SpecError: an unknown or wrong entry, or no command; says where.
    """
    known = get_type_hints(ProgramOptions)
    for name, value in form.items():
        if name not in known:
            raise SpecError(f"{where}: no option {name!r}. {did_you_mean(name, known)}")
        if isinstance(value, str) and name in _NAMES:
            continue
        if not fits(value, known[name]):
            raise SpecError(f"{where}: {name} = {value!r:.80} should be {in_words(known[name])}.")
    lists = {f.name for f in fields(ProgramOptions) if isinstance(f.default, tuple)}
    tuples = {
        name: (value,) if isinstance(value, str) else tuple(value)
        for name, value in form.items()
        if name in lists
    }
    return ProgramOptions(**{**form, **tuples})


def file_options(form: Mapping[str, Any], path: str) -> ProgramOptions:
    """The options in a study file; the program runs in the file's folder unless it says where.

    Raises:
        SpecError: an unknown or wrong entry.
    """
    here = Path(path).resolve().parent
    options = program_options({k: v for k, v in form.items() if k != "$schema"}, path)
    return replace(options, directory=str(here / (options.directory or "")))


def schema() -> dict[str, Any]:
    """The JSON Schema of a study file: of a program if it has a command, else of a data file."""
    names = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Assay study",
        "type": "object",
        "if": {"required": ["command"]},
        "then": schema_of(ProgramOptions, "command", "space", **dict.fromkeys(_NAMES, names)),
        "else": schema_of(TuneOptions, "data", ablation={"type": "object"}),
    }


def program_of(options: ProgramOptions) -> Program:
    """The objective that these options describe."""
    settings = {"directory": options.directory} if options.directory else {}
    names = tuple(_directions(options))
    return Program(
        options.command, names, options.pattern, options.output, options.shell, **settings
    )


def run_program(
    options: ProgramOptions, *, say: Begun | None = None, progress: bool | None = None
) -> Study:
    """Run the study of a program to the end of its plan; one that was begun goes on.

    Raises:
        SpecError, SpaceError: the options are wrong; the study has another plan.
        StateError: the program fails with its defaults, or in every trial.
        KeyboardInterrupt: it was stopped by Ctrl-C; the log is whole.
    """
    program = program_of(options)
    space = space_of(options.space)
    program.check(space.names)
    spec = _spec(options, space)
    limits = spec.limits
    slots = slots_for(options.workers, limits=limits)
    check_execution(workers=slots, isolation="process", limits=limits)
    store = store_at(options.storage)
    queued = [Enqueued(space.settle(config)) for config in options.given]
    source = {"program": replace(options, directory=program.directory).to_json()}
    study = Study.of(spec, store, options.study, queued, source)
    if say:
        say(study)
    if not run_objective(study, program, workers=slots, progress=progress):
        raise KeyboardInterrupt
    return study


def stored_program(storage: str, name: str | None) -> ProgramOptions | None:
    """The options of a stored study of a program; None for another study.

    Raises:
        SpecError: there is no such study.
    """
    with open_study(storage, name, readonly=True) as study:
        created: Created = study.history.last(Created)
        form = (created.source or {}).get("program")
        if form is None:
            return None
        return program_options({**form, "storage": storage, "study": study.name}, study.name)


def space_of(form: Mapping[str, Any]) -> Space:
    """A space from words, tables, or the JSON form of a whole space.

    Raises:
        SpaceError, SpecError: none of these.

    >>> len(space_of({"lr": "1e-4..1 log", "depth": {"type": "int", "low": 1, "high": 9}}))
    2
    """
    if not form:
        raise SpecError(
            "A program needs parameters to search: --param 'lr=1e-4..1 log default=0.1', "
            "--space FILE, or [space] in the study file."
        )
    if isinstance(form.get("parameters"), Mapping):
        return Space.from_json({**form, "parameters": _tables(form["parameters"])})
    return Space.from_json({"parameters": _tables(form)})


def _tables(form: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: parameter_in(f"{name}={entry}")[1].to_json() if isinstance(entry, str) else entry
        for name, entry in form.items()
    }


def _directions(options: ProgramOptions) -> dict[str, Any]:
    if twice := set(options.minimize) & set(options.maximize):
        raise SpecError(f"{min(twice)!r} cannot be minimised and maximised at once.")
    named = dict.fromkeys(options.minimize, "minimize") | dict.fromkeys(
        options.maximize, "maximize"
    )
    return named or {"value": "minimize"}


def _spec(options: ProgramOptions, space: Space) -> StudySpec:
    given = options.evidence
    evidence = Evidence(**given) if isinstance(given, dict) else Evidence() if given else None
    limits = (options.trials, options.seconds, options.cpu_seconds)
    return StudySpec(
        space=space,
        directions=_directions(options),
        seed=options.seed,
        sampler=sampler_settings(options.sampler),
        budget=Budget(
            trials=60 if limits == (None, None, None) else options.trials,
            seconds=options.seconds,
            cpu_seconds=options.cpu_seconds,
        ),
        control=allowed_defaults(space),
        constraints=options.constraints,
        smallest_gain=options.smallest_gain,
        evidence=evidence,
        limits=Limits(options.timeout, options.memory_mb, options.retries),
    )
