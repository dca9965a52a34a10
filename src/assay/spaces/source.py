"""Python text that is read and never run: literals, and calls of a few names that are allowed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from typing import Any

from assay.core.errors import SpaceError

Calls = Mapping[str, Callable[..., Any]]


def parsed(text: str) -> ast.Module:
    """The syntax tree of a text.

    Raises:
        SpaceError: this is no Python.
    """
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise SpaceError(f"This is no Python text: {error}.") from None


def value_of(node: ast.AST, calls: Calls) -> Any:
    """What an expression stands for, if it is made of literals and of `calls` alone.

    Raises:
        SpaceError: it has anything else, which would have to be run.

    >>> value_of(parsed("f(1, x=[-2])").body[0].value, {"f": lambda a, x: (a, x)})
    (1, [-2])
    """
    match node:
        case ast.List(elts=items):
            return [value_of(item, calls) for item in items]
        case ast.Tuple(elts=items):
            return tuple(value_of(item, calls) for item in items)
        case ast.Dict(keys=keys, values=values) if None not in keys:
            pairs = zip(keys, values, strict=True)
            return {value_of(k, calls): value_of(v, calls) for k, v in pairs if k is not None}
        case ast.Call(func=func, args=args, keywords=words) if last_name(func) in calls:
            named = {word.arg: value_of(word.value, calls) for word in words if word.arg}
            try:
                return calls[last_name(func)](*(value_of(arg, calls) for arg in args), **named)
            except TypeError as error:
                raise _refused(node, str(error)) from None
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, RecursionError):
        known = f" and {', '.join(sorted(calls))}" if calls else ""
        raise _refused(node, f"it is read and not run: write literals{known}") from None


def last_name(node: ast.AST) -> str:
    """`Float` of `assay.Float`; empty if it is no name."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _refused(node: ast.AST, why: str) -> SpaceError:
    text = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    return SpaceError(f"Line {getattr(node, 'lineno', 1)}: {text[:80]!r}: {why.rstrip('.')}.")
