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
    Section("shadow", "The best so far on other rows"),
    Section("changes", "What changed"),
    Section("steps", "From the defaults to the best"),
    Section("audit", "Which changes did it"),
    Section("singles", "What single changes did"),
    Section("importance", "What mattered"),
    Section("ablations", "What each component contributes"),
    Section("recheck", "How the winner was chosen"),
    Section("worth", "Was it worth it?"),
    Section("cost", "What it cost"),
    Section("preflight", "Data first"),
    Section("data_notes", "What reading the data showed"),
    Section("plan", "Plan and deviations"),
    Section("noise", "Noise"),
    Section("test", "The sealed test set"),
    Section("procedure", "In place of a test set"),
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
def environment(*parts: str) -> Environment:
    """Where templates are found: in these parts of the package, or in this one.

    Every value that they show is escaped.
    """
    from jinja2 import ChoiceLoader, Environment, FunctionLoader, StrictUndefined

    def loader(part: str) -> FunctionLoader:
        return FunctionLoader(lambda name: _template(part, name))

    environment = Environment(
        loader=ChoiceLoader([loader(part) for part in parts or ("assay.report",)]),
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


def _template(part: str, name: str) -> str | None:
    found = files(part).joinpath("templates", name)
    return found.read_text(encoding="utf-8") if found.is_file() else None


def as_is(text: str) -> Any:
    """HTML that a template of ours has made already."""
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - escaped when it was made


@cache
def text_of(name: str) -> str:
    """A file of this part, such as a style sheet."""
    return files("assay.report").joinpath(name).read_text(encoding="utf-8")
