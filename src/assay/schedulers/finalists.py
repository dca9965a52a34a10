"""The end of a search: those who are best so far get the full fidelity, so that one can be selected."""

from __future__ import annotations

from collections.abc import Sequence

from assay.core.fidelity import Fidelity
from assay.core.runs import Resume, Run
from assay.schedulers.rungs import loss_at


def finalist(fidelity: Fidelity, sign: float, runs: Sequence[Run], wanted: int) -> Resume | None:
    """The paused trial that is to be evaluated in full next; None if enough are, or none is paused.

    For a search that starts no new trials. The trial that came farthest is first, and of equally far
    ones the best there, the older of equals.

    Args:
        fidelity: of the study.
        sign: 1 if values are minimised, -1 if they are maximised.
        runs: all trials.
        wanted: how many, the control not counted, are to be evaluated in full.
    """
    full = [r for r in runs if not r.protected and _in_full(fidelity, r)]
    paused = [r for r in runs if r.state == "paused" and r.curve]
    if len(full) >= wanted or not paused:
        return None

    def order(run: Run) -> tuple[int, float, int]:
        loss = loss_at(fidelity, sign, run, run.step)
        assert loss is not None, "a paused run has a value at its last step"
        return -run.step, loss, run.trial

    best = min(paused, key=order)
    value = sign * order(best)[1]
    reason = (
        f"{fidelity.name} {best.step} of {fidelity.most}: the best of the {len(paused)} paused with "
        f"{value:.6g}; the search ends, and {len(full)} of {wanted} trials have the full fidelity"
    )
    return Resume(best.trial, fidelity.most, reason)


def _in_full(fidelity: Fidelity, run: Run) -> bool:
    """Whether a run has the full fidelity, or is on its way there without another decision."""
    return run.state == "done" or (run.state == "running" and run.until >= fidelity.most)
