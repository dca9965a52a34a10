"""Before anything is spent: what is wrong with the data, what evidence can show, and what would help most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from time import process_time
from typing import Any

import numpy as np

from assay.analysis.effects import fresh_interval
from assay.analysis.noise import Noise, noise
from assay.api.measuring import measured, quick_findings, subject_of
from assay.api.prepare import Prepared
from assay.checks import advice, model, target
from assay.checks.finding import QUICK, Finding, Verdict, verdict_of
from assay.checks.subject import MOST_ROWS, Fold, Subject, shuffled_folds, thinned
from assay.core import units
from assay.core.errors import AssayError, DataError
from assay.core.events import FLOOR
from assay.core.jobs import Measurement
from assay.core.rng import stream
from assay.math.intervals import Interval

_PROBES = 10
_CPU_S = 30.0  # of the probes; with a slow model fewer folds are used


@dataclass(frozen=True)
class Preflight:
    """What the checks found. `print(preflight)` reads like a page.

    Attributes:
        findings: one for each check that was made.
        steps: what to do first, with what it is expected to bring.
        against: why tuning is not worth its cost; empty if it may be.
        metric: the name of the metric, in whose units gains are.
    """

    findings: tuple[Finding, ...]
    steps: tuple[advice.Step, ...] = ()
    against: str = ""
    metric: str = ""

    @property
    def verdict(self) -> Verdict:
        """One of TUNE, TUNE WITH CARE and FIX FIRST."""
        return verdict_of(self.findings)

    def to_json(self) -> dict[str, Any]:
        """The verdict, the findings and the steps as plain JSON values."""
        return {
            "verdict": self.verdict,
            "metric": self.metric,
            "findings": [finding.to_json() for finding in self.findings],
            "steps": [asdict(step) for step in self.steps],
            "against": self.against,
        }

    def __getitem__(self, code: str) -> Finding:
        """The finding of one check, by its code."""
        for finding in self.findings:
            if finding.code == code:
                return finding
        raise KeyError(code)

    def __str__(self) -> str:
        from assay.report.checks import preflight_text

        return preflight_text(self.findings, self.steps, self.against, self.metric)


def _unheard(_: str) -> None:
    """Nobody wants to know what is being done."""


def preflight_of(prepared: Prepared, tell: Callable[[str], None] = _unheard) -> Preflight:
    """All 18 checks of a study that is ready to run. Nothing is sealed, and nothing is stored.

    Args:
        tell: is told in a few words what is done next; most of the time goes into fits of the model.
    """
    subject = subject_of(prepared)
    tell("looking at the table")
    findings = quick_findings(prepared, subject)
    found = _Fits.of(prepared, tell)
    spec = prepared.spec
    smallest, sign = spec.smallest_gain, spec.signs[0]
    trials = (spec.budget.trials if spec.budget else None) or 60
    floor = found.noise()
    tunability, expected = model.tunable(found.gains(), floor.floor, smallest)
    tell("fitting it on a quarter, half and three quarters of the rows")
    learning, quarter = _learning(prepared, sign)
    control = found.values(0)
    tell("looking for wrong labels")
    labels = _labels(prepared, subject, sign)
    tell("fitting models of other kinds")
    family = _family(prepared, control, found, sign)
    tell("fitting yours on shuffled targets")
    findings += [
        labels,
        _detectable(prepared, found, floor),
        found.repeatable(),
        learning,
        family,
        tunability,
        _sanity(prepared, subject, sign),
    ]
    findings.sort(key=lambda finding: finding.code)
    steps = advice.steps(
        findings, rows=len(prepared.dev), trials=trials, quarter=quarter, tuning=expected
    )
    against = advice.not_worth_it(findings, expected, smallest)
    return Preflight(tuple(findings), tuple(steps), against, spec.objectives[0])


def _detectable(prepared: Prepared, found: _Fits, floor: Noise) -> Finding:
    """The smallest gain that the evidence of the study can show."""
    spec = prepared.spec
    return model.detectable(
        spread=floor.spread,
        units=len(units.rechecks(spec)),
        ratio=float((spec.data or {})["ratio"]),
        smallest=spec.smallest_gain,
        chosen=prepared.chosen_gain,
        rows=len(prepared.dev),
        metric=spec.objectives[0],
        disagree=found.disagreement(),
        test_rows=len(prepared.test) if prepared.test is not None else 0,
        level=1 - spec.alpha,
    )


def quick_preflight(prepared: Prepared) -> Preflight:
    """The checks that need no fit of the user's model, about a second on ordinary tables."""
    found = {f.code: f for f in quick_findings(prepared, subject_of(prepared))}
    return Preflight(tuple(found[code] for code in QUICK), metric=prepared.recipe.metric.name)


