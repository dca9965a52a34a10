"""Small expressions over parameters, such as "min_leaf <= max_leaf / 2"; parsed, never evaluated as code."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from assay.core.errors import SpaceError, did_you_mean

Look = Callable[[Mapping[str, Any]], Any]

_MOST_BITS = 4096
_MOST_CHARACTERS = 2000


def _power(a: Any, b: Any) -> Any:
    if isinstance(a, int) and isinstance(b, int) and a.bit_length() * b > _MOST_BITS:
        raise OverflowError(f"{a:.3g} ** {b:.3g} is too large")
    return operator.pow(a, b)


def _numeric(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """`compute` for numbers only: text and lists could be multiplied to any size."""

    def checked(a: Any, b: Any) -> Any:
        if not (isinstance(a, int | float) and isinstance(b, int | float)):
            raise TypeError(f"cannot calculate with {a!r:.40} and {b!r:.40}")
        return compute(a, b)

    return checked


_BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: _numeric(operator.add), ast.Sub: _numeric(operator.sub),
    ast.Mult: _numeric(operator.mul), ast.Div: _numeric(operator.truediv),
    ast.FloorDiv: _numeric(operator.floordiv), ast.Mod: _numeric(operator.mod),
    ast.Pow: _numeric(_power),
}  # fmt: skip
_COMPARE: dict[type, Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
    ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
}  # fmt: skip
_UNARY: dict[type, Callable[[Any], Any]] = {
    ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos,
}  # fmt: skip
_CALLS: dict[str, Callable[..., Any]] = {"min": min, "max": max, "abs": abs, "len": len}


class Expression:
    """A condition on a config; `None` when it speaks of a parameter that is not active.

    Allowed: names of parameters, numbers, texts, lists, + - * / // % **, comparisons, `in`,
    and / or / not, and min, max, abs, len. Arithmetic is for numbers only, and powers of whole
    numbers end at 4,096 bits, so that no expression takes long or much memory.

    Raises:
        SpaceError: not such an expression, a name that is no parameter, or (when called) an
            impossible calculation.

    >>> Expression("a <= 2 * b", ["a", "b"])({"a": 3, "b": 2})
    True
    >>> Expression("a <= b", ["a", "b"])({"a": 3}) is None
    True
    """

    def __init__(self, text: str, known: Collection[str]) -> None:
        self.text = text
        tree = _parse(text)
        self.names = _names(tree)
        for name in sorted(self.names - set(known)):
            raise SpaceError(
                f"Expression {text!r}: no parameter {name!r}. {did_you_mean(name, known)}"
            )
        if not self.names:
            raise SpaceError(f"Expression {text!r} names no parameter.")
        try:
            self._look = _compile(tree, text)
        except RecursionError:
            raise SpaceError(f"The expression {text!r:.80} is nested too deeply.") from None

    def __reduce__(self) -> tuple[type[Expression], tuple[str, frozenset[str]]]:
        return Expression, (self.text, self.names)

    def __call__(self, config: Mapping[str, Any]) -> bool | None:
        if not self.names <= config.keys():
            return None
        try:
            return bool(self._look(config))
        except (TypeError, ValueError, ArithmeticError, RecursionError) as error:
            at = {name: config[name] for name in sorted(self.names)}
            raise SpaceError(f"Expression {self.text!r} fails at {at}: {error}.") from None


def _parse(text: str) -> ast.expr:
    if len(text) > _MOST_CHARACTERS:
        raise SpaceError(
            f"The expression {text!r:.80} is longer than {_MOST_CHARACTERS} characters."
        )
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise SpaceError(f"Cannot read the expression {text!r:.200}.") from None


def _names(tree: ast.expr) -> frozenset[str]:
    """The names that are not called: a parameter may well be named "max"."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = (node for node in ast.walk(tree) if isinstance(node, ast.Name))
    return frozenset(node.id for node in names if id(node) not in called)


def _compile(node: ast.AST, text: str) -> Look:
    def sub(child: ast.AST) -> Look:
        return _compile(child, text)

    match node:
        case ast.Name(id=name):
            return lambda config: config[name]
        case ast.Constant(value=value) if (
            isinstance(value, str | bool | int | float) or value is None
        ):
            return lambda _: value
        case ast.List(elts=items) | ast.Tuple(elts=items):
            looks = [sub(item) for item in items]
            return lambda config: [look(config) for look in looks]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            a, b, binary = sub(left), sub(right), _BINARY[type(op)]
            return lambda config: binary(a(config), b(config))
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            inner, unary = sub(operand), _UNARY[type(op)]
            return lambda config: unary(inner(config))
        case ast.BoolOp(op=op, values=values):
            looks, join = [sub(value) for value in values], all if isinstance(op, ast.And) else any
            return lambda config: join(look(config) for look in looks)
        case ast.Compare(left=left, ops=ops, comparators=rest) if all(
            type(o) in _COMPARE for o in ops
        ):
            looks, tests = [sub(left), *map(sub, rest)], [_COMPARE[type(o)] for o in ops]
            return lambda config: all(
                test(x(config), y(config))
                for test, x, y in zip(tests, looks, looks[1:], strict=False)
            )
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _CALLS:
            looks, call = [sub(arg) for arg in args], _CALLS[name]
            return lambda config: call(*(look(config) for look in looks))
    part = ast.unparse(node) if isinstance(node, ast.expr) else type(node).__name__
    raise SpaceError(
        f"Expression {text!r}: {part!r} is not allowed. "
        "Use names, numbers, + - * / // % **, comparisons, in, and, or, not, min, max, abs, len."
    )
