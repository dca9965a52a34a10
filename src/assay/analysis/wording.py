"""The fixed sentences of a verdict: the same words for the same finding, in every report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor, log10
from typing import Literal, TypeAlias

from assay.math.intervals import Interval, normal_quantile

Source: TypeAlias = Literal["test", "seeds", "exact", "recheck", "search", "bbc", "nested", "none"]

NO_GAIN_SHOWN = "No gain could be shown; that is not proof that none exists."
NOTHING_COMPARED = "Keep the defaults: there is nothing to compare them with."
NO_CONTROL = "No defaults were given, so no gain over them can be stated."
INFEASIBLE_CONTROL = "The defaults do not meet the constraints, so no gain over them can be stated."
NO_TEST_SET = "No test set was kept, so the gain on new data is unknown."
RECHECK_ONLY = (
    "These rows took part in choosing the settings, so the gain may be flattered; "
    "no sealed test set has confirmed it."
)
PROCEDURE_ONLY = (
    "No test set was kept, so this speaks about the tuning procedure, not about the fitted model."
)

_MOST_DECIMALS = 7  # beyond that, powers of ten are easier to read
_MOST_UNITS = 10**9  # nobody has more


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What a gain was measured on, and how to speak about it.

    `source` says where the n units come from: "test" (sealed rows), "seeds" (fresh seeds of a study
    without data), "exact" (an objective without noise), "recheck" (rows in fresh splits; no test
    set was opened), "bbc" or "nested" (rows left out, no test set), or "none" (no test set and
    nothing instead).

    `points`: the metric is a share such as accuracy, so that its differences are percent points.
    `control` and `selected` are the values of the metric itself; `searched` is the gain that the
    search's best trial seemed to have; `se_seeds` the part of the standard error that more rows do
    not lower; `first_look` says when it was ("3 Nov").
    """

    metric: str
    n: int
    source: Source = "test"
    points: bool = False
    lower_is_better: bool = False
    control: float | None = None
    selected: float | None = None
    searched: float | None = None
    se_seeds: float = 0.0
    look: int = 1
    first_look: str | None = None

    @property
    def unit(self) -> str:
        """What is counted: rows or seeds."""
        return "seeds" if self.source == "seeds" else "rows"

    @property
    def unit_text(self) -> str:
        """On what it was measured, such as "1,274 unseen rows".

        >>> Basis(metric="ROC AUC", n=1274).unit_text
        '1,274 unseen rows'
        """
        rows = f"{self.n:,} {_plural('row', self.n)}"
        return {
            "test": f"{self.n:,} unseen {_plural('row', self.n)}",
            "exact": "a deterministic objective",
            "seeds": f"{self.n:,} fresh {_plural('seed', self.n)}",
            "recheck": f"{rows} in fresh splits",
            "search": "the evaluations that chose them",
            "none": "no unseen rows",
        }.get(self.source, f"{rows} left out of the selection")

    @property
    def badge(self) -> str:
        """How far the figure can be trusted, in a word."""
        if self.source == "test":
            return "CONFIRMATORY" if self.look == 1 else f"POST-HOC (look {self.look})"
        return {
            "seeds": "FRESH SEEDS",
            "exact": "EXACT",
            "recheck": "TEST SET NOT OPENED",
            "search": "SEARCH ONLY",
            "none": "NO TEST SET",
        }.get(self.source, f"NO TEST SET ({self.source})")


@dataclass(frozen=True, slots=True)
class Numbers:
    """Writes the numbers of one sentence with as many digits as their uncertainty deserves."""

    decimals: int
    points: bool

    def gain(self, value: float) -> str:
        """With its sign: "+0.126", or "+1.2 points"."""
        return self._sign(value) + self.size(value)

    def end(self, value: float) -> str:
        """An end of an interval: as `gain`, without the word."""
        return self._sign(value) + self._digits(abs(self._shown(value)))

    def size(self, value: float) -> str:
        """Without its sign: "0.126", or "1.2 points"."""
        return self._digits(abs(self._shown(value))) + (" points" if self.points else "")

    def score(self, value: float) -> str:
        """A value of the metric itself: "0.727", or "84.2 %"."""
        text = self._digits(abs(self._shown(value))) + (" %" if self.points else "")
        return f"−{text}" if value < 0 and self._rounded(value) else text

    def interval(self, interval: Interval) -> str:
        """Level and ends: "95 % CI +0.090 to +0.159"; of a point, that it is one."""
        if interval.half_width == 0:
            return "no noise seen"
        ends = f"{self.end(interval.low)} to {self.end(interval.high)}"
        return f"{100 * interval.level:.4g} % CI {ends}"

    def threshold(self, value: float) -> str:
        """What the user typed, digit for digit."""
        shown = f"{self._shown(value):.6g}"
        return f"{shown} {_plural('point', float(shown))}" if self.points else shown

    def _shown(self, value: float) -> float:
        return 100 * value if self.points else value

    def _rounded(self, value: float) -> float:
        return round(self._shown(value), self.decimals)

    def _sign(self, value: float) -> str:
        rounded = self._rounded(value)
        return "" if rounded == 0 else "−" if rounded < 0 else "+"

    def _digits(self, shown: float) -> str:
        if self.decimals > _MOST_DECIMALS:
            return f"{shown:.3g}"
        return f"{shown:,.{self.decimals}f}"


