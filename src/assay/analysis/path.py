"""Which way an ablation path goes, and which variants of a step leave its race. Pure.

Each step takes away the component that is missed least. Without a race every variant of a step has all
its searches, and the searches' own values decide. In a race the best config of each search is measured
on splits that are the race's own, no search's and no effect's; after each round, one search of every
variant still in it, a variant leaves when the paired test of `assay.math.race` says that it can hardly
become the best over all searches. Its units are the searches: they differ in their draws and seeds,
and search i of one variant shares both with search i of another. All are measured on the same splits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from assay.analysis.ablation import Search, Searches, fresh_units
from assay.core.components import Component, Variant, called
from assay.core.designs import next_steps
from assay.core.jobs import Unit
from assay.core.spec import StudySpec
from assay.math.race import chance_to_win, variance

ALPHA = 0.1
"""Of the variants that would have been gone on from, at most this share leaves the race of their step."""
RACE_UNITS = 10
"""On how many units the best config of a search is measured for the race, at least."""


def race_units(spec: StudySpec, fresh: int) -> tuple[Unit, ...]:
    """The units of a race: those that follow the `fresh` ones of the effects."""
    taken = fresh_units(spec, fresh)
    return fresh_units(spec, len(taken) + RACE_UNITS)[len(taken) :]


@dataclass(frozen=True)
class Left:
    """A variant that left the race of its step.

    Attributes:
        searches: those it had, as had the leader then.
        behind: how much worse than the leader, in units of the metric.
        chance: of becoming the best over all searches.
    """

    step: int
    variant: Variant
    leader: Variant
    searches: int
    behind: float
    chance: float


def path_taken(
    spec: StudySpec, components: Sequence[Component], searches: Searches
) -> list[Variant]:
    """The variants of a path that were gone on from, from the reference to the last one.

    A step is one once all its variants were looked at, and the one to go on from has all its searches.
    """
    taken = [next(iter(searches))]
    total = len(searches[taken[0]])
    while steps := next_steps(components, taken[-1]):
        if any(v not in searches for v in steps):
            break
        step = missed_least(spec, searches, steps)
        if step is None or len(searches[step]) < total:
            break
        taken.append(step)
    return taken


def missed_least(
    spec: StudySpec, searches: Searches, candidates: Sequence[Variant]
) -> Variant | None:
    """The variant that did best, of those with all searches; the first of equals; None if none did."""
    most = max((len(searches[v]) for v in candidates), default=0)
    found: dict[Variant, float] = {}
    for variant in candidates:
        losses = _losses(spec, searches[variant])
        if losses and len(searches[variant]) == most:
            found[variant] = fmean(losses.values())
    return min(found, key=found.__getitem__) if found else None


def race(
    spec: StudySpec, components: Sequence[Component], searches: Searches, total: int
) -> tuple[list[Variant], list[Left]]:
    """The variants still in the race of the step that the path is at, and those that left, oldest first.

    Args:
        searches: as far as there are any, the reference first; none yet of a variant: an empty list.
        total: searches of each variant that stays.
    """
    earlier: list[float] = []
    left: list[Left] = []
    here = next(iter(searches))
    for step in range(1, len(components) + 1):
        candidates = [v for v in next_steps(components, here) if v in searches]
        alive, gone = _step(spec, {v: searches[v] for v in candidates}, total, earlier, step)
        left += gone
        chosen = missed_least(spec, searches, alive)
        whole = all(len(searches[v]) == total for v in alive)
        after = next_steps(components, chosen) if chosen else []
        if not (chosen and whole and after and all(v in searches for v in after)):
            return alive, left
        earlier += _variances(spec, {v: searches[v] for v in candidates}, chosen).values()
        here = chosen
    return [], left


def _step(
    spec: StudySpec, searches: Searches, total: int, earlier: Sequence[float], step: int
) -> tuple[list[Variant], list[Left]]:
    """Round by round, as it was decided when only so many searches were done."""
    alive, left = list(searches), []
    for done in range(1, total):
        if any(len(searches[v]) < done for v in alive):
            break
        so_far = {v: searches[v][:done] for v in alive}
        leader = missed_least(spec, so_far, alive)
        if leader is None:
            continue
        gone = list(_behind(spec, so_far, leader, total, earlier, step))
        left += gone
        alive = [v for v in alive if v not in {one.variant for one in gone}]
    return alive, left


def _behind(
    spec: StudySpec,
    searches: Searches,
    leader: Variant,
    total: int,
    earlier: Sequence[float],
    step: int,
) -> Iterator[Left]:
    known = _variances(spec, searches, leader)
    for variant, found in searches.items():
        differences = _differences(spec, found, searches[leader])
        others = [*earlier, *(x for v, x in known.items() if v != variant)]
        if variant == leader or not differences or len(differences) + bool(others) < 2:
            continue
        chance = chance_to_win(differences, total, fmean(others) if others else None)
        if chance < ALPHA / (total - 1):
            done = len(searches[leader])
            yield Left(step, variant, leader, done, fmean(differences), chance)


def _variances(spec: StudySpec, searches: Searches, leader: Variant) -> dict[Variant, float]:
    """The variance of the differences that each other variant has to the leader, where there are two."""
    found = {v: _differences(spec, s, searches[leader]) for v, s in searches.items() if v != leader}
    return {v: variance(d) for v, d in found.items() if len(d) > 1}


def _differences(spec: StudySpec, ours: Sequence[Search], theirs: Sequence[Search]) -> list[float]:
    """Losses minus those of another variant, search by search."""
    a, b = _losses(spec, ours), _losses(spec, theirs)
    return [a[i] - b[i] for i in sorted(a.keys() & b.keys())]


def _losses(spec: StudySpec, searches: Sequence[Search]) -> dict[int, float]:
    """By search: the mean loss of its best config in the race, or in the search where none was run."""
    found = {}
    for index, s in enumerate(searches):
        if s.best is not None:
            own = s.values[s.best]
            assert own is not None, "the best has a value"
            found[index] = spec.signs[0] * (fmean(s.raced.values()) if s.raced else own)
    return found


def race_form(
    spec: StudySpec, components: Sequence[Component], searches: Searches
) -> dict[str, Any]:
    """The race of a finished path, in JSON, with a sentence."""
    total = len(next(iter(searches.values())))
    _, left = race(spec, components, searches, total)
    done = sum(map(len, searches.values()))
    saved = total * len(searches) - done
    forms = [
        {
            "step": one.step,
            "variant": called(components, one.variant),
            "leader": called(components, one.leader),
            "searches": one.searches,
            "behind": one.behind,
            "chance": one.chance,
        }
        for one in left
    ]
    return {"alpha": ALPHA, "left": forms, "searches": done, "saved": saved,
            "sentence": _sentence(forms, total, done, saved)}  # fmt: skip


def _sentence(left: Sequence[Mapping[str, Any]], total: int, done: int, saved: int) -> str:
    if not left:
        return f"The path raced, and no variant left a race: all had {total} searches."
    listed = ", ".join(f"{one['variant']} after {one['searches']} of {total}" for one in left)
    return (
        f"The path raced on splits of its own: {listed} searches. That saved {saved} of "
        f"{done + saved} searches. What left would have been gone on from in at most {ALPHA:.0%} of "
        "such steps; its score rests on fewer searches."
    )
