"""An ablation as people see it: in a terminal, and as a section of the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from assay.analysis.ablation_words import findings, summary
from assay.core.events import Attributed
from assay.core.history import History
from assay.report import words
from assay.report.phase import searches_of
from assay.report.plots import ablation as plots
from assay.report.plots.draw import Figure, drawn
from assay.report.plots.form import Plot

Form = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One component, as a row of the table."""

    component: str
    untuned: str
    retuned: str
    p: str
    misattribution: str
    flag: str


@dataclass(frozen=True)
class Arm:
    """One variant: what it cost and what its searches found."""

    name: str
    score: str
    trials: str
    fits: str
    cpu: str
    energy: str
    best: tuple[str, ...]


@dataclass(frozen=True)
class AblationView:
    """An ablation; `sentences` say it all, the rest shows why."""

    title: str
    metric: str
    sentences: tuple[str, ...]
    rows: tuple[Row, ...]
    arms: tuple[Arm, ...]
    factors: tuple[tuple[str, str, str], ...]
    interactions: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    roles: tuple[tuple[str, str], ...]
    effects: Plot
    curves: Plot | None
    responses: Plot | None

    @property
    def figures(self) -> list[Figure]:
        """The figures that have something to show."""
        return [*([self.dumbbell] if self.dumbbell else []), *self.further]

    @property
    def dumbbell(self) -> Figure | None:
        """The figure of the effects; None where no component has one."""
        return None if self.effects.empty else drawn(self.effects)

    @property
    def further(self) -> list[Figure]:
        """The figures beside it."""
        plots = (self.curves, self.responses)
        return [drawn(plot) for plot in plots if plot is not None and not plot.empty]


def ablations(history: History) -> tuple[AblationView, ...] | None:
    """The finished ablations in a log; None if there are none."""
    found = [e.result for e in history.milestones() if isinstance(e, Attributed)]
    return tuple(map(ablation_view, found)) or None


def ablation_standing(history: History) -> tuple[str, str] | None:
    """A few words in capitals and a sentence, for a log that holds an ablation and no trials."""
    searches = searches_of(history)
    if searches is None:
        return None
    done = history.last(Attributed)
    if done is None:
        return (
            "ABLATION, NOT FINISHED",
            f"{words.count(len(searches), 'search has', 'searches have')} begun. The same call goes on.",
        )
    found = findings(done.result)
    if len(found) == 1:
        return "ABLATION", words.name(found[0]["sentence"], 600)
    return "ABLATION", words.name(summary(found), 600)


def ablation_cost(history: History) -> str | None:
    """What the finished ablations of a log without trials cost; None if there are none."""
    done = [
        v for e in history.milestones() if isinstance(e, Attributed) for v in e.result["variants"]
    ]
    if history.n_trials or not done:
        return None
    trials, fits, cpu = (sum(v[k] for v in done) for k in ("trials", "fits", "cpu_s"))
    said = f"{words.count(trials, 'trial')}, {words.count(fits, 'evaluation')}"
    return f"{said}, {words.seconds(cpu)} of CPU time, in {words.count(len(done), 'variant')}"


def ablation_view(result: Form) -> AblationView:
    """The view of a result as the log holds it."""
    design = words.name(str(result["design"]), 40)
    sentences = [words.name(e["sentence"], 600) for e in findings(result)]
    sentences += [
        words.name(e["crossing"]["sentence"], 300) for e in result["effects"] if e["crossing"]
    ]
    factors = result.get("factors") or {}
    return AblationView(
        title=f"Ablation, {design}, against {words.name(str(result['reference']), 60)}",
        metric=words.name(str(result["metric"]), 60),
        sentences=tuple(sentences),
        rows=tuple(_row(e) for e in result["effects"]),
        arms=tuple(_arm(v) for v in result["variants"]),
        factors=tuple(plots.shares(result)),
        interactions=tuple(
            (f"{words.name(a, 30)} and {words.name(b, 30)}", words.signed(x), words.number(q, 2))
            for a, b, x, q in factors.get("interactions", ())
        ),
        notes=(*(words.name(n, 600) for n in result["notes"]), _luck(result)),
        roles=tuple(_roles(result)),
        effects=plots.effects(result),
        curves=plots.curves(result) if result["curves"] else None,
        responses=plots.responses(result) if any(e["shifts"] for e in result["effects"]) else None,
    )


