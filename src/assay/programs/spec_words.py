"""Parameters in a few words, for command lines: `lr=1e-4..1 log`."""

from __future__ import annotations

import json
import re
from typing import Any

from assay.core.errors import SpaceError
from assay.core.parameters import Choice, Float, Int, Ordinal, Parameter

_WHOLE = re.compile(r"[-+]?\d+")
_OTHERS = re.compile(r"[,:;]|\d-+\d")  # how ranges and lists are written elsewhere
_FORM = (
    "Write NAME=LOW..HIGH, with log, step=S or default=V after it, or NAME=A|B|C with default=A."
)


def parameter_in(text: str) -> tuple[str, Parameter]:
    """A name and its parameter.

    A range of whole numbers is an Int, any other a Float; `1.0..8` is a Float. Choices are numbers,
    true, false or null where they look like it, else text; numbers have their order.

    Raises:
        SpaceError: not of this form, or an impossible range.

    >>> parameter_in("lr=1e-4..1 log default=0.1")
    ('lr', Float(low=0.0001, high=1.0, log=True, logit=False, step=None, default=0.1))
    >>> parameter_in("depth=1..12")[1].high
    12
    >>> parameter_in("booster=tree|linear")[1].values
    ('tree', 'linear')
    """
    name, equals, rest = text.partition("=")
    name = name.strip()
    if not equals or not name:
        raise SpaceError(f"A parameter needs a name and values, got {text!r:.100}. {_FORM}")
    head, *words = rest.split() or [""]
    options = dict(_option(word, text) for word in words)
    try:
        return name, _parameter(head, options)
    except SpaceError as error:
        raise SpaceError(
            f"Parameter {name!r}: {error} {_FORM if '..' not in head else ''}".strip()
        ) from None


def _option(word: str, text: str) -> tuple[str, Any]:
    if word in ("log", "logit", "int", "float"):
        return word, True
    key, equals, value = word.partition("=")
    if not equals or key not in ("default", "step"):
        raise SpaceError(f"{word!r} in {text!r:.100} is no option of a parameter. {_FORM}")
    return key, _value(value)


def _parameter(head: str, options: dict[str, Any]) -> Parameter:
    low, dots, high = head.partition("..")
    if dots:
        whole = bool(_WHOLE.fullmatch(low) and _WHOLE.fullmatch(high)) and not options.pop(
            "float", False
        )
        whole = bool(options.pop("int", False)) or whole
        bounds = _number(low), _number(high)
        if whole:
            if "logit" in options:
                raise SpaceError("logit is for numbers between 0 and 1.")
            _check_whole(head, options)
            return Int(*bounds, **options)  # type: ignore[arg-type]  # Int says what is wrong
        return Float(*bounds, **options)
    values = [_value(part) for part in head.split("|")] if head else []
    if len(values) == 1 and isinstance(values[0], str) and _OTHERS.search(head):
        raise SpaceError(f"{head!r} would be one value, a text.")
    if set(options) - {"default"}:
        raise SpaceError(f"choices take default=… only, got {sorted(options)}.")
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    kind = Ordinal if numbers and len(values) > 2 else Choice
    return kind(values, **options)


def _check_whole(head: str, options: dict[str, Any]) -> None:
    for key in ("default", "step"):
        if isinstance(options.get(key), float):
            raise SpaceError(
                f"{head} are whole numbers, and {key}={options[key]} is none. Write '{head} float' for "
                "real numbers."
            )


def _number(text: str) -> float:
    value = _value(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SpaceError(f"{text!r} is no number.")
    return value


def _value(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        return _float(text)
    return found if not isinstance(found, dict | list) else text


def _float(text: str) -> Any:
    try:
        return float(text) if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text) else text
    except ValueError:
        return text
