"""What each component contributes: untuned, re-tuned, and how much of the former was tuning. Pure.

With s(v, c) the score of variant v with config c on fresh units, lambda_F the best config of the
reference and lambda_v that of v's own search:

    untuned effect   U = s(with, lambda_F) - s(without, lambda_F)   what most ablations report
    re-tuned effect  R = s(with, lambda_with) - s(without, lambda_without)
    misattribution   M = U - R                                      what was tuning

An effect is positive where the component helps, whatever the direction of the objective.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np

from assay.analysis.effects import ratio
from assay.analysis.procedure import complete
from assay.analysis.row_losses import Rows, row_losses
from assay.analysis.spending import spending
from assay.core.components import Component, Variant, called
from assay.core.designs import Design
from assay.core.errors import StateError
from assay.core.events import Failed, Told
from assay.core.history import History
from assay.core.jobs import Unit
from assay.core.rng import stream
from assay.core.spec import StudySpec
from assay.math.checks import Array
from assay.math.expected_best import honest_draws
from assay.math.intervals import Interval
from assay.math.simultaneous import Adjusted, simultaneous

Flag: TypeAlias = Literal[
    "sign flip", "not needed", "harmful", "overstated", "understated", "contributes", "cannot tell",
    "not measured",
]  # fmt: skip

BORROWED = "the best settings of the reference"
"""The source of the config that a variant is tried with untuned."""
FEWEST_TRIALS = 3
"""Trials below which a search has tried what it was given and nothing else."""
INDEPENDENT = ("random", "sobol", "halton")
"""Samplers whose trials are draws of their own, whatever came before."""
_LONGEST = 160
_DRAWS = 200
FRESH = "ablation"
"""The stage in which the best config of each search is measured on fresh units."""
RACE = "race"
"""The stage in which it is measured on further ones, for the race of a path."""


def fresh_units(spec: StudySpec, count: int) -> tuple[Unit, ...]:
    """At least `count` units that no search of an ablation uses; the same for all its variants."""
    if not spec.data:
        return tuple((0, 0, seed) for seed in range(1, count + 1))
    folds, first = int(spec.data["folds"]), int(spec.data.get("repeats", 1))
    times = max(-(-count // folds), 2 if folds > 1 else count)
    return tuple((r, f, 0) for r in range(first, first + times) for f in range(folds))


def winner(spec: StudySpec, history: History) -> int | None:
    """The trial with the best value of the search; None if none has one."""
    sign = spec.signs[0]
    ranked = [(sign * told.values[0], n) for n, told in history.told() if history.meets(told)]
    return min(ranked)[1] if ranked else None


def borrowed(history: History) -> int | None:
    """The trial with the best settings of the reference; None where they do not fit."""
    for number in range(min(history.n_trials, 3)):
        trial = history.trial(number)
        if trial.origin == "given" and (trial.why or {}).get("source") == BORROWED:
            return number
    return None


@dataclass(frozen=True)
class Search:
    """One search of a variant, as far as an ablation looks at it.

    `values` are those of its trials in order, None where one failed; `tuned` and `untuned` are
    values on fresh units of its own best config, and of the reference's; `raced` those of its best
    config on the units of a race. `fresh_rows` are values of the best of n = 1, 2, … random trials on rows
    that did not choose it, one row a draw, or in words why there are none.
    """

    values: tuple[float | None, ...]
    configs: tuple[Mapping[str, Any], ...]
    origins: tuple[str, ...]
    best: int | None
    tuned: Mapping[Unit, float]
    untuned: Mapping[Unit, float]
    cpu_s: float
    fits: int
    kwh: float = 0.0
    raced: Mapping[Unit, float] = field(default_factory=dict)
    fresh_rows: Array | str = "no trial was drawn"

    @property
    def failed(self) -> int:
        """How many trials have no value."""
        return sum(value is None for value in self.values)


def search_of(spec: StudySpec, history: History, rows: Rows | None = None) -> Search:
    """What an ablation takes from the log of one search, and from the rows stored beside it."""
    outcomes = [history.outcome(number) for number in range(history.n_trials)]
    best, lent = winner(spec, history), borrowed(history)
    tuned, untuned = (
        {u: e.value for u, e in history.units(n, FRESH).items()} if n is not None else {}
        for n in (best, lent)
    )
    raced = history.units(best, RACE) if best is not None else {}
    spent = [e for n in {best, lent} if n is not None for e in history.units(n, FRESH).values()]
    spent += raced.values()
    looks, cpu = history.used
    return Search(
        tuple(o.values[0] if isinstance(o, Told) else None for o in outcomes if o is not None),
        tuple(history.config(n) for n, o in enumerate(outcomes) if o is not None),
        tuple(history.origin(n) for n, o in enumerate(outcomes) if o is not None),
        best,
        tuned,
        untuned,
        cpu + sum(e.cpu_s for e in spent),
        looks + len(spent),
        spending(spec, history).kwh,
        {unit: e.value for unit, e in raced.items()},
        _on_fresh_rows(spec, history, rows),
    )


def _on_fresh_rows(spec: StudySpec, history: History, rows: Rows | None) -> Array | str:
    if spec.sampler["name"] not in INDEPENDENT:
        return "a model proposed the trials, so they are no independent draws"
    drawn = [n for n in complete(spec, history) if history.origin(n) == "sampler"]
    found = row_losses(spec, history, rows, drawn)
    if isinstance(found, str):
        return found
    rng = stream(spec.seed, "honest curve")
    losses = honest_draws(found.losses, range(1, len(drawn) + 1), rng, draws=_DRAWS)
    return 1 - losses if found.turned else losses


@dataclass(frozen=True)
class Contribution:
    """What the step from one variant to another says of the component between them.

    `untuned` and `misattribution` are None where the reference's settings cannot be used without
    the component, as when training fails with them; `retuned` where no search found any that can.
    """

    component: str
    with_: str
    without: str
    untuned: Adjusted | None
    retuned: Adjusted | None
    misattribution: Adjusted | None
    flag: Flag


Searches: TypeAlias = Mapping[Variant, Sequence[Search]]


def contrasts(
    components: Sequence[Component], design: Design, order: Sequence[Variant]
) -> list[tuple[str, Variant, Variant]]:
    """(component, with it, without it) of the pairs of variants that a design compares.

    Of a path `order` is the steps taken, see `analysis.path`. Of a factorial and a fraction those with everything else on.
    """
    first = order[0]
    if design == "add-one-in":
        return [(_between(components, v, first), v, first) for v in order[1:]]
    if design == "path":
        return [(_between(components, a, b), a, b) for a, b in pairwise(order)]
    single = [v for v in order[1:] if v < first and _is_one(components, first - v)]
    return [(_between(components, first, v), first, v) for v in single]


def _is_one(components: Sequence[Component], off: frozenset[str]) -> bool:
    """Whether a set is one component with those that require it."""
    heads = [c.name for c in components if c.name in off and not off.intersection(c.requires)]
    return len(heads) == 1


def _between(components: Sequence[Component], more: Variant, less: Variant) -> str:
    return " with ".join(c.name for c in components if c.name in more - less)


def contributions(
    spec: StudySpec,
    components: Sequence[Component],
    pairs: Sequence[tuple[str, Variant, Variant]],
    searches: Searches,
    *,
    reference: Variant,
) -> list[Contribution]:
    """U, R and M of each pair, with intervals that hold for all pairs at once.

    Raises:
        StateError: a variant has no search yet.
    """
    for _, more, less in pairs:
        for variant in (more, less):
            if not searches.get(variant):
                raise StateError(f"Variant {called(components, variant)!r} was not measured yet.")
    retuned = [_block(spec, searches[a], searches[b], False, False) for _, a, b in pairs]
    untuned = [
        _block(spec, searches[a], searches[b], a != reference, b != reference) for _, a, b in pairs
    ]
    missed = [_minus(u, r) for u, r in zip(untuned, retuned, strict=True)]
    families = [
        _family(spec, [_array(rows) for rows in blocks], name)
        for blocks, name in ((untuned, "U"), (retuned, "R"), (missed, "M"))
    ]
    found = []
    for (name, more, less), u, r, m in zip(pairs, *families, strict=True):
        flag = flag_of(u, r, m, spec.smallest_gain)
        more_name, less_name = (called(components, v) for v in (more, less))
        found.append(Contribution(name, more_name, less_name, u, r, m, flag))
    return found


Block: TypeAlias = Mapping[int, Mapping[Unit, float]]
"""Differences by search and fresh unit, positive where more is better."""


def _block(
    spec: StudySpec,
    more: Sequence[Search],
    less: Sequence[Search],
    lent_more: bool,
    lent_less: bool,
) -> Block:
    """Of the searches in which both sides were measured: one that found nothing has no difference."""
    found = {}
    for number, (a, b) in enumerate(zip(more, less, strict=True)):
        with_ = a.untuned if lent_more else a.tuned
        without = b.untuned if lent_less else b.tuned
        common = with_.keys() & without.keys()
        found[number] = {u: spec.signs[0] * (without[u] - with_[u]) for u in common}
    return {number: units for number, units in found.items() if len(units) > 1}


def _minus(a: Block, b: Block) -> Block:
    return {
        n: {u: a[n][u] - b[n][u] for u in a[n].keys() & b[n].keys()} for n in a.keys() & b.keys()
    }


def _array(block: Block) -> Array | None:
    """By search and unit, of the units that all its searches have; None if there are not two."""
    if not block:
        return None
    common = sorted(set.intersection(*(set(units) for units in block.values())))
    if len(common) < 2:
        return None
    return np.array([[block[n][u] for u in common] for n in sorted(block)])


def _family(spec: StudySpec, blocks: Sequence[Array | None], name: str) -> list[Adjusted | None]:
    """Simultaneous intervals of those that are known.

    Those measured on equally many units and searches are a family of their own; several families
    share the error by their size (Bonferroni).
    """
    found: list[Adjusted | None] = [None] * len(blocks)
    shapes = [block.shape for block in blocks if block is not None]
    for shape in dict.fromkeys(shapes):
        places = [i for i, b in enumerate(blocks) if b is not None and b.shape == shape]
        rng = stream(spec.seed, "ablation", name, len(places))
        share = len(places) / len(shapes)
        family = simultaneous(
            [blocks[i] for i in places],  # type: ignore[arg-type]
            ratio(spec),
            rng,
            1 - spec.alpha * share,
        )
        for i, one in zip(places, family, strict=True):
            interval = replace(one.interval, level=1 - spec.alpha)
            found[i] = Adjusted(interval, min(one.p / share, 1.0))
    return found


def flag_of(
    untuned: Adjusted | None,
    retuned: Adjusted | None,
    misattribution: Adjusted | None,
    smallest_gain: float,
) -> Flag:
    """What the three numbers say together, the most telling first."""
    if retuned is None:
        return "not measured"
    r = retuned.interval
    u = untuned.interval if untuned else None
    m = misattribution.interval if misattribution else None
    if u and (u.low > 0 > r.high or u.high < 0 < r.low):
        return "sign flip"
    if -smallest_gain <= r.low and r.high <= smallest_gain:
        return "not needed"
    if r.high < 0:
        return "harmful"
    if r.low > 0 and m and m.low > 0 and m.estimate > smallest_gain:
        return "overstated"
    if r.low > 0 and m and m.high < 0 and -m.estimate > smallest_gain:
        return "understated"
    return "contributes" if r.low > 0 else "cannot tell"


def failures(history: History) -> str:
    """Why the last trial that failed did, in its first sentence; empty if none did."""
    for number in reversed(range(history.n_trials)):
        if isinstance(outcome := history.outcome(number), Failed):
            said = outcome.reason.partition("\n")[0].partition(". ")[0].rstrip(".")
            return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}…"
    return ""


def as_json(adjusted: Adjusted | None) -> dict[str, float | None] | None:
    """An effect for the log."""
    if adjusted is None:
        return None
    i: Interval = adjusted.interval
    return {
        "estimate": i.estimate,
        "low": i.low,
        "high": i.high,
        "se": i.se,
        "df": i.df,
        "level": i.level,
        "p": adjusted.p,
    }
