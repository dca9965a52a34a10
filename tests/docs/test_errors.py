"""Each error and each way in which a trial can fail has its section; each check its page."""

from __future__ import annotations

import ast
import pickle
import re
import traceback
from pathlib import Path
from typing import get_args

from click.testing import CliRunner

from assay.checks.finding import TITLES
from assay.cli import assay as command
from assay.core import errors
from assay.core.jobs import BrokenKind

DOCS = Path(__file__).resolve().parents[2] / "docs"
SOURCE = DOCS.parent / "src" / "assay"
PAGE = (DOCS / "errors.md").read_text("utf-8")


def sections():
    """Title and text of each section, by its code."""
    parts = re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]
    found = [(part.splitlines()[0].split(": "), part) for part in parts]
    return {code: (title, part) for (code, title), part in found}


def every_error():
    """Name and code, None if it is its parent's, of all that are defined anywhere in the package."""
    classes = {
        node.name: node
        for path in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    }
    found, before = {"AssayError"}, set()
    while found != before:
        before = set(found)
        found |= {n for n, c in classes.items() if found & {ast.unparse(b) for b in c.bases}}
    return {name: code_of(classes[name]) for name in found - {"AssayError"}}


def code_of(node):
    given = [
        line.value.value
        for line in node.body
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code"
    ]
    return given[0] if given else None


def test_every_error_has_a_code_and_a_section_that_says_what_to_do():
    found = every_error()
    own = {code: name for name, code in found.items() if code}
    assert len(own) == sum(code is not None for code in found.values()), "a code is used twice"
    assert own.keys() == sections().keys()
    assert {name for name, code in found.items() if not code} == {"ForeignFileError", "SparseError"}
    for code, (title, text) in sections().items():
        assert title == ("Trials that fail" if code == "A110" else own[code])
        assert len(text.split()) > 30, title
        assert "Exit code" in text or "exit code" in text or code == "A110", title


def test_codes_stay():
    known = [
        "SpaceError", "SpecError", "DataError", "StateError", "SealError", "StoreError",
        "ConflictError", "DeniedError", "TamperError",
    ]  # fmt: skip
    assert [getattr(errors, name).code for name in known] == [f"A{101 + i}" for i in range(9)]


def test_the_code_is_shown_and_is_no_part_of_the_message():
    error = errors.SealError("It was opened before.")
    for one in (error, pickle.loads(pickle.dumps(error))):
        assert str(one) == "It was opened before."
        shown = "".join(traceback.format_exception(one)).splitlines()
        assert shown[-2:] == [
            "assay.core.errors.SealError: It was opened before.",
            "[A105: docs/errors.md]",
        ]
    done = CliRunner().invoke(command, ["status", "nothing", "--storage", "no/such/file.db"])
    assert re.search(r"^Error: .* \[A10\d\]$", done.stderr, re.MULTILINE)


def test_every_way_to_fail_is_explained():
    rows = re.findall(r"^\| `(\w+)` \|", sections()["A110"][1], re.MULTILINE)
    assert sorted(rows) == sorted(get_args(BrokenKind))


def test_every_check_has_its_page():
    for code in TITLES:
        page = (DOCS / "checks" / f"{code}.md").read_text("utf-8")
        assert "**What to do**" in page, code
        assert "**Levels**" in page, code
