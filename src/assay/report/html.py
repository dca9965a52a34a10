"""The report as one HTML page that needs nothing else: no script, no font, no image from outside."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from assay.report import figures, words
from assay.report.view import View

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Section:
    """A part of the page: shown when the part of the view with its name has facts."""

    part: str
    heading: str

    @property
    def template(self) -> str:
        return f"{self.part}.html"


SECTIONS = (
    Section("numbers", "What was measured"),
    Section("front", "The front"),
    Section("flow", "How the trials went"),
    Section("course", "History"),
    Section("changes", "What changed"),
    Section("importance", "What mattered"),
    Section("ablations", "What each component contributes"),
    Section("recheck", "How the winner was chosen"),
    Section("cost", "What it cost"),
    Section("data_notes", "Data first"),
    Section("plan", "Plan and deviations"),
    Section("noise", "Noise"),
    Section("test", "The sealed test set"),
    Section("checklist", "Checklist"),
    Section("machine", "Environment"),
    Section("trials", "All trials"),
)
"""In the order of the page. A new section is an attribute of `View`, a line here and a template."""


def page(view: View) -> str:
    """The report of a study as a whole HTML page.

    >>> from assay.core.history import fold
    >>> from assay.core.space import Space
    >>> from assay.core.parameters import Float
    >>> from assay.core.spec import StudySpec
    >>> from assay.report.view import view_of
    >>> spec = StudySpec(Space(x=Float(0, 1, default=0.5)), {"value": "minimize"})
    >>> page(view_of("lab", spec, fold([]))).startswith("<!doctype html>")
    True
    """
    shown = [section for section in SECTIONS if getattr(view, section.part) is not None]
    template = environment().get_template("page.html")
    return template.render(view=view, sections=shown, style=style(), figures=figures)


def style() -> str:
    """The style of a whole page."""
    return "".join(map(text_of, ("colours.css", "style.css", "chart.css")))


@cache
def environment() -> Environment:
    """Where templates are found; every value that they show is escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    environment = Environment(
        loader=FunctionLoader(lambda name: text_of(f"templates/{name}")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "number": words.number,
        "score": words.score,
        "signed": words.signed,
        "seconds": words.seconds,
        "count": words.count,
    }
    environment.filters.update(filters)
    environment.globals["span"] = words.span
    return environment


@cache
def text_of(name: str) -> str:
    """A file of this part, such as a style sheet."""
    return files("assay.report").joinpath(name).read_text(encoding="utf-8")
