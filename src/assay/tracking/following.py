"""What is new in a study, told to trackers trial by trial."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol, Self

from assay.analysis.effects import Effect, control_noise, effect, gain_name, has_control
from assay.api.opened import open_study
from assay.api.study import Study
from assay.core.errors import AssayError, SpecError
from assay.core.history import Trial
from assay.core.protocols import Store

_OPEN = ("running", "paused")


@dataclass(frozen=True)
class News:
    """A trial as it stands, and which of its steps were not told before.

    Attributes:
        effect: its gain over the control, if it has one.
        steps: (step, value) that it reported since the last news of it.
    """

    trial: Trial
    effect: Effect | None
    steps: tuple[tuple[int, float], ...]

    @property
    def ended(self) -> bool:
        return self.trial.state not in _OPEN

    def numbers(self, objectives: Sequence[str]) -> dict[str, float]:
        """Its values and its other results by name, the gain over the control among them."""
        found = dict(zip(objectives, self.trial.values or (), strict=False)) | dict(
            self.trial.extra
        )
        return found | ({gain_name(found): self.effect.gain} if self.effect else {})

    def words(self) -> dict[str, str]:
        """What a filter in the other tool can ask for."""
        standing = self.effect.standing if self.effect else None
        failure = self.trial.failure
        return {
            "assay.trial": str(self.trial.number),
            "assay.origin": self.trial.origin,
            "assay.state": self.trial.state,
            **({"assay.standing": standing} if standing else {}),
            **({"assay.failure": f"{failure.kind}: {failure.reason}"} if failure else {}),
        }


class Tracker(Protocol):
    """Shows a study elsewhere. It may be told again what it was told before another start."""

    def begin(self, study: Study) -> None:
        """The study, which may have trials already; they are told next."""

    def trial(self, news: News) -> None:
        """A trial began, reported, ended, or has another standing beside the control."""

    def end(self, study: Study) -> None:
        """The study as it is when nobody looks any more, with its verdict if it has one."""


class Follower:
    """Tells trackers what is new in a study each time `look` is called.

    >>> from assay import Float, Space
    >>> class Printed:
    ...     def begin(self, study): print(study.name)
    ...     def trial(self, news): print(news.trial.number, news.trial.state)
    ...     def end(self, study): print("end")
    >>> study = Study(Space(x=Float(0, 1, default=0.5)))
    >>> with Follower(study, Printed()) as follower:
    ...     study.tell(study.ask(), 1.0)
    ...     follower.look()
    study
    0 done
    end
    """

    def __init__(self, study: Study, *trackers: Tracker) -> None:
        self._study, self._trackers = study, trackers
        self._length = 0
        self._open: dict[int, tuple[str, int]] = {}
        self._known = 0
        self._standing: dict[int, str] = {}

    def __enter__(self) -> Self:
        for tracker in self._trackers:
            tracker.begin(self._study)
        return self

    def __exit__(self, *_: object) -> None:
        self.look()
        self._look_back()
        for tracker in self._trackers:
            tracker.end(self._study)

    def look(self) -> None:
        """Tell what is new; cheap when nothing is."""
        history = self._study.history
        if history.length == self._length:
            return
        self._length = history.length
        fresh = range(self._known, history.n_trials)
        self._known = history.n_trials
        self._open |= dict.fromkeys(fresh, ("", 0))
        changed = [t for t in map(history.trial, sorted(self._open)) if self._is_new(t)]
        effects = self._effects([t.number for t in changed if t.state not in _OPEN])
        for trial in changed:
            self._tell(trial, effects.get(trial.number), trial.curve[self._open[trial.number][1] :])
            if trial.state in _OPEN:
                self._open[trial.number] = trial.state, len(trial.curve)
            else:
                del self._open[trial.number]

    def _is_new(self, trial: Trial) -> bool:
        return self._open[trial.number] != (trial.state, len(trial.curve))

    def _effects(self, numbers: Sequence[int]) -> dict[int, Effect]:
        spec, history = self._study.spec, self._study.ledger.history
        if not numbers or not spec.single or not has_control(history):
            return {}
        floor = control_noise(spec, history)
        found = (effect(spec, history, number, floor) for number in numbers)
        return {one.trial: one for one in found if one is not None}

    def _look_back(self) -> None:
        """The control was measured again since: tell of trials that stand otherwise beside it now."""
        effects = self._effects(list(self._standing))
        for number, one in effects.items():
            if one.standing != self._standing[number]:
                self._tell(self._study.ledger.history.trial(number), one, ())

    def _tell(
        self, trial: Trial, found: Effect | None, steps: tuple[tuple[int, float], ...]
    ) -> None:
        if found is not None:
            self._standing[trial.number] = found.standing
        for tracker in self._trackers:
            tracker.trial(News(trial, found, steps))


@contextmanager
def following(
    storage: str | Store, name: str, *trackers: Tracker, every_s: float = 1.0
) -> Iterator[None]:
    """Follow a study from a thread while the body drives it.

    Args:
        storage, name: the study, which may begin later than this.
        trackers: where it is shown.
        every_s: seconds between two looks.

    Warns:
        UserWarning: the study never came, so that nothing was shown.

    Raises:
        SpecError: a tracker that is a class.
        Exception: what a tracker raised; the study itself goes on to its end first.
    """
    for tracker in trackers:
        if isinstance(tracker, type):
            kind = tracker.__name__
            raise SpecError(f"following needs an object, got the class {kind}. Write {kind}(…).")
    over, wrong, missed = threading.Event(), [], threading.Event()

    def follow() -> None:
        try:
            study = _when_there(storage, name, over, every_s)
            if study is None:
                missed.set()
                return
            with Follower(study, *trackers) as follower:
                while not over.wait(every_s):
                    follower.look()
            if isinstance(storage, str):
                study.close()
        except Exception as error:
            wrong.append(error)

    thread = threading.Thread(target=follow, name=f"follow {name}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    if wrong:
        raise wrong[0]
    if missed.is_set():
        warnings.warn(
            f"Nothing was shown: no study {name!r} came to {storage!r:.100}. Give following the storage "
            "and the name that the study has; one in memory cannot be followed.",
            stacklevel=3,
        )


def _when_there(
    storage: str | Store, name: str, over: threading.Event, every_s: float
) -> Study | None:
    """The study, as soon as it is there; None if it never was."""
    while True:
        last = over.wait(every_s / 10)
        try:
            return open_study(storage, name, readonly=True)
        except SpecError:
            if last:
                return None
        except AssayError:  # its file is being made
            if last:
                raise
