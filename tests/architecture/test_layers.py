"""Imports point down, strangers stay strangers, and every third-party package has one home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

LAYERS = [  # from top to bottom; parts on one line do not import each other
    {"__main__"},
    {"cli", "testing"},
    {"callbacks", "hydra", "optuna", "sklearn", "tracking", "web"},
    {"plot"},
    {"api"},
    {"progress"},
    {"report"},
    {"engine"},
    {
        "samplers",
        "checks",
        "schedulers",
        "evaluation",
        "analysis",
        "stores",
        "executors",
        "learners",
        "inputs",
        "meters",
        "programs",
        "spaces",
    },
    {"math"},
    {"core"},
]
HEIGHT = {part: -depth for depth, layer in enumerate(LAYERS) for part in layer}

HOMES = {
    "catboost": ("assay.learners.boosted",),
    "click": ("assay.cli",),
    "cloudpickle": ("assay.executors",),
    "distributed": ("assay.executors.dask",),
    "hydra": ("assay.hydra",),
    "hypothesis": ("assay.testing",),
    "joblib": ("assay.sklearn",),
    "keras": ("assay.callbacks.with_keras",),
    "lightning": ("assay.callbacks.with_lightning",),
    "anyio": ("assay.web",),
    "jinja2": ("assay.report",),
    "lightgbm": ("assay.callbacks.with_lightgbm", "assay.learners.boosted"),
    "markupsafe": ("assay.report",),
    "matplotlib": ("assay.plot.with_matplotlib",),
    "mlflow": ("assay.tracking.mlflow",),
    "omegaconf": ("assay.hydra",),
    "optuna": ("assay.optuna",),
    "pandas": ("assay.inputs",),
    "pynvml": ("assay.meters.nvml",),
    "psutil": ("assay.executors", "assay.inputs", "assay.stores"),
    "psycopg": ("assay.stores.postgres.link",),
    "uvicorn": ("assay.web",),
    "threadpoolctl": ("assay.math.threads",),
    "plotly": ("assay.plot.with_plotly",),
    "pyarrow": ("assay.inputs",),
    "pytest": ("assay.testing",),
    "ray": ("assay.executors.ray",),
    "rich": ("assay.cli", "assay.progress"),
    "river": ("assay.learners.exhibits",),
    "sklearn": ("assay.learners", "assay.sklearn"),
    "starlette": ("assay.web",),
    "statsmodels": ("assay.learners.exhibits",),
    "submitit": ("assay.executors.slurm",),
    "tensorboard": ("assay.tracking.tensorboard",),
    "wandb": ("assay.tracking.wandb",),
    "torch": ("assay.callbacks.with_torch",),
    "transformers": ("assay.callbacks.with_transformers",),
    "xgboost": ("assay.callbacks.with_xgboost", "assay.learners.boosted"),
    "yaml": ("assay.spaces.formats",),
}
PURE = ("core", "math", "checks", "samplers", "schedulers", "evaluation", "analysis", "engine/plan")
ANYWHERE = {"assay", "msgspec", "numpy", "scipy", *sys.stdlib_module_names}


def part_of(target: str) -> str | None:
    """The part that an import from the package reaches; None for an import from elsewhere."""
    package, _, rest = target.partition(".")
    name = rest.partition(".")[0]
    if package != "assay" or name.startswith("__version"):
        return None
    return name if name in HEIGHT else "api"  # the public names are served by the top


def edges(source):
    for module in source:
        for target in module.imports:
            part = part_of(target)
            if module.part and part and part != module.part:
                yield module, part


def unknown_parts(source):
    return [f"{m.name} is in no layer" for m in source if m.part and m.part not in HEIGHT]


def upward_imports(source):
    return [
        f"{module.name} imports assay.{part}"
        for module, part in edges(source)
        if HEIGHT.get(module.part, 1) <= HEIGHT[part]
    ]


def cycles(source):
    graph: dict[str, set[str]] = {}
    for module, part in edges(source):
        graph.setdefault(module.part, set()).add(part)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def strays(source):
    """Imports of third-party packages away from their home, or of packages that have none."""
    return [
        f"{module.name} imports {target}"
        for module in source
        for target in module.imports
        if (package := target.partition(".")[0]) not in ANYWHERE
        and not module.belongs_to(*HOMES.get(package, ()))
    ]


RULES = [unknown_parts, upward_imports, cycles, strays]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule, source):
    assert rule(source) == []


@pytest.mark.parametrize(
    ("rule", "file", "code"),
    [
        (unknown_parts, "misc/thing.py", "x = 1"),
        (upward_imports, "core/space.py", "from assay.engine import plan"),
        (upward_imports, "core/space.py", "import assay.math.intervals"),
        (upward_imports, "core/space.py", "from assay import Study"),
        (upward_imports, "core/space.py", "def late():\n    import assay"),
        (upward_imports, "core/space.py", "from ..math import intervals"),
        (upward_imports, "math/__init__.py", "from .. import api"),
        (upward_imports, "analysis/verdict.py", "from assay.stores import sqlite"),
        (upward_imports, "report/html.py", "from assay.api import tune"),
        (cycles, "core/space.py", "from assay.math import intervals"),
        (strays, "report/html.py", "import sklearn.metrics"),
        (strays, "core/space.py", "from pandas import DataFrame"),
        (strays, "stores/memory.py", "import sqlalchemy"),
        (strays, "cli_extra.py", "import click"),
    ],
)
def test_a_fault_is_caught(rule, file, code, plant):
    assert rule(plant(file, code))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("engine/extra.py", "from assay import __version__"),
        ("core/space.py", "from . import errors"),
        ("cli/extra.py", "import click, rich.table\nfrom assay import Study"),
    ],
)
def test_what_is_allowed_passes(file, code, source, plant):
    for rule in RULES:
        assert rule(plant(file, code)) == rule(source)


# --- the same by import-linter, which also follows chains of imports


@pytest.fixture
def lint_imports(root, tmp_path):
    """`lint_imports(file, code)`: what import-linter says of a copy with this code planted."""
    script = Path(sys.executable).with_name("lint-imports")
    if not script.exists():
        pytest.skip("import-linter is not installed")
    for part in PURE:
        if not any(
            (root / "src" / "assay" / part).with_suffix(end).exists() for end in ("", ".py")
        ):
            pytest.skip(f"assay/{part} is not written yet")
    copied = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(root / "src", tmp_path / "src", ignore=copied)
    shutil.copy(root / "pyproject.toml", tmp_path)

    def run(file: str | None = None, code: str = "") -> subprocess.CompletedProcess[str]:
        if file is not None:
            path = tmp_path / "src" / "assay" / file
            path.parent.mkdir(exist_ok=True)
            with path.open("a", encoding="utf-8") as out:
                out.write(f"\n{code}\n")
        return subprocess.run(
            [script, "--no-cache"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(tmp_path / "src")},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_the_import_contracts_hold(lint_imports):
    done = lint_imports()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "code", "broken"),
    [
        ("core/errors.py", "import assay.math.checks", "Imports point down"),
        ("misc/__init__.py", "", "Imports point down"),
        ("core/errors.py", "def now():\n    import time", "Parts that decide"),
        ("engine/__init__.py", "import pandas", "Each third-party package"),
    ],
)
def test_the_import_contracts_catch_a_fault(file, code, broken, lint_imports):
    done = lint_imports(file, code)
    assert done.returncode == 1
    assert any(broken in line and "BROKEN" in line for line in done.stdout.splitlines()), (
        done.stdout
    )
