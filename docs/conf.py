"""How the documentation is built: `make docs`."""

from __future__ import annotations

from html import escape
from typing import Any

from sphinx.addnodes import download_reference
from sphinx.writers.html5 import HTML5Translator

from assay import __version__

project = "Assay"
author = "The Assay developers"
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["build", "site"]
html_theme = "furo"
html_title = "Assay"
html_static_path = ["site"]
html_css_files = ["assay.css"]
pygments_dark_style = "github-dark"  # the theme's own underlines modules like links
myst_heading_anchors = 3
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
suppress_warnings = ["myst.xref_missing"]  # pages link to files of the repository too


def setup(app: Any) -> None:
    """Keep the titles of links to files, which Sphinx drops: in the table of features they name the tests."""
    leave = HTML5Translator.depart_download_reference
    app.add_node(download_reference, override=True, html=(_with_title, leave))


def _with_title(writer: HTML5Translator, node: Any) -> None:
    HTML5Translator.visit_download_reference(writer, node)
    if title := node.get("reftitle"):
        writer.body[-1] = writer.body[-1].replace("<a ", f'<a title="{escape(title)}" ', 1)
