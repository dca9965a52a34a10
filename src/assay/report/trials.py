"""The table of all trials: what each changed, and what that did. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

from assay.analysis.borrowed import source_of
from assay.analysis.effects import Effect, Effects, has_control
from assay.analysis.selection import ranked
from assay.core.events import CONTROL, Failed, Measured, Resumed, Told
from assay.core.history import History
from assay.core.moves import cost_of
from assay.core.parameters import differing
from assay.core.spec import StudySpec
from assay.core.units import SHADOW
from assay.report import words
from assay.report.answer import Gain

_LONGEST = 300


def evaluations(history: History, number: int) -> list[Measured]:
    """All that was measured of a trial, whatever for: first the probe, last what is apart from the search."""
    stages = ("probe", None, SHADOW, "test")
    found = (history.units(number, stage) for stage in stages)
    return [event for units in found for _, event in sorted(units.items())]


@dataclass(frozen=True)
class TrialRow:
    """A trial.

    `state`: its standing against the control, or done, infeasible, failed, running, paused, stopped.
    `failure`: why it has no value, in words.
    """

    number: int
    origin: str
    state: str
    values: tuple[float, ...] | None
    gain: Gain | None
    multiple: float | None
    cpu_s: float
    wall_s: float
    changed: str
    failure: str | None

    @property
    def failed(self) -> bool:
        return self.state == "failed"


@dataclass(frozen=True)
class TrialTable:
    """All trials, by number; a row is made when it is looked at.

    `ranking` holds the numbers of feasible ones with a value, best first; `failed` those that failed.
    """

    objectives: tuple[str, ...]
    against_control: bool
    rows: Sequence[TrialRow]
    ranking: tuple[int, ...]
    failed: tuple[int, ...]

    def numbers(self, most: int | None = None, *, by_number: bool = False) -> Sequence[int]:
        """The newest trials by number, or the best ones and then those without a value."""
        everyone = range(len(self.rows))
        count = len(everyone) if most is None else most
        if by_number:
            return everyone[max(len(everyone) - count, 0) :]
        if count <= len(self.ranking):
            return self.ranking[:count]
        best = set(self.ranking)
        return [*self.ranking, *(n for n in everyone if n not in best)][:count]

    def best(self, most: int) -> list[TrialRow]:
        """The best rows, best first."""
        return [self.rows[number] for number in self.ranking[:most]]

    def worth_showing(self, best: int = 500, others: int = 100) -> list[TrialRow]:
        """All rows, or, where they are many, the best, the first, the newest and the failed, by number."""
        if len(self.rows) <= 2 * best:
            return list(self.rows)
        ends = [*range(min(10, len(self.rows))), *range(len(self.rows) - 10, len(self.rows))]
        kept = {*self.ranking[:best], *self.failed[:others], *ends}
        return [self.rows[number] for number in sorted(kept)]


def trial_table(
    spec: StudySpec, history: History, effects: Mapping[int, Effect] | None = None
) -> TrialTable | None:
    """The table; None before the first trial. `effects`: where they are known already."""
    if not history.n_trials:
        return None
    control = has_control(history)
    base = history.config(CONTROL) if control else {}
    known = gains(spec, history) if effects is None else effects
    rows = _Rows(history, known, base, 1 - spec.alpha)
    failed = sorted(history.failed)
    names = tuple(words.name(n, 60) for n in spec.objectives)
    against = control and spec.single
    return TrialTable(names, against, rows, tuple(ranked(spec, history)), tuple(failed))


def gains(spec: StudySpec, history: History) -> Mapping[int, Effect]:
    """The effects over the control; none where there is no one objective, or no control."""
    return Effects(spec, history) if spec.single and has_control(history) else {}


class _Rows(Sequence[TrialRow]):
    """The rows of all trials: of a million nobody sees more than some hundred."""

    def __init__(
        self,
        history: History,
        effects: Mapping[int, Effect],
        base: Mapping[str, Any],
        level: float,
    ) -> None:
        self._of = history, effects, base, level

    def __len__(self) -> int:
        return self._of[0].n_trials

    @overload
    def __getitem__(self, index: int) -> TrialRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[TrialRow]: ...
    def __getitem__(self, index: int | slice) -> TrialRow | list[TrialRow]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        history, effects, base, level = self._of
        return _row(history, index, effects.get(index), base, level)


def settings(before: Mapping[str, Any], after: Mapping[str, Any], longest: int = _LONGEST) -> str:
    """What differs, on one line; without a control the whole config."""
    found = differing(before, after)
    texts: list[str] = []
    for done, (name, was, now) in enumerate(found):
        arrow = f"{_shown(name, was, before)} → " if before else ""
        texts.append(f"{words.name(name, 60)} {arrow}{_shown(name, now, after)}")
        if sum(map(len, texts)) > longest and done + 1 < len(found):
            return f"{', '.join(texts)} and {len(found) - done - 1} more"
    return ", ".join(texts)


def _shown(name: str, value: Any, config: Mapping[str, Any]) -> str:
    return words.value(value) if name in config else "inactive"


def _state(history: History, number: int) -> str:
    outcome = history.outcome(number)
    if not isinstance(outcome, Told):
        return history.state(number)
    return "done" if history.meets(outcome) else "infeasible"


def _row(
    history: History, number: int, effect: Effect | None, base: Mapping[str, Any], level: float
) -> TrialRow:
    outcome = history.outcome(number)
    told = outcome if isinstance(outcome, Told) else None
    failed = outcome if isinstance(outcome, Failed) else None
    interval = effect.interval if effect else None
    is_control = bool(base) and number == CONTROL
    moves = history.moves(number)
    cpu_s, wall_s = cost_of(moves)
    reason = None if outcome or not moves or isinstance(moves[-1], Resumed) else moves[-1].reason
    cut = words.name(reason, 200) if reason else None
    return TrialRow(
        number=number,
        origin="borrowed" if source_of(history, number) else history.origin(number),
        state=effect.standing if effect else _state(history, number),
        values=told.values if told else None,
        gain=Gain(
            effect.gain,
            interval.low if interval else None,
            interval.high if interval else None,
            level,
        )
        if effect and not is_control
        else None,
        multiple=effect.multiple if effect else None,
        cpu_s=cpu_s + (outcome.cpu_s if outcome else 0.0),
        wall_s=wall_s + (outcome.wall_s if outcome else 0.0),
        changed="the defaults" if is_control else settings(base, history.config(number)),
        failure=words.name(f"{failed.kind}: {failed.reason}", 200) if failed else cut,
    )
