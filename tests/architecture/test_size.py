"""A file is one idea, a function a few lines."""

from __future__ import annotations

import ast

import pytest

LONGEST_MODULE = 500
LONGEST_FUNCTION = 60  # lines of code; the docstring may be as long as it must
VAGUE = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}


def long_modules(source):
    return [
        f"{module.name} has {lines} lines; {LONGEST_MODULE} are the most"
        for module in source
        if (lines := len(module.text.splitlines())) > LONGEST_MODULE
    ]


def long_functions(source):
    return [
        f"{module.name}:{node.lineno} {node.name} has {lines} lines of code"
        for module in source
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := _lines_of_code(node)) > LONGEST_FUNCTION
    ]


def _lines_of_code(node):
    body = node.body[1:] if ast.get_docstring(node, clean=False) else node.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def vague_names(source):
    return [module.name for module in source if module.name.rpartition(".")[2] in VAGUE]


RULES = [long_modules, long_functions, vague_names]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_source_keeps_the_rule(rule, source):
    assert rule(source) == []


@pytest.mark.parametrize(
    ("rule", "file", "code"),
    [
        (long_modules, "core/extra.py", "x = 1\n" * LONGEST_MODULE),
        (long_functions, "core/extra.py", "def f():\n" + "    x = 1\n" * (LONGEST_FUNCTION + 1)),
        (vague_names, "core/util.py", "x = 1"),
        (vague_names, "helpers/__init__.py", "x = 1"),
    ],
)
def test_a_fault_is_caught(rule, file, code, plant):
    assert rule(plant(file, code))


def test_a_docstring_does_not_make_a_function_long(plant):
    code = 'def f():\n    """Says.\n' + "    much\n" * LONGEST_FUNCTION + '    """\n    return 1\n'
    assert long_functions(plant("core/extra.py", code)) == []
