"""Spaces written as annotations of a class: `lr: Annotated[float, Float(1e-4, 1, log=True)] = 0.1`."""

from __future__ import annotations

from dataclasses import MISSING, fields, is_dataclass, replace
from enum import Enum
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from assay.core.errors import SpaceError
from assay.core.parameters import UNSET, Choice, Constant, Float, Int, Parameter, When
from assay.core.space import Space

WHOLE = ("forbid", "require", "fidelity")
"""Class variables that concern the whole space."""


def space_of(kind: type) -> Space:
    """The space of a dataclass; the defaults of its fields are the control.

    A field is searched if its type is annotated with a parameter, or is `bool`, a `Literal` or an
    `Enum`, whose names are the values. Any other field with a default is a constant. What concerns
    the whole space are class variables: `forbid: ClassVar = "depth > 10"`, `require`, `fidelity`.

    Raises:
        SpaceError: not a dataclass, a field that says nothing of what to search, or a default that
            does not belong.

    >>> from dataclasses import dataclass
    >>> from typing import Annotated, Literal
    >>> @dataclass
    ... class Config:
    ...     lr: Annotated[float, Float(1e-4, 1, log=True)] = 0.1
    ...     kind: Literal["tree", "linear"] = "tree"
    ...     depth: Annotated[int, When("kind", "tree", Int(1, 12))] = 6
    >>> space_of(Config).defaults()
    {'lr': 0.1, 'kind': 'tree', 'depth': 6}
    """
    if not (isinstance(kind, type) and is_dataclass(kind)):
        raise SpaceError(f"A space in annotations needs a dataclass, got {kind!r:.80}.")
    hints = get_type_hints(kind, include_extras=True)
    whole = {word: getattr(kind, word) for word in WHOLE if _of_class(hints.get(word))}
    return Space({f.name: entry(f.name, hints[f.name], _default(f)) for f in fields(kind)}, **whole)


def config_of(kind: type, config: dict[str, Any]) -> Any:
    """An object of the class with a trial's config; inactive fields keep their defaults.

    Raises:
        SpaceError: a name that the class lacks.
    """
    hints = get_type_hints(kind)
    if unknown := config.keys() - hints.keys():
        raise SpaceError(f"{kind.__name__} has no field {min(unknown)!r}.")
    return kind(
        **{
            name: hints[name][value]
            if isinstance(hints[name], type) and issubclass(hints[name], Enum)
            else value
            for name, value in config.items()
        }
    )


def _of_class(hint: Any) -> bool:
    return hint is ClassVar or get_origin(hint) is ClassVar


def _default(field: Any) -> Any:
    if field.default is not MISSING:
        return field.default.name if isinstance(field.default, Enum) else field.default
    return UNSET if field.default_factory is MISSING else field.default_factory()


def entry(name: str, hint: Any, default: Any) -> Parameter | When:
    """The parameter of a field with this annotation and default; UNSET: it has none.

    Raises:
        SpaceError: the annotation says nothing of what to search.
    """
    for said in get_args(hint)[1:] if get_origin(hint) is Annotated else ():
        if isinstance(said, Float | Int | Choice | When):
            return _with(said, default)
    if get_origin(hint) is Literal:
        return Choice(get_args(hint), default=default)
    if hint is bool:
        return Choice([False, True], default=default)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return Choice([member.name for member in hint], default=default)
    if default is UNSET:
        raise SpaceError(
            f"Field {name!r} says nothing of what to search. Annotate it, such as "
            "Annotated[float, Float(0, 1)], or give it a default to keep it as it is."
        )
    return Constant(default)


def _with(said: Parameter | When, default: Any) -> Parameter | When:
    if default is UNSET:
        return said
    if isinstance(said, When):
        return replace(said, parameter=_with(said.parameter, default))
    return replace(said, default=default)
