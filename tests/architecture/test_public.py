"""What users see: the public names, what importing them costs, and that the docs know them."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import pytest

import assay

HEAVY = (
    "scipy", "sklearn", "pandas", "pyarrow", "rich", "click", "psutil", "cloudpickle", "jinja2",
    "starlette", "uvicorn", "anyio",
)  # fmt: skip


@pytest.mark.parametrize("name", assay.__all__)
def test_a_public_name_resolves_and_is_documented(name):
    try:
        value = getattr(assay, name)
    except ImportError as missing:
        if (missing.name or "").startswith("assay.") and not exists("assay.cli"):
            pytest.skip(f"{missing.name} is not written yet")
        raise
    assert undocumented(name, value) is None


def exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def undocumented(name, value):
    text = value.__doc__ or ""
    if not text.strip() or text.startswith(
        f"{name}("
    ):  # a dataclass without one gets its signature
        return f"assay.{name} has no docstring"
    return None


def test_a_missing_docstring_is_caught():
    bare = SimpleNamespace(__doc__=None)
    made_up = SimpleNamespace(__doc__="Budget(trials=None)")
    assert undocumented("Budget", bare)
    assert undocumented("Budget", made_up)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="Optimise"):
        _ = assay.Optimise


def loaded_by(code: str) -> set[str]:
    show = "import json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.parametrize("code", ["import assay", "import assay; assay.Space(x=assay.Float(0, 1))"])
def test_importing_loads_nothing_heavy(code):
    assert loaded_by(code).isdisjoint(HEAVY)


def test_a_heavy_import_would_be_seen():
    assert "psutil" in loaded_by("import assay, psutil")


# --- the docs know every command


def unlisted(commands, docs):
    return [name for name in commands if f"assay {name}" not in docs]


def test_the_docs_list_every_command(root):
    if not exists("assay.cli"):
        pytest.skip("assay.cli is not written yet")
    import click

    from assay import cli

    groups = [value for value in vars(cli).values() if isinstance(value, click.Group)]
    commands = {name for group in groups for name in group.list_commands(click.Context(group))}
    assert commands, "assay.cli has no click group with commands"
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    docs = "\n".join(page.read_text("utf-8") for page in pages if "decisions" not in page.parts)
    assert unlisted(sorted(commands), docs) == []


def test_an_unlisted_command_is_caught():
    assert unlisted(["tune", "verify"], "Run `assay tune data.csv`.") == ["verify"]
