"""What the driver sends to a worker, and what comes back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from msgspec import Struct

Unit: TypeAlias = tuple[int, int, int]
"""One evaluation: (repeat of the splits, fold, seed index)."""

BrokenKind: TypeAlias = Literal[
    "raised", "invalid", "timeout", "memory", "crashed", "exited", "cancelled", "lost"
]
RETRIED = ("crashed", "timeout", "memory", "exited")
"""What may be luck: a job that ended so is run again as often as the limits allow."""


class Job(Struct, frozen=True, kw_only=True):
    """Evaluate `config` once for each unit; `seeds[i]` is the random seed of `units[i]`.

    With a fidelity it goes on from step `since` to step `until`; `checkpoint` is a directory that
    holds what was left at step `since`, and that takes what is left at `until`.
    """

    id: int
    trial: int
    stage: str
    config: dict[str, Any]
    units: tuple[Unit, ...] = ((0, 0, 0),)
    seeds: tuple[int, ...] = (0,)
    timeout_s: float | None = None
    since: int = 0
    until: int | None = None
    checkpoint: str | None = None


class Measurement(Struct, frozen=True, kw_only=True, tag="measurement"):
    """One unit is evaluated. `rows` holds float32 per-row values, little endian."""

    unit: Unit
    value: float
    train: float | None = None
    rows: bytes | None = None
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Step(Struct, frozen=True, kw_only=True, tag="step"):
    """An intermediate value of a running trial, or values by name; and what the job took up to there."""

    step: int
    value: float | dict[str, float]
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Done(Struct, frozen=True, kw_only=True, tag="done"):
    """The job ended well; `values` holds what `evaluate` returned, by name."""

    values: dict[str, float]
    cpu_s: float = 0.0
    wall_s: float = 0.0


class Broken(Struct, frozen=True, kw_only=True, tag="broken"):
    """The job ended badly: why, and the last lines that it printed."""

    kind: BrokenKind
    reason: str
    output: str = ""
    cpu_s: float = 0.0
    wall_s: float = 0.0


Message: TypeAlias = Measurement | Step | Done | Broken
Emit: TypeAlias = Callable[[Measurement | Step], None]
Evaluate: TypeAlias = Callable[[Job, Emit], Any]
"""`evaluate(job, emit)` returns a number, or numbers by name; a single number is named "value"."""
