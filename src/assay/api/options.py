"""Everything `assay tune` can be told, from the command line or from a study file."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_type_hints

from assay.core.errors import SpecError, did_you_mean

_KINDS: dict[Any, str] = {int: "integer", float: "number", str: "string", bool: "boolean"}


@dataclass(frozen=True)
class TuneOptions:
    """The options of a study on a data file; what is None is chosen, and the choice is printed.

    Attributes:
        data: CSV, Parquet, NPY or NPZ file.
        target: column to predict.
        model: name of a built-in model.
        metric: "auto" or a scikit-learn scorer name.
        task: "classification" or "regression".
        trials, looks, seconds, cpu_seconds: the budget of the search.
        cpu_hours, gpu_hours, kwh, kgco2e, money: the budget of the whole study.
        rates: watts, region, price_per_kwh and what else `assay.Rates` has.
        smallest_gain: smallest gain worth having, in units of the metric.
        groups: column whose groups must not be split.
        time: column that orders the rows.
        drop: columns to leave out.
        test: share of rows to seal as test set; 0 for none.
        final: "test", or where none can be spared "bbc" or "nested".
        shadow: share of the other rows that the search never uses; incumbents are scored on it.
        splits: "kfold:5", "repeated:5x3", "holdout:0.25", "grouped:5" or "forward:5".
        gap: rows between training and validation of a forward split.
        seed: every random stream derives from it.
        sampler: "auto", "gp", "tpe", "cmaes", "evolution", "random", "sobol", "halton", "grid".
        scheduler: "racing" ends trials on the way through the folds that can hardly become the best.
        space: parameters to search, in the JSON form of a space; None: the model's own.
        given: configs to try first, {"config": {…}, "source": "https://…"}.
        known: whether published configurations of the model are tried first, too.
        portfolio: whether configs that did well on many public data sets are.
        beliefs: values that are thought good, {"lr": {"value": 0.03, "strength": "weak"}}.
        learn_from: names of earlier studies in the storage, or ["*"] for those that fit.
        evidence: repeats, seeds, top, rechecks, guard, refits; false: a search and no verdict.
        timeout, memory_mb, retries: limits of one trial.
        workers: trials at once, or "auto" for as many as fit.
        cpus_per_trial, gpus_per_trial: cores and GPUs of each.
        executor: "local", or a cluster, such as "dask://host:8786".
        order: "asynchronous", or "strict" for the same trials with any number of workers.
        lag: with "strict", how many of the last results a proposal does without.
        study, storage: where it is kept.
        open_test: whether the test set is opened at the end.
        encoding: of the file, when it is not UTF-8.
        reason: why rows that were used before may be sealed or opened again, or a check overridden.
        checks: whether the data is looked at first; "full": with fits of the model too.
        override: codes of checks, such as "PF03", in spite of which it is tuned; needs a reason.
    """

    data: str
    target: str | None = None
    model: str = "auto"
    metric: str = "auto"
    task: str | None = None
    trials: int | None = None
    looks: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    cpu_hours: float | None = None
    gpu_hours: float | None = None
    kwh: float | None = None
    kgco2e: float | None = None
    money: float | None = None
    rates: dict[str, Any] = field(default_factory=dict)
    smallest_gain: float | None = None
    groups: str | None = None
    time: str | None = None
    drop: tuple[str, ...] = ()
    test: float | None = None
    final: str | None = None
    shadow: float | None = None
    splits: str | None = None
    gap: int = 0
    seed: int = 0
    sampler: str = "auto"
    scheduler: str | None = None
    space: dict[str, Any] | None = None
    given: tuple[dict[str, Any], ...] = ()
    known: bool = False
    portfolio: bool = False
    beliefs: dict[str, Any] = field(default_factory=dict)
    learn_from: tuple[str, ...] = ()
    evidence: dict[str, Any] | bool = field(default_factory=dict)
    timeout: float | None = None
    memory_mb: float | None = None
    retries: int = 0
    workers: int | str = 1
    cpus_per_trial: int | None = None
    gpus_per_trial: float | None = None
    executor: str = "local"
    order: str = "asynchronous"
    lag: int | None = None
    study: str | None = None
    storage: str = "assay.db"
    open_test: bool = True
    encoding: str | None = None
    reason: str = ""
    checks: bool | str = True
    override: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The options that differ from their defaults, as a study file holds them."""
        plain = json.loads(json.dumps(asdict(self)))
        default = json.loads(json.dumps(asdict(TuneOptions(data=self.data))))
        return {k: v for k, v in plain.items() if k == "data" or v != default[k]}


