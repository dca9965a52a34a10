"""What a study can show, said before its search begins. Pure."""

from __future__ import annotations

from assay.analysis.conclusion import detectable
from assay.analysis.effects import control_noise, has_control
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.looks import budget, luck_reaches


def outlook(spec: StudySpec, history: History) -> str:
    """The smallest gain that the recheck can show beside the gain asked for, and the looks that luck needs.

    From the noise of the control, which is measured by then; empty without one. That of a model without
    chance is known as a bound before the first trials: see `Noise.paired`.
    """
    if not spec.single or spec.evidence is None or not has_control(history):
        return ""
    seen = detectable(spec, history)
    if not seen:
        return ""
    wanted, metric = spec.smallest_gain, words.name(spec.objectives[0], 60)
    paired = control_noise(spec, history).paired
    said = f"By the noise of the defaults, fresh evaluations can show gains above {words.number(seen, 2)} {metric}"
    if not paired:
        said += (
            ", or above less: two configs share a part of that noise on the same splits, and how much "
            "the first trials will tell"
        )
    if not wanted:
        return f"{said}."
    asked = f"the smallest gain worth having is {words.number(wanted, 2)}"
    if seen > wanted:
        said = f"{said}; {asked}, so a gain may be there and stay unseen."
    else:
        said = f"{said}; {asked}."
    looks = budget(spec, history) if paired else None
    return f"{said} {luck_reaches(wanted, looks)}" if looks is not None else said
