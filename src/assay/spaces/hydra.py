"""Hydra's sweep overrides: hydra.cc, "Extended Override syntax": choice, range, interval, tag, int."""

from __future__ import annotations

import json
import re
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter
from assay.core.space import Space
from assay.spaces.losses import Losses

_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)


def read(form: Any, losses: Losses) -> Space:
    """The space of a sweeper's `params`, of a whole config, or of overrides by name."""
    inner = form.get("hydra", form)
    inner = inner.get("sweeper", inner)
    if "params" in inner:
        inner = inner["params"]
    if not isinstance(inner, dict):
        raise SpaceError(f"Hydra's params are a table of overrides, got {inner!r:.80}.")
    return Space({name: _parameter(name, entry, losses) for name, entry in inner.items()})


def _parameter(name: str, entry: Any, losses: Losses) -> Parameter:
    if not isinstance(entry, str):
        return Constant(entry)
    try:
        return _read(name, entry.strip(), losses)
    except (SpaceError, ValueError) as error:
        raise SpaceError(f"Parameter {name!r}: {entry!r:.100}: {error}") from None


def _read(
    name: str, text: str, losses: Losses, *, log: bool = False, whole: bool = False
) -> Parameter:
    call = _CALL.fullmatch(text)
    if call is None:
        values = [_value(part) for part in _parts(text)]
        return Choice(values) if len(values) > 1 else Constant(values[0])
    word, parts = call.group(1), _parts(call.group(2))
    if word == "tag":
        for tag in parts[:-1]:
            if tag != "log":
                losses.add(f"the tag {tag}", name)
        return _read(name, parts[-1], losses, log=log or "log" in parts[:-1], whole=whole)
    if word in ("int", "float"):
        return _read(name, parts[0], losses, log=log, whole=whole or word == "int")
    named = dict(part.split("=", 1) for part in parts if "=" in part)
    told = [part for part in parts if "=" not in part]
    if word == "choice":
        return Choice([_value(part) for part in told])
    if word == "interval":
        low, high = (
            float(named.get("start", told[0] if told else "")),
            float(named.get("end", told[-1] if told else "")),
        )
        return Int(int(low), int(high), log=log) if whole else Float(low, high, log=log)
    if word == "range":
        ends = [_value(part) for part in told]
        start, stop, step = [
            *([0, *ends] if len(ends) == 1 else [*ends, 1])[:2],
            ends[2] if len(ends) > 2 else 1,
        ]
        start, stop = _value(str(named.get("start", start))), _value(str(named.get("stop", stop)))
        return _range(start, stop, _value(str(named.get("step", step))), losses, name)
    raise SpaceError(f"{word} is no sweep that is known here: choice, range, interval, tag, int.")


def _range(start: Any, stop: Any, step: Any, losses: Losses, name: str) -> Parameter:
    """Hydra's range leaves its end out."""
    values: list[Any] = []
    while start + len(values) * step < stop and len(values) < 100_000:
        values.append(start + len(values) * step)
    if len(values) == 1:
        return Constant(values[0])
    if all(isinstance(value, int) for value in values):
        return Int(values[0], values[-1], step=step)
    return Ordinal(values)


def _parts(text: str) -> list[str]:
    """Parted at commas outside of brackets and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        elif letter in "([{":
            depth += 1
        elif letter in ")]}":
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()]


def _value(text: str) -> Any:
    if text[:1] in "'\"" and text[-1:] == text[:1] and len(text) > 1:
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
