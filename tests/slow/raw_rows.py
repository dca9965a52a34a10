"""Rows of many studies in a file, a line each, so that a long run may be spread over many calls."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def go_on(
    raw: Path, most: int, total: int, row: Callable[[int], dict[str, Any]]
) -> list[dict[str, Any]] | None:
    """Add at most `most` further rows, `row(n)` of number n; all of them once there are `total`."""
    rows = (
        [json.loads(line) for line in raw.read_text("utf-8").splitlines()] if raw.exists() else []
    )
    with raw.open("a", encoding="utf-8") as file:
        for number in range(len(rows), min(len(rows) + most, total)):
            rows.append(row(number))
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    return rows if len(rows) == total else None
