"""Checks of rows against each other: duplicates, contradictions, units with several rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.checks.finding import Finding
from assay.checks.subject import Subject
from assay.math.checks import Array

_UNIT_NAME = re.compile(
    r"(^|[_\W])(ids?|uuid|subject|patient|person|individual|user|customer|client|household|animal|chick|"
    r"session|site|device|machine|vehicle|family|firm|company|employee|worker|student|pupil|school|hospital)"
    r"s?($|[_\W])|(?-i:[a-z]Id$)",
    re.IGNORECASE,
)
_TIME_NAME = re.compile(r"date|time|year|month|week|day|hour", re.IGNORECASE)
_FEW_UNITS = 5
_MOST_UNITS = 0.5  # of the rows: with more there is hardly a second row of any
_MOST_PAIRS = 20_000


def row_codes(cells: Array) -> NDArray[np.intp]:
    """(n,) a number for each distinct row; missing values are equal to each other."""
    plain = np.where(np.isnan(cells), np.inf, cells) + 0.0
    raw = np.ascontiguousarray(plain).view(
        np.dtype((np.void, plain.dtype.itemsize * plain.shape[1]))
    )
    return np.asarray(np.unique(raw.ravel(), return_inverse=True)[1]).ravel()


def twins(subject: Subject, test_twins: float | None = None, test_rows: int = 0) -> Finding:
    """PF01: validation rows that are training rows too, target included.

    Args:
        test_twins: share of the sealed test rows that equal a development row.
        test_rows: how many are sealed.
    """
    codes = row_codes(np.column_stack([subject.cells, np.asarray(subject.y, np.float64)]))
    valid = sum(len(v) for _, v in subject.folds)
    shared = sum(int(np.isin(codes[v], codes[t]).sum()) for t, v in subject.folds) / max(valid, 1)
    worst = max(shared, test_twins or 0.0)
    numbers = {"validation": shared, **({} if test_twins is None else {"test": test_twins})}
    rows = shared * sum(len(v) for _, v in subject.folds) + (test_twins or 0.0) * test_rows
    if worst <= 0.005 or rows < 5:
        return Finding("PF01", "ok", "Hardly a row stands on both sides of a split.", "", numbers)
    said = f"{100 * shared:.1f} % of the validation rows are training rows too, cell by cell"
    if test_twins:
        said += f", and {100 * test_twins:.1f} % of the test rows are development rows"
    if _coarse(subject, codes):
        text = f"{said}. The columns take few values, so different units may well look alike."
        advice = "If one unit can have several rows, say which: --groups COLUMN."
        return Finding("PF01", "note", text, advice, numbers)
    advice = "Drop the copies, or keep the rows of one unit together with --groups COLUMN."
    return Finding("PF01", "fix" if worst > 0.05 else "care", f"{said}.", advice, numbers)


def _coarse(subject: Subject, codes: NDArray[np.intp]) -> bool:
    """Whether equal rows can be a coincidence: no column tells most different rows apart."""
    first = np.unique(codes, return_index=True)[1]
    distinct = [len(np.unique(subject.cells[first, j])) for j in range(subject.cells.shape[1])]
    return max(distinct) < 0.5 * len(first)


def contradictions(subject: Subject) -> Finding:
    """PF02: rows that no model can tell apart and that have different classes."""
    if subject.classes is None:
        return Finding("PF02", "skipped", "Only classes can contradict each other.")
    codes = row_codes(subject.cells)
    counts = np.zeros((codes.max() + 1, subject.classes))
    np.add.at(counts, (codes, subject.y), 1)
    mixed = (counts > 0).sum(axis=1) > 1
    ceiling = float(counts.max(axis=1).sum() / len(subject))
    rows = int(counts[mixed].sum())
    numbers = {"rows": float(rows), "ceiling": ceiling}
    if not rows:
        return Finding("PF02", "ok", "No two rows contradict each other.", "", numbers)
    text = (
        f"{rows:,} rows share all their features with a row of another class: no model can be right "
        f"on more than {100 * ceiling:.1f} % of these rows."
    )
    advice = "Only more or better columns can lift that; tuning cannot."
    return Finding("PF02", "care" if ceiling < 0.9 else "note", text, advice, numbers)


@dataclass(frozen=True)
class Units:
    """Rows that may belong together: which, and what made us think so."""

    labels: NDArray[np.intp]
    why: str
    columns: tuple[str, ...]
    named: bool = False
    """Whether a column is called like an id."""


def suspected_units(subject: Subject, rng: np.random.Generator) -> Units | None:
    """The units of which the table seems to hold several rows each; None if nothing points to any."""
    for j, name in enumerate(subject.names):
        labels = np.unique(subject.cells[:, j], return_inverse=True)[1].ravel()
        if _is_unit(name, labels, subject.cells[:, j], subject.words[j]):
            named = bool(_UNIT_NAME.search(name))
            return Units(labels, f"column {name!r} numbers them", (name,), named)
    return _slow(subject, rng)


def _is_unit(name: str, labels: NDArray[np.intp], values: Array, words: bool) -> bool:
    n, count = len(labels), int(labels.max()) + 1
    if not _FEW_UNITS <= count <= _MOST_UNITS * n:
        return False
    whole = words or bool(np.all(values == np.round(values)))
    if not whole:
        return False
    if _UNIT_NAME.search(name):
        return True
    if _TIME_NAME.search(name):
        return False
    runs = 1 + int((labels[1:] != labels[:-1]).sum())
    # in blocks: each value stands in one run of rows, as in a file of one unit after the other
    return count >= 10 and runs <= 1.1 * count


def _slow(subject: Subject, rng: np.random.Generator) -> Units | None:
    """Units by columns that stay the same from row to row and differ otherwise."""
    cells = subject.cells
    n = len(cells)
    if n < 50:
        return None
    at = rng.permutation(n - 1)[:_MOST_PAIRS]
    other = rng.integers(0, n, size=(2, len(at)))
    near = (cells[at] == cells[at + 1]).mean(axis=0)
    far = (cells[other[0]] == cells[other[1]]).mean(axis=0)
    slow = np.flatnonzero((near >= 0.6) & (far <= 0.6) & (near - far >= 0.3))
    if len(slow) < 2:
        return None
    labels = row_codes(cells[:, slow])
    together = float((labels[at] == labels[at + 1]).mean())
    by_chance = float((labels[other[0]] == labels[other[1]]).mean())
    count = int(labels.max()) + 1
    if together < 0.2 or together < 3 * by_chance or not 10 <= count <= _MOST_UNITS * n:
        return None
    names = tuple(subject.names[j] for j in slow)
    listed = ", ".join(names[:4]) + (", …" if len(names) > 4 else "")
    return Units(labels, f"{100 * together:.0f} % of neighbouring rows agree in {listed}", names)


def repeated_units(
    subject: Subject, units: Units | None, apart: Array | None = None, mixed: Array | None = None
) -> Finding:
    """PF03: whether a model does worse on units it has not seen.

    Args:
        units: the suspected units.
        apart, mixed: skill (share of the variance that is explained) in each fold, when units are
            kept together and when rows are drawn one by one.
    """
    if subject.known_groups:
        return Finding("PF03", "ok", "Rows of one group stay together, as you said.")
    if units is None or apart is None or mixed is None:
        return Finding("PF03", "ok", "Nothing points to several rows of one unit.")
    lost = float(mixed.mean() - apart.mean())
    noise = float(np.hypot(mixed.std(ddof=1), apart.std(ddof=1)) / np.sqrt(len(mixed)))
    numbers = {"random": float(mixed.mean()), "grouped": float(apart.mean()),
               "units": float(units.labels.max() + 1)}  # fmt: skip
    found = (
        f"Several rows seem to belong to one unit ({units.why}). With rows drawn one by one a forest "
        f"explains {100 * mixed.mean():.0f} % of the target's variance; on units it has not seen, "
        f"{100 * apart.mean():.0f} %."
    )
    column = units.columns[0] if len(units.columns) == 1 else "COLUMN"
    advice = f"Keep the rows of one unit together: --groups {column}."
    share, errors = (0.15, 2) if units.named else (0.2, 3)
    big = lost > max(share * abs(float(mixed.mean())), errors * noise, 0.05)
    some = lost > max(0.1 * abs(float(mixed.mean())), 2 * noise, 0.03)
    level: Any = "fix" if big else "care" if some else "note"
    if level == "note" and not units.named:
        return Finding("PF03", "ok", "Units that were suspected make no difference.", "", numbers)
    if level == "note":
        advice = f"If you will predict for new units, keep them together: --groups {column}."
    return Finding("PF03", level, found, advice, numbers)
