"""Where a study without a verdict stands, in words. Pure."""

from __future__ import annotations

from assay.analysis.conclusion import missing_control
from assay.analysis.effects import has_control
from assay.analysis.floor import floor_warning
from assay.analysis.selection import best_by_value
from assay.core.events import CONTROL, Failed
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.ablation import ablation_standing
from assay.report.phase import Standing, over, standing

_DOING = {
    "control": "measuring the defaults",
    "search": "searching",
    "recheck": "measuring the best trials again",
    "confirm": "comparing on fresh seeds",
    "outer": "estimating the procedure on rows left out",
    "test": "opening the sealed test set",
    "finished": "finished",
    "stopped": "stopped",
}


def where_it_stands(spec: StudySpec, history: History) -> tuple[str, str]:
    """A few words in capitals and a sentence or two, with a warning where one is due."""
    claim, sentence = _words(spec, history, standing(spec, history))
    return claim, f"{sentence} {floor_warning(spec, history)}".rstrip()


def _words(spec: StudySpec, history: History, now: Standing) -> tuple[str, str]:
    if found := ablation_standing(history):
        return found
    if history.n_trials == 0:
        return "NOT STARTED", "No trial has been run yet."
    best = best_by_value(spec, history) if spec.single else None
    ended, failed = history.n_ended, len(history.failed)
    if ended and failed == ended:
        return "NO RESULT", _why_no_result(spec, history)
    if not spec.single:
        names = " and ".join(words.name(n, 40) for n in spec.objectives)
        return (
            "NO VERDICT",
            f"With several objectives ({names}) there is a front of trials, no one best.",
        )
    so_far = ""
    if best is not None:
        value = history.outcome(best).values[0]  # type: ignore[union-attr]
        so_far = f" Best value so far: {words.number(value)} (trial {best})."
    if spec.evidence is None:
        why = "nothing was repeated or measured again, so no verdict is given."
        return "NO VERDICT", f"{words.count(over(history), 'trial')} ended; {why}{so_far}"
    if now.phase == "finished":
        why = "" if has_control(history) else f" {missing_control(spec)}"
        return "NO VERDICT", f"The study is complete.{why}{so_far}"
    if now.phase == "test" and not history.looks:
        said = "The search is complete. The test set is still sealed: opening it gives the verdict."
        return "NO VERDICT YET", f"{said}{so_far}"
    of = f"{now.done:,} of {now.total:,}" if now.total else f"{now.done:,}"
    what = "trials ended" if now.phase == "search" else "evaluations done"
    return "NO VERDICT YET", f"It stands here: {_DOING[now.phase]}, {of} {what}.{so_far}"


def _why_no_result(spec: StudySpec, history: History) -> str:
    last = history.outcome(history.ended[-1])
    reason = words.headline(last.reason) if isinstance(last, Failed) else ""
    if spec.control is not None and isinstance(history.outcome(CONTROL), Failed):
        return (
            "The defaults failed, so there is nothing to compare with. Mend the cause and start a new "
            f"study under another name. The reason: {reason}"
        )
    all_of = f"All {history.n_ended} trials" if history.n_ended > 1 else "The only trial"
    return f"{all_of} failed. The last reason: {reason}"
