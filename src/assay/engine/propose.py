"""The next trial: the control first, then given configs, then the sampler's. Pure."""

from __future__ import annotations

from assay.analysis.spending import refusal
from assay.core.events import CONTROL, Asked, Exhausted
from assay.core.history import History
from assay.core.protocols import ExhaustedError, Sampler, Scheduler
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.engine.grants import first_step
from assay.engine.known import bound, known


def stands(seen: History, now: History) -> bool:
    """Whether a proposal made of one history is the next one in a later history too.

    Results may have come: it did not see them, and says so. Another trial, or a config that was
    queued, changes which trial is next.
    """
    return seen.n_trials == now.n_trials and len(seen.queue) == len(now.queue)


def propose(
    spec: StudySpec, history: History, sampler: Sampler, scheduler: Scheduler | None = None
) -> Asked | Exhausted:
    """The event that asks for the next trial, or says that nothing is left to try.

    Raises:
        StateError: in strict order, a result that it has to see is not there yet.
    """
    past = known(spec, history)
    number, seen, before = history.n_trials, history.length, bound(spec, history.n_trials)
    until = first_step(spec, history, scheduler)
    if number == CONTROL and spec.control is not None:
        said = {"reason": "the control group"}
        return Asked(number, dict(spec.control), seen, "control", said, before)
    if queue := past.waiting:
        given = queue[0]
        if refused := refusal(spec, history, given.config):
            return Exhausted(refused)
        said = {"reason": "given", "source": given.source, "note": given.note}
        told = {k: v for k, v in said.items() if v}
        return Asked(number, given.config, seen, "given", told, before, until)
    try:
        config, why = sampler.ask(spec.space, past, stream(spec.seed, "trial", number))
    except ExhaustedError as error:
        return Exhausted(str(error))
    if refused := refusal(spec, history, config):
        return Exhausted(refused)
    return Asked(number, config, seen, "sampler", why, before, until)
