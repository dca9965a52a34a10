"""What computing costs in energy, CO2 and money: the assumptions, fixed with the plan. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from assay.core.errors import SpecError, did_you_mean

MODEL_ERROR = 0.4
"""Relative error of energy that is estimated from CPU time; ratios on one machine are far better.

Source: Fischer 2025, Ground-truthing AI energy consumption: validating CodeCarbon against external
measurements, arXiv:2509.22092, which found errors of up to 40 %.
"""
_WATTS = 4.0
"""Of one busy hardware thread where nobody says otherwise; between a laptop's 3 W and a server's 6 W."""
LEAST_G, MOST_G = 30.0, 700.0
"""Grams of CO2 equivalent for a kilowatt-hour where no region is given: as in Norway, and mostly coal."""
_TEXTS = ("meter", "region", "currency")


@dataclass(frozen=True)
class Rates:
    """How CPU time becomes kilowatt-hours, grams and money.

    Energy is measured where a meter can be read; otherwise it is
    PUE · (CPU seconds · watts + wall-clock seconds · (base_watts + gpus · gpu_watts)), with an error of
    ±40 %, which is printed with it.

    Args:
        watts: of one busy core.
        base_watts: of memory and idle parts for each trial that runs.
        gpus: GPUs that each trial holds.
        gpu_watts: of each while it is held.
        pue: power usage effectiveness of the data centre: all of its power over that of its computers.
        meter: "auto" for RAPL and NVML where they can be read, "model" for none, "rapl", "nvml", or
            "command: LINE" for a command that prints a growing number of joules. Meters see the
            whole machine.
        region: where the electricity comes from, a code such as "DEU"; sets g_per_kwh.
        g_per_kwh: grams of CO2 equivalent for a kilowatt-hour.
        year: of that number.
        price_per_kwh, price_per_cpu_hour, price_per_gpu_hour, price_per_hour: in `currency`; the
            last is for each hour of wall-clock time of each trial.

    Raises:
        SpecError: a number that is negative or not finite.

    >>> Rates(watts=6).kwh(cpu_s=3600, wall_s=3600)
    0.006
    """

    watts: float = _WATTS
    base_watts: float = 0.0
    gpus: float = 0.0
    gpu_watts: float = 0.0
    pue: float = 1.0
    meter: str = "auto"
    region: str | None = None
    g_per_kwh: float | None = None
    year: int | None = None
    price_per_kwh: float = 0.0
    price_per_cpu_hour: float = 0.0
    price_per_gpu_hour: float = 0.0
    price_per_hour: float = 0.0
    currency: str = "EUR"

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in _TEXTS or value is None:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            least = 1.0 if f.name == "pue" else 0.0
            if not number or not least <= value < math.inf:
                raise SpecError(f"Rates({f.name}=…) needs a number >= {least:g}, got {value!r}.")

    def kwh(self, cpu_s: float, wall_s: float) -> float:
        """Energy by the model, in kilowatt-hours."""
        held = self.base_watts + self.gpus * self.gpu_watts
        return self.pue * (cpu_s * self.watts + wall_s * held) / 3.6e6

    def money(self, kwh: float, cpu_s: float, wall_s: float) -> float:
        """What it costs, in `currency`."""
        by_cpu = self.price_per_cpu_hour * cpu_s
        by_wall = (self.price_per_hour + self.gpus * self.price_per_gpu_hour) * wall_s
        return self.price_per_kwh * kwh + (by_cpu + by_wall) / 3600

    @property
    def priced(self) -> bool:
        """Whether anything has a price."""
        names = ("price_per_kwh", "price_per_cpu_hour", "price_per_gpu_hour", "price_per_hour")
        return any(getattr(self, name) for name in names)

    def to_json(self) -> dict[str, Any]:
        """The entries that differ from their defaults."""
        plain = Rates()
        return {k: v for k, v in asdict(self).items() if v != getattr(plain, k)}

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> Rates:
        """What `to_json` wrote.

        Raises:
            SpecError: an unknown entry, or a wrong number.
        """
        known = {f.name for f in fields(Rates)}
        for name in form:
            if name not in known:
                raise SpecError(f"Rates has no entry {name!r}. {did_you_mean(name, known)}")
        return Rates(**form)
