"""How far each trial got, as a scheduler sees it: made from what the log says of the trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from assay.core.columns import Columns, Move, before
from assay.core.events import Created, Failed, Measured, Paused, Resumed, Stopped, Told
from assay.core.fidelity import Fidelity
from assay.core.runs import Run, RunState

_NEWEST = "runs"


def fidelity_of(past: Columns) -> Fidelity | None:
    """The fidelity that the plan declares; None for a plan without one, or a log without a plan."""
    first = past.milestones[0][1] if past.milestones else None
    space = first.spec.get("space") if isinstance(first, Created) else None
    form = space.get("fidelity") if isinstance(space, Mapping) else None
    if not form:
        return None
    if "fidelity" not in past.memos:
        past.memos["fidelity"] = Fidelity.from_json(form)
    found: Fidelity = past.memos["fidelity"]
    return found


def newest_runs(past: Columns) -> tuple[Run, ...]:
    """The runs of all trials, as the newest event left them; only what changed is made anew.

    Where nothing changed it is the same tuple.
    """
    kept: tuple[Run, ...] = past.memos.get(_NEWEST, ())
    if kept and not past.touched:
        return kept
    runs = list(kept)
    fidelity = fidelity_of(past)
    assert fidelity is not None, "runs are of studies with a fidelity"
    known = len(runs)
    for trial in sorted(past.touched) if known else range(len(past.asked_at)):
        run = run_of(past, fidelity, trial, past.length)
        if trial < len(runs):
            runs[trial] = run
        else:
            runs.append(run)
    past.touched.clear()
    found = past.memos[_NEWEST] = tuple(runs)
    return found


def run_of(past: Columns, fidelity: Fidelity, trial: int, length: int) -> Run:
    """How far a trial got before event number `length`."""
    moves = moves_of(past, trial, length)
    last = moves[-1] if moves else None
    outcome = past.outcome(trial) if past.ended_at[trial] < length else None
    curve, others, step = _curve(past, fidelity, trial, length)
    if isinstance(last, Paused | Stopped):
        step = last.step
    granted = [m.until for m in moves if isinstance(m, Resumed)]
    until = granted[-1] if granted else past.granted[trial] or fidelity.most
    state = state_of(last, outcome)
    return Run(
        trial,
        state,
        until,
        step,
        curve,
        protected=past.origins[trial] == "control",
        worked=_worked(moves, state, until, step),
        others=others,
    )


def moves_of(past: Columns, trial: int, length: int) -> list[Move]:
    """What the scheduler did with a trial before event number `length`, in order."""
    return [move for _, move in before(past.moves.get(trial, []), length)]


def state_of(last: Move | None, outcome: Told | Failed | None) -> RunState:
    """The state of a trial after its last move, with how it ended if it did."""
    if outcome is not None:
        return "done" if isinstance(outcome, Told) else "failed"
    if isinstance(last, Paused | Stopped):
        return "paused" if isinstance(last, Paused) else "stopped"
    return "running"


def _worked(moves: Sequence[Move], state: RunState, until: int, step: int) -> int:
    """The steps that went into a trial, those that were done twice counted twice."""
    since, total = 0, 0
    for move in moves:
        if isinstance(move, Resumed):
            since = move.since
        else:
            total += max(move.step - since, 0)
    if state in ("paused", "stopped"):
        return total
    # one that ended may not have reported on the way
    end = until if state == "done" and step <= since else step
    return total + max(end - since, 0)


def _curve(
    past: Columns, fidelity: Fidelity, trial: int, length: int
) -> tuple[tuple[tuple[int, float], ...], tuple[tuple[float, ...], ...], int]:
    """The (step, value) of a trial, by step, its further values there, and the step that came last."""
    units = past.measured.get(trial)
    if fidelity.kind == "folds" and units:
        folds = _by_fold(units, length)
        return folds, (), len(folds)
    latest = past.report_places(trial, length)
    step = next(filter(None, latest), 0)
    places = sorted(latest.items())
    curve = tuple((at, past.report_value[place]) for at, place in places)
    others = tuple(past.report(place)[1:] for _, place in places) if past.further else ()
    return curve, others, step


def _by_fold(units: Sequence[tuple[int, Measured]], length: int) -> tuple[tuple[int, float], ...]:
    """A step for each fold that the search measured; they are measured in their order."""
    found = {e.unit: e.value for seq, e in units if seq < length and e.stage == "search"}
    return tuple(enumerate((found[unit] for unit in sorted(found)), 1))


def cut_short(past: Columns, length: int) -> tuple[int, float]:
    """What trials took that are paused or stopped, and what resumed ones took before.

    Evaluations, and CPU seconds.
    """
    looks, cpu_s = 0, 0.0
    for trial in past.moves:
        moves = moves_of(past, trial, length)
        cpu_s += sum(m.cpu_s for m in moves if not isinstance(m, Resumed))
        if moves and not isinstance(moves[-1], Resumed):
            units = {e.unit: e for s, e in past.measured.get(trial, ()) if s < length}
            searched = [e for e in units.values() if e.stage == "search"]
            looks += max(len(searched), 1)
            cpu_s += sum(e.cpu_s for e in searched)
    return looks, cpu_s


def cost_of(moves: Sequence[Move]) -> tuple[float, float]:
    """CPU and wall seconds of the parts of a trial that ended in a pause or a stop."""
    cut = [move for move in moves if not isinstance(move, Resumed)]
    return sum(m.cpu_s for m in cut), sum(m.wall_s for m in cut)
