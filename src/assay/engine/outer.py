"""What to do next in a study of an outer fold, once it has selected: score its choice. Pure."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from assay.core import units
from assay.core.events import CONTROL, Selected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.plan import Command, Evaluate, Finish, Key, Wait, missing

OUTER = "outer"
"""The stage whose rows no part of the study has seen."""


def plan_outer(
    spec: StudySpec,
    history: History,
    *,
    busy: Collection[Key] = (),
    stopping: bool = False,
    **_: Any,
) -> Command:
    """The next fit of the control or of the selected trial on all rows of the study."""
    if stopping:
        return Wait() if busy else Finish("interrupted")
    selected: Selected = history.last(Selected)
    fits = units.refits(spec, 1, fixed=bool(units.deterministic(spec, history)))
    for number in dict.fromkeys((CONTROL, selected.trial)):
        command = missing(spec, history, busy, number, OUTER, fits, each=True)
        if isinstance(command, Evaluate):
            return command
    return Wait() if busy else Finish("complete")
