"""A piece of a page for notebooks: it brings its own style, and touches nothing around it."""

from __future__ import annotations

from functools import cache

from assay.report.html import environment, text_of
from assay.report.plots.draw import drawn
from assay.report.plots.form import Plot
from assay.report.view import View


def figure_snippet(plot: Plot) -> str:
    """A figure with its legend and its table."""
    template = environment().get_template("snippet_figure.html")
    return template.render(style=_style(), drawn=None if plot.empty else drawn(plot), plot=plot)


def view_snippet(view: View) -> str:
    """The verdict card of a study, its numbers, and its best trials."""
    from assay.report import figures

    template = environment().get_template("snippet_study.html")
    return template.render(style=_style(), view=view, figures=figures)


def card_snippet(view: View) -> str:
    """The verdict card alone."""
    return environment().get_template("snippet_card.html").render(style=_style(), view=view)


@cache
def _style() -> str:
    """The style of figures, cards and tables, for what lies in a snippet alone."""
    colours = text_of("colours.css").replace(":root", ".assay-snippet")
    rules = text_of("style.css").split("@media print")[0]
    kept = [
        rule
        for rule in rules.splitlines()
        if rule.startswith(
            (".card", ".badge", "table", "caption", "th", ".n ", ".scroll", "summary")
        )
    ]
    scoped = "\n".join(f".assay-snippet {rule}" for rule in kept)
    base = ".assay-snippet { background: var(--paper); color: var(--ink); padding: .5rem; font: 14px/1.5 system-ui, sans-serif; }"
    return "\n".join([colours, base, scoped, text_of("chart.css")])
