"""What `tell` and `report` accept, turned into events."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from assay.core.errors import SpecError
from assay.core.events import Failed, Told
from assay.core.history import Trial
from assay.core.jsonform import whole
from assay.core.spec import StudySpec
from assay.engine.reported import reported
from assay.engine.trial import OpenTrial

_STEPS = 2**63
"""Steps are stored as 64-bit whole numbers."""


def ending(trial: int, value: Any, failed: str | None, spec: StudySpec) -> Told | Failed:
    """The event that ends a trial with a value, or as failed for the reason `failed`.

    Raises:
        SpecError: neither or both are given, or the value does not fit.
    """
    if (value is None) == (failed is None):
        got = "neither" if value is None else "both"
        raise SpecError(f"tell needs either a value or failed='…', got {got}.")
    return (
        settle_values(trial, value, spec)
        if failed is None
        else Failed(trial, "raised", whole(str(failed)))
    )


def settle_values(trial: int, value: Any, spec: StudySpec) -> Told | Failed:
    """The event that ends a trial with `value`; failed when a number is not finite.

    Of numbers in constraints, one that is not finite makes the trial infeasible.

    Raises:
        SpecError: not a number, or not one for each objective and each constraint.
    """
    named = _named(value, spec)
    numbers = {name: _number(name, given) for name, given in named.items()}
    for constraint in spec.bounds:
        if constraint.name not in numbers:
            raise SpecError(
                f"The values lack {constraint.name!r}, which the study needs for its constraint "
                f"{str(constraint)!r}; got {sorted(numbers)}. Tell all numbers by name."
            )
    wrong = [name for name in spec.objectives if not math.isfinite(numbers[name])]
    if wrong:
        return Failed(trial, "invalid", f"{wrong[0]} is {numbers[wrong[0]]}, not a finite number")
    extra = {n: x for n, x in numbers.items() if n not in spec.directions and math.isfinite(x)}
    return Told(trial, tuple(numbers[name] for name in spec.objectives), extra or None)


def volume(
    spec: StudySpec, front: Sequence[Trial], reference: Sequence[float] | Mapping[str, float]
) -> float:
    """The hypervolume of a front below a reference, both in the study's own directions.

    Raises:
        SpecError: the reference is not one finite number for each objective.
    """
    from assay.math.pareto import hypervolume

    named = _named(reference, spec)
    numbers = [_number(f"The reference of {name!r}", named[name]) for name in spec.objectives]
    if not all(map(math.isfinite, numbers)):
        raise SpecError(f"hypervolume needs finite references, got {reference!r:.80}.")
    turned = [[s * v for s, v in zip(spec.signs, t.values or (), strict=True)] for t in front]
    return hypervolume(turned, [s * v for s, v in zip(spec.signs, numbers, strict=True)])


def step_values(step: Any, value: Any, spec: StudySpec) -> tuple[int, tuple[float, ...]]:
    """A step and its values as they are stored.

    Raises:
        SpecError: the step is no whole number >= 0, a value is not a finite number, or there is not
            one for each objective.
    """
    try:
        count = -1 if isinstance(step, bool) else index(step)
    except TypeError:
        count = -1
    if not 0 <= count < _STEPS:
        raise SpecError(
            f"report needs a whole number >= 0 as step, got {step!r:.80}. The step comes first: "
            "trial.report(step, value)."
        )
    several = isinstance(value, Mapping | Sequence) and not isinstance(value, str | bytes)
    alone = "the reported value"
    named = _named(value, spec) if several else {alone: value}
    numbers = {name: _number(name, given) for name, given in named.items()}
    for number in numbers.values():
        if not math.isfinite(number):
            raise SpecError(f"report needs a finite value, got {number} at step {count}.")
    return count, reported(numbers if several else numbers[alone], spec)


def _named(value: Any, spec: StudySpec) -> dict[str, Any]:
    names = spec.objectives
    if isinstance(value, Mapping):
        named = dict(value)
        if odd := [name for name in named if not isinstance(name, str)]:
            raise SpecError(f"Values by name need names of text, got {odd[0]!r:.80}.")
        if spec.single and names[0] not in named and "value" in named:
            named[names[0]] = named.pop("value")
        if missing := [name for name in names if name not in named]:
            wanted = "the number alone, or " if spec.single else ""
            raise SpecError(
                f"The values lack {missing[0]!r}; got {sorted(named)}. Give {wanted}each of "
                f"{list(names)} by name."
            )
        return named
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        if len(value) != len(names):
            raise SpecError(f"The study has {len(names)} objectives, got {len(value)} values.")
        return dict(zip(names, value, strict=True))
    if len(names) > 1:
        raise SpecError(f"The study has {len(names)} objectives {list(names)}, got {value!r:.80}.")
    return {names[0]: value}


def _number(name: str, value: Any) -> float:
    truth = isinstance(value, bool) or getattr(value, "dtype", None) == "bool"
    if truth or isinstance(value, str | bytes | complex) or value is None:
        raise SpecError(f"{name} needs a number, got {type(value).__name__} {value!r:.80}.")
    if getattr(value, "ndim", 0):
        raise SpecError(f"{name} needs one number, got an array of shape {value.shape}.")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise SpecError(
            f"{name} needs a number, got {type(value).__name__} {value!r:.80}."
        ) from None


def number_of(trial: OpenTrial | int) -> int:
    """The number of a trial from `ask`, or a number itself; SpecError if it is neither."""
    if isinstance(trial, OpenTrial):
        return trial.number
    if isinstance(trial, bool) or not hasattr(trial, "__index__"):
        raise SpecError(f"tell needs a trial from ask, or its number, got {trial!r:.80}.")
    return int(trial)
