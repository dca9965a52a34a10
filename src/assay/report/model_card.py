"""A model card: what a study says of its model, in Markdown. Pure."""

from __future__ import annotations

from assay.report import words
from assay.report.markdown_form import text
from assay.report.view import View


def model_card(view: View) -> str:
    """The card of the recommended settings; what a log cannot know is asked, not guessed.

    Source: sections of Mitchell et al. 2019, Model Cards for Model Reporting, as far as a study has
    facts for them.
    """
    card = view.card
    lines = [
        f"# Model card: {text(view.name)}",
        "",
        "## Result",
        "",
        f"**{text(card.claim)}**" + (f" ({text(card.badge)})" if card.badge else ""),
        "",
    ]
    lines += [text(card.sentence), ""]
    for one in view.ablations or ():
        lines += ["## What each component contributes", "", text(one.title), ""]
        lines += [*(f"- {text(sentence)}" for sentence in one.sentences), ""]
    if view.numbers is not None:
        lines += ["## Metrics", "", "| | value | 95 % interval |", "|---|---|---|"]
        for bar in view.numbers.bars:
            ends = "–"
            if bar.low is not None and bar.high is not None:
                ends = f"{words.number(bar.low)} to {words.number(bar.high)}"
            lines.append(f"| {_cell(bar.label)} | {words.number(bar.value)} | {ends} |")
        lines.append("")
    if view.changes is not None:
        lines += ["## Settings", "", "| parameter | default | this model |", "|---|---|---|"]
        lines += [
            f"| {_cell(row.name)} | {_cell(row.before)} | {_cell(row.after)} |"
            for row in view.changes.rows
        ]
        lines.append("")
    lines += ["## Data and plan", ""]
    lines += [f"- {_cell(what)}: {_cell(fact)}" for what, fact in view.plan.facts]
    if view.plan.deviations:
        lines += ["", "Off plan:", ""]
        lines += [f"- {_cell(d.what)}: {_cell(d.reason)}" for d in view.plan.deviations]
    lines += ["", "## Cost", "", text(_cost(view)), ""]
    lines += ["## To be filled in by a person", ""]
    lines += [
        f"- {text(item.question)}" for item in view.checklist if item.answer == "not recorded"
    ]
    lines += [
        "",
        f"Made from a log of {view.events:,} events, head `{view.head or 'not known'}`.",
        "",
    ]
    return "\n".join(lines)


def _cost(view: View) -> str:
    """That of an ablation is the sum over its searches, as its result holds it."""
    if view.cost:
        return str(view.cost)
    return view.card.spent if view.ablations else "not recorded"


def _cell(given: str | None) -> str:
    return text(given or "–")
