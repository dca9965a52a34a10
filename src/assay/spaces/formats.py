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
from assay.spaces import configspace, hydra, katib, optuna_json, wandb
from assay.spaces.losses import Losses


def _own(form: Any, losses: Losses) -> Space:
    return Space.from_json(form if "parameters" in form else {"parameters": form})


def _to_own(space: Space, losses: Losses) -> Any:
    return space.to_json()


@dataclass(frozen=True)
class Format:
    """How a space is read from and written as a tool's JSON values; one of both may be missing."""

    about: str
    read: Callable[[Any, Losses], Space]
    write: Callable[[Space, Losses], Any] | None
    yaml: bool = False


FORMATS = {
    "assay": Format("the JSON form of a space", _own, _to_own),
    "configspace": Format("ConfigSpace's JSON", configspace.read, configspace.write),
    "hydra": Format(
        "Hydra's sweep overrides, such as interval(1e-5,1e-1)", hydra.read, None, yaml=True
    ),
    "katib": Format("Katib's Experiment", katib.read, katib.write, yaml=True),
    "optuna": Format(
        "Optuna's distributions in JSON, by name", optuna_json.read, optuna_json.write
    ),
    "wandb": Format("a sweep of Weights & Biases", wandb.read, wandb.write, yaml=True),
}


def read(form: Any, kind: str) -> tuple[Space, list[str]]:
    """A space from a tool's JSON values, and what was lost.

    Raises:
        SpaceError: not of this format, or nothing that can be searched.

    >>> space, lost = read({"parameters": {"lr": {"distribution": "beta", "min": 0.1, "max": 1.0}}}, "wandb")
    >>> space["lr"].high, lost
    (1.0, ['lr: its beta distribution'])
    """
    losses = Losses()
    if not isinstance(form, dict | list) or not form:
        raise SpaceError(f"A space in {kind}'s format is an object, got {form!r:.80}.")
    try:
        return _format(kind).read(form, losses), losses.said
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, SpaceError):
            raise
        missing = f": it has no {error}" if isinstance(error, KeyError) else ""
        raise SpaceError(f"This is not {_format(kind).about}{missing}.{_fitting(form)}") from None


def _fitting(form: Any) -> str:
    """Which formats it may be of instead; that of Hydra, which takes anything, is none of them."""
    found = []
    for name, other in FORMATS.items():
        if other.write is None:
            continue
        with suppress(KeyError, TypeError, AttributeError, ValueError):
            other.read(form, Losses())
            found.append(name)
    return f" It can be read as {' or '.join(found)}: --from {found[0]}." if found else ""


def write(space: Space, kind: str) -> tuple[Any, list[str]]:
    """A space as a tool's JSON values, and what was lost.

    Raises:
        SpecError: the format is read only.
    """
    losses, found = Losses(), _format(kind).write
    if found is None:
        raise SpecError(f"{kind} can be read, not written.")
    return found(space, losses), losses.said


def load(path: str) -> Any:
    """What a JSON, TOML or YAML file holds.

    Raises:
        SpaceError: no such file, or it cannot be read.
        SpecError: YAML without its package.
    """
    try:
        text = Path(path).read_text("utf-8")
        if path.endswith(".toml"):
            return tomllib.loads(text)
        if path.endswith((".yaml", ".yml")):
            return _yaml().safe_load(text)
        return json.loads(text)
    except OSError as error:
        raise SpaceError(f"Cannot read {path!r}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise SpaceError(f"Cannot read {path!r}: {error}.") from None
    except _yaml().YAMLError as error:
        raise SpaceError(f"Cannot read {path!r}: {' '.join(str(error).split())}.") from None


def text_of(form: Any, *, yaml: bool) -> str:
    """JSON or YAML text."""
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
