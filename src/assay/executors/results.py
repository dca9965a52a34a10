"""What an objective may return and report: finite numbers. Everything else is refused here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any

from msgspec.structs import replace

from assay.core.errors import AssayError
from assay.core.jobs import Measurement, Step
from assay.executors.text import headline, short

_WANTED = "Return one finite number, or finite numbers by name: 0.5 or {'loss': 0.5, 'size': 12}."
_STEP_LIMIT = 2**63
_NAME_LENGTH = 100


class InvalidResult(AssayError, ValueError):  # noqa: N818 - read as a noun in `kind="invalid"`
    """An objective returned or reported something that is not a finite number."""

    code = "A110"


def numbers_by_name(result: object, *, names: Iterable[str] = ()) -> dict[str, float]:
    """The numbers an objective returned, as floats by name; a single number is named "value".

    Python and NumPy integers and floats pass, and mappings from names to them. A bool, a string,
    an array, a complex number, NaN, an infinity and an integer too large for a float do not.

    Args:
        result: what the objective returned.
        names: the names that must be among them.

    Raises:
        InvalidResult: it is something else, or a name is missing; says what to return instead.

    >>> numbers_by_name(1)
    {'value': 1.0}
    >>> numbers_by_name({"loss": 0.5, "size": 12})
    {'loss': 0.5, 'size': 12.0}
    >>> numbers_by_name({"loss": 0.5}, names=["loss", "size"])
    Traceback (most recent call last):
        ...
    assay.executors.results.InvalidResult: The objective returned no 'size', only 'loss'. ...
    """
    values = _by_name(result) if isinstance(result, Mapping) else {"value": _returned(result)}
    missing = [name for name in names if name not in values]
    if missing:
        raise InvalidResult(
            f"The objective returned no {', '.join(map(repr, missing))},"
            f" only {', '.join(map(repr, values))}. Return a number for each of"
            f" {', '.join(map(repr, names))}."
        )
    return values


def checked(message: object) -> Measurement | Step:
    """The same message with its numbers as floats.

    Raises:
        InvalidResult: it is not a Measurement or Step, or holds something but finite numbers.

    >>> checked(Step(step=1, value=2))
    Step(step=1, value=2.0, cpu_s=0.0, wall_s=0.0)
    """
    if isinstance(message, Step):
        if isinstance(message.value, Mapping):
            return Step(step=_count(message.step), value=_by_name(message.value, "reported"))
        value = number(message.value, "The value of a reported step is")
        return Step(step=_count(message.step), value=value)
    if isinstance(message, Measurement):
        train = message.train
        if train is not None:
            train = number(train, f"The training value of unit {message.unit} is")
        value = number(message.value, f"The value of unit {message.unit} is")
        return replace(message, value=value, train=train)
    raise InvalidResult(f"Only a Measurement or a Step can be emitted, not {short(message)}.")


def number(value: Any, said: str) -> float:
    """The finite number `value` as a float; `said` is the start of the message about any other.

    Raises:
        InvalidResult: it is not a finite number; says what to return instead.

    >>> number(3, "The loss is")
    3.0
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidResult(f"{said} {short(value)}. {_hint(value)}")
    try:
        converted = float(value)
    except Exception as error:  # a subclass may do anything here; a huge int overflows
        why = f"{short(value)}, which does not fit a float ({headline(error)})"
        raise InvalidResult(f"{said} {why}. {_WANTED}") from None
    if not math.isfinite(converted):
        raise InvalidResult(f"{said} {short(value)}. {_hint(converted)}")
    return converted


def _count(step: object) -> int:
    if isinstance(step, bool) or not isinstance(step, Integral) or not 0 <= int(step) < _STEP_LIMIT:
        raise InvalidResult(
            f"A reported step is {short(step)}. Count steps as 0, 1, 2, …, and give the step first: "
            "trial.report(step, value)."
        )
    return int(step)


def _returned(value: object) -> float:
    return number(value, "The objective returned")


def _by_name(result: Mapping[Any, Any], did: str = "returned") -> dict[str, float]:
    if not result:
        raise InvalidResult(f"The objective {did} an empty {type(result).__name__}. {_WANTED}")
    values = {}
    for name, value in result.items():
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= _NAME_LENGTH:
            raise InvalidResult(
                f"The objective {did} a number under the name {short(name)}. A name must be text"
                f" of 1 to {_NAME_LENGTH} characters, without control characters."
            )
        values[str(name)] = number(value, f"The objective {did} {short(name)} =")
    return values


def _hint(value: object) -> str:
    if value is None:
        return f"Is a `return` missing? {_WANTED}"
    if isinstance(value, str | bytes):
        return f"That is text. {_WANTED}"
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return f"That is a truth value, not a measurement. {_WANTED}"
    if isinstance(value, float):
        return f"{_WANTED} If this config cannot be judged, raise an exception that says why."
    if hasattr(value, "shape") or isinstance(value, list | tuple):
        return f"Reduce it to one number, such as float(x.mean()). {_WANTED}"
    return _WANTED
