"""Which worker holds which slot, so that what belongs to a slot is never given to two."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence


class Holders:
    """The environments of slots, each held by one worker until its process is gone.

    >>> holders = Holders([{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "1"}])
    >>> holders.take(7), holders.take(8)
    ({'CUDA_VISIBLE_DEVICES': '0'}, {'CUDA_VISIBLE_DEVICES': '1'})
    >>> holders.release(7)
    >>> holders.take(9)
    {'CUDA_VISIBLE_DEVICES': '0'}
    """

    def __init__(self, environments: Sequence[Mapping[str, str]]) -> None:
        self._environments = environments
        self._held: dict[int, int] = {}

    @property
    def any_free(self) -> bool:
        """Can a worker be given a slot of its own? Always, when slots hold nothing."""
        return not self._environments or len(self._held) < len(self._environments)

    def take(self, worker: int) -> Mapping[str, str]:
        """What a new worker is told of its slot; {} when slots hold nothing."""
        if not self._environments:
            return {}
        taken = set(self._held.values())
        slot = next(slot for slot in range(len(self._environments)) if slot not in taken)
        self._held[worker] = slot
        return self._environments[slot]

    def release(self, worker: int) -> None:
        """The process of this worker is gone."""
        self._held.pop(worker, None)

    def keep(self, workers: Container[int]) -> None:
        """Only these hold on to their slots."""
        self._held = {worker: slot for worker, slot in self._held.items() if worker in workers}
