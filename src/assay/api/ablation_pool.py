"""One pool of workers for all searches of an ablation: to start one takes longer than many fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from assay.api.systems import System
from assay.core.components import Component, Variant
from assay.core.jobs import Broken, Done, Emit, Evaluate, Job, Message
from assay.core.protocols import Executor

_CLEARING_S = 60.0


@dataclass
class Every:
    """Evaluates jobs of every variant: which one it is stands beside the config.

    Sent to the workers once, with the data; each makes the variants that it meets.
    """

    system: System
    components: Sequence[Component]
    _made: dict[Variant, Evaluate] = field(default_factory=dict)

    def __call__(self, job: Job, emit: Emit) -> Any:
        """What the evaluation of the job's variant gives."""
        on = frozenset(job.config["on"])
        if on not in self._made:
            self._made[on] = self.system.arm(self.components, on).evaluate()
        return self._made[on](replace(job, config=job.config["config"]), emit)


class Part:
    """The pool as one search has it: its jobs are of one variant, and `close` ends these alone.

    Args:
        pool: an executor of `Every`, with no job under way.
        on: the components of the variant.
    """

    def __init__(self, pool: Executor, on: Variant) -> None:
        self._pool, self._on, self._open = pool, sorted(on), set[int]()

    @property
    def free(self) -> int:
        """How many jobs can be submitted now."""
        return self._pool.free

    def submit(self, job: Job) -> None:
        """Start a job; as the pool's."""
        self._pool.submit(replace(job, config={"on": self._on, "config": job.config}))
        self._open.add(job.id)

    def poll(self, timeout_s: float) -> list[tuple[int, Message]]:
        """Messages by job id; as the pool's."""
        found = self._pool.poll(timeout_s)
        self._open -= {job for job, message in found if isinstance(message, Done | Broken)}
        return found

    def cancel(self, job_id: int) -> None:
        """End a job; as the pool's."""
        self._pool.cancel(job_id)

    def close(self) -> None:
        """End what still runs, so that the next search finds no message of this one."""
        for job_id in self._open:
            self._pool.cancel(job_id)
        while self._open and self.poll(_CLEARING_S):
            pass
