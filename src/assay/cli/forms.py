"""What the command line takes as files or as KEY=VALUE."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import click

from assay.core.errors import SpecError


def workers_of(text: str) -> int | str:
    """How many trials at once: a whole number, or "auto"."""
    if text == "auto":
        return text
    if text.isdecimal() and int(text) >= 1:
        return int(text)
    raise click.BadParameter(f"{text!r} is neither a whole number >= 1 nor auto.")


def space_in(path: str) -> dict[str, Any]:
    """The parameters of a space in its JSON form, from a JSON or TOML file."""
    form = _read(path, "parameters")
    if not isinstance(form, dict):
        raise SpecError(f"{path!r} should hold a table of parameters, got {type(form).__name__}.")
    return form


def given_in(path: str) -> list[dict[str, Any]]:
    """Configs to try first: a list in JSON or YAML, or [[given]] in TOML."""
    if path.endswith((".yaml", ".yml")):
        from assay.spaces.formats import load

        form = load(path)
    else:
        form = _read(path, "configs")
    if isinstance(form, dict):
        form = form.get("given")
    if not isinstance(form, list) or not all(isinstance(config, dict) for config in form):
        raise SpecError(f"{path!r} should hold a list of configs, in TOML as [[given]].")
    return form


def evidence_of(entries: tuple[str, ...]) -> dict[str, Any]:
    """A table from KEY=NUMBER words.

    >>> evidence_of(("top=3", "guard=1.5"))
    {'top': 3, 'guard': 1.5}
    """
    found: dict[str, Any] = {}
    for entry in entries:
        key, equals, text = entry.partition("=")
        try:
            found[key.strip()] = json.loads(text)
        except json.JSONDecodeError:
            equals = ""
        if not equals:
            raise SpecError(f"--evidence needs KEY=NUMBER, such as repeats=5; got {entry!r}.")
    return found


def rates_of(entries: tuple[str, ...]) -> dict[str, Any]:
    """A table from KEY=VALUE words, where values are numbers or texts.

    >>> rates_of(("region=DEU", "price_per_kwh=0.4"))
    {'region': 'DEU', 'price_per_kwh': 0.4}
    """
    found: dict[str, Any] = {}
    for entry in entries:
        key, equals, text = entry.partition("=")
        if not equals or not text:
            raise SpecError(f"--rate needs KEY=VALUE, such as region=DEU; got {entry!r}.")
        try:
            found[key.strip()] = float(text)
        except ValueError:
            found[key.strip()] = text.strip()
    return found


def _read(path: str, what: str) -> Any:
    if path.endswith((".yaml", ".yml")):
        raise SpecError(
            f"{path!r} is YAML; the {what} here come as JSON or TOML. For a space of another tool: "
            f"assay space convert {path} --from wandb -o space.json (or another --from)."
        )
    try:
        text = Path(path).read_text(encoding="utf-8")
        return tomllib.loads(text) if path.endswith(".toml") else json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"Cannot read the {what} in {path!r}: {error}.") from None
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        kind = "TOML" if path.endswith(".toml") else "JSON"
        raise SpecError(f"{path!r}, with the {what}, is not valid {kind}: {error}.") from None
