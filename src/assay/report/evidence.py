"""What the answer rests on: the flow of trials, their history, recheck, noise and test. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.analysis.effects import Effect, control_noise, has_control, ratio
from assay.analysis.noise import Noise
from assay.analysis.outcomes import losses, numbers_of_ended
from assay.analysis.overtuning import overtuning
from assay.analysis.pareto import front as dominating
from assay.core.events import CONTROL, Frozen, Opened, Opening, Sealed, Selected
from assay.core.history import APART, History
from assay.core.spec import StudySpec
from assay.math.intervals import normal_quantile
from assay.math.power import smallest_detectable_gain
from assay.math.selection_luck import luck_line
from assay.report import words
from assay.report.answer import Gain, fresh_units, gain_of, higher_is_better, metric_name
from assay.report.looks import Looks, looks_after


@dataclass(frozen=True)
class Step:
    """A station of the flow; `lost` are those that did not reach it, with the reason."""

    label: str
    count: int
    lost: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A trial in the history: its gain over the control, or its value where there is no control."""

    trial: int
    y: float
    standing: str


@dataclass(frozen=True)
class Course:
    """The history of a study.

    Attributes:
        of_gains: whether `y` is a gain (positive is better) or a plain value.
        higher_is_better: the direction of `y`.
        records: the points that were the best so far.
        band: half the width of the band inside which an effect is noise.
        luck: (trials, gain): what the best of so many trials, all as good as the control, would show.
        failed: numbers of the failed trials.
        marked: the selected trial.
        again: whether that was measured outside the search, too.
        looks: how many independent looks the trials amount to, in words.
        shadow: what the incumbents gain over the defaults on the shadow set (without a control: their
            values there).
    """

    metric: str
    of_gains: bool
    higher_is_better: bool
    points: tuple[Point, ...]
    records: tuple[Point, ...]
    band: float | None
    luck: tuple[tuple[int, float], ...]
    failed: tuple[int, ...]
    marked: int | None
    again: bool = False
    looks: str = ""
    shadow: tuple[Point, ...] = ()

    @property
    def below_luck(self) -> bool:
        """Whether the record is no better than luck alone would give."""
        return bool(self.luck and self.records and self.records[-1].y <= self.luck[-1][1])


@dataclass(frozen=True)
class Rechecked:
    """A trial of the recheck: what the search showed, and what fresh evaluations show."""

    trial: int
    search_gain: float | None
    fresh: Gain | None
    n: int | None
    fate: str


@dataclass(frozen=True)
class Recheck:
    """How the selected trial was chosen."""

    rule: str
    reason: str
    rows: tuple[Rechecked, ...]


@dataclass(frozen=True)
class NoiseTable:
    """Where the noise of the control comes from; `detectable` is the smallest gain it lets us see."""

    seed: float | None
    split: float | None
    rest: float | None
    floor: float | None
    detectable: float | None
    smallest_gain: float


@dataclass(frozen=True)
class Contender:
    """A contender on the test set."""

    label: str
    score: float
    low: float | None
    high: float | None
    refits: tuple[float, ...]


@dataclass(frozen=True)
class Unsealing:
    """The sealed test set and what it said."""

    metric: str
    rows: int | None
    sealed: tuple[tuple[str, str], ...]
    looks: tuple[tuple[int, str], ...]
    contenders: tuple[Contender, ...]
    gain: Gain | None
    method: str | None
    se_rows: float | None
    se_seeds: float | None
    second: tuple[str, float] | None = None
    """Another test of "no difference", and its p value."""


@dataclass(frozen=True)
class Front:
    """The trials that no other trial beats in every objective."""

    objectives: tuple[str, ...]
    rows: tuple[tuple[int, tuple[float, ...]], ...]


