"""What to do first, and what each step is expected to bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from assay.checks.finding import Finding

_DATA = ("PF01", "PF02", "PF03", "PF04", "PF05", "PF06", "PF08", "PF09", "PF12")
_METRIC = ("PF10", "PF11", "PF17")
_MODEL = ("PF13", "PF15")
_TUNING = ("PF16",)


@dataclass(frozen=True)
class Step:
    """One thing to do; `gain` is what it is expected to bring, in units of the metric, if that is known."""

    what: str
    gain: float | None
    why: str


def steps(
    findings: Sequence[Finding],
    *,
    rows: int,
    trials: int,
    quarter: float | None,
    tuning: float | None,
) -> list[Step]:
    """What to do, in the order: data, metric and sample size, model, tuning.

    Faults come first whatever they bring, since every other number rests on them; after them what
    is expected to bring more comes first.

    Args:
        rows: development rows.
        trials: of the search.
        quarter: expected gain of 25 % more rows.
        tuning: expected gain of the search.
    """
    by_code = {f.code: f for f in findings}
    faults = [
        Step(f.advice, None, f"{f.code}: {f.title.lower()}")
        for code in (*_DATA, *_METRIC, *_MODEL)
        if (f := by_code.get(code)) and f.level == "fix"
    ]
    open_ = []
    labels = by_code.get("PF09")
    if labels and labels.level in ("care", "fix") and "gain" in labels.numbers:
        what = f"Correct {labels.numbers['suspect']:,.0f} suspect labels"
        open_.append(Step(what, labels.numbers["gain"], "measured by leaving them out"))
    if quarter is not None and quarter > 0:
        open_.append(Step(f"Get {round(rows / 4):,} more rows", quarter, "from the learning curve"))
    model = by_code.get("PF15")
    if model and model.level == "care" and "above_floor" in model.numbers:
        others = {k: v for k, v in model.numbers.items() if k not in ("above_floor", "overfit")}
        name = max(others, key=lambda k: others[k], default="")
        if name and others[name] > 0:
            open_.append(Step(f"Use a {name}", others[name], "measured on the same folds"))
    if tuning is not None:
        open_.append(Step(f"Tune for {trials} trials", tuning, "from random configs; rough"))
    return faults + sorted(open_, key=lambda step: -(step.gain or 0.0))


def not_worth_it(findings: Sequence[Finding], tuning: float | None, smallest: float) -> str:
    """Why tuning is not worth its cost here; empty if it may be."""
    by_code = {f.code: f for f in findings}
    seen = by_code.get("PF11")
    reasons = []
    if tuning is not None and tuning < smallest:
        reasons.append(
            f"it is expected to bring {tuning:.2g}, less than the {smallest:.2g} that matter"
        )
    if seen and seen.numbers.get("detectable", 0) > 3 * max(smallest, tuning or 0.0) > 0:
        reasons.append(f"a gain below {seen.numbers['detectable']:.2g} could not be seen anyway")
    return "; ".join(reasons)
