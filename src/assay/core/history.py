"""The present, folded from the past: `fold(events)` gives a `History`.

States change in `transitions` alone. Everything about a trial is written once (its config
when asked, its outcome when it ends), so the columns behind a history only ever grow, and a
history is those columns up to its own length: extending the newest one is O(1) an event, and every
older one stays valid. Extending a history that is not the newest copies the columns first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar, overload

from assay.core.columns import NEVER, Columns, Ends, Move, before, each_before
from assay.core.constraints import Constraint, broken, numbers_of, parsed
from assay.core.errors import StateError
from assay.core.events import (
    Broke,
    Created,
    Enqueued,
    Event,
    Failed,
    Learned,
    Measured,
    Opened,
    Opening,
    Told,
)
from assay.core.familiar import TRIAL, Familiar
from assay.core.fidelity import Fidelity
from assay.core.inert import shown
from assay.core.jobs import BrokenKind, Unit
from assay.core.jsonform import canonical
from assay.core.moves import (
    cost_of,
    cut_short,
    fidelity_of,
    moves_of,
    newest_runs,
    run_of,
    state_of,
)
from assay.core.runs import Run, RunState
from assay.core.transitions import APPLY

State: TypeAlias = RunState
T = TypeVar("T")
APART = ("probe", "test", "outer", "shadow")
"""Stages of which comparisons on the development splits know nothing."""


@dataclass(frozen=True, slots=True, repr=False)
class Trial(Familiar, elsewhere=TRIAL):
    """A config and all that is known of it.

    `feasible`: whether it meets the constraints of the study; None while it has no value. `moves`:
    what a scheduler did with it, in order, each with its reason. `cpu_s` and `wall_s` include what it
    took before a pause.
    """

    number: int
    config: Mapping[str, Any]
    origin: str
    seen: int
    why: Mapping[str, Any] | None
    state: State
    values: tuple[float, ...] | None
    extra: Mapping[str, float]
    feasible: bool | None
    failure: Failed | None
    curve: tuple[tuple[int, float], ...]
    units: Mapping[Unit, Measured]
    cpu_s: float
    wall_s: float
    moves: tuple[Move, ...] = ()

    @property
    def value(self) -> float | None:
        """The first objective's value; None while it runs or when it failed."""
        return None if self.values is None else self.values[0]

    def __repr__(self) -> str:
        # not all that is known: a line, whatever was measured
        told = f"number={self.number}, state={self.state!r}, values={self.values}"
        return f"Trial({told}, config={dict(self.config)})"

    def _repr_html_(self) -> str:
        told = [("state", self.state), ("values", self.values or "–"), *self.config.items()]
        rows = (f"<tr><th>{shown(n)}</th><td>{shown(v)}</td></tr>" for n, v in told)
        return f"<table><caption>Trial {self.number}</caption>{''.join(rows)}</table>"


