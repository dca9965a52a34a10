"""The report as Markdown: the same facts as the page, for a pull request or a wiki."""

from __future__ import annotations

from collections.abc import Iterator

from assay.report import figures, words
from assay.report.markdown_form import table, text
from assay.report.markdown_found import found
from assay.report.plots.draw import Figure
from assay.report.plots.draw import drawn as drawn_of
from assay.report.view import View

_MOST_TRIALS = 20


def markdown(view: View) -> str:
    r"""The report of a study as Markdown; whatever names hold, they stay text.

    >>> from assay.core.history import fold
    >>> from assay.core.space import Space
    >>> from assay.core.parameters import Float
    >>> from assay.core.spec import StudySpec
    >>> from assay.report.view import view_of
    >>> spec = StudySpec(Space(x=Float(0, 1, default=0.5)), {"value": "minimize"})
    >>> markdown(view_of("lab_1", spec, fold([]))).splitlines()[0]
    '# lab\\_1'
    """
    return "\n\n".join(part for part in _parts(view) if part) + "\n"


def _parts(view: View) -> Iterator[str]:
    card = view.card
    yield f"# {text(view.name)}"
    badge = f" [{text(card.badge)}]" if card.badge else ""
    yield f"**{text(card.claim)}**{badge}"
    yield text(card.sentence)
    if card.gain:
        yield f"Gain in {text(card.gain_of)} over the defaults: **{text(str(card.gain))}**"
    if card.action:
        yield f"What to do: **{text(card.action)}**."
    yield text(card.spent)
    for heading, drawn in _figures(view):
        yield f"## {heading}"
        yield table(drawn.table.heads, drawn.table.rows)
        yield "\n".join(f"*{text(note)}*" for note in drawn.notes)
    if view.changes:
        yield f"## {text(view.changes.title)}"
        rows = [
            (c.name, c.before or "not active", c.after or "not active") for c in view.changes.rows
        ]
        yield table(("parameter", "default", f"trial {view.changes.trial}"), rows)
    yield from found(view)
    yield from _record(view)
    yield from _trials(view)
    yield f"{view.events:,} events in the log." + (
        f" Hash of the last: `{view.head}`." if view.head else ""
    )


def _figures(view: View) -> Iterator[tuple[str, Figure]]:
    """The figures that there are, as their tables."""
    if view.numbers:
        yield "What was measured", figures.four_numbers(view.numbers)
    if view.flow:
        yield "How the trials went", figures.flow(view.flow)
    if view.course:
        yield "History", figures.history(view.course)
    if view.shadow:
        yield view.shadow.plot.title, drawn_of(view.shadow.plot)
    if view.steps:
        yield "From the defaults to the best", drawn_of(view.steps)
    if view.importance:
        yield "What mattered", figures.importance(view.importance)
    for plot in view.worth or ():
        yield plot.title, drawn_of(plot)
    if view.preflight and view.preflight.learning:
        yield view.preflight.learning.title, drawn_of(view.preflight.learning)
    if view.noise:
        yield "Noise", figures.noise(view.noise)


def _record(view: View) -> Iterator[str]:
    if view.cost:
        yield "## What it cost"
        stages = [*view.cost.stages, view.cost.total]
        rows = [
            (s.stage, f"{s.evaluations:,}", words.seconds(s.cpu_s), words.seconds(s.wall_s))
            for s in stages
        ]
        yield table(("stage", "evaluations", "CPU time", "wall-clock time"), rows)
    if view.preflight:
        yield f"## Data first: {text(view.preflight.verdict)}"
        yield table(
            ("check", "light", "found", "threshold", "overridden"),
            [
                (f"{c.code} {c.title}", c.level, f"{c.text} {c.advice}", c.threshold, c.override)
                for c in view.preflight.checks
            ],
        )
    if view.data_notes:
        yield "## What reading the data showed"
        yield "\n".join(f"* {text(note.level)}: {text(note.text)}" for note in view.data_notes)
    yield "## Plan and deviations"
    yield table(("what", "fixed before the first trial"), view.plan.facts)
    deviations = [(d.what, d.before, d.after, d.reason) for d in view.plan.deviations]
    yield table(("deviation", "planned", "done", "reason"), deviations) or "No deviations."
    yield "\n".join(f"* {text(remark)}" for remark in view.plan.remarks)
    yield "## Checklist"
    yield table(
        ("question", "answer", "detail", "asked by", "row of the log"),
        [
            (i.question, i.answer, i.detail, i.asked_by, "" if i.row is None else str(i.row))
            for i in view.checklist
        ],
    )
    if view.machine:
        yield "## Environment"
        yield table(("what", "found"), view.machine.facts)


def _trials(view: View) -> Iterator[str]:
    shown = view.trials
    if shown is None:
        return
    best = shown.best(_MOST_TRIALS)
    yield f"## The best of {len(shown.rows):,} trials"
    rows = [
        (
            str(row.number),
            *(words.score(v) for v in row.values or ()),
            row.gain.give_or_take if row.gain else "–",
            row.state,
            row.changed,
        )
        for row in best
    ]
    yield table(("trial", *shown.objectives, "gain", "state", "changed"), rows)
