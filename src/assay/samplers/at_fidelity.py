"""Any sampler under a scheduler: it compares values at equal fidelity, or carried to equal fidelity.

A value after 3 epochs is not one after 81. So a sampler is shown one rung, the highest that has
enough results (d + 2 for d parameters, and 14): the values that trials had there, and as running those that have not come there. That
keeps it from proposing their like again before it is known what they are worth.

Folds are different: their effects are common to all trials, so the mean over the first k folds tells
that over all. Where trials have both,

    mean over k + 1 folds  =  a_k + b_k * mean over k folds

is fitted to them, and the chain of these lines carries a trial that was stopped to all folds.

Source: Falkner, Klein and Hutter 2018, arXiv:1807.01774 (BOHB: the highest rung with d + 2 results);
Kennedy and O'Hagan 2000, doi:10.1093/biomet/87.1.1 (autoregression over fidelities).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from assay.core.events import Asked, Enqueued, Event, Failed, Told
from assay.core.fidelity import Fidelity
from assay.core.history import History, fold
from assay.core.protocols import Proposal, Sampler
from assay.core.runs import Run, Sign, signs_of
from assay.samplers.gp_history import anchor

if TYPE_CHECKING:
    from numpy.random import Generator

    from assay.core.space import Space

SLOPE_WEIGHT = 3.0
"""What the belief that differences stay as they are counts for, in trials."""
LEAST_SLOPE = 0.1
LEAST = 14
"""So many results a rung needs in any case: more than the samplers' own starts."""


class Line(NamedTuple):
    """From the mean loss over k folds to that over k + 1."""

    start: float
    slope: float


@dataclass(frozen=True)
class AtFidelity:
    """Asks `inner` with what trials had at one rung, or, for folds, with what is expected of them.

    Args:
        inner: any sampler.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        eta: between the rungs at which curves are read.
    """

    inner: Sampler
    sign: Sign = 1.0
    eta: int = 3

    @property
    def _signs(self) -> tuple[float, ...]:
        return signs_of(self.sign)

    def ask(self, space: Space, history: History, rng: Generator) -> Proposal:
        """What `inner` proposes; `why` also says which step it looked at."""
        fidelity, runs = history.fidelity, history.runs()
        if fidelity is None or not any(run.curve for run in runs):
            return self.inner.ask(space, history, rng)
        if fidelity.kind == "folds":
            step, ends = fidelity.most, _ends_on_folds(history, fidelity, self._signs, runs)
        else:
            enough = max(len(space) + 2, LEAST)
            steps = fidelity.rungs(self.eta)
            tables = _ends_at_rungs(history, self._signs, runs, steps)
            rung = _highest([[end and end.losses for end in t] for t in tables], enough)
            step, ends = steps[rung], [end for table in tables if (end := table[rung])]
        seen = view(history, step, self._signs, ends)
        config, why = self.inner.ask(space, seen, rng)
        return Proposal(config, {**(why or {}), "at": step})


class End(NamedTuple):
    """How a trial ends in a view: after which event, and with which losses; None: it failed."""

    after: int
    trial: int
    losses: tuple[float, ...] | None
    extra: tuple[tuple[str, float], ...] | None = None


class _Seen(NamedTuple):
    """A view, the ends and the number of asked trials that it was made of, and its length at each."""

    history: History
    story: list[int | End]
    lengths: list[int]


def view(history: History, step: int, signs: Sequence[float], ends: Sequence[End]) -> History:
    """The history in which trials ended as given, and the others run.

    It is kept with the history and only continued where what was told before still holds, so a
    sampler finds again what it derived from it. What it tells does not depend on that.

    Args:
        history: of the study.
        step: at which trials are looked at: for each there is one view.
        signs: of the losses.
        ends: of the trials that have ended there, each trial once.
    """
    told: list[tuple[int, int | End]] = [(end.after, end) for end in ends]
    told += [(history.asked_at(trial), trial) for trial in range(history.n_trials)]
    story = [entry for _, entry in sorted(told, key=lambda entry: entry[0])]
    kept: dict[int, _Seen] = history.memo("at fidelity", dict)
    seen = kept.get(step)
    same = _common(seen.story, story) if seen else 0
    if seen and same == len(story):
        return seen.history.at(seen.lengths[same - 1])
    if seen and same == len(seen.story):
        now, lengths = seen.history, seen.lengths[:same]
    else:
        now, lengths, same = fold([*history.milestones()[:1], *history.learned]), [], 0
    for entry in story[same:]:
        now = fold(_events(history, signs, entry), now)
        lengths.append(now.length)
    kept[step] = _Seen(now, story, lengths)
    return now


