"""Each error and each way in which a trial can fail has its section; each check its page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from assay.checks.finding import TITLES
from assay.core import errors
from assay.core.jobs import BrokenKind

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "errors.md").read_text("utf-8")


def sections():
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0]: part for part in parts}


def test_every_error_has_a_section_that_says_what_to_do():
    known = {
        n
        for n, e in vars(errors).items()
        if isinstance(e, type) and issubclass(e, errors.AssayError)
    }
    assert set(sections()) == (known - {"AssayError"}) | {"Trials that fail"}
    for name, text in sections().items():
        assert len(text.split()) > 30, name
        assert "Exit code" in text or "exit code" in text or name == "Trials that fail", name


def test_every_way_to_fail_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", sections()["Trials that fail"], re.MULTILINE)
    assert sorted(rows) == sorted(get_args(BrokenKind))


def test_every_check_has_its_page():
    for code in TITLES:
        page = (DOCS / "checks" / f"{code}.md").read_text("utf-8")
        assert "**What to do**" in page, code
        assert "**Levels**" in page, code
