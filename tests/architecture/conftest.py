"""The source as the architecture tests see it: parsed, never imported."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "assay"


@dataclass(frozen=True)
class Module:
    """One source file; `imports` are the absolute dotted names of all that it imports, anywhere."""

    name: str
    file: Path
    text: str
    tree: ast.Module
    imports: tuple[str, ...]

    @property
    def part(self) -> str:
        """The top-level part of the package that it belongs to; "" for the package itself."""
        return self.name.partition(".")[2].partition(".")[0]

    def belongs_to(self, *homes: str) -> bool:
        """Whether it is one of these modules or lies in one of these packages."""
        return any(self.name == home or self.name.startswith(home + ".") for home in homes)


def _module(file: Path, text: str) -> Module:
    """The module that `file`, relative to the package, is or would be."""
    parts = ("assay", *file.with_suffix("").parts)
    package = parts[:-1]
    name = ".".join(package if parts[-1] == "__init__" else parts)
    tree = ast.parse(text)
    return Module(name, file, text, tree, tuple(_imports(tree, package)))


def _imports(tree: ast.Module, package: tuple[str, ...]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{origin}.{alias.name}" for alias in node.names)


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def source() -> list[Module]:
    paths = sorted(PACKAGE.rglob("*.py"))
    return [_module(path.relative_to(PACKAGE), path.read_text("utf-8")) for path in paths]


@pytest.fixture
def plant(source: list[Module]) -> Callable[[str, str], list[Module]]:
    """`plant(file, code)`: the source as if this code stood at the end of one of its files."""

    def planted(file: str, code: str) -> list[Module]:
        before = "".join(module.text for module in source if module.file == Path(file))
        others = [module for module in source if module.file != Path(file)]
        return [*others, _module(Path(file), f"{before}\n{code}\n")]

    return planted
