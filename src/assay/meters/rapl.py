"""RAPL: the energy counters of Intel's and AMD's processors, where Linux lets them be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

_POWERCAP = Path("/sys/class/powercap")
_MICRO = 1e-6


@dataclass(frozen=True)
class Rapl:
    """The packages of this machine, all their cores: also what others compute on it.

    Files that only root may read are left out, as on most systems since 2020.
    """

    folder: Path = _POWERCAP
    name: str = "RAPL"

    def joules(self) -> dict[str, float]:
        """What each counter shows; empty if none can be read."""
        found = {}
        for zone in self._zones():
            value = _number(zone / "energy_uj")
            if value is not None:
                found[zone.name] = value * _MICRO
        return found

    def wraps(self) -> dict[str, float]:
        """After how many joules each counter starts again."""
        ranges = {zone.name: _number(zone / "max_energy_range_uj") for zone in self._zones()}
        return {name: value * _MICRO for name, value in ranges.items() if value}

    def _zones(self) -> list[Path]:
        """Whole packages, and the memory beside them, which they do not count."""
        try:
            zones = sorted(self.folder.glob("intel-rapl:*"))
        except OSError:
            return []
        kept = []
        for zone in zones:
            inner = zone.name.count(":") > 1
            label = _text(zone / "name")
            if label.startswith("psys") or (inner and label != "dram"):
                continue
            kept.append(zone)
        return kept


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> float | None:
    text = _text(path)
    return float(text) if text.isdecimal() else None
