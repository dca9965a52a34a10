"""What a search tries first: what the user gives, then what did well for such a model on other tables.

Which of these comes next depends on how the ones before did, see `assay.learners.alike`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sklearn.compose import TransformedTargetRegressor
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import _num_features, _num_samples

from assay.analysis.effects import has_control
from assay.core.events import CONTROL, Enqueued, Told
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.engine.plan import Ask, Command, Record, plan
from assay.learners.alike import facts_of, seen
from assay.learners.known import Arm, arms_for
from assay.learners.starts import listed, measured, units_of
from assay.sklearn.candidates import Candidates

MOST = 8
"""As many as the lists were judged with (`benchmarks/results/starts.md`)."""

_SQUARED = ("neg_mean_squared_error", "r2", "explained_variance", "d2_tweedie_score")
"""Scores whose loss is a square."""
_LEAST = 1e-6


def given_first(found: Candidates, given: Iterable[Mapping[str, Any]]) -> list[Enqueued]:
    """The candidates that the user wants to be tried, in order.

    Raises:
        SpaceError: the space has no config for what is given.
    """
    return [Enqueued(found.config(params)) for params in given]


@dataclass(frozen=True)
class Lent:
    """Configs of a list in the space of a search, and what is known before any of them is tried.

    Attributes:
        arms: by their place in the list.
        model: the name of the list.
        rows, features: of the data.
        metric: the name of the score; "score" where it has none.
        floor: the score without features; None: not known.
    """

    arms: Mapping[int, Arm]
    model: str
    rows: int
    features: int
    metric: str
    floor: float | None = None

    def next(self, history: History) -> Enqueued | None:
        """The next config of the list; None where all or enough of them were tried."""
        numbers = {place: history.find(arm.config) for place, arm in self.arms.items()}
        free = [place for place, number in numbers.items() if number is None]
        if not free or len(numbers) - len(free) >= MOST:
            return None
        control = _value(history, CONTROL) if has_control(history) else None
        loss = _Loss(self.metric, control)
        own = loss(control)
        tried = {
            place: math.log(loss(_value(history, number)) / own)
            for place, number in numbers.items()
            if number is not None
        }
        facts = facts_of(self.rows, self.features, own, loss(self.floor))
        return Enqueued(**self.arms[seen(self.model).next(tried, facts, free)].given())


@dataclass(frozen=True)
class _Loss:
    """What a score falls short of the best there is: of 0 if its name says so, or the control's is below, else of 1."""

    metric: str
    control: float | None

    def __call__(self, score: float | None) -> float:
        """The loss, NaN where it is not known; the lists know the roots of squares."""
        if score is None or self.control is None:
            return math.nan
        one = self.metric in _SQUARED[1:] or self.control > 0
        short = 1 - score if one and not self.metric.startswith("neg_") else -score
        if short < 0:
            return math.nan
        short = max(short, _LEAST)
        return math.sqrt(short) if self.metric in _SQUARED else short


def lent(found: Candidates, estimator: Any, X: Any, y: Any, *, metric: str) -> Lent | None:
    """What a search of this estimator may borrow; None where there is no list for it.

    Args:
        metric: the name of the score that the search follows.
    """
    if any(ours != name for ours, name in found.names.items()):
        return None  # several grids
    units = _units(estimator, X, y)
    known = [one for one in (measured(one, units) for one in listed(estimator)) if one is not None]
    arms = arms_for(known, estimator, found.space, found.base())
    models = {arm.known.model for arm in arms}
    if len(models) != 1:
        return None
    places = {int(arm.known.name.rpartition("-")[2]) - 1: arm for arm in arms}
    return Lent(places, models.pop(), _num_samples(X), _features(X), metric)


def trying(lent: Lent | None, batch: int) -> Any:
    """`plan`, with the configs of a list before what the sampler would propose.

    One is taken from the list when the fit before has ended (with a `batch`, when one of so many
    is free), so that the choice knows how it did.
    """

    def decide(spec: StudySpec, history: History, **options: Any) -> Command:
        command = plan(spec, history, **options)
        begun = history.n_trials or spec.control is None  # the control is the first
        if lent is None or not isinstance(command, Ask) or not begun or history.waiting:
            return command
        one = lent.next(history) if len(history.running()) < batch else None
        return command if one is None else Record(one)

    return decide


def _value(history: History, number: int) -> float | None:
    outcome = history.outcome(number) if number < history.n_trials else None
    return outcome.values[0] if isinstance(outcome, Told) else None


def _features(X: Any) -> int:
    try:
        return int(_num_features(X))
    except TypeError:
        return 1


def _units(estimator: Any, X: Any, y: Any) -> Mapping[str, float]:
    """A pipeline is taken to scale its features; a transformed target has a scale that is not known."""
    units = units_of(X, y, standardised=isinstance(estimator, Pipeline))
    parts = [estimator, *estimator.get_params(deep=True).values()]
    if any(isinstance(part, TransformedTargetRegressor) for part in parts):
        units.pop("target", None)
    return units
