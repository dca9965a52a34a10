"""The answer of a study: the verdict, the four numbers behind it, and what was changed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from assay.analysis.effects import has_control
from assay.analysis.selection import best_by_value
from assay.analysis.verdict import Action, Claim
from assay.core import units
from assay.core.decimals import fixed
from assay.core.events import CONTROL, Concluded, Opened, Sealed, Selected
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.unfinished import where_it_stands

Tone: TypeAlias = Literal["gain", "keep", "loss", "open"]
Kind: TypeAlias = Literal["control", "selected", "validation", "corrected"]

_TONES: dict[str, Tone] = {
    Claim.BETTER.name: "gain",
    Claim.BETTER_MAYBE_TOO_LITTLE.name: "gain",
    Claim.EQUIVALENT.name: "keep",
    Claim.WORSE.name: "loss",
}


@dataclass(frozen=True)
class Gain:
    """A gain (positive is better) with its interval."""

    estimate: float
    low: float | None
    high: float | None
    level: float = 0.95

    @property
    def _parts(self) -> tuple[str, str]:
        estimate, _, ends = words.span(self.estimate, self.low, self.high).partition(" (")
        return estimate, f"{100 * self.level:g} % CI {ends.removesuffix(')')}" if ends else ""

    @property
    def short(self) -> str:
        """The estimate, to as many digits as its interval allows."""
        return self._parts[0]

    @property
    def interval(self) -> str:
        """The interval in words; empty where there is none."""
        return self._parts[1]

    @property
    def give_or_take(self) -> str:
        """The estimate ± half the width of its interval."""
        known = self.low is not None and self.high is not None
        return words.give_or_take(
            self.estimate,
            (self.high - self.low) / 2 if known else None,  # type: ignore[operator]
        )

    def __str__(self) -> str:
        return f"{self.short} ({self.interval})" if self.interval else self.short


@dataclass(frozen=True)
class Card:
    """The verdict card. `claim` is the verdict in capitals, or where the study stands."""

    tone: Tone
    claim: str
    sentence: str
    action: str | None
    gain: Gain | None
    gain_of: str
    badge: str | None
    spent: str


@dataclass(frozen=True)
class Bar:
    """One of the four numbers, with its interval where it has one."""

    kind: Kind
    label: str
    note: str
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Numbers:
    """Up to four numbers on one scale.

    `optimism` is how much better the validation score looked than the score on unseen data (where
    there is none: than the corrected estimate).
    """

    metric: str
    higher_is_better: bool
    where: str
    bars: tuple[Bar, ...]
    optimism: float

    @property
    def on_unseen(self) -> bool:
        """Whether the selected trial was measured on data that no choice has seen."""
        return any(bar.kind == "selected" for bar in self.bars)

    @property
    def is_corrected(self) -> bool:
        """Whether the corrected estimate of the search is among the numbers."""
        return any(bar.kind == "corrected" for bar in self.bars)

    def shown(self, x: float) -> str:
        """A score, to as many decimals as the intervals (else the differences) allow."""
        halves = [
            (b.high - b.low) / 2 for b in self.bars if b.low is not None and b.high is not None
        ]
        values = [bar.value for bar in self.bars]
        width = min((h for h in halves if h > 0), default=(max(values) - min(values)) / 2)
        return fixed(x, words.decimals(width))


@dataclass(frozen=True)
class Change:
    """A parameter in two configs; None where it is not active, else the value as exact JSON."""

    name: str
    before: str | None
    after: str | None

    @property
    def differs(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True)
class Changes:
    """The config that matters most, against the control's."""

    trial: int
    kept: bool
    against_control: bool
    title: str
    rows: tuple[Change, ...]
    value: float
    metric: str


def card(spec: StudySpec, history: History, spent: str) -> Card:
    """The verdict, or in its absence where the study stands."""
    concluded = history.last(Concluded)
    if not concluded:
        return _without_verdict(spec, history, spent)
    verdict = concluded.verdict
    claim = _stored(Claim, verdict.get("claim")) or "NO CLAIM"
    action, sentence = _stored(Action, verdict.get("action")), verdict.get("sentence")
    return Card(
        tone=_TONES.get(str(verdict.get("claim")), "open"),
        claim=claim,
        sentence=words.name(str(sentence), 2000) if sentence else "",
        action=action,
        gain=gain_of(verdict.get("gain"), spec.alpha),
        gain_of=metric_name(spec),
        badge=_badge(spec, history, verdict),
        spent=spent,
    )


def _stored(kind: type[Claim] | type[Action], name: Any) -> str | None:
    """The words of a claim or an action by its stored name; a name of a later version as it is."""
    if name is None:
        return None
    known = kind.__members__.get(str(name))
    return known.value if known else words.name(str(name))


def gain_of(form: Any, alpha: float) -> Gain | None:
    """The gain that a stored verdict or test result holds."""
    if not isinstance(form, Mapping) or not isinstance(form.get("estimate"), int | float):
        return None
    return Gain(form["estimate"], form.get("low"), form.get("high"), form.get("level", 1 - alpha))


def metric_name(spec: StudySpec) -> str:
    """What the first objective is called."""
    metric = (spec.data or {}).get("metric")
    if isinstance(metric, Mapping) and metric.get("name"):
        return words.name(str(metric["name"]), 60)
    return words.name(spec.objectives[0], 60)


