"""Result files: one for each tuner, one JSON line a run; `.jsonl` while it grows, `.jsonl.gz` when done."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "results"


def read(folder, tuner):
    """The runs of a tuner; of several with equal seeds the one with most trials.

    A line that was cut off by a kill is left out.
    """
    longest = {}
    for path in (folder / f"{tuner}.jsonl.gz", folder / f"{tuner}.jsonl"):
        if path.exists():
            text = path.read_bytes()
            lines = (gzip.decompress(text) if path.suffix == ".gz" else text).split(b"\n")
            for row in map(json.loads, lines[:-1]):
                run = row["problem"], row["seed"]
                longest[run] = max(longest.get(run, row), row, key=_trials)
    return list(longest.values())


def _trials(row):
    return row.get("budget", 0)


def tuners_in(folder):
    """The names of the tuners that have results."""
    return sorted({path.name.split(".jsonl")[0] for path in folder.glob("*.jsonl*")})


def append(folder, tuner, row):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{tuner}.jsonl"
    _drop_half_a_line(path)
    with path.open("a", encoding="utf-8") as out:
        out.write(json.dumps(row, separators=(",", ":")) + "\n")


def _drop_half_a_line(path):
    text = path.read_bytes() if path.exists() else b""
    if not text.endswith(b"\n"):
        path.write_bytes(text[: text.rfind(b"\n") + 1])


def pack(folder, tuner):
    """Put all runs of a tuner in one compressed file, sorted; equal runs give an equal file."""
    rows = sorted(read(folder, tuner), key=lambda row: (row["problem"], row["seed"]))
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    (folder / f"{tuner}.jsonl.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (folder / f"{tuner}.jsonl").unlink(missing_ok=True)
