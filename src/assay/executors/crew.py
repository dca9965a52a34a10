"""Who works on a study elsewhere, and who is believed dead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from assay.core.protocols import Board, Member

BEAT_S = 1.0
SILENT_S = 30.0
_LOOK_S = 2.0  # a driver that slept through several looks has not heard silence for so long


@dataclass
class _Heard:
    """A worker, when it was looked at last, and for how long its beats have not risen."""

    member: Member
    at: float
    silent_s: float = 0.0


class Crew:
    """The workers of a board that live, as far as the driver can tell by its own clock.

    A worker that beats lives. No clocks of two machines are compared: what counts is how long the
    driver, while it looked, has seen no beat.

    Args:
        board: of the study.
        died: whether a member is known to be dead.
        welcome: is called once with each worker that joins.
        clock: rises with the seconds.
    """

    def __init__(
        self,
        board: Board,
        died: Callable[[Member], bool],
        welcome: Callable[[Member], None],
        clock: Callable[[], float],
    ) -> None:
        self._board, self._died, self._welcome, self._clock = board, died, welcome, clock
        self._living: dict[str, _Heard] = {}
        self._accounts: dict[str, str] = {}

    @property
    def slots(self) -> int:
        """How many jobs they run at once, together."""
        return sum(heard.member.slots for heard in self._living.values())

    def __contains__(self, worker: str) -> bool:
        return worker in self._living

    def account(self, worker: str) -> str:
        """What became of a worker that is not in the crew any more."""
        return self._accounts.pop(worker, f"Worker {worker} left without ending this job.")

    def look(self) -> None:
        """Count who is there, and dismiss who died or was silent for too long."""
        now = self._clock()
        seen = {member.worker: member for member in self._board.crew()}
        for worker, member in seen.items():
            heard = self._living.get(worker)
            if heard is None:
                self._living[worker] = _Heard(member, now)
                self._welcome(member)
            elif member.beats != heard.member.beats:
                self._living[worker] = _Heard(member, now)
            else:
                heard.silent_s += min(now - heard.at, _LOOK_S)
                heard.at = now
            self._judge(self._living[worker])
        for worker in self._living.keys() - seen.keys():
            del self._living[worker]

    def _judge(self, heard: _Heard) -> None:
        member = heard.member
        if self._died(member):
            what = "has died"
        elif heard.silent_s >= SILENT_S:
            what = f"was silent for {heard.silent_s:.0f} s"
        else:
            return
        self._board.dismiss(member.worker)
        del self._living[member.worker]
        self._accounts[member.worker] = (
            f"Worker {member.worker} (process {member.pid} on {member.host}) {what}."
        )
