"""Search spaces in other tools' files: which formats there are, and how one becomes another."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.space import Space
from assay.spaces import (
    configspace,
    dataclass_source,
    hydra,
    katib,
    keras_tuner,
    optuna_json,
    scipy_stats,
    wandb,
)
from assay.spaces.losses import Losses


def _own(form: Any, losses: Losses) -> Space:
    return Space.from_json(form if "parameters" in form else {"parameters": form})


def _to_own(space: Space, losses: Losses) -> Any:
    return space.to_json()


@dataclass(frozen=True)
class Format:
    """How a space is read from and written as a tool's values.

    Attributes:
        parse, text: where the values are no JSON or YAML, how a file's text becomes them, and back.
        loose: it takes nearly any table, so that a file can hardly be told to be one.
    """

    about: str
    read: Callable[[Any, Losses], Space]
    write: Callable[[Space, Losses], Any]
    yaml: bool = False
    parse: Callable[[str], Any] | None = None
    text: Callable[[Any], str] | None = None
    loose: bool = False


FORMATS = {
    "assay": Format("the JSON form of a space", _own, _to_own),
    "configspace": Format("ConfigSpace's JSON", configspace.read, configspace.write),
    "dataclass": Format(
        "the source of an annotated dataclass",
        dataclass_source.read,
        dataclass_source.write,
        parse=str,
        text=str,
    ),
    "hydra": Format("Hydra's hydra.sweeper.params", hydra.read, hydra.write, yaml=True, loose=True),
    "keras-tuner": Format(
        "KerasTuner's HyperParameters.get_config()", keras_tuner.read, keras_tuner.write
    ),
    "katib": Format("Katib's Experiment", katib.read, katib.write, yaml=True),
    "optuna": Format(
        "Optuna's distributions in JSON, by name", optuna_json.read, optuna_json.write
    ),
    "overrides": Format(
        "Hydra's sweep overrides, such as lr=interval(1e-5,1e-1)",
        hydra.read,
        hydra.write_overrides,
        parse=hydra.parse,
        text=hydra.text_of,
        loose=True,
    ),
    "scipy": Format(
        "the source of param_distributions",
        scipy_stats.read,
        scipy_stats.write,
        parse=scipy_stats.parse,
        text=scipy_stats.text_of,
        loose=True,
    ),
    "wandb": Format("a sweep of Weights & Biases", wandb.read, wandb.write, yaml=True),
}


def read(form: Any, kind: str) -> tuple[Space, list[str]]:
    """A space from a tool's values, and what was lost.

    The values are JSON values; distributions of scipy.stats in `scipy`, the source in `dataclass`.

    Raises:
        SpaceError: not of this format, or nothing that can be searched.

    >>> space, lost = read({"parameters": {"lr": {"distribution": "beta", "min": 0.1, "max": 1.0}}}, "wandb")
    >>> space["lr"].high, lost
    (1.0, ['lr: its beta distribution'])
    """
    losses = Losses()
    if not isinstance(form, dict | list | str) or not form:
        raise SpaceError(f"A space in {kind}'s format is an object, got {form!r:.80}.")
    try:
        return _format(kind).read(form, losses), losses.said
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        missing = f": it has no {error}" if isinstance(error, KeyError) else ""
        raise SpaceError(f"This is not {_format(kind).about}{missing}.{_fitting(form)}") from None


def _fitting(form: Any) -> str:
    """Which formats it may be of instead, of those that do not take nearly anything."""
    found = []
    for name, other in FORMATS.items():
        if other.loose:
            continue
        with suppress(KeyError, TypeError, AttributeError, ValueError):
            other.read(form, Losses())
            found.append(name)
    return f" It can be read as {' or '.join(found)}: --from {found[0]}." if found else ""


def write(space: Space, kind: str) -> tuple[Any, list[str]]:
    """A space as a tool's values, and what was lost.

    Raises:
        SpaceError: a parameter that cannot be said at all, such as a name that is none there.

    >>> import assay
    >>> write(assay.Space(lr=assay.Float(1e-4, 1.0, log=True)), "overrides")
    (['lr=tag(log,interval(0.0001,1.0))'], [])
    """
    losses = Losses()
    form = _format(kind).write(space, losses)
    return form, losses.said


def load(path: str, kind: str = "") -> Any:
    """What a file holds: JSON, TOML or YAML by its name, or the text of a format that is neither.

    Raises:
        SpaceError: no such file, or it cannot be read.
        SpecError: YAML without its package.
    """
    try:
        text = Path(path).read_text("utf-8")
        if (
            kind
            and (parse := _format(kind).parse)
            and not path.endswith((".json", ".yaml", ".yml"))
        ):
            return parse(text)
        if path.endswith(".toml"):
            return tomllib.loads(text)
        if path.endswith((".yaml", ".yml")):
            return _yaml().safe_load(text)
        return json.loads(text)
    except OSError as error:
        raise SpaceError(f"Cannot read {path!r}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        said = str(error).partition("\n")[0].rstrip(".")  # without our own mark of the page
        raise SpaceError(f"Cannot read {path!r}: {said}.") from None
    except _yaml().YAMLError as error:
        raise SpaceError(f"Cannot read {path!r}: {' '.join(str(error).split())}.") from None


def text_of(form: Any, *, yaml: bool, kind: str = "") -> str:
    """The text of a format, which is JSON or YAML where it has none of its own."""
    if kind and (own := _format(kind).text):
        return own(form)
    if yaml:
        return str(_yaml().safe_dump(form, sort_keys=False, allow_unicode=True))
    return json.dumps(form, indent=2) + "\n"


def _format(kind: str) -> Format:
    if kind not in FORMATS:
        raise SpecError(f"There is no format {kind!r}. {did_you_mean(kind, FORMATS)}")
    return FORMATS[kind]


def _yaml() -> Any:
    try:
        import yaml
    except ImportError:
        raise SpecError("YAML needs a package: pip install 'assay[yaml]'.") from None
    return yaml