def _common(one: Sequence[int | End], other: Sequence[int | End]) -> int:
    """How many entries at the start are equal."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _events(history: History, signs: Sequence[float], entry: int | End) -> list[Event]:
    if isinstance(entry, End):
        if entry.losses is None:
            outcome = history.outcome(entry.trial)
            assert isinstance(outcome, Failed), "an end without losses is a failure"
            return [Failed(entry.trial, outcome.kind, "")]
        extra = None if entry.extra is None else dict(entry.extra)
        values = tuple(s * loss for s, loss in zip(signs, entry.losses, strict=True))
        return [Told(entry.trial, values, extra)]
    config, origin = history.config(entry), history.origin(entry)
    queued: list[Event] = [Enqueued(config)] if origin == "given" else []
    return [*queued, Asked(entry, config, 0, origin)]


def _extra(history: History, trial: int) -> tuple[tuple[str, float], ...] | None:
    outcome = history.outcome(trial)
    extra = outcome.extra if isinstance(outcome, Told) else None
    return tuple(extra.items()) if extra else None


def _ends_at_rungs(
    history: History, signs: Sequence[float], runs: Sequence[Run], steps: Sequence[int]
) -> list[list[End | None]]:
    """For each trial how it ends at each rung; None: it has not come there, or runs."""
    kept: dict[int, tuple[Run, list[End | None]]] = history.memo("ends at rungs", dict)
    for run in runs:
        if run.trial not in kept or kept[run.trial][0] is not run:
            kept[run.trial] = run, _ends_of(history, signs, run, steps)
    return [kept[run.trial][1] for run in runs]


def _ends_of(
    history: History, signs: Sequence[float], run: Run, steps: Sequence[int]
) -> list[End | None]:
    """It has a loss at a rung since the report that brought it there, or it failed before."""
    trial, found = run.trial, list[End | None]()
    extra, settled, times = (
        _extra(history, trial),
        history.settled_at(trial),
        history.reported_at(trial),
    )
    tables = [at_rungs(s, one, steps) for s, one in zip(signs, apart(run, len(signs)), strict=True)]
    for at, *own in zip(steps, *tables, strict=True):
        losses = _all_of(own)
        after = min(((step, after) for step, after in times.items() if step >= at), default=None)
        if losses is not None and after:
            found.append(End(after[1], trial, losses, extra))
        elif (losses is not None or run.state == "failed") and settled is not None:
            found.append(End(settled, trial, losses, extra))
        else:
            found.append(None)
    return found


def apart(run: Run, count: int) -> list[Run]:
    """The same run with the curve of each of so many objectives alone.

    >>> [one.curve for one in apart(Run(0, "paused", 1, 1, ((1, 0.5),), others=((8.0,),)), 2)]
    [((1, 0.5),), ((1, 8.0),)]
    """
    steps = [step for step, _ in run.curve]
    further = [tuple(zip(steps, of, strict=True)) for of in zip(*run.others, strict=True)]
    curves = further or [()] * (count - 1)
    return [run, *(replace(run, curve=curve, others=()) for curve in curves)]


def _all_of(losses: Sequence[float | None]) -> tuple[float, ...] | None:
    known = tuple(loss for loss in losses if loss is not None)
    return known if len(known) == len(losses) else None


def _ends_on_folds(
    history: History, fidelity: Fidelity, signs: Sequence[float], runs: Sequence[Run]
) -> list[End]:
    """Who was measured as far as it will be, with the loss that it has or is expected to have.

    What is expected changes with the lines, and these at anchors only: between them a sampler that
    keeps fits need not make them anew.
    """
    order = []
    for run in runs:
        settled = history.settled_at(run.trial)
        if run.state != "running" and settled is not None:
            order.append((settled, run))
    order.sort(key=lambda entry: entry[0])
    ended = [run for _, run in order]
    by = anchor(max(len(ended), 4))
    alone = [apart(run, len(signs)) for run in ended]
    tables = [carried(fidelity, s, [a[i] for a in alone], by=by) for i, s in enumerate(signs)]
    found = []
    for (after, run), own in zip(order, zip(*tables, strict=True), strict=True):
        losses = None if run.state == "failed" else _all_of(own)
        if run.state == "failed" or losses is not None:
            found.append(End(after, run.trial, losses, _extra(history, run.trial)))
    return found


def highest(
    fidelity: Fidelity, sign: float, runs: Sequence[Run], *, enough: int, eta: int = 3
) -> tuple[int, list[float | None]]:
    """The highest rung with enough results (else the lowest), and the loss that each trial had there.

    It is the first report there or later, before the next rung; a trial that ended by itself on the
    way has the loss with which it ended.

    >>> runs = [Run(0, "done", 9, 9, ((1, 0.5), (9, 0.2))), Run(1, "stopped", 9, 1, ((1, 0.9),))]
    >>> epochs = Fidelity("epochs", 1, 9)
    >>> highest(epochs, 1.0, runs, enough=1), highest(epochs, 1.0, runs, enough=2)
    ((9, [0.2, None]), (1, [0.5, 0.9]))
    """
    steps = fidelity.rungs(eta)
    tables = [at_rungs(sign, run, steps) for run in runs]
    rung = _highest(tables, enough)
    return steps[rung], [table[rung] for table in tables]


def _highest(tables: Sequence[Sequence[object | None]], enough: int) -> int:
    """The last column with enough numbers, else the first."""
    columns = zip(*tables, strict=True)
    counts = [sum(loss is not None for loss in column) for column in columns]
    return max((rung for rung, count in enumerate(counts) if count >= enough), default=0)


def at_rungs(sign: float, run: Run, steps: Sequence[int]) -> list[float | None]:
    """The loss that a trial had at each rung: its first report there or later, before the next rung."""
    found: list[float | None] = [None] * len(steps)
    for step, value in reversed(run.curve):
        if rung := bisect_right(steps, step):
            found[rung - 1] = sign * value
    if run.state == "done" and run.curve:
        last = run.curve[-1][0]
        found = [
            sign * run.curve[-1][1] if loss is None and at > last else loss
            for at, loss in zip(steps, found, strict=True)
        ]
    return found


def carried(
    fidelity: Fidelity, sign: float, runs: Sequence[Run], by: int | None = None
) -> list[float | None]:
    """The mean loss over all folds, measured or expected; None for a trial without a fold.

    Args:
        by: the lines are fitted to so many runs, the first; None: to all.

    >>> full = Run(0, "done", 3, 3, ((1, 0.5), (2, 0.3), (3, 0.4)))
    >>> part = Run(1, "stopped", 3, 1, ((1, 0.9),))
    >>> [round(loss, 3) for loss in carried(Fidelity("folds", 1, 3, "folds"), 1.0, [full, part])]
    [0.4, 0.8]
    """
    tables = []
    for run in runs:
        losses = [sign * value for _, value in run.curve]
        tables.append([sum(losses[:k]) / k for k in range(1, len(losses) + 1)])
    lines = [_line(tables[:by], k) for k in range(fidelity.most - 1)]
    found: list[float | None] = []
    for table in tables:
        if not table:
            found.append(None)
            continue
        loss = table[-1]
        for line in lines[len(table) - 1 :]:
            loss = line.start + line.slope * loss
        found.append(loss)
    return found


def _line(tables: Sequence[Sequence[float]], rung: int) -> Line:
    """By the trials that have both; where there are none, nothing changes."""
    pairs = [(table[rung], table[rung + 1]) for table in tables if len(table) > rung + 1]
    if not pairs:
        return Line(0.0, 1.0)
    n = len(pairs)
    mean_u, mean_v = sum(u for u, _ in pairs) / n, sum(v for _, v in pairs) / n
    own = sum((u - mean_u) ** 2 for u, _ in pairs)
    prior = SLOPE_WEIGHT * own / n
    both = sum((u - mean_u) * (v - mean_v) for u, v in pairs)
    slope = max((both + prior) / (own + prior), LEAST_SLOPE) if own else 1.0
    return Line(mean_v - slope * mean_u, slope)