def numbers_for(gain: Interval, points: bool, same: Callable[[float, float], bool]) -> Numbers:
    """Two digits of the half-width, or more until the rounded ends are the `same` as the true.

    >>> interval = Interval(0.1263, 0.0904, 0.1592, 0.0175, None, "", 1274)
    >>> numbers_for(interval, False, lambda low, high: low > 0).interval(interval)
    '95 % CI +0.090 to +0.159'
    """
    scale = 100 if points else 1
    decimals = decimals_of(gain.half_width or gain.estimate, points)
    for more in range(decimals, decimals + 8):
        ends = (round(scale * end, more) / scale for end in (gain.low, gain.high))
        if same(*ends):
            return Numbers(more, points)
    return Numbers(decimals + 8, points)


def decimals_of(value: float, points: bool, digits: int = 2) -> int:
    """Decimals that show `value` with that many significant digits, at least its whole part."""
    size = abs(value) * (100 if points else 1)
    return max(0, digits - 1 - floor(log10(size))) if size > 0 else 0


def better(gain: Interval, smallest_gain: float, basis: Basis, write: Numbers) -> str:
    """The gain holds and is as large as asked for."""
    change = write.size(gain.estimate) if basis.lower_is_better else write.gain(gain.estimate)
    change = f"better by {change}" if basis.lower_is_better else change
    return _joined(
        f"Tuning improved {basis.metric} on {basis.unit_text}{_from_to(basis, write)}: "
        f"{change} ({write.interval(gain)}).",
        f"Your threshold was {write.threshold(smallest_gain)}."
        if smallest_gain
        else "You set no smallest gain, so any gain counts.",
        "The test set was opened once." if basis.source == "test" and basis.look == 1 else "",
    )


def maybe_too_little(gain: Interval, smallest_gain: float, basis: Basis, write: Numbers) -> str:
    """The gain is real but may be smaller than asked for."""
    return (
        f"There is a real gain in {basis.metric} on {basis.unit_text}, "
        f"{write.gain(gain.estimate)} ({write.interval(gain)}), but it may be below the "
        f"{write.threshold(smallest_gain)} you said matters."
    )


def equivalent(gain: Interval, smallest_gain: float, basis: Basis, write: Numbers) -> str:
    """The difference is too small to matter, either way."""
    luck = basis.searched is not None and basis.searched > gain.high
    return _joined(
        f"Keep the defaults. Tuned and default settings differ by less than "
        f"{write.threshold(smallest_gain)} in {basis.metric} on {basis.unit_text} "
        f"({write.interval(gain)}).",
        f"The search's best validation score was {write.gain(basis.searched or 0.0)} better; "
        "that was selection luck."
        if luck
        else "",
    )


def worse(gain: Interval, smallest_gain: float, basis: Basis, write: Numbers) -> str:
    """The tuned settings lost."""
    return (
        f"The tuned settings lost {write.size(gain.estimate)} of {basis.metric} on "
        f"{basis.unit_text} ({write.interval(gain)}): overtuning. Use the defaults."
        if not basis.lower_is_better
        else f"The tuned settings are worse by {write.size(gain.estimate)} in {basis.metric} on "
        f"{basis.unit_text} ({write.interval(gain)}): overtuning. Use the defaults."
    )


