"""The list of studies, kept up to date: only the lines of those that changed are made anew."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from assay.analysis.pareto import front
from assay.analysis.selection import best_by_value
from assay.api.reporting import view
from assay.api.stored import top_level
from assay.core.errors import AssayError
from assay.core.protocols import Store
from assay.report import words
from assay.report.phase import over, searches_of
from assay.report.view import View
from assay.web.lab import Lab, UnknownStudyError, Watched, key_of

MOST_LISTED = 30
Line = dict[str, Any]


@dataclass(frozen=True)
class Listed:
    """What an open list is told: a number that differs whenever the list does."""

    length: int


@dataclass(frozen=True)
class _Kept:
    length: int
    driver: str
    line: Line


class Listing:
    """The newest studies of a storage as lines."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def now(self) -> dict[str, Any]:
        """What its page shows: the newest studies, the newest first, and the names of the others.

        Those are the older ones, and `parts`: the searches of an ablation, and outer folds. `length`
        is what an open list is told of it.
        """
        names = self._lab.names()[::-1]
        own = set(top_level(names))
        first = [name for name in names if name in own]
        lines = [self.line(name) for name in first[:MOST_LISTED]]
        return {
            "listed": lines,
            "rest": [_named(name) for name in first[MOST_LISTED:]],
            "parts": [_named(name) for name in names if name not in own],
            "length": _number_of(repr((lines, len(names)))),
        }

    def pulse(self) -> Listed:
        """What tells whether the list has changed; it costs a few short queries a study."""
        return Listed(self.now()["length"])

    def line(self, name: str) -> Line:
        """Where a study stands, or why that cannot be said."""
        with self._lock:
            store = self._lab.store()
            kept = self._kept.get(name)
            try:
                if kept and store and not _moved(store, name, kept):
                    return kept.line
                return self._made(name)
            except (AssayError, UnknownStudyError) as error:
                self._kept.pop(name, None)
                return {**_named(name), "error": words.headline(str(error))}

    def _made(self, name: str) -> Line:
        found = self._lab.study(key_of(name))
        pulse = found.pulse()
        line = {
            **_named(name),
            "pulse": pulse,
            "trials": _trials(found),
            "best": _best(found),
            "claim": seen(found).card.claim,
        }
        self._kept[name] = _Kept(pulse.length, _driver(found.study.store, name), line)
        return line


def _number_of(said: str) -> int:
    return int(sha256(said.encode(errors="surrogatepass")).hexdigest()[:12], 16)


def seen(found: Watched) -> View:
    """The study as people see it, of its present length."""
    return found.once(("view",), lambda: view(found.study, found.outcomes))


def _named(name: str) -> Line:
    return {"key": key_of(name), "name": words.name(name), "error": None}


def _moved(store: Store, name: str, kept: _Kept) -> bool:
    """Whether its log has grown, or somebody else drives it."""
    grown = store.rows(name, after=kept.length, most=1)
    return bool(grown) or _driver(store, name) != kept.driver


def _driver(store: Store, name: str) -> str:
    holder = store.driver(name)
    return f"{holder.pid} on {holder.host}" if holder else ""


def _trials(found: Watched) -> str:
    history = found.outcomes.history
    searches = searches_of(history)
    if searches is None:
        return f"{over(history):,}"
    return words.count(len(searches), "search", "searches")


def _best(found: Watched) -> str:
    spec, history = found.study.spec, found.outcomes.history
    if not spec.single:
        on_it = len(front(spec, history))
        return f"front of {on_it:,}" if on_it else "–"
    best = best_by_value(spec, history)
    if best is None:
        return "–"
    return f"{words.number(history.outcome(best).values[0])} (trial {best})"  # type: ignore[union-attr]
