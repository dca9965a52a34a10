"""What going on with a search is expected to bring, in a sentence, where that can be said. Pure."""

from __future__ import annotations

from assay.analysis import going_on as analysis
from assay.analysis.going_on import GoingOn
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words


def going_on(spec: StudySpec, history: History) -> str:
    """The forecast of `assay.analysis.going_on` in words.

    Empty for several objectives, constraints or a scheduler, for which it was not tested; for fewer than
    20 trials; and if the last three quarters of them brought nothing.
    """
    if not spec.single or spec.bounds or spec.scheduler:
        return ""
    found = analysis.going_on(analysis.losses_of(history, spec.signs[0]))
    if found is None:
        return ""
    return said(found, words.name(spec.objectives[0], 60), spec.smallest_gain, data=bool(spec.data))


def said(found: GoingOn, metric: str, smallest_gain: float, *, data: bool) -> str:
    """A forecast in words.

    >>> said(GoingOn(60, 0.0004, 0.002), "accuracy", 0.005, data=True)
    'Going on: 60 more trials are expected to better the best by about 0.0004 accuracy; four of five such searches gain no more than 0.002. So they hardly bring the 0.005 asked for. This is seen on the same splits; on fresh data it is less.'
    """
    hardly = (
        f" So they hardly bring the {words.number(smallest_gain, 3)} asked for."
        if found.most < smallest_gain
        else ""
    )
    fresh = " This is seen on the same splits; on fresh data it is less." if data else ""
    return (
        f"Going on: {found.trials:,} more trials are expected to better the best by about "
        f"{words.number(found.middle, 2)} {metric}; four of five such searches gain no more than "
        f"{words.number(found.most, 2)}.{hardly}{fresh}"
    )
