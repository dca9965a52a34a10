"""Which parameters the results of a study depend on, and how sure that is. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np

from assay.analysis.outcomes import numbers_of_ended, values
from assay.core.errors import SpecError, StateError, did_you_mean
from assay.core.history import History
from assay.core.parameters import Choice, Ordinal
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.math.checks import Array, probability
from assay.math.ped_anova import Share, best_of, shares

if TYPE_CHECKING:
    from numpy.random import Generator

Method: TypeAlias = Literal["ped-anova", "gp"]

LEAST_TRIALS = 10
_MOST_TRIALS = 10_000


@dataclass(frozen=True)
class Importance:
    """The share, from 0 to 1, that a parameter explains, and its interval.

    Attributes:
        alone: method "gp": what it explains by itself, while `value` counts its interactions, too.
    """

    value: float
    low: float
    high: float
    alone: Share | None = None


@dataclass(frozen=True, eq=False)
class Importances(Mapping[str, Importance]):
    """The importance of each parameter with more than one value, the highest first.

    Attributes:
        method: "ped-anova" or "gp".
        level: what the intervals should cover.
        trials: how many trials they rest on: those with a value.
        best: method "ped-anova": how many of them count as the best.
        explained: method "gp": the share of the variance of trials left out that the process
            foretells; the indices are about what it knows.
        scale: method "gp": "plain" if the process sees the values as they are, "log" or "soft tail"
            (see `assay.math.transforms`) if that explains clearly more.

    >>> found = Importances("gp", {"a": Importance(0.2, 0.1, 0.3), "b": Importance(0.8, 0.7, 0.9)})
    >>> found
    b  0.80  [0.70, 0.90]
    a  0.20  [0.10, 0.30]
    >>> found["a"].value
    0.2
    """

    method: Method
    by_name: Mapping[str, Importance]
    level: float = 0.95
    trials: int = 0
    best: int | None = None
    explained: float | None = None
    scale: str | None = None

    def __post_init__(self) -> None:
        ranked = sorted(self.by_name.items(), key=lambda item: (-item[1].value, item[0]))
        object.__setattr__(self, "by_name", dict(ranked))

    def __getitem__(self, name: str) -> Importance:
        return self.by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_name)

    def __len__(self) -> int:
        return len(self.by_name)

    def __repr__(self) -> str:
        wide = max(map(len, self), default=0)
        return "\n".join(
            f"{name.ljust(wide)}  {one.value:.2f}  [{one.low:.2f}, {one.high:.2f}]"
            for name, one in self.items()
        )


def for_the_best(
    spec: StudySpec,
    history: History,
    rng: Generator,
    *,
    objective: str | None = None,
    top: float = 0.1,
    level: float = 0.95,
) -> Importances:
    """What decides which trials are among the best `top` share: PED-ANOVA, see `assay.math.ped_anova`.

    Speaks of the trials as they are: where the sampler seldom looked counts little, and a value that
    it settled on together with good ones may seem to matter. Depends on the order of the values
    alone. A parameter that only matters together with another shows nothing.

    Args:
        top: of the trials with a value; at least 5 count as the best, and equal values together. Of
            more than 10,000 trials as many are looked at, evenly chosen in the order of their ends.

    Raises:
        SpecError: `top` or `level` out of range, or an objective that does not exist.
        StateError: fewer than 10 trials with a value, or too many equal values.
    """
    probability(top, "top")
    probability(level, "level")
    results = _at_most(_MOST_TRIALS, results_of(spec, history, objective))
    best = best_of(results.losses, np.ones((1, len(results.losses))), top)[0] > 0
    if best.all():
        raise StateError(
            f"All {len(best)} trials would count as the best, as so many values are equal or "
            f"top={top:g} is so large. Give a smaller top, or run more trials."
        )
    names = searched(spec.space)
    points = _coordinates(spec.space, history, results.numbers, names)
    ordered = [_is_ordered(spec.space, name) for name in names]
    found = shares(points, ordered, results.losses, rng, top=top, level=level)
    by_name = {name: Importance(*share) for name, share in zip(names, found, strict=True)}
    return Importances("ped-anova", by_name, level, len(best), best=int(best.sum()))


class Results(NamedTuple):
    """Trials with a value, and their losses: lower is better, shape (trials,)."""

    numbers: list[int]
    losses: Array


def results_of(spec: StudySpec, history: History, objective: str | None) -> Results:
    """What can be explained; failed and running trials are left out.

    Raises:
        SpecError: an objective that does not exist, or none named of several.
        StateError: fewer than 10 trials with a value, or all values equal.
    """
    place = _place(spec, objective)
    losses = spec.signs[place] * values(history, place)
    told = ~np.isnan(losses)
    numbers, losses = numbers_of_ended(history)[told], losses[told]
    if len(losses) < LEAST_TRIALS:
        raise StateError(
            f"Importance needs at least {LEAST_TRIALS} trials with a value, this study has "
            f"{len(losses)}. Run more trials."
        )
    if losses.min() == losses.max():
        raise StateError(
            f"All {len(losses)} trials have the value {spec.signs[place] * losses[0]:g}, so no "
            "parameter made a difference."
        )
    return Results(numbers.tolist(), losses)


def _at_most(most: int, results: Results) -> Results:
    """So many trials, evenly chosen in the order in which they ended: the bootstrap draws all of them."""
    if len(results.numbers) <= most:
        return results
    chosen = np.linspace(0, len(results.numbers) - 1, most).astype(int)
    return Results([results.numbers[i] for i in chosen], results.losses[chosen])


def searched(space: Space) -> list[str]:
    """The parameters with more than one value, in alphabetical order."""
    return sorted(name for name in space.names if space[name].size > 1)


def _place(spec: StudySpec, objective: str | None) -> int:
    if objective is None and spec.single:
        return 0
    listed = ", ".join(map(repr, spec.objectives))
    if objective is None:
        raise SpecError(
            f"Importance for which objective? This study has {listed}. Give one (--objective NAME, in "
            "Python objective='…')."
        )
    if objective not in spec.objectives:
        hint = did_you_mean(objective, spec.objectives)
        raise SpecError(f"There is no objective {objective!r}. {hint}")
    return spec.objectives.index(objective)


def _coordinates(space: Space, history: History, numbers: list[int], names: list[str]) -> Array:
    configs = [history.config(number) for number in numbers]
    return np.array(
        [[space[n].to_unit(c[n]) if n in c else np.nan for n in names] for c in configs], float
    )


def _is_ordered(space: Space, name: str) -> bool:
    parameter = space[name]
    return not isinstance(parameter, Choice) or isinstance(parameter, Ordinal)
