"""Checks of features: those that know too much, and those that say nothing."""

from __future__ import annotations

import numpy as np

from assay.checks.finding import Finding
from assay.checks.subject import Rows, Subject
from assay.math.checks import Array

_STRONG = 0.7  # of the variance: less is what a good feature explains
_MOST_CORRELATED = 200  # features between which all pairs are compared


def single_features(subject: Subject, alone: Array, whole: float) -> Finding:
    """PF04: whether one feature alone explains what all of them explain.

    Args:
        alone: (d,) the skill of a small tree on each feature alone; skill is the share of the
            target's variance that is explained on rows not trained on.
        whole: the skill of a forest on all features; infinite where it was not measured.
    """
    if len(alone) < 2:
        return Finding("PF04", "skipped", "There is one feature only.")
    first, second = (int(j) for j in np.argsort(-alone)[:2])
    best, next_best = float(alone[first]), float(alone[second])
    numbers = {"alone": best, "next": next_best}
    if np.isfinite(whole):
        numbers["all"] = whole
    dominates = best >= _STRONG and best >= 0.95 * whole and next_best <= 0.6 * best
    if not dominates:
        text = "No single feature explains nearly all that can be explained."
        return Finding("PF04", "ok", text, "", numbers)
    name = subject.names[first]
    text = (
        f"{name!r} alone explains {100 * best:.0f} % of the target's variance; the next best feature "
        f"{100 * max(next_best, 0):.0f} %, all together {100 * whole:.0f} %."
    )
    advice = (
        f"Ask whether {name!r} is known before the target is. If it is not, drop it (--drop {name}); if "
        "it is, there is little left to tune."
    )
    return Finding("PF04", "fix" if best >= 0.9 else "care", text, advice, numbers)


def hidden_answers(
    subject: Subject, by_gaps: float | None, order: float, whole: float | None
) -> Finding:
    """PF05: whether what is missing, or where a row stands, tells the target.

    Args:
        by_gaps: skill of a small tree that sees only which cells are missing; None: none are.
        order: skill of a small tree that sees only the place of a row in the file.
        whole: skill of a forest on all features; None: not measured.
    """
    numbers = {"order": order} | ({} if by_gaps is None else {"missing": by_gaps})
    if by_gaps is not None and by_gaps > 0.1:
        text = f"Which cells are missing explains {100 * by_gaps:.0f} % of the target's variance."
        advice = (
            "Ask why they are missing: if a cell is filled in only after the target is known, drop its "
            "column."
        )
        all_of_it = by_gaps > 0.35 and whole is not None and by_gaps > 0.8 * whole
        return Finding("PF05", "fix" if all_of_it else "care", text, advice, numbers)
    counting = None if subject.known_time else _counts_rows(subject)
    if order > 0.1 and counting is not None:
        text = (
            f"The place of a row in the file explains {100 * order:.0f} % of the target's variance, and "
            f"{counting!r} gives that place away."
        )
        advice = f"Drop it: --drop {counting}. If it is a time, say so: --time {counting}."
        return Finding("PF05", "fix" if order > 0.35 else "care", text, advice, numbers)
    if order > 0.35 and not subject.known_time:
        text = (
            f"The place of a row in the file explains {100 * order:.0f} % of the target's variance: it is "
            "sorted by the target, or by time."
        )
        advice = "Harmless if it is sorted by the target: rows are shuffled. If it is time: --time COLUMN."
        return Finding("PF05", "note", text, advice, numbers)
    return Finding("PF05", "ok", "Neither gaps nor the order of rows tell the target.", "", numbers)


def _counts_rows(subject: Subject) -> str | None:
    place = np.arange(len(subject))
    for name, values in zip(subject.names, subject.cells.T, strict=True):
        if np.isnan(values).any() or len(np.unique(values)) < 0.95 * len(values):
            continue
        ranks = np.argsort(np.argsort(values))
        if abs(np.corrcoef(ranks, place)[0, 1]) > 0.999:
            return name
    return None


