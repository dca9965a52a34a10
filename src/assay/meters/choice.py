"""Which meters there are here, and one reading after the other of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from assay.core.errors import SpecError
from assay.meters.command import Command
from assay.meters.nvml import Nvml
from assay.meters.rapl import Rapl
from assay.meters.readings import JOULES_PER_KWH, joules_between


class Meter(Protocol):
    """Counters of joules."""

    @property
    def name(self) -> str: ...

    def joules(self) -> dict[str, float]:
        """What each counter shows now; empty if that cannot be told."""
        ...

    def wraps(self) -> dict[str, float]:
        """After how many joules each starts again, where that is known."""
        ...


def meters(wanted: str) -> list[Meter]:
    """The meters that can be read here.

    Args:
        wanted: "auto" for all that there are, "model" for none, "rapl", "nvml", or
            "command: LINE".

    Raises:
        SpecError: no such meter, or the one that was asked for cannot be read.
    """
    if wanted == "model":
        return []
    if wanted == "auto":
        return [m for m in (Rapl(), Nvml()) if m.joules()]
    kind, _, line = wanted.partition(":")
    made: dict[str, Callable[[], Meter]] = {
        "rapl": Rapl,
        "nvml": Nvml,
        "command": lambda: Command(line.strip()),
    }
    if kind not in made or (kind == "command") != bool(line.strip()):
        raise SpecError(
            f"meter needs 'auto', 'model', 'rapl', 'nvml' or 'command: LINE', got {wanted!r}."
        )
    meter = made[kind]()
    if not meter.joules():
        raise SpecError(
            f"The meter {wanted!r} cannot be read here. RAPL needs root on most systems, NVML the extra "
            "gpu and a driver, a command has to print one number of joules. Use meter='model' "
            "for an estimate from CPU time."
        )
    return [meter]


@dataclass
class Reader:
    """Reads a meter again and again; an interval with a reading that failed is missing, not zero."""

    meter: Meter
    _last: dict[str, float] = field(default_factory=dict)

    def start(self) -> None:
        """Begin an interval."""
        self._last = self.meter.joules()

    def kwh(self) -> float | None:
        """Kilowatt-hours since the last call or the start; None if one of the two readings failed."""
        before, self._last = self._last, self.meter.joules()
        joules = joules_between(before, self._last, self.meter.wraps())
        return None if joules is None else joules / JOULES_PER_KWH
