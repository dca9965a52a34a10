"""The next trial: the control first, then given configs, then the sampler's. Pure."""

from __future__ import annotations

from assay.core.events import CONTROL, Asked, Exhausted
from assay.core.history import History
from assay.core.protocols import ExhaustedError, Sampler
from assay.core.rng import stream
from assay.core.spec import StudySpec


def propose(spec: StudySpec, history: History, sampler: Sampler) -> Asked | Exhausted:
    """The event that asks for the next trial, or says that nothing is left to try."""
    number, seen = history.n_trials, history.length
    if number == CONTROL and spec.control is not None:
        return Asked(number, dict(spec.control), seen, "control", {"reason": "the control group"})
    if queue := history.waiting:
        given = queue[0]
        said = {"reason": "given", "source": given.source, "note": given.note}
        return Asked(number, given.config, seen, "given", {k: v for k, v in said.items() if v})
    try:
        config, why = sampler.ask(spec.space, history, stream(spec.seed, "trial", number))
    except ExhaustedError as error:
        return Exhausted(str(error))
    return Asked(number, config, seen, "sampler", why)