def useless(subject: Subject) -> Finding:
    """PF07: features that are constant, nearly so, an id, or a copy of another one."""
    found, numbers = [], {"constant": 0.0, "nearly": 0.0, "ids": 0.0, "copies": 0.0}
    n = len(subject)
    for name, values, words in zip(subject.names, subject.cells.T, subject.words, strict=True):
        distinct, counts = np.unique(values, return_counts=True, equal_nan=True)
        if len(distinct) == 1:
            numbers["constant"] += 1
            found.append(f"{name} is constant")
        elif counts.max() > 0.995 * n:
            numbers["nearly"] += 1
            found.append(f"{name} has one value in {100 * counts.max() / n:.1f} % of rows")
        elif words and len(distinct) > 0.95 * n:
            numbers["ids"] += 1
            found.append(f"{name} is different in nearly every row")
    pairs = _copies(subject)
    numbers["copies"] = float(len(pairs))
    found += [f"{a} and {b} say the same" for a, b in pairs]
    if not found:
        return Finding(
            "PF07", "ok", "Every feature varies and says something of its own.", "", numbers
        )
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    advice = "They cost time and settle nothing; drop them with --drop if you like."
    return Finding("PF07", "note", "; ".join(found[:5]) + more + ".", advice, numbers)


def _copies(subject: Subject) -> list[tuple[str, str]]:
    cells = subject.filled[:, :_MOST_CORRELATED]
    spread = cells.std(axis=0)
    varied = np.flatnonzero(spread > 0)
    if len(varied) < 2:
        return []
    r = np.abs(np.corrcoef(cells[:, varied], rowvar=False))
    i, j = np.nonzero(np.triu(r > 0.999, 1))
    return [(subject.names[varied[a]], subject.names[varied[b]]) for a, b in zip(i, j, strict=True)]


def gaps(subject: Subject) -> Finding:
    """PF08: columns that are mostly missing, or missing more often where it is validated."""
    missing = np.isnan(subject.cells)
    share = missing.mean(axis=0)
    if not missing.any():
        return Finding("PF08", "ok", "No cell is missing.", "", {"share": 0.0})
    numbers = {"share": float(missing.mean()), "most": float(share.max())}
    if subject.splits in ("grouped", "forward"):
        apart = np.max(
            [np.abs(missing[t].mean(axis=0) - missing[v].mean(axis=0)) for t, v in subject.folds],
            axis=0,
        )
        numbers["difference"] = float(apart.max())
        if apart.max() > 0.1:
            name = subject.names[int(apart.argmax())]
            text = (
                f"{name!r} is missing in {100 * apart.max():.0f} % points more rows on one side of a "
                "split than on the other."
            )
            advice = "A model that learns from gaps will not find them again; ask why they moved."
            return Finding("PF08", "care", text, advice, numbers)
    empty = [subject.names[j] for j in np.flatnonzero(share > 0.5)]
    if empty:
        text = f"More than half is missing in {', '.join(map(repr, empty[:5]))}."
        advice = "They may be worth less than they cost; try without them."
        return Finding("PF08", "note", text, advice, numbers)
    text = f"{100 * numbers['share']:.1f} % of the cells are missing."
    return Finding("PF08", "ok", text, "", numbers)


def shifted(subject: Subject, auc: float | None, rng: np.random.Generator) -> Finding:
    """PF12: whether validation rows can be told from training rows.

    Args:
        auc: of a forest that tells the last validation part from its training part, out of fold;
            None: rows are drawn at random, so that both sides are alike.
    """
    if auc is None:
        text = "Rows are divided at random: both sides are alike."
        return Finding("PF12", "ok", text)
    numbers = {"auc": auc}
    if auc <= 0.75:
        return Finding("PF12", "ok", f"Both sides look alike (AUC {auc:.2f}).", "", numbers)
    named = _moved(subject, *subject.folds[-1])
    text = f"Validation rows can be told from training rows with an AUC of {auc:.2f}"
    text += f", most of all by {', '.join(map(repr, named))}." if named else "."
    advice = "The score on validation rows says less of other times and groups; keep recent rows."
    return Finding("PF12", "care" if auc > 0.9 else "note", text, advice, numbers)


