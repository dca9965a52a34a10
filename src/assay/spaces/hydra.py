"""Hydra's sweep overrides: hydra.cc, "Extended Override syntax": choice, range, interval, tag, int.

Tags are free words there. `log` is that of Hydra's other sweepers; `logit` and `ordinal` are ours.
"""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Constant, Float, Int, Ordinal, Parameter
from assay.core.space import Space
from assay.spaces.losses import Losses, fixed, on_grid

_CALL = re.compile(r"(\w+)\s*\((.*)\)", re.DOTALL)
_NAMED = re.compile(r"(start|stop|end|step)\s*=\s*(.*)", re.DOTALL)
_KEY = re.compile(r"\+{0,2}[A-Za-z_][\w$-]*(\.([A-Za-z_][\w$-]*|[0-9]+))*", re.ASCII)
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_LITERAL = {"true": True, "false": False, "null": None}
_TAGS = {"log", "logit", "ordinal"}


def read(form: Any, losses: Losses) -> Space:
    """The space of a sweeper's `params`, of a whole config, or of a list of overrides."""
    if isinstance(form, list):
        pairs = [entry.partition("=") for entry in form]
        return Space({name: _parameter(name, text, losses) for name, _, text in pairs})
    inner = form.get("hydra", form)
    inner = inner.get("sweeper", inner)
    if "params" in inner:
        inner = inner["params"]
    if not isinstance(inner, dict):
        raise SpaceError(f"Hydra's params are a table of overrides, got {inner!r:.80}.")
    return Space({name: _parameter(name, entry, losses) for name, entry in flat(inner)})


def write(space: Space, losses: Losses) -> dict[str, Any]:
    """A config with the sweeper's `params`; conditions and defaults are lost."""
    losses.clauses(space)
    return {"hydra": {"sweeper": {"params": dict(_entries(space, losses))}}}


def write_overrides(space: Space, losses: Losses) -> list[str]:
    """The overrides for the command line, one for each parameter."""
    losses.clauses(space)
    return [
        f"{name}={entry if isinstance(entry, str) else _text(entry)}"
        for name, entry in _entries(space, losses)
    ]


def text_of(form: list[str]) -> str:
    """One override a line, quoted for a shell."""
    return "".join(f"{shlex.quote(override)}\n" for override in form)


def parse(text: str) -> list[str]:
    """The overrides in a text, quoted or not, over any number of lines.

    Raises:
        ValueError: a quote that is not closed.
    """
    return [word for word in shlex.split(text, comments=True) if "=" in word]


