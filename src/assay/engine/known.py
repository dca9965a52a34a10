"""What a proposal may see. Pure.

In asynchronous order that is the whole past. In strict order proposal n sees the configs of all trials
before it, and the results of those before n - lag, in the order of their numbers. What else has ended
by then, and who ended first, is chance: it depends on how many workers there are and how fast. So
that no sampler can see it, strict order has a past of its own, the *ordered* past: a fold of

    asked 0 … asked lag, told 0, asked lag + 1, told 1, asked lag + 2, …

without times and costs. It grows with the history at O(1) a trial, and is kept in its memo.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

from assay.core.errors import StateError
from assay.core.events import Asked, Created, Enqueued, Event, Failed, Told
from assay.core.history import History, fold
from assay.core.spec import StudySpec


def bound(spec: StudySpec, number: int) -> int | None:
    """Proposal `number` sees the results of the trials before this one; None: all that are there."""
    return None if spec.lag is None else max(number - spec.lag, 0)


def awaited(spec: StudySpec, history: History) -> int | None:
    """The trial whose result the next proposal needs and has not; None: it can be made now."""
    before = bound(spec, history.n_trials)
    if before is None:
        return None
    return next((number for number in history.running()[:1] if number < before), None)


def known(spec: StudySpec, history: History) -> History:
    """What the next proposal may see of this history.

    Raises:
        StateError: a result that it has to see is not there yet.
    """
    if spec.lag is None:
        return history
    if (missing := awaited(spec, history)) is not None:
        raise StateError(
            f"In strict order with lag {spec.lag} trial {history.n_trials} is proposed with the result "
            f"of trial {missing}, which has not ended. Tell that first; at most {spec.lag + 1} trials "
            "run at once."
        )
    lag = spec.lag
    kept = history.memo(("ordered", lag), lambda: _Ordered(lag))
    return kept.seen_by(history) or _Ordered(lag).grown(history)


class _Ordered:
    """The ordered past behind all histories of the same columns, and how much of it each proposal saw."""

    def __init__(self, lag: int) -> None:
        self._lag = lag
        self._tip = History()
        self._lengths = array("q")  # how long it was when each trial was asked
        self._queued = array("q")  # and how many configs had been queued by then
        self._ended = 0  # the results of trials before this one are in it
        self._taken = 0  # and so many of the queued configs

    def seen_by(self, history: History) -> History | None:
        """What the next proposal of a history sees; None where later configs were queued since."""
        number, queued = history.n_trials, len(history.queue)
        if number < len(self._lengths):
            return self._tip.at(self._lengths[number]) if self._queued[number] == queued else None
        return self.grown(history) if self._taken <= queued else None

    def grown(self, history: History) -> History:
        """The same, after folding in what is new."""
        if not self._tip.length:
            self._tip = fold(_beginning(history))
        queue = history.queue
        for number in range(len(self._lengths), history.n_trials):
            asked_at = history.asked_at(number)
            self._add(history, number, (e for at, e in queue[self._taken :] if at < asked_at))
            self._lengths.append(self._tip.length)
            self._queued.append(self._taken)
            self._tip = fold([self._asked(history, number)], self._tip)
        self._add(history, history.n_trials, (e for _, e in queue[self._taken :]))
        return self._tip

    def _add(self, history: History, number: int, queued: Iterator[Enqueued]) -> None:
        """What became known before trial `number` was asked."""
        new: list[Event] = list(queued)
        self._taken += len(new)
        bound = max(number - self._lag, 0)
        new += [_outcome(history, trial) for trial in range(self._ended, bound)]
        self._ended = max(self._ended, bound)
        self._tip = fold(new, self._tip)

    def _asked(self, history: History, number: int) -> Asked:
        origin, why = history.origin(number), history.why(number)
        return Asked(number, history.config(number), self._tip.length, origin, why)


def _beginning(history: History) -> list[Event]:
    """The plan, without where its data lie, and what was taken over from earlier studies."""
    created: Created | None = history.last(Created)
    first: list[Event] = [Created(created.spec, created.plan)] if created else []
    return [*first, *history.learned]


def _outcome(history: History, number: int) -> Told | Failed:
    """How a trial ended, without what it took and what it printed."""
    match history.outcome(number):
        case Told(values=values, extra=extra):
            return Told(number, values, extra)
        case Failed(kind=kind):
            return Failed(number, kind, "")
        case _:
            raise StateError(f"Trial {number} has not ended, and a later one claims to know how.")
