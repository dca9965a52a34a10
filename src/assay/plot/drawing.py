"""A figure in the hands of its user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from assay.core.errors import SpecError
from assay.report.plots.form import Lines, Panel, Plot, Table

_INSTALL = "This needs {0}, which is not installed: pip install 'assay[plot]'."


class Drawing:
    """What a figure shows, as plain arrays. A notebook draws it without any other package."""

    def __init__(self, plot: Plot) -> None:
        self.plot = plot

    @property
    def title(self) -> str:
        """What it is."""
        return self.plot.title

    @property
    def panels(self) -> Sequence[Panel]:
        """Its pairs of axes with their marks; none if there is nothing to draw, or for parallel axes."""
        return self.plot.panels

    @property
    def lines(self) -> Lines | None:
        """The parallel axes and the lines across them, if it has such."""
        return self.plot.lines

    @property
    def table(self) -> Table:
        """Its numbers as text."""
        return self.plot.table

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self.plot)

    def svg(self) -> str:
        """The drawing as SVG without colours of its own; the page's style sets them."""
        from assay.report.plots.draw import drawn

        return drawn(self.plot).wide

    def matplotlib(self) -> Any:
        """Drawn with matplotlib, as its Figure.

        Raises:
            SpecError: matplotlib is not installed.
        """
        try:
            from assay.plot.with_matplotlib import draw
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return draw(self.plot)

    def plotly(self) -> Any:
        """Drawn with plotly, as its Figure.

        Raises:
            SpecError: plotly is not installed.
        """
        try:
            from assay.plot.with_plotly import draw
        except ModuleNotFoundError as error:
            raise _missing(error) from error
        return draw(self.plot)

    def _repr_html_(self) -> str:
        from assay.report.snippet import figure_snippet

        return figure_snippet(self.plot)

    def __repr__(self) -> str:
        return f"<figure {self.plot.kind!r}: {self.plot.about}>"


def _missing(error: ModuleNotFoundError) -> Exception:
    package = (error.name or "").partition(".")[0]
    return SpecError(_INSTALL.format(package)) if package in ("matplotlib", "plotly") else error