def cannot_tell(gain: Interval, smallest_gain: float, basis: Basis, write: Numbers) -> str:
    """The interval is too wide for any claim."""
    if gain.half_width == 0:
        return (
            f"Tuned and default settings gave equal {basis.metric} on {basis.unit_text}: "
            "there is no gain to state."
        )
    counted = f"{basis.n:,} {_plural(basis.unit.removesuffix('s'), basis.n)}"
    what = "This test set" if basis.source == "test" else "This comparison"
    return _joined(
        f"{what} ({counted}) can only show gains above "
        f"{write.size(detectable(gain))} in {basis.metric}.",
        f"You measured {write.gain(gain.estimate)} ({write.interval(gain)}).",
        _what_would_settle(gain, smallest_gain, basis),
    )


def blind(basis: Basis) -> str:
    """Both scores are the same on any draw of the rows, as where no row of a rare class is found.

    >>> blind(Basis(metric="f1", n=75, control=0.0))[:68]
    'The defaults and the tuned settings both have 0 f1 on 75 unseen rows'
    """
    both = basis.control or 0.0
    score = Numbers(decimals_of(both, basis.points), basis.points).score(both)
    return (
        f"The defaults and the tuned settings both have {score} {basis.metric} on {basis.unit_text}, and "
        "so on any draw of these, as where no row of a rare class is found: this test cannot tell them "
        "apart."
    )


def none_tried(others: int, failed: int, last_reason: str) -> str:
    """Why nothing could be compared with the control, of whose `others` none is of use.

    >>> none_tried(4, 4, "ValueError: no GPU")
    'All 4 other trials failed, the last with: ValueError: no GPU.'
    >>> none_tried(4, 1, "ValueError: no GPU")
    'Of the 4 other trials 1 failed, and none met the constraints.'
    """
    if not others:
        return "No other settings were tried."
    if failed < others:
        some = f"Of the {others:,} other {_plural('trial', others)} {failed:,} failed, and none"
        return f"{some if failed else 'None of the other trials'} met the constraints."
    which = "The only other trial failed" if others == 1 else f"All {others:,} other trials failed"
    return f"{which}{', the last' if others > 1 else ''} with: {last_reason.rstrip('.')}."


def second_look(basis: Basis) -> str:
    """A warning that this test set was seen before."""
    return _joined(
        f"This is look number {basis.look} at this test set.",
        f"The first was on {basis.first_look}." if basis.first_look else "",
        "Treat this number as a validation score.",
    )


def detectable(gain: Interval, power: float = 0.8) -> float:
    """The gain that evidence with this standard error would have shown with the given power."""
    return (normal_quantile((1 + gain.level) / 2) + normal_quantile(power)) * gain.se


def units_to_settle(gain: Interval, smallest_gain: float, basis: Basis) -> int | None:
    """Rows (or seeds) that would turn CANNOT TELL into a claim if the estimate stays as it is.

    n * (half-width / needed)^2, where needed is the widest half-width with which the estimate would
    exclude 0, or lie within the smallest gain. Noise of seeds stays, however many rows are added:
    None if it, or an estimate of 0 without a smallest gain, can never be settled.

    >>> gain = Interval(0.012, -0.021, 0.044, 0.0166, None, "", 114)
    >>> units_to_settle(gain, 0.005, Basis(metric="accuracy", n=114))
    840
    """
    estimate, half = abs(gain.estimate), gain.half_width
    needed = max(estimate, smallest_gain - estimate)
    fixed = half * basis.se_seeds / gain.se if gain.se > 0 and basis.source != "seeds" else 0.0
    if needed**2 <= fixed**2:
        return None
    units = basis.n * (half**2 - fixed**2) / (needed**2 - fixed**2)
    return _two_digits_up(min(max(units, basis.n + 1), 10 * _MOST_UNITS))


def _what_would_settle(gain: Interval, smallest_gain: float, basis: Basis) -> str:
    units = units_to_settle(gain, smallest_gain, basis)
    if units is not None and units <= _MOST_UNITS:
        return f"About {units:,} {basis.unit} would settle it."
    if basis.se_seeds == 0:
        return "A difference so close to 0 can only be settled by naming a gain that matters."
    return "More rows alone would not settle it: refit both with more seeds."


def _from_to(basis: Basis, write: Numbers) -> str:
    if basis.control is None or basis.selected is None:
        return ""
    return f" from {write.score(basis.control)} to {write.score(basis.selected)}"


def _two_digits_up(value: float) -> int:
    step = int(10 ** max(0, floor(log10(value)) - 1))
    return ceil(value / step) * step


def _plural(word: str, count: float) -> str:
    return word if count == 1 else f"{word}s"


def _joined(*sentences: str) -> str:
    return " ".join(filter(None, sentences))
