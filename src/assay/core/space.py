"""A search space: named parameters, some active only under conditions, some combinations forbidden."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

from assay.core import parameters
from assay.core.combinations import Block, combinations
from assay.core.errors import SpaceError, did_you_mean
from assay.core.expression import Expression
from assay.core.familiar import written_here
from assay.core.fidelity import Fidelity
from assay.core.jsonform import canonical
from assay.core.parameters import UNSET, Choice, Float, Int, Parameter, When, plain, value_key

Config: TypeAlias = Mapping[str, Any]
Predicate: TypeAlias = Callable[[Config], bool]
Clause: TypeAlias = str | Predicate

_TOO_MANY = 100_000


@dataclass(frozen=True)
class Node:
    """A parameter in its place: its name and the conditions that must all hold for it to be active."""

    name: str
    parameter: Parameter
    conditions: tuple[tuple[str, frozenset[str]], ...] = ()

    def active(self, config: Config) -> bool:
        return all(
            parent in config and value_key(config[parent]) in keys
            for parent, keys in self.conditions
        )


class Space:
    """Named parameters. A config is a plain dict of the active ones.

    Args:
        parameters: a mapping from name to parameter, for names that are no Python identifiers.
        forbid: expressions or predicates; a config for which one is true is never proposed.
        require: expressions or predicates that must be true. A clause that speaks of an inactive
            parameter does not apply.
        fidelity: how far a trial may be evaluated; no part of a config.
        named: parameters as keyword arguments.

    Raises:
        SpaceError: an unknown or circular condition, a wrong clause, not a parameter.

    >>> space = Space(
    ...     booster=Choice(["tree", "linear"], default="tree"),
    ...     subsample=When("booster", "tree", Float(0.3, 1.0, default=1.0)),
    ... )
    >>> space.defaults()
    {'booster': 'tree', 'subsample': 1.0}
    >>> space.contains({"booster": "linear"})
    True
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter | When] | None = None,
        /,
        *,
        forbid: Any = (),
        require: Any = (),
        fidelity: Any = None,
        **named: Parameter | When,
    ) -> None:
        if not isinstance(parameters, Mapping | None):
            raise SpaceError(
                f"A space needs its parameters by name, got {type(parameters).__name__}. Write "
                "Space(lr=Float(1e-4, 1.0)), or Space({name: parameter})."
            )
        given: dict[str, Any] = dict(parameters or {})
        for word, value in (("forbid", forbid), ("require", require), ("fidelity", fidelity)):
            if isinstance(value, Float | Int | Choice | When):
                named[word] = value
        twice = given.keys() & named.keys()
        if twice:
            raise SpaceError(f"Parameter {sorted(twice)[0]!r} is given twice.")
        self.nodes = _ordered({name: _node(name, value) for name, value in (given | named).items()})
        if not self.nodes:
            raise SpaceError("A space needs at least one parameter, got none.")
        self.names = tuple(self.nodes)
        self.forbidden = _clauses("forbid", forbid, self.names)
        self.required = _clauses("require", require, self.names)
        self.fidelity = _fidelity(fidelity)
        self._walk = [
            (i, node.name, node.parameter.from_unit, node if node.conditions else None)
            for i, node in enumerate(self.nodes.values())
        ]

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[str]:
        return iter(self.nodes)

    def __getitem__(self, name: str) -> Parameter:
        if name not in self.nodes:
            raise SpaceError(f"No parameter {name!r}. {did_you_mean(name, self.nodes)}")
        return self.nodes[name].parameter

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and canonical(self.to_json()) == canonical(other.to_json())

    def __hash__(self) -> int:
        return hash(canonical(self.to_json()))

    def __repr__(self) -> str:
        return f"Space({', '.join(f'{n}={node.parameter!r}' for n, node in self.nodes.items())})"

    def active(self, config: Config) -> list[str]:
        """The names that must be in a config with these values of the parents."""
        present: dict[str, Any] = {}
        for name, node in self.nodes.items():
            if node.active(present):
                present[name] = config.get(name)
        return list(present)

    def with_fidelity(self, fidelity: Fidelity) -> Space:
        """The same space with a fidelity.

        Raises:
            SpaceError: it has another one.
        """
        if self.fidelity not in (None, fidelity):
            raise SpaceError(
                f"The space declares the fidelity {self.fidelity!r}, and {fidelity!r} is needed here. "
                "Leave it out of the space."
            )
        new = copy(self)
        new.fidelity = fidelity
        return new

    def settle(self, values: Config) -> dict[str, Any]:
        """A complete config: missing active parameters take their defaults.

        Raises:
            SpaceError: an unknown, inactive or missing parameter, a value out of range, or a
                forbidden combination.
        """
        for name in values:
            if name not in self.nodes:
                raise SpaceError(f"No parameter {name!r}. {did_you_mean(name, self.nodes)}")
        config: dict[str, Any] = {}
        for name, node in self.nodes.items():
            if node.active(config):
                config[name] = _settled(node, values)
            elif name in values:
                raise SpaceError(
                    f"Parameter {name!r} is not active in this config: it needs {_because(node)}. "
                    "Leave it out."
                )
        if (clause := self.broken_clause(config)) is not None:
            raise SpaceError(f"The combination {dict(config)} is not allowed: {clause}.")
        return config

    def contains(self, config: Config) -> bool:
        """Whether `config` holds exactly the active parameters, in range, and is allowed."""
        try:
            return set(self.settle(config)) == set(config)
        except SpaceError:
            return False

    def allowed(self, config: Config) -> bool:
        """Whether no forbidden clause is true and no required one is false."""
        return self.broken_clause(config) is None

    def broken_clause(self, config: Config) -> str | None:
        """The first clause that `config` breaks, in words; None if it breaks none."""
        for clause in self.forbidden:
            if _applies(clause, config, self.names) is True:
                return f"{_name(clause)!r} is forbidden"
        for clause in self.required:
            if _applies(clause, config, self.names) is False:
                return f"{_name(clause)!r} is required"
        return None

    def from_unit(self, point: Sequence[float]) -> dict[str, Any]:
        """The config at a point of the unit cube, one coordinate for each parameter.

        Coordinates of inactive parameters are ignored; clauses are not checked.
        """
        config: dict[str, Any] = {}
        for i, name, from_unit, node in self._walk:
            if node is None or node.active(config):
                config[name] = from_unit(point[i])
        return config

    def to_unit(self, config: Config) -> list[float | None]:
        """The point of the unit cube of `config`; None where a parameter is inactive."""
        return [
            node.parameter.to_unit(config[name]) if name in config else None
            for name, node in self.nodes.items()
        ]

    def defaults(self) -> dict[str, Any] | None:
        """The config in which every active parameter has its default; None if one has none."""
        config: dict[str, Any] = {}
        for name, node in self.nodes.items():
            if node.active(config):
                if node.parameter.default is UNSET:
                    return None
                config[name] = plain(node.parameter.default)
        return config

    @property
    def size(self) -> float:
        """How many configs there are before clauses are applied; math.inf for a continuous space."""
        return self.combinations.size

    @cached_property
    def combinations(self) -> Block:
        """The configs before clauses are applied, numbered; for a continuous space only their size."""
        return combinations(list(self.nodes.values()))

    def key(self, config: Config) -> str:
        """A text that is equal for equal configs, whatever the order of their parameters."""
        return canonical(dict(config))

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back; predicates are kept by name and source hash."""
        form: dict[str, Any] = {"parameters": {}}
        for name, node in self.nodes.items():
            entry = node.parameter.to_json()
            if node.conditions:
                entry["when"] = [
                    [parent, [v for v in self[parent].points(_TOO_MANY) if value_key(v) in keys]]
                    for parent, keys in node.conditions
                ]
            form["parameters"][name] = entry
        for word, clauses in (("forbid", self.forbidden), ("require", self.required)):
            if clauses:
                form[word] = [_clause_json(clause) for clause in clauses]
        if self.fidelity:
            form["fidelity"] = self.fidelity.to_json()
        return form

    def changed(self, gone: Iterable[str], extra: Mapping[str, Parameter | When]) -> Space:
        """The same space without some parameters, and what depends on them, and with others.

        What depends on values that a parameter no longer takes goes, and so do clauses on what is gone.

        Raises:
            SpaceError: nothing is left, or an extra parameter does not fit.

        >>> Space(a=Int(1, 3), b=Int(1, 3), require="a <= b").changed(["b"], {"c": Int(1, 2)}).names
        ('a', 'c')
        """
        lost = set(gone) - extra.keys()
        kept: dict[str, Parameter | When] = {}
        for name, entry in self.to_json()["parameters"].items():
            when = [[p, _taken(values, extra.get(p))] for p, values in entry.get("when", ())]
            if name in extra:
                kept[name] = extra[name]
            elif name in lost or any(p in lost or not values for p, values in when):
                lost.add(name)
            else:
                kept[name] = _given_from_json(name, {**entry, "when": when})
        forbid, require = (
            [
                clause.text if isinstance(clause, Expression) else clause
                for clause in clauses
                if not (isinstance(clause, Expression) and clause.names & lost)
            ]
            for clauses in (self.forbidden, self.required)
        )
        return Space({**kept, **extra}, forbid=forbid, require=require, fidelity=self.fidelity)

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> Space:
        """The space that `to_json` wrote.

        Raises:
            SpaceError: not such a form.
        """
        if not isinstance(form, Mapping) or not isinstance(form.get("parameters"), Mapping):
            raise SpaceError(f"A space needs an object 'parameters', got {form!r:.120}.")
        if unknown := set(form) - {"parameters", "forbid", "require", "fidelity"}:
            raise SpaceError(f"A space has no entry {sorted(unknown)[0]!r}.")
        given = {name: _given_from_json(name, entry) for name, entry in form["parameters"].items()}
        return Space(
            given,
            forbid=_clauses_from_json(form.get("forbid", [])),
            require=_clauses_from_json(form.get("require", [])),
            fidelity=Fidelity.from_json(form["fidelity"]) if "fidelity" in form else None,
        )


@dataclass(frozen=True)
class LostPredicate:
    """A predicate that a stored space names but cannot hold: code is not kept in a study file."""

    name: str
    source: str

    def __call__(self, config: Config) -> bool:
        raise SpaceError(
            f"The space uses the Python predicate {self.name!r}, which a study file does not hold. "
            "Reopen the study with the space given, or write the predicate as an expression."
        )


def _given_from_json(name: str, entry: Any) -> Parameter | When:
    if not isinstance(entry, Mapping):
        raise SpaceError(f"Parameter {name!r} needs an object with a 'type', got {entry!r:.120}.")
    fields = dict(entry)
    conditions = fields.pop("when", [])
    try:
        given: Parameter | When = parameters.from_json(fields)
        for parent, values in reversed(conditions):
            given = When(parent, values, given)
    except SpaceError as error:
        raise SpaceError(f"Parameter {name!r}: {error}") from None
    except (TypeError, ValueError):
        raise SpaceError(
            f"Parameter {name!r}: 'when' is a list of [parent, [values]], got {conditions!r:.120}."
        ) from None
    return given


def _taken(values: list[Any], parent: Parameter | When | None) -> list[Any]:
    """Those of the values that the parent takes where it is replaced; None: it is not."""
    while isinstance(parent, When):
        parent = parent.parameter
    if parent is None or parent.size > _TOO_MANY:
        return values
    known = {value_key(value) for value in parent.points(_TOO_MANY)}
    return [value for value in values if value_key(value) in known]


def _node(name: str, value: Any) -> Node:
    if not isinstance(name, str) or not name:
        raise SpaceError(f"A parameter needs a name, got {name!r}.")
    conditions: list[tuple[str, frozenset[str]]] = []
    while isinstance(value, When):
        conditions.append((value.parent, frozenset(value_key(v) for v in value.values)))
        value = value.parameter
    if not isinstance(value, Float | Int | Choice):
        raise SpaceError(
            f"Parameter {name!r} must be Float, Int, Ordinal, Choice, Constant or When, "
            f"got {type(value).__name__}: {value!r:.80}.{written_here(value)}"
        )
    return Node(name, value, tuple(conditions))


def _ordered(nodes: dict[str, Node]) -> dict[str, Node]:
    """Parents before children, otherwise in the order given; checks every condition."""
    for node in nodes.values():
        for parent, keys in node.conditions:
            _check_condition(node.name, parent, keys, nodes)
    placed: dict[str, Node] = {}
    waiting = dict(nodes)
    while waiting:
        ready = next(
            (n for n in waiting.values() if all(p in placed for p, _ in n.conditions)), None
        )
        if ready is None:
            raise SpaceError(
                f"The conditions of {sorted(waiting)} depend on each other in a circle."
            )
        placed[ready.name] = waiting.pop(ready.name)
    return placed


def _check_condition(name: str, parent: str, keys: frozenset[str], nodes: dict[str, Node]) -> None:
    if parent not in nodes:
        raise SpaceError(
            f"Parameter {name!r} depends on {parent!r}, which does not exist. {did_you_mean(parent, nodes)}"
        )
    target = nodes[parent].parameter
    if target.size > _TOO_MANY:
        raise SpaceError(
            f"Parameter {name!r} depends on {parent!r}, which has no countable values."
        )
    known = {value_key(value) for value in target.points(_TOO_MANY)}
    if missing := sorted(keys - known):
        raise SpaceError(
            f"Parameter {name!r} is active when {parent!r} is {missing[0]}, "
            f"a value that {parent!r} never takes: {sorted(known)[:20]}."
        )


def _settled(node: Node, values: Config) -> Any:
    if node.name not in values:
        if node.parameter.default is UNSET:
            raise SpaceError(f"Parameter {node.name!r} is missing, and it has no default.")
        return plain(node.parameter.default)
    try:
        return node.parameter.settle(values[node.name])
    except SpaceError as error:
        raise SpaceError(f"Parameter {node.name!r}: {error}") from None


def _because(node: Node) -> str:
    return " and ".join(f"{p!r} in [{', '.join(sorted(keys))}]" for p, keys in node.conditions)


def _clauses(word: str, given: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    if isinstance(given, Float | Int | Choice | When):
        return ()  # a parameter that happens to be called "forbid" or "require"
    listed = [given] if isinstance(given, str) or callable(given) else list(given)
    clauses: list[Any] = []
    for clause in listed:
        if isinstance(clause, str):
            clauses.append(Expression(clause, names))
        elif callable(clause):
            clauses.append(clause)
        else:
            raise SpaceError(
                f"{word} takes expressions or functions of a config, got {clause!r:.80}."
            )
    return tuple(clauses)


def _fidelity(given: Any) -> Fidelity | None:
    if given is None or isinstance(given, Fidelity):
        return given
    if isinstance(given, Float | Int | Choice | When):
        return None  # a parameter that happens to be called "fidelity"
    raise SpaceError(
        f"fidelity takes a Fidelity such as Fidelity('epochs', 1, 81), got {given!r:.80}."
    )


class _Present(dict[str, Any]):
    """A config as a predicate sees it: asking for an inactive parameter says that it is inactive."""

    def __init__(self, config: Config, names: tuple[str, ...]) -> None:
        super().__init__(config)
        self.names = names

    def __missing__(self, name: str) -> Any:
        if name in self.names:
            raise _InactiveError
        raise SpaceError(f"No parameter {name!r}. {did_you_mean(name, self.names)}")


class _InactiveError(Exception):
    pass


def _applies(clause: Any, config: Config, names: tuple[str, ...]) -> bool | None:
    if isinstance(clause, Expression):
        return clause(config)
    try:
        return bool(clause(_Present(config, names)))
    except _InactiveError:
        return None


def _name(clause: Any) -> str:
    if isinstance(clause, Expression):
        return clause.text
    # not the repr: that holds an address, and the plan must have the same hash in every process
    own = getattr(clause, "name", None) or getattr(clause, "__qualname__", None)
    return str(own or type(clause).__qualname__)


def _clause_json(clause: Any) -> Any:
    if isinstance(clause, Expression):
        return clause.text
    if isinstance(clause, LostPredicate):
        return {"predicate": clause.name, "source": clause.source}
    try:
        text = inspect.getsource(clause)
    except (OSError, TypeError):
        text = _code_text(clause)
    return {"predicate": _name(clause), "source": hashlib.sha256(text.encode()).hexdigest()}


def _code_text(predicate: Any) -> str:
    """What tells functions apart whose source is not known: those typed into a console."""
    code = getattr(predicate, "__code__", None)
    if code is None:
        return _name(predicate)
    values = [c for c in code.co_consts if isinstance(c, str | int | float | tuple | None)]
    return repr((code.co_code, code.co_names, values))


def _clauses_from_json(form: Any) -> list[Clause]:
    return [_clause_from_json(c) for c in ([form] if isinstance(form, str | Mapping) else form)]


def _clause_from_json(form: Any) -> Clause:
    if isinstance(form, str):
        return form
    if isinstance(form, Mapping) and {"predicate", "source"} <= form.keys():
        return LostPredicate(form["predicate"], form["source"])
    raise SpaceError(f"A clause is an expression such as 'a <= b', got {form!r:.120}.")