def flow(history: History) -> tuple[Step, ...] | None:
    """How many trials came how far; None before the first."""
    if not history.n_trials:
        return None
    complete = history.n_ended - len(history.failed)
    cut = Counter(run.state for run in history.runs() if run.state in ("stopped", "paused"))
    lost = (
        ("failed", history.n_ended - complete),
        ("running", len(history.running())),
        ("stopped early", cut["stopped"]),
        ("paused", cut["paused"]),
    )
    steps = [
        Step("proposed", history.n_trials),
        Step("complete", complete, tuple((why, n) for why, n in lost if n)),
    ]
    rechecked = sum(1 for n in history.measured if n > CONTROL and history.units(n, "recheck"))
    if rechecked:
        steps.append(Step("rechecked", rechecked))
    frozen: Frozen | None = history.last(Frozen)
    if frozen:
        steps.append(Step("contenders", len(frozen.contenders)))
    if history.last(Sealed):
        steps.append(Step("test opened", history.looks))
    return tuple(steps)


def _again(history: History, trial: int) -> bool:
    """Whether a trial was measured in another stage than the search."""
    beside = history.units(trial) != history.units(trial, "search")
    return beside or any(history.units(trial, stage) for stage in APART)


def course(
    spec: StudySpec,
    history: History,
    effects: Mapping[int, Effect],
    noise: Noise | None,
    *,
    looks: Looks | None = None,
    points: Sequence[Point] = (),
) -> Course | None:
    """The history of gains (of values, without a control); None before the first value.

    `looks`: the independent looks of its trials, by which the luck line goes, where their rows told;
    `points`: of all trials, where they are known already.
    """
    if not spec.single:
        return None
    of_gains = has_control(history)
    points = points or (gains(effects, history.ended) if of_gains else _all_values(spec, history))
    if not points:
        return None
    upwards = of_gains or higher_is_better(spec)
    floor = noise.floor if noise and of_gains else None
    selected: Selected | None = history.last(Selected)
    marked = selected.challenger if selected else None
    return Course(
        metric=metric_name(spec),
        of_gains=of_gains,
        higher_is_better=upwards,
        points=tuple(points),
        records=_records(points, 1 if upwards else -1),
        band=floor * normal_quantile(1 - spec.alpha / 2) if floor else None,
        luck=_luck(floor, len(points), looks),
        failed=tuple(sorted(history.failed)),
        marked=marked,
        again=marked is not None and _again(history, marked),
        looks=str(looks) if looks else "",
        shadow=_shadow(spec, history, of_gains=of_gains),
    )


def gains(effects: Mapping[int, Effect], numbers: Iterable[int]) -> list[Point]:
    """The points of those of some trials that have an effect."""
    found = (effects.get(number) for number in numbers)
    return [Point(effect.trial, effect.gain, effect.standing) for effect in found if effect]


def values(
    numbers: NDArray[np.intp], found: NDArray[np.float64], shown: NDArray[np.bool_]
) -> list[Point]:
    """The values of those trials that are to be shown, where there is no control.

    Args:
        numbers, found, shown: the number of each trial, its value, and whether it is shown.
    """
    at = zip(numbers[shown].tolist(), found[shown].tolist(), strict=True)
    return [Point(number, value, "") for number, value in at]


def _all_values(spec: StudySpec, history: History) -> list[Point]:
    loss = losses(spec, history)
    return values(numbers_of_ended(history), spec.signs[0] * loss, ~np.isnan(loss))


def _shadow(spec: StudySpec, history: History, *, of_gains: bool) -> tuple[Point, ...]:
    found = overtuning(spec, history)
    if found is None:
        return ()
    first, sign = found.incumbents[0], spec.signs[0]
    if not of_gains:
        return tuple(Point(one.trial, one.shadow, "") for one in found.incumbents)
    if first.trial != CONTROL:
        return ()
    return tuple(
        Point(one.trial, sign * (first.shadow - one.shadow), "") for one in found.incumbents
    )


def recheck(history: History) -> Recheck | None:
    """How the selection was made; None before it."""
    selected: Selected | None = history.last(Selected)
    if not selected:
        return None
    rows = []
    for row in selected.table:
        trial = row.get("trial")
        fate = (
            "selected"
            if trial == selected.trial
            else "best, not kept"
            if trial == selected.challenger
            else ""
        )
        fresh = gain_of({"estimate": row.get("fresh_gain"), **row}, 0.05)
        rows.append(Rechecked(int(trial or 0), row.get("search_gain"), fresh, row.get("n"), fate))
    return Recheck(words.name(selected.rule), words.name(selected.reason, 500), tuple(rows))


