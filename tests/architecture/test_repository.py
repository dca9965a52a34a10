"""Nothing in the repository speaks of one machine, or of work left for later."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

MADE = {"build", "dist", "htmlcov", "__pycache__"}
TRIED = re.compile(r"assay-demo.*|report\.html|[^/]+\.db(-lock|-shm|-wal)?")  # by users, at the top
HIDDEN_BUT_OURS = {".ci", ".editorconfig", ".gitignore"}
TEXT = {"", ".cfg", ".css", ".html", ".js", ".json", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
LARGEST = 20_000_000

# spelled so that this file does not find itself
MACHINE = re.compile(rb"(?<![\w.-])/(?:wor[k]/|tm[p]/brief|roo[t]/|hom[e]/\w)|[.]librar[y]/")
LATER = re.compile(rb"\b(?:TOD[O]|FIXM[E]|XX[X])\b|\butil[s]\.py\b")


def files(root: Path) -> list[Path]:
    return [
        path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not any(_made(part) for part in path.relative_to(root).parts)
        and not TRIED.fullmatch(path.relative_to(root).parts[0])
    ]


def _made(part: str) -> bool:
    hidden = part.startswith(".") and part not in HIDDEN_BUT_OURS
    return hidden or part in MADE or part.endswith(".egg-info")


def found(pattern: re.Pattern[bytes], path: Path) -> list[str]:
    return [
        f"{path}:{number} {line[:100].decode(errors='replace')}"
        for number, line in enumerate(path.read_bytes().split(b"\n"), 1)
        if pattern.search(line)
    ]


def faults(root: Path) -> list[str]:
    paths = files(root)
    return [
        *(f"{path} is too large" for path in paths if path.stat().st_size > LARGEST),
        *(fault for path in paths for fault in found(MACHINE, path)),
        *(fault for path in paths if path.suffix in TEXT for fault in found(LATER, path)),
    ]


def test_the_repository_is_clean(root):
    assert faults(root) == []


@pytest.mark.parametrize(
    "text",
    [
        "see /wor" + "k/shared/notes.md",
        "'/tm" + "p/brief/x'",
        "a/.librar" + "y/search",
        "/roo" + "t/.cache",
        "# TOD" + "O: later",
        "FIXM" + "E",
        "from util" + "s.py",
    ],
)
def test_a_fault_is_caught(text, tmp_path):
    (tmp_path / "page.md").write_text(f"first\n{text}\n")
    assert len(faults(tmp_path)) == 1


def test_binary_files_are_searched_for_paths_too(tmp_path):
    (tmp_path / "study.bin").write_bytes(b"\0\xff /wor" + b"k/main \0 TOD" + b"O")
    assert len(faults(tmp_path)) == 1


@pytest.mark.parametrize("name", ["assay-demo/tree.db", "report.html", "lab.db", "lab.db-wal"])
def test_what_users_make_while_trying_things_is_not_the_repository(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("/wor" + "k/main")
    assert faults(tmp_path) == []
    inside = tmp_path / "docs" / name
    inside.parent.mkdir(parents=True)
    inside.write_text("/wor" + "k/main")
    assert len(faults(tmp_path)) == 1


@pytest.mark.parametrize("text", ["network/work/x", "https://example.org/home", "a todo list"])
def test_what_is_allowed_passes(text, tmp_path):
    (tmp_path / "page.md").write_text(text)
    assert faults(tmp_path) == []