class History:
    """A study up to event number `length`. Read only: `fold` makes the next one."""

    __slots__ = ("_columns", "length", "n_ended", "n_trials")

    def __init__(self, columns: Columns | None = None, length: int = 0) -> None:
        self._columns = columns if columns is not None else Columns()
        self.length = length
        at_tip = self._columns.length == length
        past = self._columns
        self.n_trials = len(past.asked_at) if at_tip else bisect_left(past.asked_at, length)
        self.n_ended = len(past.order) if at_tip else bisect_left(past.order_at, length)

    def __repr__(self) -> str:
        return f"History({self.n_trials} trials, {self.n_ended} ended, {self.length} events)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, History) and self._summary() == other._summary()

    __hash__ = None  # type: ignore[assignment]

    def _summary(self) -> Any:
        past, length = self._columns, self.length
        measured, retried = (each_before(e, length) for e in (past.measured, past.retries))
        told = (list(self.trials), self.milestones(), self.breakages(), self.waiting)
        return length, told, measured, retried

    # --- trials

    @property
    def trials(self) -> Trials:
        """All trials, by number, made when looked at."""
        return Trials(self)

    def trial(self, number: int) -> Trial:
        """Trial `number` as it stands at this length.

        Raises:
            StateError: there is no such trial.
        """
        if not 0 <= number < self.n_trials:
            raise StateError(
                f"There is no trial {number}; the study has {self.n_trials}, from 0 on."
            )
        past = self._columns
        outcome = self.outcome(number)
        told = outcome if isinstance(outcome, Told) else None
        failed = outcome if isinstance(outcome, Failed) else None
        moves = moves_of(past, number, self.length)
        cpu_s, wall_s = cost_of(moves)
        return Trial(
            number=number,
            config=past.config(number),
            origin=past.origins[number],
            seen=past.seen[number],
            why=past.why(number),
            state=state_of(moves[-1] if moves else None, outcome),
            values=told.values if told else None,
            extra=(told.extra if told else None) or {},
            feasible=self.feasible(number) if told else None,
            failure=failed,
            curve=self.curve(number),
            units=self.units(number),
            cpu_s=cpu_s + (outcome.cpu_s if outcome else 0.0),
            wall_s=wall_s + (outcome.wall_s if outcome else 0.0),
            moves=tuple(moves),
        )

    def outcome(self, number: int) -> Told | Failed | None:
        """How trial `number` ended; None while it runs."""
        past = self._columns
        return past.outcome(number) if past.ended_at[number] < self.length else None

    def config(self, number: int) -> dict[str, Any]:
        """The config of trial `number`."""
        return self._columns.config(number)

    def origin(self, number: int) -> str:
        """Who proposed trial `number`: "control", "given" or "sampler"."""
        return self._columns.origins[number]

    def why(self, number: int) -> dict[str, Any] | None:
        """What the proposer of trial `number` said of its choice."""
        return self._columns.why(number)

    def asked_at(self, number: int) -> int:
        """The number of the event that asked for trial `number`."""
        return self._columns.asked_at[number]

    def feasible(self, number: int) -> bool:
        """Whether trial `number` has a value and meets the constraints of the plan."""
        outcome = self.outcome(number)
        return isinstance(outcome, Told) and self.meets(outcome)

    def meets(self, outcome: Told) -> bool:
        """Whether values meet the constraints of the plan."""
        objectives, constraints = self._plan
        return not constraints or not broken(constraints, numbers_of(outcome, objectives))

    @property
    def _plan(self) -> tuple[tuple[str, ...], tuple[Constraint, ...]]:
        """The names of the objectives, and the constraints; a log without a plan has none."""
        first = self._columns.milestones[0][1] if self._columns.milestones else None
        if not isinstance(first, Created):
            return (), ()
        form = first.spec
        return self.memo(
            "plan",
            lambda: (tuple(form.get("directions", ())), parsed(form.get("constraints", ()))),
        )

    @property
    def ended(self) -> Sequence[int]:
        """Numbers of the trials that ended, in the order in which they did."""
        return self._columns.order[: self.n_ended]

    def told(self) -> Iterator[tuple[int, Told]]:
        """(number, outcome) of the trials that ended with values, in the order in which they did."""
        for outcome in self._columns.outcomes(self.n_ended):
            if isinstance(outcome, Told):
                yield outcome.trial, outcome

    def ends(self) -> Iterator[Ends]:
        """How all trials ended that did, as columns: for figures of a million of them."""
        return self._columns.tables(self.n_ended)

    @property
    def failed(self) -> list[int]:
        """Numbers of the trials that failed, in the order in which they did."""
        order = self._columns.order
        return [order[place] for table in self.ends() if not table.values for place in table.places]

    def running(self) -> list[int]:
        """Numbers of the trials that were asked and have not ended, and are not paused or stopped."""
        if self.length == self._columns.length:
            return sorted(self._columns.open)
        ended_at, length = self._columns.ended_at, self.length
        waiting = {n for n in self._columns.moves if self.state(n) in ("paused", "stopped")}
        return [n for n in range(self.n_trials) if ended_at[n] >= length and n not in waiting]

    def state(self, number: int) -> State:
        """Whether trial `number` runs, is paused or stopped, is done or has failed."""
        moves = moves_of(self._columns, number, self.length)
        return state_of(moves[-1] if moves else None, self.outcome(number))

    def moves(self, number: int) -> list[Move]:
        """What a scheduler did with trial `number`, in order."""
        return moves_of(self._columns, number, self.length)

    def last_move(self, number: int) -> Move | None:
        """What a scheduler did with trial `number` last."""
        moves = self.moves(number)
        return moves[-1] if moves else None

    @property
    def fidelity(self) -> Fidelity | None:
        """The fidelity that the plan declares."""
        return fidelity_of(self._columns)

    def runs(self) -> Sequence[Run]:
        """How far each trial of a study with a fidelity got, by number; else nothing."""
        past, fidelity = self._columns, self.fidelity
        if fidelity is None:
            return ()
        if self.length == past.length:
            return newest_runs(past)
        return [run_of(past, fidelity, n, self.length) for n in range(self.n_trials)]

    @property
    def used(self) -> tuple[int, float]:
        """What trials took that ended, are paused or were stopped: evaluations, and CPU seconds."""
        past, last = self._columns, self.n_ended - 1
        looks, cpu_s = (past.looks[last], past.cpu_s[last]) if last >= 0 else (0, 0.0)
        if not past.moves:
            return looks, cpu_s
        cut_looks, cut_cpu_s = cut_short(past, self.length)
        return looks + cut_looks, cpu_s + cut_cpu_s

    @property
    def n_sampled(self) -> int:
        """How many trials a sampler proposed."""
        return bisect_left(self._columns.sampled, self.n_trials)

    def find(self, config: Mapping[str, Any]) -> int | None:
        """The first trial with exactly this config; None if it was not tried."""
        past = self._columns
        for number in range(past.found_upto, len(past.configs)):
            past.found.setdefault(canonical(past.config(number)), number)
        past.found_upto = len(past.configs)
        number = past.found.get(canonical(dict(config)), NEVER)
        return number if number < self.n_trials else None

    @property
    def queue(self) -> list[tuple[int, Enqueued]]:
        """All configs that were queued, with the numbers of their events."""
        return before(self._columns.queue, self.length)

    @property
    def waiting(self) -> list[Enqueued]:
        """Queued configs that were not yet asked, oldest first."""
        taken = bisect_left(self._columns.given, self.length)
        return [config for seq, config in self._columns.queue[taken:] if seq < self.length]

    def apart(self) -> History:
        """The same with columns of its own, which take over what samplers keep.

        For one whose later events came to nothing, before any sampler was asked about them.
        """
        past = self._columns
        if past.length == self.length:
            return self
        own = past.until(self.length)
        own.memos, past.memos = past.memos, {}
        own.touched = {trial for trial in past.touched if trial < self.n_trials}
        own.found, own.found_upto = past.found, past.found_upto
        past.found, past.found_upto = {}, 0
        return History(own, self.length)

    def at(self, length: int) -> History:
        """This history as it was at an earlier length."""
        return History(self._columns, min(length, self.length))

    def memo(self, key: Hashable, make: Callable[[], T]) -> T:
        """What `make` makes, once for the columns behind this history; for incremental samplers.

        Newer and older histories of the same columns get the same object. So it must hold facts
        that are written once, such as encoded configs by trial number, and its user must look at no
        more of them than this history has.
        """
        memos = self._columns.memos
        if key not in memos:
            memos[key] = make()
        found: T = memos[key]
        return found

    # --- what was measured

    def units(self, number: int, stage: str | None = None) -> dict[Unit, Measured]:
        """What was measured of a trial (or of FLOOR) in one stage, or in all on which comparisons rest."""
        found = self._columns.measured.get(number, ())
        return {
            event.unit: event
            for seq, event in found
            if seq < self.length and (event.stage == stage if stage else event.stage not in APART)
        }

    @property
    def measured(self) -> list[int]:
        """The trials of which single units were measured; all, on data."""
        found = self._columns.measured.items()
        return [trial for trial, entries in found if entries[0][0] < self.length]

    @property
    def reported(self) -> list[int]:
        """Numbers of the trials that reported a value on their way."""
        past, length = self._columns, self.length
        return [
            number
            for number, place in enumerate(past.last_report[: self.n_trials])
            if place >= 0 and (past.report_at[place] < length or self.curve(number))
        ]

    def curve(self, number: int) -> tuple[tuple[int, float], ...]:
        """The reported (step, value) of a trial, by step; a step reported again counts once, the last.

        With several objectives it is that of the first; see `reports` for all.
        """
        return tuple((step, values[0]) for step, values in sorted(self.reports(number).items()))

    def reports(self, number: int) -> dict[int, tuple[float, ...]]:
        """The values that a trial reported last at each step: of all objectives, or of the first alone."""
        report = self._columns.report
        return {step: report(place) for step, place in self._report_places(number).items()}

    def reported_at(self, number: int) -> dict[int, int]:
        """The number of the event with the newest report of each step of a trial."""
        at = self._columns.report_at
        return {step: at[place] for step, place in self._report_places(number).items()}

    def _report_places(self, number: int) -> dict[int, int]:
        return self._columns.report_places(number, self.length)

    def settled_at(self, number: int) -> int | None:
        """The number of the event with which a trial ended, was cut or went on last; None: it runs."""
        if (ended := self._columns.ended_at[number]) < self.length:
            return ended
        moves = before(self._columns.moves.get(number, []), self.length)
        return moves[-1][0] if moves else None

    def breakages(self) -> list[Broke]:
        """Evaluations outside the search that gave no value."""
        return [event for seq, event in self._columns.broke if seq < self.length]

    def retries(self, number: int) -> list[BrokenKind]:
        """How a trial broke each time that it was started again."""
        found = before(self._columns.retries.get(number, []), self.length)
        return [event.kind for _, event in found]

    # --- the study's own story

    def milestones(self) -> list[Event]:
        """Events that belong to no single trial: the plan, the seal, the verdict."""
        return [event for seq, event in self._columns.milestones if seq < self.length]

    def last(self, kind: type[Any]) -> Any:
        """The newest milestone of this kind; None if there is none."""
        found = self._newest(kind)
        return found[1] if found else None

    def row(self, kind: type[Any]) -> int | None:
        """The row of the log that holds the newest milestone of this kind; None if there is none."""
        found = self._newest(kind)
        return found[0] if found else None

    def _newest(self, kind: type[Any]) -> tuple[int, Any] | None:
        for seq, event in reversed(self._columns.kinds.get(kind, ())):
            if seq < self.length:
                return seq, event
        return None

    @property
    def learned(self) -> list[Learned]:
        """What was taken over from earlier studies, in the order in which they were named."""
        return [event for event in self.milestones() if isinstance(event, Learned)]

    @property
    def looks(self) -> int:
        """How often the sealed test set was opened, an unfinished opening included."""
        opening = self.last(Opening)
        return opening.look if opening else 0

    @property
    def half_open(self) -> bool:
        """Whether an opening of the test set was begun, and its result is not there yet."""
        opened = self.last(Opened)
        return self.looks > (opened.look if opened else 0)


class Trials(Sequence[Trial]):
    """The trials of a history as a sequence."""

    def __init__(self, history: History) -> None:
        self._history = history

    def __len__(self) -> int:
        return self._history.n_trials

    @overload
    def __getitem__(self, index: int) -> Trial: ...
    @overload
    def __getitem__(self, index: slice) -> list[Trial]: ...
    def __getitem__(self, index: int | slice) -> Trial | list[Trial]:
        if isinstance(index, slice):
            return [self._history.trial(i) for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(f"There is no trial {index}; the study has {len(self)}, from 0 on.")
        return self._history.trial(index % len(self))

    def __repr__(self) -> str:
        return f"<{len(self)} trials>"


def fold(events: Iterable[Event], start: History | None = None) -> History:
    """The history after `events`, which follow those of `start`.

    Raises:
        StateError: an event does not fit the state it meets; `start` stays as it was.
    """
    start = start or History()
    past = start._columns
    if past.length != start.length:
        past = past.until(start.length)
    for event in events:
        APPLY[type(event)](past, past.length, event)
        past.length += 1
    return History(past, past.length)
