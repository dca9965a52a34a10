"""The end of a search: those who are best so far get the full fidelity, so that one can be selected."""

from __future__ import annotations

from collections.abc import Sequence

from assay.core.fidelity import Fidelity
from assay.core.runs import Resume, Run, Sign
from assay.schedulers.rungs import Limits, best_first, in_words, losses_at, values_at


def finalist(
    fidelity: Fidelity, sign: Sign, runs: Sequence[Run], wanted: int, limits: Limits = ()
) -> Resume | None:
    """The paused trial that is to be evaluated in full next; None if enough are, or none is paused.

    For a search that starts no new trials. The trial that came farthest is first, and of equally far
    ones the best there, the older of equals.

    Args:
        fidelity: of the study.
        sign: 1 if values are minimised, -1 if they are maximised; several objectives: one for each.
        runs: all trials.
        wanted: how many, the control not counted, are to be evaluated in full.
        limits: of several objectives: who keeps to them comes before all who do not.
    """
    full = [r for r in runs if not r.protected and _in_full(fidelity, r)]
    paused = [r for r in runs if r.state == "paused" and r.curve]
    if len(full) >= wanted or not paused:
        return None
    best = runs[farthest(fidelity, sign, paused, 1, limits)[0]]
    values = in_words(values_at(fidelity, best, best.step) or ())
    reason = (
        f"{fidelity.name} {best.step} of {fidelity.most}: the best of the {len(paused)} paused with "
        f"{values}; the search ends, and {len(full)} of {wanted} trials have the full fidelity"
    )
    return Resume(best.trial, fidelity.most, reason)


def farthest(
    fidelity: Fidelity, sign: Sign, paused: Sequence[Run], most: int, limits: Limits = ()
) -> list[int]:
    """The paused trials that came farthest, so many, of equally far ones the best first.

    >>> runs = [Run(n, "paused", 1, 1, ((1, loss),)) for n, loss in enumerate([0.3, 0.2, 0.4])]
    >>> farthest(Fidelity("epochs", 1, 9), 1.0, runs, 2)
    [1, 0]
    """
    found: list[int] = []
    for step in sorted({run.step for run in paused}, reverse=True):
        losses = {}
        for run in paused:
            if run.step == step:
                own = losses_at(fidelity, sign, run, step, limits)
                assert own is not None, "a paused run has a value at its last step"
                losses[run.trial] = own
        found += best_first(losses, most - len(found))
        if len(found) >= most:
            break
    return found


def _in_full(fidelity: Fidelity, run: Run) -> bool:
    """Whether a run has the full fidelity, or is on its way there without another decision."""
    return run.state == "done" or (run.state == "running" and run.until >= fidelity.most)
