"""Who is cut and who gets more: what a scheduler decides, within the budget. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from assay.core.events import Paused, Stopped
from assay.core.fidelity import Fidelity
from assay.core.history import History
from assay.core.protocols import Informed, Scheduler
from assay.core.runs import Pause, Resume, Run, Stop
from assay.core.spec import StudySpec
from assay.schedulers.finalists import farthest, finalist

_FINALISTS = 3
"""How many trials get the full fidelity at the end of a search whose winner is rechecked."""


def first_step(spec: StudySpec, history: History, scheduler: Scheduler | None) -> int | None:
    """The step to which the next trial runs, as `Asked` keeps it; None: all of it."""
    fidelity = spec.space.fidelity
    if (
        scheduler is None
        or fidelity is None
        or (history.n_trials == 0 and spec.control is not None)
    ):
        return None
    until = scheduler.start(history.runs())
    return until if until < fidelity.most else None


def verdict(history: History, scheduler: Scheduler, trial: int) -> Paused | Stopped | None:
    """What becomes of a trial after its newest report; None: it runs on."""
    runs = _seen(scheduler, history, trial)
    said, step = scheduler.judge(runs, trial), runs[trial].step
    if isinstance(said, Pause):
        return Paused(trial, step, said.reason)
    return Stopped(trial, step, said.reason) if isinstance(said, Stop) else None


def _seen(scheduler: Scheduler, history: History, trial: int | None) -> Sequence[Run]:
    """How all trials stand, as the scheduler wants to see it."""
    return scheduler.look(history, trial) if isinstance(scheduler, Informed) else history.runs()


def ends_itself(fidelity: Fidelity, run: Run) -> bool:
    """Whether a trial has just come to where it was told to stop: it still keeps its checkpoint."""
    return fidelity.kind != "folds" and run.step == run.until < fidelity.most


def more(spec: StudySpec, history: History, scheduler: Scheduler) -> Resume | None:
    """The paused trial that gets a free slot, if the budget has what it takes."""
    runs = _seen(scheduler, history, None)
    given = scheduler.resume(runs)
    if given is None:
        return None
    then = replace(runs[given.trial], state="running", until=given.until)
    return given if _affords(spec, [*runs[: then.trial], then, *runs[then.trial + 1 :]]) else None


def last_ones(spec: StudySpec, history: History) -> Resume | None:
    """The paused trial that is brought to the full fidelity when the search is over."""
    runs, fidelity = history.runs(), _fidelity(spec)
    done = any(run.state == "done" and not run.protected for run in runs)
    given = finalist(fidelity, spec.sign, runs, _wanted(spec), spec.limits_on_the_way)
    if given is None or not done:
        return given  # one is always brought there: else there is nothing to select
    cost = fidelity.cost(runs[given.trial].step, given.until)
    return given if cost <= _left(spec, runs) else None


def without_hope(spec: StudySpec, history: History, scheduler: Scheduler) -> Sequence[int]:
    """The paused trials that get no more, so that nobody needs their checkpoints.

    Those that may still be brought to the full fidelity at the end are not among them.
    """
    over = getattr(scheduler, "over", None)
    if over is None:
        return ()
    runs = history.runs()
    lost = over(runs, _coming(spec, history))
    paused = [run for run in runs if run.state == "paused" and run.curve]
    last = farthest(_fidelity(spec), spec.sign, paused, _wanted(spec), spec.limits_on_the_way)
    return [trial for trial in lost if trial not in last]


def _coming(spec: StudySpec, history: History) -> int | None:
    """How many more trials the budget can allow; None: it does not say."""
    limits = []
    if spec.budget and spec.budget.trials is not None:
        limits.append(spec.budget.trials - history.n_trials)
    if spec.budget and spec.budget.steps is not None:
        limits.append(int(_left(spec, history.runs())) // _fidelity(spec).least)
    return max(min(limits), 0) if limits else None


def has_room(spec: StudySpec, history: History, scheduler: Scheduler | None) -> bool:
    """Whether the steps of the budget allow another trial."""
    if spec.budget is None or spec.budget.steps is None:
        return True
    until = first_step(spec, history, scheduler) or _fidelity(spec).most
    return _affords(spec, [*history.runs(), Run(history.n_trials, "running", until)])


def _affords(spec: StudySpec, runs: Sequence[Run]) -> bool:
    """Whether the budget has what is on its way, and what the last ones will need."""
    left = _left(spec, runs)
    return left == math.inf or left >= _aside(spec, runs)


def _aside(spec: StudySpec, runs: Sequence[Run]) -> int:
    """The steps that are missing until as many trials as wanted are complete, the farthest first.

    At most half of the budget, but for one trial: some other than the control shall be complete.
    """
    fidelity = _fidelity(spec)
    most, others = fidelity.most, [run for run in runs if not run.protected]
    if all(run.until >= most for run in runs):
        return 0  # nothing ever waits
    full = sum(r.state == "done" or (r.state == "running" and r.until >= most) for r in others)
    waiting = [r for r in others if r.until < most and r.state in ("running", "paused")]
    steps = sorted((r.until if r.state == "running" else r.step for r in waiting), reverse=True)
    wanted = max(_wanted(spec) - full, 0)
    if not wanted:
        return 0
    missing = [fidelity.cost(step, most) for step in [*steps, *[0] * wanted][:wanted]]
    assert spec.budget is not None
    assert spec.budget.steps is not None
    needed = 0 if full else missing[0]
    return max(needed, min(sum(missing), spec.budget.steps // 2))


def _left(spec: StudySpec, runs: Sequence[Run]) -> float:
    """The steps that are neither spent nor on their way."""
    if spec.budget is None or spec.budget.steps is None:
        return math.inf
    fidelity = _fidelity(spec)
    spent = sum(run.worked for run in runs)
    running = [run for run in runs if run.state == "running"]
    coming = sum(fidelity.cost(min(run.step, run.until), run.until) for run in running)
    return spec.budget.steps - spent - coming


def _wanted(spec: StudySpec) -> int:
    if spec.evidence is None:
        return 1
    return spec.evidence.top or _FINALISTS


def _fidelity(spec: StudySpec) -> Fidelity:
    fidelity = spec.space.fidelity
    assert fidelity is not None, "grants are for spaces with a fidelity"
    return fidelity
