"""Energy while a study is driven: meters are read now and then, and what they counted goes to the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from assay.analysis.spending import rates_of, spending
from assay.core.events import Metered
from assay.core.history import History
from assay.core.rates import Rates
from assay.engine.run import Watch
from assay.meters.choice import Reader, meters
from assay.meters.regions import region

if TYPE_CHECKING:
    from assay.api.study import Study

_EACH_S = 20.0


def settled(rates: Rates | None) -> Rates | None:
    """The rates with the numbers of their region, so that the plan holds what was assumed.

    Raises:
        SpecError: there is no such region, or the meter that was named cannot be read.
    """
    if rates is None:
        return None
    meters(rates.meter)
    if rates.region is None or rates.g_per_kwh is not None:
        return rates
    found = region(rates.region)
    return replace(rates, region=found.code, g_per_kwh=found.g_per_kwh, year=found.year)


@contextmanager
def metering(study: Study, watch: Watch | None) -> Iterator[Watch | None]:
    """A watch that reads the meters beside what `watch` does; nothing more where there are none."""
    readers = [Reader(meter) for meter in meters(rates_of(study.spec).meter)]
    if not readers:
        yield watch
        return
    metered = _Metered(study, readers)

    def both(history: History) -> None:
        if watch:
            watch(history)
        metered.tick()

    try:
        yield both
    finally:
        metered.read()


class _Metered:
    """Reads when it is time; the time of the first reading is when it is made."""

    def __init__(self, study: Study, readers: list[Reader]) -> None:
        self._study, self._readers = study, readers
        self._at = monotonic()
        self._cpu_s = spending(study.spec, study.ledger.history).cpu_s
        for reader in readers:
            reader.start()

    def tick(self) -> None:
        if monotonic() - self._at >= _EACH_S:
            self.read()

    def read(self) -> None:
        """Write what was counted since the last time; meters that failed are left out."""
        now = monotonic()
        cpu_s = spending(self._study.spec, self._study.ledger.history).cpu_s
        counted = [(reader.meter.name, reader.kwh()) for reader in self._readers]
        known = [(name, kwh) for name, kwh in counted if kwh is not None]
        seconds, gained = now - self._at, max(cpu_s - self._cpu_s, 0.0)
        self._at, self._cpu_s = now, cpu_s
        if known and len(known) == len(counted):
            source = " and ".join(name for name, _ in known)
            event = Metered(source, sum(kwh for _, kwh in known), seconds, gained)
            self._study.ledger.add(event)