def flat(params: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Nested tables as names with dots."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def _entries(space: Space, losses: Losses) -> Iterator[tuple[str, Any]]:
    for name, node in space.nodes.items():
        if not _KEY.fullmatch(name):
            raise SpaceError(
                f"Parameter {name!r} cannot be the key of an override of Hydra. Rename it: letters, "
                "digits, _, - and $, parts joined by dots."
            )
        losses.node(node)
        yield name, _entry(name, node.parameter, losses)


def _entry(name: str, parameter: Parameter, losses: Losses) -> Any:
    if isinstance(parameter, Choice):
        return _choice(name, parameter, losses)
    scale = "log" if parameter.log else "logit" if getattr(parameter, "logit", False) else ""
    if parameter.step is not None and not (scale and isinstance(parameter, Int)):
        if scale:
            losses.add(f"its {scale} scale", name)
        return _stepped(name, parameter, losses)
    text = f"interval({parameter.low!r},{parameter.high!r})"
    if isinstance(parameter, Int):
        text = f"int({text})"
    return f"tag({scale},{text})" if scale else text


def _stepped(name: str, parameter: Float | Int, losses: Losses) -> str:
    """A range, whose end is left out: half a step beyond the last value."""
    low, step = Decimal(repr(parameter.low)), Decimal(repr(parameter.step))
    last = low + (int(parameter.size) - 1) * step
    if not on_grid(parameter):
        losses.add(f"its upper end {parameter.high}, which no step reaches", name)
    if isinstance(parameter, Float):
        return f"range({low},{last + step / 2},{step})"
    return f"range({low},{last + 1}{f',{step}' if step != 1 else ''})"


def _choice(name: str, parameter: Choice, losses: Losses) -> Any:
    values = list(parameter.values)
    if any("${" in text for value in values for text in _texts(value)):
        losses.add("values with ${, which Hydra fills in", name)
    if not all(_sayable(value) for value in values):
        raise SpaceError(
            f"Parameter {name!r}: Hydra has no text for one of {values!r:.80}: it reads the keys of "
            "objects as words only. Rename the keys."
        )
    if fixed(parameter):
        return values[0] if isinstance(values[0], bool | int | float | None) else _text(values[0])
    texts = ",".join(map(_text, values))
    if None in values:  # Hydra's choice() refuses null, its plain list does not
        losses.order(name, parameter)
        return texts
    return f"tag(ordinal,choice({texts}))" if isinstance(parameter, Ordinal) else f"choice({texts})"


def _parameter(name: str, entry: Any, losses: Losses) -> Parameter:
    if not isinstance(entry, str):
        return Constant(entry)
    try:
        return _read(name, entry.strip(), losses)
    except (SpaceError, ValueError, ArithmeticError) as error:
        raise SpaceError(f"Parameter {name!r}: {entry!r:.100}: {error}") from None


def _read(name: str, text: str, losses: Losses, scale: str = "", whole: bool = False) -> Parameter:
    call = _CALL.fullmatch(text)
    if call is None:
        values = [_value(part) for part in _parts(text)]
        return Choice(values) if len(values) > 1 else Constant(values[0])
    word, parts = call.group(1), _parts(call.group(2))
    if word == "tag":
        for tag in parts[:-1]:
            if tag not in _TAGS:
                losses.add(f"the tag {tag}", name)
        known = [tag for tag in parts[:-1] if tag in _TAGS]
        return _read(name, parts[-1], losses, known[-1] if known else scale, whole)
    if word in ("int", "float"):
        return _read(name, parts[0], losses, scale, whole or word == "int")
    if word == "choice":
        return (Ordinal if scale == "ordinal" else Choice)([_value(part) for part in parts])
    named = {found[1]: found[2] for part in parts if (found := _NAMED.fullmatch(part))}
    told = [part for part in parts if not _NAMED.fullmatch(part)]
    if word == "interval":
        low, high = (
            _value(named.get("start", told[0] if told else "")),
            _value(named.get("end", told[-1] if told else "")),
        )
        if whole:
            return Int(int(low), int(high), log=scale == "log")
        return Float(float(low), float(high), log=scale == "log", logit=scale == "logit")
    if word == "range":
        ends = ["0", *told] if len(told) == 1 else told
        told_by_place = dict(zip(("start", "stop", "step"), ends, strict=False))
        return _range(**{"start": "0", "step": "1", **told_by_place, **named})
    raise SpaceError(f"{word} is no sweep that is known here: choice, range, interval, tag, int.")


def _range(start: str, stop: str, step: str) -> Parameter:
    """Hydra's range leaves its end out; decimal, so that 0.3 is three steps of 0.1."""
    low, end, by = (Decimal(text) for text in (start, stop, step))
    many = math.ceil((end - low) / by)
    if many < 1:
        raise SpaceError("a range without values")
    first, last = sorted([low, low + (many - 1) * by])
    if all(re.fullmatch(r"[+-]?[0-9_]+", text) for text in (start, stop, step)):
        return Int(int(first), int(last), step=abs(int(by))) if many > 1 else Constant(int(low))
    return (
        Float(float(first), float(last), step=float(abs(by))) if many > 1 else Constant(float(low))
    )


def _parts(text: str) -> list[str]:
    """Parted at commas outside of brackets and quotes."""
    parts, depth, quote, start, escaped = [], 0, "", 0, False
    for i, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote and not escaped else quote
            escaped = letter == "\\" and not escaped
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
        return _unquoted(text)
    if text[:1] == "[" and text[-1:] == "]":
        return [_value(part) for part in _parts(text[1:-1])] if text[1:-1].strip() else []
    if text[:1] == "{" and text[-1:] == "}":
        pairs = [part.partition(":") for part in _parts(text[1:-1])] if text[1:-1].strip() else []
        return {str(_value(key.strip())): _value(value.strip()) for key, _, value in pairs}
    if text.lower() in _LITERAL:
        return _LITERAL[text.lower()]
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _text(value: Any) -> str:
    """What Hydra reads as this JSON value."""
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{key}:{_text(item)}' for key, item in value.items())}}}"
    if isinstance(value, str):
        return value if _is_word(value) else _quoted(value)
    return json.dumps(value)


def _is_word(text: str) -> bool:
    """Whether it stands for itself, without quotes."""
    return bool(_WORD.fullmatch(text)) and text.lower() not in {*_LITERAL, "nan", "inf", "infinity"}


def _quoted(text: str) -> str:
    """In quotes: backslashes count only before a quote, where each is doubled."""
    return "'" + re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + (m[2] and "\\'"), text) + "'"


def _unquoted(text: str) -> str:
    quote = text[0]
    return re.sub(rf"(\\+)({quote}|\Z)", lambda m: m[1][: len(m[1]) // 2] + m[2], text[1:-1])


def _sayable(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_word(key) and _sayable(item) for key, item in value.items())
    return not isinstance(value, list) or all(map(_sayable, value))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)
