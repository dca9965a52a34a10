"""Checks of the model and of what its evidence can show: noise, size, family, tunability."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np

from assay.checks.finding import Finding
from assay.math.checks import Array
from assay.math.intervals import Interval
from assay.math.power import rows_needed, smallest_detectable_gain


def detectable(
    *,
    spread: float | None,
    units: int,
    ratio: float,
    smallest: float,
    chosen: bool,
    rows: int,
    metric: str,
    disagree: float | None = None,
    test_rows: int = 0,
    level: float = 0.95,
) -> Finding:
    """PF11: the smallest gain that the planned evidence can see, against the gain that is asked for.

    Args:
        spread: standard deviation of the paired difference of two configs on one unit.
        units: fresh units on which the best configs are compared with the control.
        ratio: rows of validation over rows of training.
        smallest: the smallest gain worth having.
        chosen: whether the user chose it.
        rows: development rows.
        disagree: share of rows on which exactly one of two configs is right, for accuracy.
        test_rows: sealed rows; 0 for none.
    """
    if spread is None or units < 2:
        return Finding("PF11", "skipped", "The noise is not known.")
    if spread == 0:
        text = "Every config that was tried scores alike: there is no noise to compare with."
        return Finding("PF11", "skipped", text)
    seen = smallest_detectable_gain(spread, units, ratio, level)
    numbers = {"detectable": seen, "asked": smallest, "spread": spread}
    if smallest <= 0:
        text = f"Fresh splits of these rows can see gains above {seen:.3g} {metric}."
        return Finding("PF11", "ok", text, "", numbers)
    needed = ceil(rows * (seen / smallest) ** 2)
    numbers["rows_needed"] = float(needed)
    text = (
        f"Fresh splits of these {rows:,} rows can see gains above {seen:.2g} {metric}; you "
        f"{'asked for' if chosen else 'are assumed to care for'} {smallest:.2g}."
    )
    if test_rows and disagree and smallest < disagree:
        numbers["test_rows_needed"] = float(rows_needed(disagree, smallest))
        text += (
            f" Two settings disagree on {100 * disagree:.0f} % of rows: to see {smallest:.2g} on a test set takes "
            f"about {numbers['test_rows_needed']:,.0f} rows, and {test_rows:,} are sealed."
        )
    if seen <= smallest:
        return Finding("PF11", "ok", text, "", numbers)
    text += f" To see {smallest:.2g} takes about {needed:,} rows."
    advice = (
        "Get more rows, take a metric with less noise (log_loss for accuracy), or ask for a larger "
        "gain: --smallest-gain."
    )
    level_ = "note" if not chosen else "fix" if seen > 3 * smallest else "care"
    return Finding("PF11", level_, text, advice, numbers)  # type: ignore[arg-type]


def repeatable(first: float, again: float, other: float) -> Finding:
    """PF13: the control with the same seed again, and with another one."""
    numbers = {"first": first, "again": again, "other": other}
    if again != first:
        text = f"The same config with the same seed scored {first:.6g}, then {again:.6g}."
        advice = "Something draws without the seed. Trials cannot be repeated exactly; they are measured more often."
        return Finding("PF13", "care", text, advice, numbers)
    if other != first:
        text = f"Another seed changes the score from {first:.6g} to {other:.6g}: the control is measured with several."
        return Finding("PF13", "note", text, "", numbers)
    return Finding(
        "PF13",
        "ok",
        "The model is deterministic: nothing needs to be repeated for its seed.",
        "",
        numbers,
    )


def more_rows(rows: Sequence[int], losses: Sequence[float]) -> tuple[Finding, float | None]:
    """PF14: what a quarter more rows would bring, from the control on parts of the training rows.

    loss = a + b * rows^-c through the measured losses, by least squares over c.

    Args:
        rows: training rows of each part.
        losses: mean losses, lower is better.

    Returns:
        The finding, and the gain that is expected of 25 % more rows; None if it cannot be told.

    Source: Viering and Loog 2023, IEEE PAMI 45, 7799-7819 (shapes of learning curves).
    """
    n, loss = np.asarray(rows, float), np.asarray(losses, float)
    points = {f"rows_{i}": float(x) for i, x in enumerate(n, 1)}
    points |= {f"loss_{i}": float(x) for i, x in enumerate(loss, 1)}
    fitted = _power_law(n, loss)
    if fitted is None:
        text = (
            "More training rows did not lower the loss of the control: its curve is flat or uneven."
        )
        return Finding("PF14", "ok", text, "", points), None
    a, b, c = fitted
    at = n.max()
    quarter, double = (b * (at**-c - (k * at) ** -c) for k in (1.25, 2.0))
    numbers = {"quarter": float(quarter), "double": float(double)}
    numbers |= {"limit": a, "factor": b, "power": c, **points}
    text = f"A quarter more rows is expected to bring {quarter:+.2g}, twice as many {double:+.2g}."
    return Finding("PF14", "note", text, "", numbers), float(quarter)


def _power_law(n: Array, loss: Array) -> tuple[float, float, float] | None:
    best: tuple[float, tuple[float, float, float]] | None = None
    for c in np.linspace(0.1, 2.0, 39):
        design = np.column_stack([np.ones_like(n), n**-c])
        (a, b), *_ = np.linalg.lstsq(design, loss, rcond=None)
        error = float(((design @ [a, b] - loss) ** 2).sum())
        if b > 0 and (best is None or error < best[0]):
            best = error, (float(a), float(b), float(c))
    if best is None or best[0] > 0.5 * float(((loss - loss.mean()) ** 2).sum()):
        return None
    return best[1]


def family(
    above_floor: Interval,
    others: dict[str, Interval],
    smallest: float,
    overfit: float | None,
    *,
    unbeatable: bool = False,
) -> Finding:
    """PF15: the control against a model without features, and against cheap models of other kinds.

    Args:
        above_floor: how much better the control is than the model without features.
        others: how much better each cheap model is than the control, by name.
        overfit: the control's score on training rows minus that on validation rows, as a gain.
        unbeatable: the model without features has the best value that there is.
    """
    numbers = {"above_floor": above_floor.estimate}
    numbers |= {name: gain.estimate for name, gain in others.items()}
    if overfit is not None:
        numbers["overfit"] = overfit
    if above_floor.low <= 0 and unbeatable:
        text = "A model that says the same of every row has the best value there is."
        advice = "This metric alone cannot show whether anything is learnt: take f1 or roc_auc."
        return Finding("PF15", "note", text, advice, numbers)
    if above_floor.low <= 0:
        text = "With its defaults the model is not shown to be better than one that looks at no feature."
        advice = "Other columns or another model may do more than tuning."
        return Finding("PF15", "care", text, advice, numbers)
    better = {k: g for k, g in others.items() if g.low > 0 and g.estimate > smallest}
    if better:
        name, gain = max(better.items(), key=lambda item: item[1].estimate)
        text = (
            f"An untuned {name} is better than your model with its defaults: {gain.estimate:+.3g} "
            f"({gain.low:+.3g} to {gain.high:+.3g})."
        )
        return Finding("PF15", "care", text, "Change the model first, then tune.", numbers)
    return Finding(
        "PF15", "ok", "No cheap model of another kind is shown to be better.", "", numbers
    )


def tunable(gains: Sequence[float], floor: float | None, smallest: float) -> tuple[Finding, float]:
    """PF16: how far random configs are from the control, beside its noise.

    Args:
        gains: of random configs over the control, on common splits.
        floor: the noise floor: standard error of a difference of two equal arms.

    Returns:
        The finding, and the gain that tuning is expected to bring at least: that of the best of
        these configs, shrunk by the share of their differences that is noise (James and Stein).

    Source: the idea of tunability: Probst, Boulesteix and Bischl 2019, JMLR 20(53).
    """
    d = np.asarray(gains, float)
    if len(d) < 3:
        return Finding("PF16", "skipped", "Too few configs could be tried."), 0.0
    noise, best = floor or 0.0, float(d.max())
    apart = float(np.sqrt((d**2).mean()))
    kept = max(apart**2 - noise**2, 0.0) / apart**2 if apart else 0.0
    expected = max(0.0, kept * best)
    numbers = {"apart": apart, "floor": noise, "best": best, "expected": expected}
    if apart <= noise:
        text = (
            f"{len(d)} random configs are {apart:.2g} from the control, which is inside the noise "
            f"({noise:.2g})."
        )
        return Finding("PF16", "note", text, "There is little to tune here.", numbers), 0.0
    text = (
        f"{len(d)} random configs are {apart:.2g} from the control (noise {noise:.2g}); the best of them "
        f"shows {best:+.2g}."
    )
    if best + noise < smallest:
        return Finding("PF16", "note", text, "The defaults may be hard to beat.", numbers), expected
    return Finding("PF16", "ok", text, "", numbers), expected
