"""The site that `make docs` builds."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

pytest.importorskip("furo")
pytest.importorskip("myst_parser")
sphinx = pytest.importorskip("sphinx.cmd.build")

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with a link to a file and a table without headings, built as ours are."""
    source, built = tmp_path_factory.mktemp("docs"), tmp_path_factory.mktemp("built")
    shutil.copy(DOCS / "conf.py", source)
    shutil.copytree(DOCS / "site", source / "site")
    (source / "test_it.py").write_text("def test_a(): ...\n")
    (source / "index.md").write_text('# Page\n\n[it](test_it.py "a <b>, c") [bare](test_it.py)\n')
    assert sphinx.main(["-W", "-q", str(source), str(built)]) == 0
    return (built / "index.html").read_text("utf-8")


def test_the_title_of_a_link_to_a_file_is_kept(page):
    named, bare = re.findall(r"<a [^>]*reference download[^>]*>", page)
    assert 'title="a &lt;b&gt;, c"' in named
    assert "_downloads/" in named
    assert "title=" not in bare


def test_our_style_is_on_the_page(page):
    assert re.search(r'href="_static/assay\.css', page)
