"""A trial as an objective sees it, and an objective as an executor runs it."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from assay.core.jobs import Emit, Job, Step


class OpenTrial:
    """A trial that waits for its value.

    Attributes:
        number: its number in the study, from 0.
        config: a plain dict of the active parameters.
        seed: for whatever is random in your objective. It is the same for every trial of the
            search, so that trials share their luck and differ by their configs alone; repeats of
            the control and rechecks come with other seeds.
    """

    __slots__ = ("_report", "config", "number", "seed")

    def __init__(
        self, number: int, config: dict[str, Any], seed: int, report: Callable[[int, float], None]
    ) -> None:
        self.number = number
        self.config = config
        self.seed = seed
        self._report = report

    def report(self, step: int, value: float) -> None:
        """Record an intermediate value, such as the validation loss after epoch `step`."""
        self._report(step, value)

    def __repr__(self) -> str:
        return f"<trial {self.number}: {self.config}>"


class Objective:
    """A user's `objective(trial)` as `evaluate(job, emit)`.

    Args:
        function: the objective.
        seeding: seed the global generators of `random` and NumPy with the trial's seed first; for
            processes of our own, whose global state belongs to nobody else.
    """

    def __init__(self, function: Callable[[OpenTrial], Any], *, seeding: bool) -> None:
        self.function = function
        self.seeding = seeding

    def __call__(self, job: Job, emit: Emit) -> Any:
        if self.seeding:
            _seed_globals(job.seeds[0])

        def report(step: int, value: float) -> None:
            emit(Step(step=step, value=value))

        return self.function(OpenTrial(job.trial, job.config, job.seeds[0], report))


def _seed_globals(seed: int) -> None:
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)