def noise_table(spec: StudySpec, history: History, noise: Noise | None) -> NoiseTable | None:
    """The noise of the control; None when nothing was repeated."""
    if noise is None or all(x is None for x in (noise.seed, noise.split, noise.rest, noise.floor)):
        return None
    n = fresh_units(spec)
    detectable = None
    if noise.spread and n > 1:
        detectable = smallest_detectable_gain(noise.spread, n, ratio(spec), 1 - spec.alpha)
    return NoiseTable(
        noise.seed, noise.split, noise.rest, noise.floor, detectable, spec.smallest_gain
    )


def known_noise(spec: StudySpec, history: History) -> Noise | None:
    """The noise of the control, when there is a control to speak of."""
    return control_noise(spec, history) if spec.single and has_control(history) else None


def unsealing(spec: StudySpec, history: History) -> Unsealing | None:
    """The sealed test set; None for a study without one."""
    sealed: Sealed | None = history.last(Sealed)
    if not sealed:
        return None
    opened: Opened | None = history.last(Opened)
    results: Mapping[str, Any] = opened.results if opened else {}
    gain = results.get("gain") or {}
    second = results.get("second")
    facts = [
        ("sealed rows", f"{sealed.rows:,}"),
        ("level", words.name(sealed.level)),
        ("fingerprint", words.name(sealed.sha256)),
        ("note", words.name(sealed.note, 500) if sealed.note else ""),
    ]
    looks = [e for e in history.milestones() if isinstance(e, Opening)]
    return Unsealing(
        metric=words.name(str(results.get("metric") or metric_name(spec))),
        rows=results.get("rows"),
        sealed=tuple((what, fact) for what, fact in facts if fact),
        looks=tuple(
            (look.look, words.name(look.reason, 500) if look.reason else "as planned")
            for look in looks
        ),
        contenders=_contenders(results.get("contenders") or {}),
        gain=gain_of(gain, spec.alpha),
        method=words.name(str(gain["method"])) if gain.get("method") else None,
        se_rows=gain.get("se_rows"),
        se_seeds=gain.get("se_seeds"),
        second=(words.name(str(second["test"]), 60), float(second["p"])) if second else None,
    )


def front(spec: StudySpec, history: History, most: int = 100) -> Front | None:
    """The front of a study with several objectives, at most so many trials of it."""
    if spec.single:
        return None
    numbers = dominating(spec, history)[:most]
    rows = tuple((n, history.outcome(n).values) for n in numbers)  # type: ignore[union-attr]
    return Front(tuple(words.name(o, 60) for o in spec.objectives), rows) if rows else None


def _records(points: Sequence[Point], sign: int) -> tuple[Point, ...]:
    best: list[Point] = []
    for point in points:
        if not best or sign * point.y > sign * best[-1].y:
            best.append(point)
    return tuple(best)


def _luck(floor: float | None, trials: int, looks: Looks | None) -> tuple[tuple[int, float], ...]:
    """The luck line, at so many points that a smooth curve can be drawn."""
    if not floor or trials < 2:
        return ()
    one_arm = floor / sqrt(2)  # the floor is of a difference of two arms
    steps = sorted({2, trials, *(round(2 * (trials / 2) ** (i / 24)) for i in range(25))})
    return tuple((n, float(luck_line(one_arm, looks_after(looks, n, of=trials)))) for n in steps)


def _contenders(arms: Mapping[str, Any]) -> tuple[Contender, ...]:
    return tuple(
        Contender(
            "Defaults" if number == str(CONTROL) else f"Trial {words.name(number, 20)}",
            arm["score"],
            arm.get("low"),
            arm.get("high"),
            tuple(arm.get("scores") or ()),
        )
        for number, arm in arms.items()
    )