def _moved(subject: Subject, train: Rows, valid: Rows) -> list[str]:
    """The features whose distribution differs most between both sides (Kolmogorov and Smirnov)."""
    from scipy.stats import false_discovery_control, ks_2samp

    cells = subject.filled
    tests = [ks_2samp(cells[train, j], cells[valid, j]) for j in range(cells.shape[1])]
    sure = false_discovery_control([float(t.pvalue) for t in tests]) < 0.05
    order = sorted(range(len(tests)), key=lambda j: -float(tests[j].statistic))
    return [subject.names[j] for j in order if sure[j]][:3]


def prepared_outside(subject: Subject, all_rows: Array, fitted: tuple[str, ...]) -> Finding:
    """PF18: whether something was fitted on all rows before they were divided.

    Args:
        all_rows: the features of all rows, the sealed ones included: means and spreads alone are
            looked at.
        fitted: steps of the model that come already fitted.
    """
    numbers_only = [j for j, words in enumerate(subject.words) if not words]
    x = all_rows[:, numbers_only]
    many = [len(np.unique(column)) > 20 for column in x.T]
    x = x[:, many]
    if x.shape[1] >= 2 and not np.isnan(x).any():
        spread = x.std(axis=0)
        equal = np.ptp(spread) <= 1e-4 * spread.max() and np.all(np.abs(x.mean(axis=0)) < 1e-5)
        unit = np.all(x.min(axis=0) == 0) and np.all(x.max(axis=0) == 1)
        if equal or unit:
            how = "standardised" if equal else "scaled to between 0 and 1"
            text = (
                f"All {x.shape[1]} continuous features come {how} over all rows, the test rows too."
            )
            advice = (
                "Scaling alone leaks next to nothing. Anything else that was fitted before (selection, "
                "PCA, target encoding) belongs into a pipeline."
            )
            return Finding("PF18", "note", text, advice, {"features": float(x.shape[1])})
    if fitted:
        text = f"These parts of the model come fitted: {', '.join(fitted)}."
        advice = (
            "They are fitted anew on the training rows of each split; what they knew is forgotten."
        )
        return Finding("PF18", "note", text, advice)
    return Finding("PF18", "ok", "Nothing looks fitted before the rows were divided.")


def future(
    subject: Subject, column: str | None, forward: Array | None, mixed: Array | None,
    neighbours: float | None = None,
) -> Finding:  # fmt: skip
    """PF06: whether training on later rows flatters the score.

    Args:
        column: what seems to order the rows in time, or None.
        forward, mixed: skill in each fold, when trained on the past only, and on rows at random.
        neighbours: correlation of the errors of neighbouring rows, in standard errors and with sign;
            None: not measured.
    """
    if subject.known_time:
        return Finding("PF06", "ok", "Models are trained on the past only, as you said.")
    if column is not None and forward is not None and mixed is not None:
        ahead, both = float(forward.mean()), float(mixed.mean())
        numbers = {"random": both, "forward": ahead}
        noise = float(np.hypot(mixed.std(ddof=1), forward.std(ddof=1)) / np.sqrt(len(mixed)))
        lost = both - ahead
        said = (
            f"{column!r} seems to be a time. With rows drawn at random a forest explains "
            f"{100 * both:.0f} % of the target's variance; trained on the past only, {100 * ahead:.0f} %."
        )
        advice = f"If you will predict later rows, train on the past only: --time {column}."
        if lost > max(3 * noise, 0.2 * abs(both), 0.05):
            return Finding("PF06", "fix", said, advice, numbers)
        if lost > max(2 * noise, 0.1 * abs(both), 0.03):
            return Finding("PF06", "care", said, advice, numbers)
        return Finding("PF06", "note", said, advice, numbers)
    if neighbours is not None and neighbours > 5:
        text = "Rows that stand next to each other in the file have errors that are alike."
        advice = (
            "They may come from one unit or one time: say so with --groups or --time, or the score "
            "will be better than what you will see."
        )
        return Finding("PF06", "care", text, advice, {"z": neighbours})
    return Finding("PF06", "ok", "Nothing points to an order in time.")