@dataclass(frozen=True)
class _Fits:
    """The control and some random configs of the user's model, on the folds of the search."""

    prepared: Prepared
    control: tuple[Measurement, ...]
    again: float
    other: tuple[Measurement, ...]
    probes: tuple[tuple[Measurement, ...], ...]

    @staticmethod
    def of(prepared: Prepared, tell: Callable[[str], None]) -> _Fits:
        spec = prepared.spec
        config = spec.control or {}
        tell("fitting your model with its default settings, on each fold")
        before = process_time()
        control = measured(prepared, config)
        each = max((process_time() - before) / len(control), 1e-4)
        tell(f"fitting it again with the same and another seed: about {each:.2g} CPU seconds a fit")
        again = measured(prepared, config, count=1)[0].value
        other = measured(prepared, config, seed_index=1)
        rng = stream(spec.seed, "probes")
        count = int(np.clip(_CPU_S / (_PROBES * each), 2, len(control)))
        probes = []
        tell(f"fitting {_PROBES} random configs, each on {count} of {len(control)} folds")
        for _ in range(_PROBES):
            drawn = spec.space.from_unit(rng.random(len(spec.space)).tolist())
            try:
                probes.append(tuple(measured(prepared, drawn, count=count)))
            except (AssayError, ValueError, ArithmeticError, TypeError):
                continue  # a config that cannot be fitted is for the search to record
        return _Fits(prepared, tuple(control), again, tuple(other), tuple(probes))

    def values(self, which: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([m.value for m in (self.control, self.other)[which]])

    def noise(self) -> Noise:
        spec = self.prepared.spec
        own = {m.unit: m.value for m in self.control}
        fixed = self.repeats
        if not fixed:
            own |= {m.unit: m.value for m in self.other}
        return noise(
            own,
            [{m.unit: m.value for m in probe} for probe in self.probes],
            search=units.search(spec),
            ratio=float((spec.data or {})["ratio"]),
            fixed=fixed,
        )

    @property
    def repeats(self) -> bool:
        """Whether the model is deterministic."""
        same = all(a.value == b.value for a, b in zip(self.control, self.other, strict=True))
        return same and self.again == self.control[0].value

    def repeatable(self) -> Finding:
        return model.repeatable(self.control[0].value, self.again, self.other[0].value)

    def gains(self) -> list[float]:
        """Of the probes over the control, on the folds that they have."""
        sign = self.prepared.spec.signs[0]
        own = self.values(0)
        return [
            float(np.mean([sign * (own[i] - m.value) for i, m in enumerate(probe)]))
            for probe in self.probes
        ]

    def disagreement(self) -> float | None:
        """The share of rows on which exactly one of control and probe is right; for accuracy alone."""
        if self.prepared.recipe.metric.name != "accuracy" or not self.probes:
            return None
        shares = []
        for probe in self.probes:
            for ours, theirs in zip(self.control, probe, strict=False):
                a, b = (np.frombuffer(m.rows or b"", "<f4") for m in (ours, theirs))
                shares.append(float((a != b).mean()))
        return float(np.median(shares))


def _interval(prepared: Prepared, gains: Any) -> Interval:
    return fresh_interval(prepared.spec, [float(g) for g in gains])


def _learning(prepared: Prepared, sign: float) -> tuple[Finding, float | None]:
    """The control on parts of its training rows."""
    if prepared.splits.kind == "forward":
        text = "Older rows are other rows: parts of the past say little of more of it."
        return Finding("PF14", "skipped", text), None
    rng = stream(prepared.spec.seed, "learning")
    folds = prepared.evaluator().folds(0)[:3]
    sizes, losses = [], []
    for share in (0.25, 0.5, 0.75, 1.0):
        parts = [(_share(prepared, train, share, rng), valid) for train, valid in folds]
        try:
            found = measured(prepared, prepared.spec.control or {}, parts)
        except (AssayError, ValueError):
            continue  # too few rows of a class in so small a part
        sizes.append(int(np.mean([len(train) for train, _ in parts])))
        losses.append(float(np.mean([sign * m.value for m in found])))
    if len(sizes) < 4:
        return Finding("PF14", "skipped", "Too few rows to train on parts of them."), None
    return model.more_rows(sizes, losses)


def _share(prepared: Prepared, train: Any, share: float, rng: np.random.Generator) -> Any:
    """A part of the training rows: whole groups where there are groups."""
    if share == 1:
        return train
    if prepared.dev.groups is None:
        return rng.permutation(train)[: max(10, round(share * len(train)))]
    names = rng.permutation(np.unique(prepared.dev.groups[train]))
    kept = names[: max(2, round(share * len(names)))]
    return train[np.isin(prepared.dev.groups[train], kept)]


def _labels(prepared: Prepared, subject: Subject, sign: float) -> Finding:
    """Suspect labels, and what leaving them out of training brings to the control and to a forest."""
    from assay.learners.probing import forest

    if subject.classes is None:
        return Finding("PF09", "skipped", "Only classes are checked.")
    X, targets, looked = subject.filled, subject.targets, _few(subject)
    chances, _ = forest(X, targets, looked)
    known = ~np.isnan(chances[:, 0])
    y = subject.y[known]
    doubted = target.suspects(y, chances[known])
    counts = int(doubted.sum()), int(known.sum())
    if counts[0] <= 0.03 * counts[1] or len(looked) < 2:
        return target.wrong_labels(*counts, False, None, 0.0)
    cleaned = _cleaned(prepared, subject, looked)
    after, _ = forest(X, targets, cleaned)
    if not target.clearer(chances[known], after[known], y, doubted):
        return target.wrong_labels(*counts, False, None, 0.0)
    config = prepared.spec.control or {}
    try:
        pairs = zip(
            *(measured(prepared, config, folds) for folds in (looked, cleaned)), strict=True
        )
        gain = _interval(prepared, [sign * (b.value - a.value) for b, a in pairs])
    except (AssayError, ValueError):
        gain = None  # too few rows of a class are left
    return target.wrong_labels(*counts, True, gain, prepared.spec.smallest_gain)


def _few(subject: Subject) -> list[Fold]:
    """The folds with no more rows than the other checks look at: forests of all would take minutes."""
    some = thinned(len(subject), MOST_ROWS)
    parts = [tuple(rows[np.isin(rows, some)] for rows in fold) for fold in subject.folds]
    return [(train, valid) for train, valid in parts if len(valid)]


def _cleaned(prepared: Prepared, subject: Subject, looked: list[Fold]) -> list[Fold]:
    """The folds without the training rows that are suspect by the other training rows."""
    from assay.learners.probing import forest

    X, targets = subject.filled, subject.targets
    rng = stream(prepared.spec.seed, "labels")
    folds = []
    for train, valid in looked:
        inner = shuffled_folds(len(train), rng)
        own, _ = forest(X[train], targets[train], inner)
        folds.append((train[~target.suspects(subject.y[train], own)], valid))
    return folds


def _family(prepared: Prepared, control: Any, found: _Fits, sign: float) -> Finding:
    """The control beside the floor, and beside cheap models on the same folds."""
    from dataclasses import replace

    from assay.learners.fitting import Recipe
    from assay.learners.probing import references

    floor = np.array([m.value for m in measured(prepared, {}, trial=FLOOR)])
    if len(floor) < 2:
        return Finding("PF15", "skipped", "One validation part says nothing of noise.")
    above = _interval(prepared, sign * (floor - control))
    table = replace(prepared.dev, X=subject_of(prepared).filled)
    others: dict[str, Interval] = {}
    for name, estimator in references(prepared.recipe.task).items():
        try:
            recipe = Recipe(estimator, prepared.recipe.metric, prepared.recipe.task)
            other = replace(prepared, recipe=recipe, dev=table)
            values = np.array([m.value for m in measured(other, {})])
        except (AssayError, ValueError, ArithmeticError):
            continue  # it cannot take this table or this metric
        others[name] = _interval(prepared, sign * (control - values))
    trains = [m.train for m in found.control]
    fit = None
    if all(t is not None for t in trains):
        fit = float(np.mean([sign * (v - t) for v, t in zip(control, trains, strict=True)]))
    unbeatable = bool((floor == prepared.bounds.best(maximize=sign < 0)).all())
    return model.family(above, others, prepared.spec.smallest_gain, fit, unbeatable=unbeatable)


def _sanity(prepared: Prepared, subject: Subject, sign: float) -> Finding:
    """Perfect predictions, and the control on shuffled targets."""
    metric, dev = prepared.recipe.metric, prepared.dev
    rng = stream(prepared.spec.seed, "shuffled")
    shuffled = rng.permutation(dev.y)
    try:
        values = [m.value for m in measured(prepared, prepared.spec.control or {}, y=shuffled)]
        floor = [m.value for m in measured(prepared, {}, y=shuffled, trial=FLOOR)]
    except (DataError, ValueError):
        return Finding("PF17", "skipped", "The metric is not defined on shuffled targets.")
    perfect, dull = _extremes(metric, subject, prepared)
    if len(values) < 2:
        return target.sane_metric(perfect, dull, sign, None, None)
    return target.sane_metric(perfect, dull, sign, np.array(values), np.array(floor))


def _extremes(metric: Any, subject: Subject, prepared: Prepared) -> tuple[float, float]:
    """The metric of the target itself, and of the control's validation target shuffled."""
    from assay.learners import scoring

    y = subject.y
    best = (
        y.astype(float)
        if metric.needs in ("predict", "decision") or subject.classes == 2
        else subject.targets
    )
    rng = stream(prepared.spec.seed, "dull")
    order = rng.permutation(len(y))
    perfect = scoring.value(metric, y, best, classes=prepared.classes)
    dull = scoring.value(metric, y, best[order], classes=prepared.classes)
    return perfect, dull


def preflight(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    space: Any = None,
    metric: Any = "auto",
    direction: str | None = None,
    task: str | None = None,
    splits: Any = None,
    test: float | None = None,
    groups: Any = None,
    time: Any = None,
    smallest_gain: float | None = None,
    trials: int = 60,
    seed: int = 0,
) -> Preflight:
    """Is it worth tuning, and what should be mended first? 18 checks; nothing is stored or sealed.

    Fits the model on the development rows alone: with its defaults on the folds, on parts of the
    rows and on shuffled targets, and ten random configs.

    Args:
        estimator, X, y: as for `tune`.
        space, metric, direction, task, splits, test, groups, time, smallest_gain, seed: as for `tune`.
        trials: of the search that is considered.

    Returns:
        `print` it; `.verdict` is "TUNE", "TUNE WITH CARE" or "FIX FIRST", `["PF03"]` one finding,
        `.steps` what to do first with what it is expected to bring.

    Raises:
        SpecError, SpaceError, DataError: the plan or the data is wrong.
    """
    from assay.api.prepare import Wishes, prepare
    from assay.core.spec import Budget
    from assay.inputs import from_arrays

    table = from_arrays(X, y, groups=groups, time=time)
    wishes = Wishes(
        metric=metric, direction=direction, task=task, space=space, budget=Budget(trials=trials),
        splits=splits, test=test, smallest_gain=smallest_gain, seed=seed,
    )  # fmt: skip
    return preflight_of(prepare(table, estimator, wishes))
