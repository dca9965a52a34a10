"""What the procedure is worth where no test set was sealed: from rows that had no part in a choice. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from assay.analysis.bounds import UNKNOWN, Bounds
from assay.analysis.effects import fresh_interval
from assay.core import units
from assay.core.events import CONTROL
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.math.intervals import Interval, corrected_paired, mean_t
from assay.math.rows import Rows
from assay.math.selection_luck import ByTrial, bbc_of, tibshirani_bias

Final: TypeAlias = Literal["bbc", "nested"]
FINALS: tuple[Final, ...] = ("bbc", "nested")
DRAWS = 1000


def final_of(spec: StudySpec) -> Final | None:
    """What stands in for a test set by the plan; None: nothing does."""
    found: Final | None = (spec.data or {}).get("final")
    return found


def complete(spec: StudySpec, history: History) -> list[int]:
    """The trials whose rows are stored for every unit of the search, the control first."""
    wanted = units.search(spec)
    numbers = sorted(number for number, _ in history.told())
    found = ((number, history.units(number, "search")) for number in numbers)
    return [n for n, by_unit in found if all(u in by_unit and by_unit[u].rows for u in wanted)]


def by_bootstrap(
    spec: StudySpec,
    trials: Sequence[int],
    values: ByTrial,
    rows: Rows,
    rng: np.random.Generator,
    *,
    bounds: Bounds = UNKNOWN,
) -> dict[str, Any]:
    """What choosing the best of these trials is worth on rows that had no part in the choice.

    Args:
        trials: their numbers, the control first.
        values: of each under weightings of the rows, lower is better.
        rows: how the rows of the search's validation parts are drawn again.
        bounds: of the metric.

    Returns:
        The results that `Estimated` keeps.
    """
    found = bbc_of(values, rows, rng, level=1 - spec.alpha, draws=DRAWS)
    sign = spec.signs[0]
    score, control = (_turned(one, sign, bounds) for one in (found.winner, found.first))
    return {
        "metric": spec.objectives[0],
        "rows": rows.n,
        "drawn": rows.kind,
        "trials": len(trials),
        "gain": asdict(bounds.of_gain(found.gain)),
        "score": score,
        "control": control["score"],
        "blind": bounds.blind(score, control, maximize=spec.signs[0] < 0),
    }


@dataclass(frozen=True)
class OuterFold:
    """One outer fold: the study that its training rows made, and the scores on the rows left out.

    `selected` is that of the trial which the study keeps by its rule: the control's where it does.
    """

    study: str
    trial: int
    rows: int
    control: float
    selected: float

    def gain(self, sign: float) -> float:
        """Positive where the study's choice is better than the control."""
        return sign * (self.control - self.selected) + 0.0


def by_outer_folds(
    spec: StudySpec,
    folds: Sequence[OuterFold],
    ratio: float,
    kind: str,
    *,
    bounds: Bounds = UNKNOWN,
) -> dict[str, Any]:
    """What the whole study, its rule of selection too, is worth on the rows that each run left out.

    The interval is the corrected paired t over outer folds: their training rows overlap.

    Args:
        ratio: rows left out over rows of a study, mean over folds.
        kind: of the outer splits.
        bounds: of the metric.

    Source: Varma and Simon 2006, BMC Bioinformatics 7, 91; Nadeau and Bengio 2003 for the interval.
    """
    sign, level = spec.signs[0], 1 - spec.alpha
    gains = [fold.gain(sign) for fold in folds]
    gain = corrected_paired(gains, ratio, level) if np.ptp(gains) else fresh_interval(spec, gains)
    values = [[fold.selected for fold in folds], [fold.control for fold in folds]]
    score, control = (_turned(mean_t(of_arm, level), 1.0, bounds) for of_arm in values)
    return {
        "metric": spec.objectives[0],
        "rows": sum(fold.rows for fold in folds),
        "drawn": f"{len(folds)} outer folds ({kind})",
        "trials": None,
        "gain": asdict(bounds.of_gain(gain)),
        "score": score,
        "control": control["score"],
        "blind": bounds.blind(score, control, maximize=spec.signs[0] < 0),
        "folds": [asdict(fold) for fold in folds],
        "kept_defaults": sum(fold.trial == CONTROL for fold in folds),
    }


def cross_check(spec: StudySpec, history: History) -> float | None:
    """How much too good the best value of the search is, from its trials' values fold by fold.

    The cheap check beside the bootstrap, in units of the metric; None with one fold or two trials.
    """
    wanted = units.search(spec)
    if not spec.data or len(wanted) < 2 or not spec.single:
        return None
    found = [history.units(number, "search") for number, _ in history.told()]
    whole = [[one[u].value for u in wanted] for one in found if set(wanted) <= one.keys()]
    if len(whole) < 2:
        return None
    return tibshirani_bias(spec.signs[0] * np.array(whole).T)


def gain_in(results: Mapping[str, Any]) -> Interval:
    """The gain that results hold."""
    return Interval(**results["gain"])


def _turned(loss: Interval, sign: float, bounds: Bounds) -> dict[str, float]:
    """An interval of a loss, in the metric's own direction."""
    low, high = bounds.ends(*sorted((sign * loss.low, sign * loss.high)))
    return {"score": sign * loss.estimate, "low": low, "high": high}
