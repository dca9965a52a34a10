"""The pages say what is true: code runs, files that are named exist, every page can be reached."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
_BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize(
    "page", ["tutorial", "concepts", "callbacks", "optuna", "sklearn", "spaces", "tracking"]
)
def test_the_code_of_a_page_runs_in_order(page, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    blocks = _BLOCK.findall((DOCS / f"{page}.md").read_text("utf-8"))
    assert blocks
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks:
        exec(compile(block, f"{page}.md", "exec", dont_inherit=True), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tests_that_a_page_names_exist(page):
    there = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    for name in re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)`", page.read_text("utf-8")):
        assert (ROOT / name).is_file() or name in there, name


def test_every_page_is_in_the_index():
    index = (DOCS / "index.md").read_text("utf-8").split()
    assert [page.stem for page in PAGES if page.stem not in index and page.stem != "index"] == []


def test_links_between_pages_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([\w./-]+\.\w+)(?:#[\w-]+)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
