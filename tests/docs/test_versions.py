"""The lowest versions: what pyproject promises, what `make test-lowest` installs, and what the page says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OURS = set(EXTRAS) - {"all", "bench", "dev", "docs", "gpu", "proofs"}
PAGE = (ROOT / "docs" / "versions.md").read_text("utf-8")
LOWEST = dict(
    line.lower().split("==")
    for line in (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
    if "==" in line
)
BOUNDS = [
    bound
    for bound in [*PROJECT["dependencies"], *(one for name in OURS for one in EXTRAS[name])]
    if ">=" in bound
]


def parts(version):
    return [*map(int, version.split(".")), 0, 0][:3]


@pytest.mark.parametrize("bound", sorted(BOUNDS))
def test_a_lower_bound_is_the_version_that_is_tried(bound):
    name, version = re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", bound).groups()
    tried = LOWEST.get(name.lower()) or LOWEST[f"{name.lower()}-cpu"]
    assert parts(tried) == parts(version)


def test_every_extra_is_tried_at_its_lowest_by_a_command_or_said_to_be_by_hand():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    (said,) = re.findall(r"^EXTRAS := (.+)$", makefile, re.MULTILINE)
    (beside,) = re.findall(r"^BESIDE := (.+)$", makefile, re.MULTILINE)
    inside = {"sklearn", "parquet"}  # of [all]
    by_hand = {"keras", "lightning", "torch", "transformers"}
    assert {*said.split(","), "boosting"} | inside | by_hand == OURS
    for bound in EXTRAS["boosting"]:
        assert re.split("[>=]", bound)[0] in beside


@pytest.mark.parametrize("extra", sorted(OURS))
def test_every_extra_is_on_the_page(extra):
    assert f"`{extra}`" in PAGE