def higher_is_better(spec: StudySpec) -> bool:
    """Whether the first objective is maximised."""
    return spec.signs[0] < 0


def _badge(spec: StudySpec, history: History, verdict: Mapping[str, Any]) -> str | None:
    if verdict.get("badge"):
        return words.name(str(verdict["badge"]), 60)
    if history.looks > 1:
        return f"POST-HOC (look {history.looks})"
    if history.looks:
        return "CONFIRMATORY"
    return "NO TEST SET" if spec.data and not history.last(Sealed) else None


def _without_verdict(spec: StudySpec, history: History, spent: str) -> Card:
    claim, sentence = where_it_stands(spec, history)
    return Card("open", claim, sentence, None, None, metric_name(spec), None, spent)


# --- the four numbers


def numbers(spec: StudySpec, history: History, corrected: Bar | None = None) -> Numbers | None:
    """Control and challenger on unseen data, and what the search had shown.

    Without unseen data the corrected estimate stands in; None where there is neither.
    """
    selected = history.last(Selected)
    if (
        not spec.single
        or not selected
        or selected.challenger == CONTROL
        or not has_control(history)
    ):
        return None
    found = _on_test(history, selected) if spec.data else _on_seeds(history, selected, spec)
    if not found and not corrected:
        return None
    trial = f"Trial {selected.challenger}"
    shown = history.outcome(selected.challenger).values[0]  # type: ignore[union-attr]
    seen = Bar(
        "validation", f"{trial}, as the search saw it", "what most tools would have told you", shown
    )
    if found:
        where, control, challenger = found
        kept = selected.trial == selected.challenger
        kind = "the selected trial" if kept else "the best trial, not kept"
        unseen = [
            Bar("control", "Defaults", where, *control),
            Bar("selected", trial, f"{kind}, {where}", *challenger),
        ]
        honest = challenger[0]
    else:
        assert corrected is not None
        where, honest = "on the splits of the search", corrected.value
        value = history.outcome(CONTROL).values[0]  # type: ignore[union-attr]
        unseen = [Bar("control", "Defaults", where, value)]
    bars = (*unseen, seen, *([corrected] if corrected else []))
    optimism = spec.signs[0] * (honest - shown)
    return Numbers(metric_name(spec), higher_is_better(spec), where, bars, optimism)


_Measured: TypeAlias = tuple[float, float | None, float | None]


def _on_test(history: History, selected: Selected) -> tuple[str, _Measured, _Measured] | None:
    opened = history.last(Opened)
    results = opened.results if opened else {}
    arms = results.get("contenders") or {}
    control, challenger = (arms.get(str(n)) for n in (CONTROL, selected.challenger))
    if not control or not challenger:
        return None
    rows = results.get("rows")
    where = f"on {words.count(rows, 'sealed test row')}" if rows else "on the sealed test set"
    return where, _score(control), _score(challenger)


def _score(form: Mapping[str, Any]) -> _Measured:
    return form["score"], form.get("low"), form.get("high")


def _on_seeds(
    history: History, selected: Selected, spec: StudySpec
) -> tuple[str, _Measured, _Measured] | None:
    fresh = [history.units(n, "confirm") for n in (CONTROL, selected.challenger)]
    if not all(fresh):
        return None
    means = [sum(m.value for m in found.values()) / len(found) for found in fresh]
    where = f"on {words.count(min(map(len, fresh)), 'fresh seed')}"
    return where, (means[0], None, None), (means[1], None, None)


# --- what changed


def changes(spec: StudySpec, history: History) -> Changes | None:
    """The selected config (while nothing is selected, the best) against the control's."""
    if not spec.single:
        return None
    best = best_by_value(spec, history)
    if best is None:
        return None
    selected: Selected | None = history.last(Selected)
    number = selected.challenger if selected else best
    concluded = history.last(Concluded)
    refused = concluded and concluded.verdict.get("action") == Action.KEEP_DEFAULTS.name
    kept = selected is not None and selected.trial == number and not refused
    control = has_control(history)
    before = history.config(CONTROL) if control and number != CONTROL else {}
    rows = compared(before, history.config(number))
    value = history.outcome(number).values[0]  # type: ignore[union-attr]
    title = _title(number, kept=kept, chosen=selected is not None)
    return Changes(
        number, kept, control and number != CONTROL, title, rows, value, metric_name(spec)
    )


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every parameter of two configs, in the order of the second."""
    return tuple(
        Change(
            words.name(name),
            *(words.exact(c[name]) if name in c else None for c in (before, after)),
        )
        for name in dict.fromkeys([*after, *before])
    )


def _title(number: int, *, kept: bool, chosen: bool) -> str:
    if number == CONTROL:
        return "The defaults are the best so far" if not chosen else "The defaults are kept"
    if not chosen:
        return f"Trial {number}, the best so far"
    return f"Trial {number}, selected" if kept else f"Trial {number}, the best found, was not kept"


def fresh_units(spec: StudySpec) -> int:
    """How many fresh units decide between the control and a challenger."""
    return len(units.rechecks(spec) if spec.data else units.confirms(spec))
