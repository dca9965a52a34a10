"""What a running study shows: one live line on a terminal, else a plain line now and then.

It is called after every change of the log, so it must cost next to nothing: most calls only look
at the clock. It starts no thread, for the workers are forked from this process.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any, Self, TextIO

from assay.analysis.effects import control_noise, has_control
from assay.core import units
from assay.core.events import CONTROL, Failed, Told
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.run import Watch
from assay.report import words
from assay.report.log import in_words
from assay.report.outlook import outlook
from assay.report.phase import Standing, searches_of, standing, to_go, wish

if TYPE_CHECKING:
    from rich.live import Live

_LIVE_S = 0.1
_PLAIN_S = 5.0
_RARE_S = 60.0  # a log wants a sign of life, not the same line again
_SPARSE = 0.02  # of the time so far lies between two lines: some two hundred in a long study
_SHARE = 0.02  # of the time at most goes into showing, however long the history is
_DOING = {
    "control": "measuring the defaults",
    "search": "searching",
    "recheck": "measuring the best again",
    "confirm": "comparing on fresh seeds",
    "outer": "estimating the procedure on rows left out",
    "test": "opening the test set",
    "finished": "done",
    "stopped": "stopped",
}


class Progress:
    """Shows how a study goes on; call it with the history after each change, close it at the end.

    Args:
        spec: the plan of the study.
        workers: how many evaluations run at once, for the time to go.
        stream: where to write; standard error if None. A terminal gets a live line, anything else
            plain lines: one when the phase changes, else one each five seconds at first and each
            minute later, and the same line again after a minute at the earliest.
        quiet: show nothing.
    """

    def __init__(
        self,
        spec: StudySpec,
        *,
        workers: int = 1,
        stream: TextIO | None = None,
        quiet: bool = False,
    ) -> None:
        self._stream = stream or sys.stderr
        self._tally = Tally(spec, workers)
        self._quiet = quiet
        self._live: Live | None = None
        self._is_live = not quiet and is_terminal(self._stream)
        self._next = 0.0
        self._next_line = 0.0
        self._began: float | None = None
        self._line, self._line_at = "", 0.0
        self._doing: tuple[str, object] = ("", None)
        self._foretold = False
        self._latest: History | None = None
        self._shown = -1

    def __call__(self, history: History) -> None:
        self._latest = history
        now = monotonic()
        if now >= self._next and not self._quiet:
            self._show(history, now)
            done = monotonic()
            self._next = done + max(_LIVE_S, (done - now) / _SHARE)

    def close(self) -> None:
        """Show the last state, and leave the terminal as it was."""
        self._next_line = 0.0
        if self._latest is not None and not self._quiet and self._latest.length != self._shown:
            self._show(self._latest, monotonic())
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _show(self, history: History, now: float) -> None:
        self._tally.update(history)
        stand = standing(self._tally.spec, history)
        if stand.phase == "search" and not self._foretold:
            self._foretell(outlook(self._tally.spec, history))
        if self._is_live:
            self._draw(self._tally.parts(history, stand))
            self._shown = history.length
        elif (doing := (stand.phase, wish(history, stand.phase))) != self._doing or (
            now >= self._next_line
        ):
            self._began = now if self._began is None else self._began
            pause = (now - self._began) * _SPARSE
            self._doing, self._next_line = doing, now + min(max(_PLAIN_S, pause), _RARE_S)
            self._say(", ".join(self._tally.parts(history, stand)), now)
            self._shown = history.length

    def _say(self, line: str, now: float) -> None:
        if line != self._line or now >= self._line_at + _RARE_S:
            self._line, self._line_at = line, now
            self._write(line)

    def _foretell(self, said: str) -> None:
        """What the study can show, once, before its search spends anything."""
        self._foretold = True
        if said and self._live is not None:
            self._live.console.print(said, highlight=False, markup=False)
        elif said:
            self._write(said)

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):
            self._quiet = True  # whoever read it has gone; the study goes on

    def _draw(self, parts: list[str]) -> None:
        if self._live is None:
            self._live = _live(self._stream)
            self._live.start()
        self._live.update(_line(parts, self._live.console.width), refresh=True)


class Tally:
    """The few numbers that are shown, kept up to date as the history grows."""

    def __init__(self, spec: StudySpec, workers: int) -> None:
        self.spec = spec
        self._workers = workers
        self._seen = 0
        self.failed = 0
        self.best: tuple[float, int] | None = None
        self._wall_s = 0.0
        self._cpu_s = 0.0
        self._noise: tuple[str, float | None] = ("", None)

    def update(self, history: History) -> None:
        """Take in the trials that ended since the last time."""
        sign = self.spec.signs[0]
        for number in history.ended[self._seen :]:
            outcome = history.outcome(number)
            assert outcome is not None
            self._wall_s += outcome.wall_s
            self._cpu_s += outcome.cpu_s
            self.failed += isinstance(outcome, Failed)
            if isinstance(outcome, Told):
                loss = sign * outcome.values[0]
                self.best = min(self.best or (loss, number), (loss, number))
        self._seen = history.n_ended

    def parts(self, history: History, stand: Standing) -> list[str]:
        """What is shown, the most important first."""
        if stand.phase == "test" and not history.looks:
            return ["the search is complete, the test set still sealed"]
        if searches_of(history) is not None:
            return [f"{_DOING[stand.phase]}: {words.count(stand.done, 'search', 'searches')} begun"]
        of = f"{stand.done}/{stand.total}" if stand.total is not None else f"{stand.done}"
        what = "trials" if stand.phase in ("search", "finished", "stopped") else "evaluations"
        found = [f"{_DOING[stand.phase]}: {of} {what}"]
        if asked := wish(history, stand.phase):
            found.append(in_words(asked))
        if self.spec.single and self.best is not None:
            found.append(f"best {self._best_words(history)}")
        if self.failed:
            found.append(f"{self.failed} failed")
        if stand.phase == "search" and (left := self._budget_left(stand)):
            found.append(left)
        seconds = self.seconds_to_go(stand)
        if seconds is not None and seconds >= 1:
            found.append(f"{words.seconds(seconds)} to go")
        return found

    def seconds_to_go(self, stand: Standing) -> float | None:
        """From the mean wall-clock time of the trials so far; None where nothing can be told."""
        if not self._seen or not self._wall_s:
            return None
        each_s = self._wall_s / self._seen / len(units.search(self.spec))
        left = to_go(self.spec, stand)
        return None if left is None else left * each_s / self._workers

    def _best_words(self, history: History) -> str:
        assert self.best is not None
        loss, number = self.best
        value = self.spec.signs[0] * loss
        if not has_control(history):
            return f"{words.number(value)} (trial {number})"
        if number == CONTROL:
            return f"{words.number(value)} (the defaults)"
        control = history.outcome(CONTROL)
        assert isinstance(control, Told)
        gain = self.spec.signs[0] * control.values[0] - loss
        floor = self._floor(history)
        noise = f", noise ±{words.number(floor, 2)}" if floor else ""
        return f"{words.signed(gain)} (trial {number}{noise})"

    def _floor(self, history: History) -> float | None:
        """The noise floor; it settles after the control and the first ten trials."""
        key = f"{min(history.n_ended, 12)} {len(history.units(CONTROL))}"
        if self._noise[0] != key:
            self._noise = (key, control_noise(self.spec, history).floor)
        return self._noise[1]

    def _budget_left(self, stand: Standing) -> str:
        """What is left of limits other than the number of trials, which stands beside the phase."""
        limits = self.spec.budget
        if limits is None:
            return ""
        found = []
        if limits.looks is not None:
            looks = limits.looks - stand.done * len(units.search(self.spec))
            found.append(words.count(max(looks, 0), "look"))
        if limits.cpu_seconds is not None:
            found.append(f"{words.seconds(max(limits.cpu_seconds - self._cpu_s, 0))} of CPU time")
        if limits.seconds is not None:
            used = self._wall_s / self._workers
            found.append(f"about {words.seconds(max(limits.seconds - used, 0))}")
        return f"{' and '.join(found)} left" if found else ""


@contextmanager
def showing(
    spec: StudySpec, *, workers: int = 1, wanted: bool | None = None, stream: TextIO | None = None
) -> Iterator[Watch | None]:
    """What shows progress, closed at the end; None if not wanted.

    By default it is wanted on a terminal and in a notebook, where the output of a cell is kept up to
    date.
    """
    show = None if wanted is False or stream is not None else _notebook()
    if show is not None:
        from assay.progress.notebook import NotebookProgress

        with NotebookProgress(spec, show) as cell:
            yield cell
        return
    shown = is_terminal(stream or sys.stderr) if wanted is None else wanted
    if not shown:
        yield None
        return
    with Progress(spec, workers=workers, stream=stream) as progress:
        yield progress


def _notebook() -> Callable[[str], Any] | None:
    """How to show HTML in a notebook; asked only where one can be running, as it loads more."""
    if "ipykernel" not in sys.modules:
        return None
    from assay.progress.notebook import shower

    return shower()


def is_terminal(stream: Any) -> bool:
    """Whether a live line can be drawn there."""
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):
        return False


def _live(stream: TextIO) -> Live:
    from rich.console import Console
    from rich.live import Live

    # Output of the user's code is moved above the line, unless it goes somewhere else anyway.
    redirect = is_terminal(sys.stdout)
    return Live(
        console=Console(file=stream),
        auto_refresh=False,
        redirect_stdout=redirect,
        redirect_stderr=redirect,
    )


def _line(parts: list[str], width: int) -> Any:
    """As many parts as fit, the most important first; never more than a line."""
    from rich.text import Text

    line = parts[0]
    for part in parts[1:]:
        if len(line) + len(part) + 3 < width:
            line += f" · {part}"
    return Text(line, no_wrap=True, overflow="ellipsis")