def _luck(result: Form) -> str:
    if result["luck"].startswith("one"):
        return (
            "Each variant was searched once, so the luck of the search is not in the intervals. "
            "Use searches=3."
        )
    return "The luck of the search is in the intervals: each variant was searched several times."


def _row(effect: Form) -> Row:
    retuned = effect["retuned"]
    return Row(
        words.name(str(effect["component"]), 40),
        plots.shown(effect["untuned"]),
        plots.shown(retuned),
        words.number(retuned["p"], 2) if retuned else "–",
        plots.shown(effect["misattribution"]),
        words.name(str(effect["flag"]), 30),
    )


def _arm(variant: Form) -> Arm:
    configs = []
    for search in variant["searches"]:
        if search["config"] is None:
            configs.append("no trial has a value")
            continue
        edge = set(search["edge"])
        settings = (
            f"{words.name(n, 40)} = {words.value(v)}{' (edge)' if n in edge else ''}"
            for n, v in search["config"].items()
        )
        configs.append(", ".join(settings))
    failed = f", {variant['failed']:,} failed" if variant["failed"] else ""
    return Arm(
        words.name(str(variant["name"]), 60),
        words.number(variant["score"]) if variant["score"] is not None else "–",
        f"{variant['trials']:,}{failed}",
        f"{variant['fits']:,}",
        words.seconds(variant["cpu_s"]),
        words.energy(variant["kwh"]) if variant.get("kwh") else "–",
        tuple(dict.fromkeys(configs)),
    )


def _roles(result: Form) -> Sequence[tuple[str, str]]:
    roles = result["roles"]
    tuned = list(dict.fromkeys(n for names in roles["nuisance"].values() for n in names))
    fixed = ", ".join(f"{words.name(n, 40)} = {words.value(v)}" for n, v in roles["fixed"].items())
    return [
        ("asked about", ", ".join(words.name(n, 40) for n in roles["scientific"])),
        ("tuned anew for each variant", ", ".join(words.name(n, 40) for n in tuned) or "nothing"),
        ("held; conclusions hold for these values", fixed or "nothing that has a known range"),
    ]


def ablation_text(view: AblationView, *, width: int = 80) -> str:
    """The ablation for a terminal: sentences first, then the numbers."""
    lines = [view.title, ""]
    for sentence in view.sentences:
        lines += [*wrap(sentence, width), ""]
    if view.rows:
        lines += _table(
            ("component", "verdict", "untuned", "re-tuned", "p", "was tuning"),
            [(r.component, r.flag, r.untuned, r.retuned, r.p, r.misattribution) for r in view.rows],
            width,
        )
        said = f"Loss without it, in {view.metric}; intervals hold for all rows at once."
        lines += ["", said, ""]
    lines += _table(
        ("variant", view.metric, "trials", "fits", "CPU time", "energy"),
        [(a.name, a.score, a.trials, a.fits, a.cpu, a.energy) for a in view.arms],
        width,
    )
    if view.factors:
        lines += ["", *_table(("component", "main effect", "share"), view.factors, width)]
    if view.interactions:
        heads = ("together, beyond each", "interaction", "p")
        lines += ["", *_table(heads, view.interactions, width)]
    for note in view.notes:
        lines += ["", *wrap(note, width)]
    return "\n".join(lines) + "\n"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    cells = [tuple(heads), *map(tuple, rows)]
    sizes = [max(map(len, column)) for column in zip(*cells, strict=True)]
    if sum(sizes) + 2 * len(sizes) <= width + 2:
        return [
            "  ".join(t.ljust(s) for t, s in zip(row, sizes, strict=True)).rstrip() for row in cells
        ]
    found = []
    for row in rows:
        found.append(row[0])
        found += [f"  {head}: {cell}" for head, cell in zip(heads[1:], row[1:], strict=True)]
    return found
