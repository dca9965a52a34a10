"""The table of features: each tool is in it, each link leads to a test, and no "yes" stands without one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "features.md"
TESTS = re.compile(r"^ *(?:def test_|class (?=Test))(\w+)", re.MULTILINE)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| feature")
]


def claims(row):
    """What is wrong with a row."""
    feature, _, stands, shown = row
    links = re.findall(r"\]\((\.\./tests/[\w/.]+)(?: \"([\w, ]+)\")?\)", shown)
    if stands.split(":")[0].split(",")[0] not in ("yes", "part", "no"):
        return f"{feature}: {stands!r} is none of yes, part, no"
    if stands.startswith("yes") and not any(named for _, named in links):
        return f"{feature}: no test shows it"
    for link, named in links:
        path = (PAGE.parent / link).resolve()
        there = TESTS.findall(path.read_text("utf-8")) if path.is_file() else []
        if not there:
            return f"{feature}: {link} holds no test"
        for name in filter(None, named.split(", ")):
            if name not in there:
                return f"{feature}: {link} has no test {name}"
    return None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_what_a_test_shows(row):
    assert len(row) == 4
    assert claims(row) is None


def test_rows_that_claim_too_much_are_caught():
    assert claims(["x", "O", "yes", ""])
    assert claims(["x", "O", "part", "[a](../tests/unit/test_nowhere.py)"])
    assert claims(["x", "O", "part", "[a](../tests/unit/lab.py)"])
    assert claims(["x", "O", "sure", "[a](../tests/unit/test_study.py)"])
    assert claims(["x", "O", "yes", "[a](../tests/unit/test_study.py)"])
    assert claims(["x", "O", "yes", '[a](../tests/unit/test_study.py "no_such_test")'])
    here = '[a](../tests/docs/test_features.py "every_tool_is_in_the_table")'
    assert not claims(["x", "O", "yes", here])
    assert not claims(["x", "O", "no", ""])


@pytest.mark.parametrize("tool", "OSRAMNFKWk")
def test_every_tool_is_in_the_table(tool):
    named = [row[0] for row in ROWS if tool in re.sub(r"each its own", "", row[1])]
    assert len(named) >= 5, named
