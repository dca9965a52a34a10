"""What a trial reports on its way: a value for each objective, in their order. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from assay.core.errors import SpecError
from assay.core.spec import StudySpec


def reported(value: float | Mapping[str, float], spec: StudySpec) -> tuple[float, ...]:
    """The values of a report.

    One number stands for the first objective alone; a study with several and a scheduler, which
    compares trials by all of them, refuses it.

    Raises:
        SpecError: an objective is missing, or there is a number that is none.

    >>> from assay.core.parameters import Float
    >>> from assay.core.space import Space
    >>> spec = StudySpec(Space(x=Float(0, 1)), {"loss": "minimize", "size": "minimize"})
    >>> reported({"size": 3.0, "loss": 0.5}, spec), reported(0.5, spec)
    ((0.5, 3.0), (0.5,))
    """
    names = spec.objectives
    if not isinstance(value, Mapping):
        if spec.single or spec.scheduler is None:
            return (value,)
        raise SpecError(
            f"A report of this study needs a value for each of {list(names)}, got {value!r}: its "
            "scheduler compares trials by all of them. Write trial.report(step, {"
            + ", ".join(f"'{name}': …" for name in names)
            + "})."
        )
    own = ("value",) if spec.single and names[0] not in value else names
    if value.keys() != set(own):
        raise SpecError(
            f"A report holds a number for each objective, {list(names)}, and no others; got "
            f"{sorted(value)}."
        )
    return tuple(value[name] for name in own)
