"""A trial as a scheduler sees it, and what a scheduler says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

RunState: TypeAlias = Literal["running", "paused", "stopped", "done", "failed"]
Sign: TypeAlias = float | tuple[float, ...]
"""1 if values are minimised, -1 if they are maximised; with several objectives one for each."""


def signs_of(sign: Sign) -> tuple[float, ...]:
    """The sign of each objective.

    >>> signs_of(-1.0), signs_of((1.0, -1.0))
    ((-1.0,), (1.0, -1.0))
    """
    return sign if isinstance(sign, tuple) else (sign,)


@dataclass(frozen=True, slots=True)
class Run:
    """How far a trial got.

    Args:
        trial: its number.
        state: "done": its evaluation ended by itself, with a value; "stopped": it was cut, and can
            never be selected; "paused": it waits for more.
        until: the step to which it may run without another decision.
        step: the step that it reported last; 0: none yet.
        curve: (step, value) by step, each step once with its newest value; values finite, in the
            user's direction.
        protected: it is the control: always evaluated in full, and no part of any bracket.
        worked: the steps that went into it, those that were done twice counted twice.
        others: of each entry of `curve` the values of the further objectives; empty with one.
        promise: ln of the improvement that it promises for each step to its end, over what a new
            trial promises for each of its own; above 0 it deserves more. None: nobody knows.
    """

    trial: int
    state: RunState
    until: int
    step: int = 0
    curve: tuple[tuple[int, float], ...] = ()
    protected: bool = False
    worked: int = 0
    promise: float | None = None
    others: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Go:
    """The trial runs on."""


@dataclass(frozen=True, slots=True)
class Pause:
    """The trial keeps its checkpoint and gives its slot free; `reason` in words and numbers."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The trial ends here for good; `reason` in words and numbers."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resume:
    """The paused trial gets more, until a step; `reason` in words and numbers."""

    trial: int
    until: int
    reason: str


Verdict: TypeAlias = Go | Pause | Stop
