"""The studies of a storage as the dashboard holds them: opened once, followed as they grow."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from assay.api.opened import open_study
from assay.api.reporting import looks_of
from assay.api.stored import existing
from assay.api.study import Study
from assay.api.times import Times
from assay.core.errors import AssayError, SpecError, StateError
from assay.core.events import Selected
from assay.core.history import History
from assay.core.protocols import Store
from assay.report.influence import Influence
from assay.report.phase import Standing, over, standing, wish
from assay.report.plots import course
from assay.report.plots.form import Plot
from assay.report.plots.outcomes import Outcomes

_MOST_OPEN = 16
_MOST_KEPT = 48
T = TypeVar("T")


def key_of(name: str) -> str:
    """What stands for a study in an address: a name may hold anything."""
    return sha256(name.encode(errors="surrogatepass")).hexdigest()[:20]


class UnknownStudyError(Exception):
    """No study of the storage has this key."""


@dataclass(frozen=True)
class Pulse:
    """Where a study stands, in so few numbers that they can be sent at each change."""

    length: int
    trials: int
    ended: int
    phase: str
    done: int
    total: int | None
    driver: str
    steered: str


class Watched:
    """A study that is followed. Threads take turns; what was made of a length is made once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.lock = threading.RLock()
        self.outcomes = Outcomes(study.spec, study.ledger.history)
        self._times = Times()
        self._apart = threading.Lock()
        self._influence: Influence | None = None
        self._judged = -10
        self._searched = False
        self._kept: OrderedDict[tuple[Any, ...], tuple[int, Any]] = OrderedDict()

    def refresh(self) -> int:
        """Read what is new; the length of the log."""
        with self.lock:
            history = self.outcomes.update(self.study.history).history
            if not self._searched and history.last(Selected):  # a luck line as in the report
                self._searched, self.outcomes.looks = True, looks_of(self.study)
            return history.length

    def once(self, what: tuple[Any, ...], make: Callable[[], T]) -> T:
        """What `make` makes of the present length: made once, and kept while others are not newer."""
        with self.lock:
            length = self.outcomes.history.length
            kept = self._kept.get(what)
            if kept is not None and kept[0] == length:
                self._kept.move_to_end(what)
                found: T = kept[1]
                return found
            made = make()
            self._kept[what] = (length, made)
            self._kept.move_to_end(what)
            while len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
            return made

    @property
    def history(self) -> Plot:
        """The figure of the history, which a page draws and its script asks for."""
        return self.once(("history",), lambda: course.history(self.outcomes))

    @property
    def standing(self) -> Standing:
        """What is being done."""
        return self.once(("standing",), lambda: standing(self.study.spec, self.outcomes.history))

    def pulse(self) -> Pulse:
        """Where it stands now."""
        self.refresh()
        with self.lock:
            history, now = self.outcomes.history, self.standing
            holder = self.study.store.driver(self.study.name)
            driver = f"process {holder.pid} on {holder.host}" if holder else ""
            asked = wish(history, now.phase)
            return Pulse(
                history.length, history.n_trials, over(history), now.phase, now.done, now.total,
                driver, asked.wish if asked else "",
            )  # fmt: skip

    def times(self) -> dict[int, tuple[float, float | None]]:
        """When each trial began and ended."""
        with self.lock:
            return self._times.follow(self.study.store, self.study.name)

    def influence(self, *, wait: bool = True) -> Influence | None:
        """Which parameters mattered; looked at again when there are a tenth more trials.

        It takes a second for ten thousand trials, so it is not done in turn with other figures.

        Args:
            wait: else what is known by now.
        """
        if not wait:
            return self._influence
        with self._apart:
            size = self.outcomes.history.n_ended
            if not self._judged <= size < self._judged + max(self._judged // 10, 5):
                self._influence = _influence(self.study, self.outcomes.history)
                self._judged = size
            return self._influence


def _influence(study: Study, history: History) -> Influence | None:
    from assay.api.explaining import importance
    from assay.report.influence import influence

    if not study.spec.single:
        return None
    try:
        return influence(importance(study.spec, history))
    except StateError:
        return None


class Lab:
    """The studies of one storage, which may not be there yet."""

    def __init__(self, storage: str) -> None:
        self.storage = storage
        self._store: Store | None = None
        self._open: OrderedDict[str, Watched] = OrderedDict()
        self._lock = threading.Lock()

    def store(self) -> Store | None:
        """The storage for looking; None while there is none."""
        with self._lock:
            if self._store is None:
                try:
                    self._store = existing(self.storage, readonly=True)
                except SpecError:
                    return None
            return self._store

    def names(self) -> list[str]:
        """The names of its studies, oldest first."""
        store = self.store()
        return list(store.studies()) if store else []

    def study(self, key: str) -> Watched:
        """The study with this key, with all that is new.

        Raises:
            UnknownStudyError: there is none.
            AssayError: it cannot be read.
        """
        found = self._opened(key)
        found.refresh()
        return found

    def _opened(self, key: str) -> Watched:
        with self._lock:
            if key in self._open:
                self._open.move_to_end(key)
                return self._open[key]
        name = next((name for name in self.names() if key_of(name) == key), None)
        store = self.store()
        if name is None or store is None:
            raise UnknownStudyError(key)
        made = Watched(open_study(store, name, readonly=True))
        with self._lock:
            kept = self._open.setdefault(key, made)
            while len(self._open) > _MOST_OPEN:
                self._open.popitem(last=False)
            return kept

    def writing(self, key: str, act: Callable[[Study], T]) -> T:
        """What `act` makes of the study, opened to add to its log like any other process.

        Raises:
            UnknownStudyError: there is none.
            AssayError: it cannot be done; the log is as it was.
        """
        from assay.stores.envelope import by_way_of

        name = self._opened(key).study.name
        with by_way_of("dashboard"), open_study(self.storage, name) as study:
            return act(study)

    def warm(self, make: Callable[[Watched], None]) -> None:
        """Open the newest study, and make what is shown of it, while nobody waits for it."""

        def open_newest() -> None:
            try:
                for name in self.names()[-1:]:
                    make(self.study(key_of(name)))
            except (AssayError, UnknownStudyError):
                pass  # whoever asks for it is told

        threading.Thread(target=open_newest, daemon=True).start()

    def close(self) -> None:
        """Let go of the storage."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None
            self._open.clear()


def as_json(form: Any) -> bytes:
    """JSON for the browser, which takes no NaN; what is not finite is null."""
    return msgspec.json.encode(form)


__all__ = ["AssayError", "Lab", "Pulse", "UnknownStudyError", "Watched", "as_json", "key_of"]
