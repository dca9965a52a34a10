"""The source of an annotated dataclass, from which `space_of` makes the space again."""

from __future__ import annotations

import ast
import unicodedata
from keyword import iskeyword
from typing import Annotated, Any, Literal

from assay.core.errors import SpaceError
from assay.core.expression import Expression
from assay.core.fidelity import Fidelity
from assay.core.parameters import (
    UNSET,
    Choice,
    Constant,
    Float,
    Int,
    Ordinal,
    Parameter,
    When,
    value_key,
)
from assay.core.space import Node, Space
from assay.spaces.annotated import WHOLE, entry
from assay.spaces.conditions import values_for
from assay.spaces.losses import Losses, fixed
from assay.spaces.source import Calls, last_name, parsed, value_of

_CALLS: Calls = {
    kind.__name__: kind for kind in (Float, Int, Choice, Ordinal, Constant, When, Fidelity)
}  # fmt: skip
_HEAD = """from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import assay


@dataclass(kw_only=True)
class Config:
"""
_TAKEN = {
    "Annotated", "Any", "ClassVar", "Literal", "assay", "bool", "dict", "field", "float", "int",
    "list", "str", *WHOLE,
}  # fmt: skip
_PLAIN = (str, bool, int, type(None))


def write(space: Space, losses: Losses) -> str:
    """Python source of a dataclass `Config`; functions as clauses are lost.

    Raises:
        SpaceError: a name that is no name of a field.
    """
    lines = [_field(node, space) for node in space.nodes.values()]
    for word, clauses in (("forbid", space.forbidden), ("require", space.required)):
        texts = [clause.text for clause in clauses if isinstance(clause, Expression)]
        if len(texts) < len(clauses):
            losses.add("clauses that are Python functions")
        if texts:
            lines.append(f"{word}: ClassVar = {tuple(texts)!r}")
    if space.fidelity is not None:
        lines.append(f"fidelity: ClassVar = assay.{space.fidelity!r}")
    return _HEAD + "".join(f"    {line}\n" for line in lines)


def read(form: Any, losses: Losses) -> Space:
    """The space of the one dataclass in a source, which is read and never run."""
    if not isinstance(form, str):
        raise SpaceError("An annotated dataclass is Python source, as text.")
    tree = parsed(form)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found = [
        node for node in classes
        if any(last_name(getattr(d, "func", d)) == "dataclass" for d in node.decorator_list)
    ]  # fmt: skip
    if len(found) != 1:
        names = [node.name for node in found]
        raise SpaceError(f"A space is one dataclass, and this source has {len(found)}: {names}.")
    enums = {node.name: _members(node) for node in classes}
    given: dict[str, Any] = {}
    whole: dict[str, Any] = {}
    for line in found[0].body:
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            name = line.target.id
            if last_name(getattr(line.annotation, "value", line.annotation)) != "ClassVar":
                given[name] = entry(name, _hint(line.annotation, enums), _default(line, enums))
            elif name in WHOLE and line.value is not None:
                whole[name] = value_of(line.value, _CALLS)
    return Space(given, **whole)


def _field(node: Node, space: Space) -> str:
    name, parameter = node.name, node.parameter
    if (
        not name.isidentifier() or iskeyword(name) or name.startswith("__") or name in _TAKEN
        or unicodedata.normalize("NFKC", name) != name
    ):  # fmt: skip
        raise SpaceError(
            f"Parameter {name!r} cannot be a field of a dataclass. Rename it to a Python name that "
            f"is none of {', '.join(sorted(_TAKEN))}."
        )
    default = parameter.default
    said = "" if default is UNSET else f" = {_said(default)}"
    return f"{name}: {_annotation(node, space)}{said}"


def _annotation(node: Node, space: Space) -> str:
    parameter = node.parameter
    of = _type(parameter)
    if not node.conditions and type(parameter) is Choice and _hashable(parameter):
        if fixed(parameter) and parameter.default is not UNSET and of != "bool":
            return of
        if list(map(value_key, parameter.values)) == ["false", "true"]:
            return "bool"
        if not fixed(parameter):
            return f"Literal[{', '.join(map(repr, parameter.values))}]"
    text = _call(parameter)
    for parent, keys in reversed(node.conditions):
        values = values_for(space, parent, keys)
        text = f"assay.When({parent!r}, {values!r}, {text})"
    return f"Annotated[{of}, {text}]"


def _hashable(parameter: Choice) -> bool:
    """Whether each of its values can stand in a Literal."""
    return all(type(value) in _PLAIN for value in parameter.values)


def _type(parameter: Parameter) -> str:
    if not isinstance(parameter, Choice):
        return "int" if isinstance(parameter, Int) else "float"
    kinds = {type(value) for value in parameter.values}
    return kinds.pop().__name__ if len(kinds) == 1 and kinds != {type(None)} else "Any"


def _call(parameter: Parameter) -> str:
    """The parameter without its default, which is that of the field."""
    if isinstance(parameter, Choice):
        return f"assay.{type(parameter).__name__}({list(parameter.values)!r})"
    words = [repr(parameter.low), repr(parameter.high)]
    words += [f"{word}=True" for word in ("log", "logit") if getattr(parameter, word, False)]
    if parameter.step is not None and not (isinstance(parameter, Int) and parameter.step == 1):
        words.append(f"step={parameter.step!r}")
    return f"assay.{type(parameter).__name__}({', '.join(words)})"


def _said(default: Any) -> str:
    if isinstance(default, list | dict):
        return f"field(default_factory=lambda: {default!r})"
    return repr(default)


def _members(node: ast.ClassDef) -> list[str]:
    """The names of an enum."""
    return [
        line.targets[0].id
        for line in node.body
        if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name)
    ]


def _hint(node: ast.expr, enums: dict[str, list[str]]) -> Any:
    """What `entry` needs of an annotation."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _hint(ast.parse(node.value, mode="eval").body, enums)
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if last_name(node.value) == "Literal":
            return Literal[tuple(value_of(item, {}) for item in inner)]
        if last_name(node.value) == "Annotated":
            said = [
                value_of(item, _CALLS) for item in inner[1:]
                if isinstance(item, ast.Call) and last_name(item.func) in _CALLS
            ]  # fmt: skip
            return Annotated[(Any, *said)] if said else _hint(inner[0], enums)
    name = last_name(node)
    return bool if name == "bool" else Literal[tuple(enums[name])] if name in enums else Any


def _default(line: ast.AnnAssign, enums: dict[str, list[str]]) -> Any:
    value = line.value
    if isinstance(value, ast.Call) and last_name(value.func) == "field":
        told = {word.arg: word.value for word in value.keywords}
        value = told.get("default")
        made = told.get("default_factory")
        if made is not None:
            body = made.body if isinstance(made, ast.Lambda) else ast.Call(made, [], [])
            return value_of(body, {"list": list, "dict": dict})
    if value is None:
        return UNSET
    if isinstance(value, ast.Attribute) and last_name(value.value) in enums:
        return value.attr
    return value_of(value, _CALLS)
