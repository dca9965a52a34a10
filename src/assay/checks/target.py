"""Checks of the target: wrong labels, rare classes, and a metric that does what it should."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from assay.checks.finding import Finding
from assay.checks.subject import Subject
from assay.math.checks import Array
from assay.math.intervals import Interval

_NEEDS_BOTH = ("roc_auc", "average_precision", "f1", "precision", "recall", "jaccard")


def suspects(y: NDArray[np.intp], chances: Array) -> NDArray[np.bool_]:
    """Rows whose label a model trained on other rows does not believe.

    A row is suspect if another class is as probable as that class is on average where it is the
    label, and more probable than the label itself (confident learning).

    Args:
        y: (n,) class codes.
        chances: (n, C) probabilities, out of fold.

    Source: Northcutt, Jiang and Chuang 2021, JAIR 70, 1373-1411, its simplest form.

    >>> y = np.array([0, 0, 0, 1, 1, 1])
    >>> p = np.array([0.9, 0.8, 0.1, 0.1, 0.2, 0.2])
    >>> suspects(y, np.column_stack([p, 1 - p])).nonzero()[0].tolist()
    [2]
    """
    classes = chances.shape[1]
    usual = np.array([chances[y == k, k].mean() if (y == k).any() else 1.0 for k in range(classes)])
    other = chances.copy()
    other[np.arange(len(y)), y] = -1
    best = other.argmax(axis=1)
    own = chances[np.arange(len(y)), y]
    chance = other[np.arange(len(y)), best]
    return np.asarray((chance >= usual[best]) & (chance > own))


def clearer(
    chances: Array, cleaned: Array, y: NDArray[np.intp], doubted: NDArray[np.bool_]
) -> bool:
    """Whether a forest is surer of all rows once the suspect ones are not trained on.

    Where classes overlap there are suspects too; without them a forest is no surer of the rest. Where
    labels are wrong it is. From figures on sixteen tables, half of them with labels flipped by us; see
    the decision on the checks.

    Args:
        chances, cleaned: (n, C) probabilities out of fold, before and after.
        doubted: (n,) the suspect rows.
    """
    unsure = float((_margin(chances) < 0.3).mean())
    unsure_after = float((_margin(cleaned) < 0.5).mean())
    agreed = float((cleaned.argmax(axis=1) == y)[~doubted].mean())
    return unsure_after < unsure and agreed >= 0.9


def _margin(chances: Array) -> Array:
    ranked = np.sort(chances, axis=1)
    return np.asarray(ranked[:, -1] - ranked[:, -2])


def wrong_labels(
    suspect: int, rows: int, clear: bool, cleaned: Interval | None, smallest: float
) -> Finding:
    """PF09: labels that look wrong, and whether training without them was measured to help.

    Args:
        suspect: how many labels look wrong.
        clear: whether classes come apart without them, so that overlap does not explain them.
        cleaned: the gain of the control when suspect rows are left out of training, on validation
            rows that keep their labels; None where it was not tried.
    """
    share = suspect / rows
    numbers = {"suspect": float(suspect), "share": share}
    if cleaned is not None:
        numbers |= {"gain": cleaned.estimate, "low": cleaned.low, "high": cleaned.high}
    text = f"{suspect:,} of {rows:,} labels looked at ({100 * share:.1f} %) look wrong to a model trained on other rows."
    if share <= 0.03:
        return Finding("PF09", "ok", text, "", numbers)
    if not clear:
        text += " The classes overlap, which looks the same."
        return Finding(
            "PF09", "note", text, "A look at the most suspect rows may still be worth it.", numbers
        )
    text += " Without them the classes come apart, so that overlap does not explain it."
    advice = "Look at the suspect rows and correct them before you tune."
    if cleaned is None or cleaned.low <= 0:
        text += " For your model it was not shown to matter."
        return Finding("PF09", "care", text, advice, numbers)
    text += f" Training without them gained {cleaned.estimate:+.4g} on validation rows."
    serious = share > 0.1 and cleaned.estimate > smallest
    return Finding("PF09", "fix" if serious else "care", text, advice, numbers)


def rare_classes(subject: Subject, metric: str) -> Finding:
    """PF10: a class too rare for the metric, or a metric that cannot see it."""
    if subject.classes is None:
        return Finding("PF10", "skipped", "There are no classes.")
    counts = np.bincount(subject.y, minlength=subject.classes)
    rarest, most = int(counts.min()), float(counts.max() / counts.sum())
    numbers = {"rarest": float(rarest), "majority": most}
    if rarest < 10 and metric.startswith(_NEEDS_BOTH):
        text = f"The rarest class has {rarest} development rows: {metric} is mostly luck."
        return Finding(
            "PF10", "fix", text, "Get more rows of this class, or merge classes.", numbers
        )
    if metric == "accuracy" and most > 0.8:
        text = f"{100 * most:.0f} % of rows are of one class: a model that always says so has that accuracy."
        advice = (
            "Use a metric that sees the others: --metric balanced_accuracy, roc_auc or log_loss."
        )
        return Finding("PF10", "care", text, advice, numbers)
    if rarest < 30:
        text = f"The rarest class has {rarest} development rows."
        advice = "Scores will be noisy; the interval of the gain will say how much."
        return Finding("PF10", "note", text, advice, numbers)
    return Finding("PF10", "ok", f"Every class has at least {rarest:,} rows.", "", numbers)


def sane_metric(
    perfect: float, dull: float, sign: float, shuffled: Array | None, floor: Array | None
) -> Finding:
    """PF17: whether perfect predictions win, and whether shuffled targets are unpredictable.

    Args:
        perfect, dull: the metric of the target itself, and of a model that looks at no feature.
        sign: +1 if the metric is minimised, -1 if it is maximised.
        shuffled, floor: the control on shuffled targets and the model without features on the same,
            in each fold; None: not measured.
    """
    numbers = {"perfect": perfect, "dull": dull}
    if sign * (dull - perfect) < 0:
        text = (
            f"Perfect predictions have {perfect:.4g} and a model that looks at nothing has {dull:.4g}, "
            "which the metric calls better."
        )
        return Finding("PF17", "fix", text, "The direction of the metric is wrong.", numbers)
    if shuffled is None or floor is None:
        return Finding("PF17", "ok", "Perfect predictions are the best.", "", numbers)
    gains = sign * (floor - shuffled)
    gain, se = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    numbers |= {"shuffled": float(shuffled.mean()), "floor": float(floor.mean()), "se": se}
    if gain > 3 * se and gain > 0.1 * abs(float(floor.mean()) - perfect):
        text = (
            f"With its target shuffled the control still scores {shuffled.mean():.4g}, where a model "
            f"without features has {floor.mean():.4g}: something tells it the answer."
        )
        advice = "Look for copies of rows, and for a model that remembers data between fits."
        return Finding("PF17", "fix", text, advice, numbers)
    return Finding(
        "PF17", "ok", "On shuffled targets nothing can be learned, as it should be.", "", numbers
    )