def read_options(path: str | Path) -> TuneOptions:
    """The options in a TOML or JSON study file; paths in it are relative to the file.

    Raises:
        SpecError: no such file, not TOML or JSON, or an unknown or wrong entry.
    """
    file, form = Path(path), read_form(path)
    options = options_from(form, where=str(file))
    beside = file.parent / options.data
    return options_from({**form, "data": str(beside) if beside.exists() else options.data})


def read_form(path: str | Path) -> Any:
    """What a TOML or JSON study file holds.

    Raises:
        SpecError: no such file, or not TOML or JSON.
    """
    file = Path(path)
    if file.suffix in (".yaml", ".yml"):
        raise SpecError(
            f"The study file {str(file)!r} is YAML; a study file is TOML or JSON. For a sweep of W&B or an "
            f"experiment of Katib: assay space convert {file} --from wandb -o space.json, then assay "
            "run --command '…' --space space.json."
        )
    try:
        text = file.read_text(encoding="utf-8-sig")  # editors on Windows begin with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"Cannot read the study file {str(file)!r}: {error}.") from None
    try:
        return json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise SpecError(f"The study file {str(file)!r} is not valid: {error}.") from None


def options_from(form: Any, where: str = "the options") -> TuneOptions:
    """The options in a mapping.

    Raises:
        SpecError: an unknown, missing or wrong entry; says where.
    """
    if not isinstance(form, dict):
        raise SpecError(f"{where}: expected a table of options, got {type(form).__name__}.")
    known = {f.name for f in fields(TuneOptions)}
    hints = get_type_hints(TuneOptions)
    form = {name: value for name, value in form.items() if name != "$schema"}
    for name, value in form.items():
        if name not in known:
            raise SpecError(f"{where}: no option {name!r}. {did_you_mean(name, known)}")
        if not fits(value, hints[name]):
            raise SpecError(f"{where}: {name} = {value!r:.80} should be {in_words(hints[name])}.")
    if "data" not in form:
        raise SpecError(f"{where}: the option 'data' is missing: the file with the rows.")
    lists = {k: tuple(v) for k, v in form.items() if isinstance(v, list)}
    return TuneOptions(**{**form, **lists})


def schema_of(options: Any, *needed: str, **others: dict[str, Any]) -> dict[str, Any]:
    """The JSON Schema of a table of options.

    Args:
        options: a dataclass of them.
        needed: those that may not be left out.
        others: schemas of entries that are said in another way, or are no options.

    >>> schema_of(TuneOptions, "data")["required"]
    ['data']
    """
    hints = get_type_hints(options)
    return {
        "type": "object",
        "required": list(needed),
        "additionalProperties": False,
        "properties": {
            "$schema": {"type": "string"},
            **{f.name: _schema(hints[f.name]) for f in fields(options)},
            **others,
        },
    }


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if isinstance(hint, UnionType) else (hint,)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value in a file is of the type that an option has."""
    for kind in _options(hint):
        if kind is type(None):
            if value is None:
                return True
        elif kind is float:
            if isinstance(value, int | float) and not isinstance(value, bool):
                return True
        elif kind is int:
            if isinstance(value, int) and not isinstance(value, bool):
                return True
        elif getattr(kind, "__origin__", None) is tuple:
            item = get_args(kind)[0]
            if isinstance(value, list | tuple) and all(fits(v, item) for v in value):
                return True
        elif isinstance(value, getattr(kind, "__origin__", kind)):
            return True
    return False


def _schema(hint: Any) -> dict[str, Any]:
    forms: list[dict[str, Any]] = []
    for kind in _options(hint):
        if kind is type(None):
            forms.append({"type": "null"})
        elif kind in _KINDS:
            forms.append({"type": _KINDS[kind]})
        elif getattr(kind, "__origin__", None) is tuple:
            forms.append({"type": "array", "items": _schema(get_args(kind)[0])})
        else:
            forms.append({"type": "object"})
    return forms[0] if len(forms) == 1 else {"anyOf": forms}


def in_words(hint: Any) -> str:
    """The type of an option, for people."""
    form = _schema(hint)
    kinds = [f.get("type") for f in form.get("anyOf", [form])]
    words = {"integer": "a whole number", "number": "a number", "string": "a text",
             "boolean": "true or false", "array": "a list", "object": "a table"}  # fmt: skip
    return " or ".join(words[k] for k in kinds if k in words)
