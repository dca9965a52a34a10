"""How much a value moves when nothing changed: the noise floor below which no effect counts. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assay.core.jobs import Unit


@dataclass(frozen=True)
class Noise:
    """Where the noise of the control comes from.

    Attributes:
        seed, split, rest: standard deviations of the score, by source (two-way analysis of
            variance of repeats and seeds); None where only one level was measured.
        floor: standard error of a paired difference between two equal arms as the search measures
            it; 0 for a deterministic study without data; None when it cannot be told yet.
        spread: standard deviation of the paired difference on one unit, from which `floor` is made.
        paired: whether it is that of pairs. False: there were none yet, and it is that of the control
            from unit to unit times the root of 2, of which pairs on the same splits share a part.
    """

    seed: float | None
    split: float | None
    rest: float | None
    floor: float | None
    spread: float | None
    paired: bool = True


def noise(
    control: Mapping[Unit, float],
    others: Sequence[Mapping[Unit, float]],
    *,
    search: Sequence[Unit],
    ratio: float,
    fixed: bool | None,
) -> Noise:
    """The noise of the control.

    Args:
        control: its values by unit.
        others: values by unit of the first trials; used when the model is deterministic.
        search: the units of the search.
        ratio: rows of validation over rows of training (0 for a study without data).
        fixed: whether the model is deterministic.

    Returns:
        The sources and the floor. For a model that is not deterministic the floor comes from an A/A
        comparison, the control with another seed on the same splits; for a deterministic one from
        the fold-to-fold spread of the differences of the first ten trials.
    """
    seed, split, rest = _sources(control)
    if fixed and ratio == 0:
        return Noise(seed, split, rest, 0.0, 0.0)
    # a control that agrees with itself does not show that there is no noise elsewhere
    spreads = [s for s in _spreads(control) if s] if not fixed else []
    if not spreads:
        spreads = [
            s for other in others[:10] if (s := _spread_to(control, other, search)) is not None
        ]
    paired = bool(spreads)
    if not spreads and fixed:
        spreads = _between_repeats(control)
    if not spreads:
        return Noise(seed, split, rest, None, None)
    spread = _median(spreads)
    floor = spread * math.sqrt(1 / len(search) + (ratio if len(search) > 1 else 0.0))
    return Noise(seed, split, rest, floor, spread, paired)


def _spreads(control: Mapping[Unit, float]) -> list[float]:
    """Spread of (seed s - seed 0) over units with the same split; over seeds when there is no split."""
    cells: dict[tuple[int, int], dict[int, float]] = {}
    for (repeat, fold, seed), value in control.items():
        cells.setdefault((repeat, fold), {})[seed] = value
    if len(cells) == 1:
        (values,) = cells.values()
        return [math.sqrt(2 * _variance(list(values.values())))] if len(values) > 1 else []
    differences = [v[s] - v[0] for v in cells.values() if 0 in v for s in v if s]
    if len(differences) < 2:
        return []
    return [math.sqrt(sum(d * d for d in differences) / len(differences))]


def _between_repeats(control: Mapping[Unit, float]) -> list[float]:
    values = [value for (_, _, seed), value in control.items() if seed == 0]
    return [math.sqrt(2 * _variance(values))] if len(values) > 1 else []


def _spread_to(
    control: Mapping[Unit, float], other: Mapping[Unit, float], search: Sequence[Unit]
) -> float | None:
    differences = [other[u] - control[u] for u in search if u in other and u in control]
    return math.sqrt(_variance(differences)) if len(differences) > 1 else None


def _sources(control: Mapping[Unit, float]) -> tuple[float | None, float | None, float | None]:
    """Two-way analysis of variance of the repeat means, without interaction."""
    sums: dict[tuple[int, int], list[float]] = {}
    for (repeat, _, index), value in control.items():
        sums.setdefault((repeat, index), []).append(value)
    table = {cell: sum(values) / len(values) for cell, values in sums.items()}
    everything, seeds = sorted({r for r, _ in table}), sorted({s for _, s in table})
    repeats = [r for r in everything if all((r, s) in table for s in seeds)]  # no recheck's
    if len(repeats) < 2 or len(seeds) < 2:
        by_seed = [table[(0, s)] for s in seeds if (0, s) in table]
        by_split = [table[(r, 0)] for r in everything if (r, 0) in table]
        return _sd(by_seed), _sd(by_split), None
    mean = sum(table[r, s] for r in repeats for s in seeds) / (len(repeats) * len(seeds))
    rows = [sum(table[(r, s)] for s in seeds) / len(seeds) for r in repeats]
    columns = [sum(table[(r, s)] for r in repeats) / len(repeats) for s in seeds]
    squares = (
        (table[(r, s)] - rows[i] - columns[j] + mean) ** 2
        for i, r in enumerate(repeats)
        for j, s in enumerate(seeds)
    )
    residual = sum(squares) / ((len(repeats) - 1) * (len(seeds) - 1))
    split = max(_variance(rows) - residual / len(seeds), 0.0)
    seed = max(_variance(columns) - residual / len(repeats), 0.0)
    return math.sqrt(seed), math.sqrt(split), math.sqrt(residual)


def _variance(values: Sequence[float]) -> float:
    mean = sum(values) / len(values)
    return sum((v - mean) ** 2 for v in values) / (len(values) - 1)


def _sd(values: Sequence[float]) -> float | None:
    return math.sqrt(_variance(values)) if len(values) > 1 else None


def _median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
