"""Parts that decide are pure: what they need to know they are given."""

from __future__ import annotations

import ast

import pytest

PURE = (
    "assay.core",
    "assay.math",
    "assay.checks",
    "assay.samplers",
    "assay.schedulers",
    "assay.evaluation",
    "assay.analysis",
    "assay.engine.plan",
)
OUTSIDE_WORLD = {
    "asyncio", "datetime", "logging", "multiprocessing", "os", "pathlib", "random", "secrets",
    "shutil", "socket", "sqlite3", "subprocess", "tempfile", "threading", "time", "uuid",
}  # fmt: skip
TALK = {"breakpoint", "input", "open", "print"}
SEEDED = {  # everything else in numpy.random draws from the global generator
    "BitGenerator", "Generator", "MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64",
    "SeedSequence", "default_rng",
}  # fmt: skip
DRAWN_WITHOUT_SEED = SEEDED - {"BitGenerator", "Generator"}


def pure(source):
    return [module for module in source if module.belongs_to(*PURE)]


def impure_imports(source):
    return [
        f"{module.name} imports {target}"
        for module in pure(source)
        for target in module.imports
        if target.partition(".")[0] in OUTSIDE_WORLD
    ]


def impure_calls(source):
    return [
        f"{module.name}:{node.lineno} calls {ast.unparse(node.func)}"
        for module in pure(source)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in TALK
    ]


def hidden_randomness(source):
    return [
        f"{module.name}:{node.lineno} has randomness that nobody gave it: {ast.unparse(node)}"
        for module in pure(source)
        for node in ast.walk(module.tree)
        if _draws_from_the_global_generator(node) or _seeds_from_nowhere(node)
    ]


def _draws_from_the_global_generator(node):
    if isinstance(node, ast.ImportFrom):
        return node.module == "numpy.random" and any(n.name not in SEEDED for n in node.names)
    return (
        isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("np.random", "numpy.random")
        and node.attr not in SEEDED
    )


def _seeds_from_nowhere(node):
    if not isinstance(node, ast.Call) or node.keywords:
        return False
    name = ast.unparse(node.func).rpartition(".")[2]
    given = [a for a in node.args if not (isinstance(a, ast.Constant) and a.value is None)]
    return name in DRAWN_WITHOUT_SEED and not given


RULES = [impure_imports, impure_calls, hidden_randomness]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule, source):
    assert rule(source) == []


@pytest.mark.parametrize(
    ("rule", "file", "code"),
    [
        *((impure_imports, "core/space.py", f"import {name}") for name in sorted(OUTSIDE_WORLD)),
        (impure_imports, "samplers/extra.py", "from os.path import exists"),
        (impure_imports, "engine/plan.py", "def late():\n    from time import monotonic"),
        (impure_imports, "engine/plan/budget.py", "import time"),
        (impure_calls, "math/intervals.py", "print('n is small')"),
        (impure_calls, "evaluation/extra.py", "def load():\n    return open('x').read()"),
        (hidden_randomness, "math/extra.py", "import numpy as np\nx = np.random.rand(3)"),
        (hidden_randomness, "math/extra.py", "import numpy as np\nnp.random.seed(0)"),
        (hidden_randomness, "math/extra.py", "import numpy\nx = numpy.random.normal"),
        (hidden_randomness, "math/extra.py", "from numpy.random import shuffle"),
        (hidden_randomness, "math/extra.py", "import numpy as np\nr = np.random.default_rng()"),
        (hidden_randomness, "math/extra.py", "import numpy as np\nr = np.random.default_rng(None)"),
        (hidden_randomness, "core/rng.py", "from numpy.random import PCG64\ng = PCG64()"),
    ],
)
def test_a_fault_is_caught(rule, file, code, plant):
    assert rule(plant(file, code))


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("stores/extra.py", "import os, time\nprint(open(os.devnull))"),
        ("engine/run_extra.py", "import time"),
        ("samplers/random.py", "from assay.samplers.random import Random"),
        ("math/extra.py", "import numpy as np\nr = np.random.default_rng(7).random()"),
    ],
)
def test_what_is_allowed_passes(file, code, source, plant):
    for rule in RULES:
        assert rule(plant(file, code)) == rule(source)
