"""The configs of a study as candidates of a scikit-learn search: parameters of any estimator, any objects.

A study keeps JSON values, and its control must lie in its space. A search of scikit-learn takes any
object as a value, several grids at once, and an estimator whose own values may lie outside of all of
them. What the study sees is therefore a space of its own names and values, with a way back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from inspect import isclass
from typing import Any

from sklearn.base import clone

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.parameters import Choice, Constant, Float, Int, Parameter, When, plain, value_key
from assay.core.space import Space
from assay.learners.spaces import space_for
from assay.spaces.conditions import values_for
from assay.spaces.distributions import is_distribution, listed, of_values, parameter_from

Params = dict[str, Any]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_OWN = "as_given"
_GRID = "grid"
_MOST = 100_000


@dataclass(frozen=True)
class Candidates:
    """What the study searches, and what the estimator is given for it.

    Attributes:
        space: the study's space.
        own: the estimator's own values of what is searched, by its names.
        control: the config that stands for them; None for no control.
        names: the estimator's name for each of the study's; a switch of our own is not among them.
        objects: what a value of the study stands for, by the study's name and the value's JSON text.
    """

    space: Space
    own: Params
    control: dict[str, Any] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    objects: Mapping[str, Params] = field(default_factory=dict)

    def params(self, config: Mapping[str, Any]) -> Params:
        """What `set_params` is given for a config."""
        if config.get(_OWN) is True:
            return dict(self.own)
        return {
            self.names[name]: self.objects.get(name, {}).get(value_key(value), value)
            for name, value in config.items()
            if name in self.names
        }

    def config(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The first config of the space that stands for parameters of the estimator.

        Raises:
            SpaceError: there is none.
        """
        space = self.space
        switch = _GRID if _GRID in space.nodes and _GRID not in self.names else None
        for place in space[switch].points(_MOST) if switch else [None]:
            try:
                return space.settle(self._follow({switch: place} if switch else {}, params))
            except SpaceError as error:
                refused = error
        raise refused

    def base(self) -> dict[str, Any]:
        """The estimator's own values as far as the space has them, in the study's form."""
        found: dict[str, Any] = {_OWN: False} if _OWN in self.space.nodes else {}
        for name, node in self.space.nodes.items():
            if name in self.names and node.active(found):
                with suppress(SpaceError):
                    found[name] = self._inward(name, node.parameter, self.own)
        return found

    def _follow(self, config: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
        if _OWN in self.space.nodes:
            config = {_OWN: False, **config}
        for name, node in self.space.nodes.items():
            if name in self.names and node.active(config):
                config[name] = self._inward(name, node.parameter, params)
        return config

    def _inward(self, name: str, parameter: Parameter, params: Mapping[str, Any]) -> Any:
        if self.names[name] not in params:
            raise SpaceError(f"There is no value of {self.names[name]!r}.")
        value = params[self.names[name]]
        for key, thing in self.objects.get(name, {}).items():
            if thing is value:
                return next(v for v in parameter.points(_MOST) if value_key(v) == key)
        try:
            return parameter.settle(plain(value))
        except SpaceError as error:
            raise SpaceError(f"Parameter {self.names[name]!r}: {error}") from None


def candidates(estimator: Any, space: Any, *, rows: int, control: bool) -> Candidates:
    """The candidates of a space as users give it.

    Args:
        space: "auto", a Space, a dict of lists, distributions and parameters, or a list of such
            dicts, of which each candidate follows one.
        rows: of the data.
        control: whether the estimator's own values are to be a candidate.

    Raises:
        SpaceError, SpecError: nothing that can be searched.
    """
    if isclass(estimator):
        name = estimator.__name__
        raise TypeError(f"estimator needs an object, got the class {name}. Write {name}().")
    found = _from_space(space_for(estimator, rows=rows) if space == "auto" else space)
    values = estimator.get_params(deep=True)
    names = dict.fromkeys(found.names.values())
    for name in names:
        if name.partition("__")[0] not in values:
            _see_that_it_takes(name, estimator, values)
    found = replace(found, own={name: values[name] for name in names if name in values})
    if not control:
        return found
    try:
        return replace(found, control=found.config(found.own))
    except SpaceError:  # its own values are outside: they are tried once, and nowhere else
        return replace(found, space=_with_own(found.space), control={_OWN: True})


def _see_that_it_takes(name: str, estimator: Any, known: Mapping[str, Any]) -> None:
    """A name that `get_params` does not give; CatBoost and LightGBM take more than they give.

    Raises:
        SpaceError: it is refused. Of a pipeline, where the names of steps come first, the names that
            end alike are meant.
    """
    try:
        clone(estimator).set_params(**{name: None})
    except ValueError:
        alike = [one for one in known if one.rpartition("__")[2] == name.rpartition("__")[2]]
        meant = " or ".join(map(repr, alike[:3]))
        hint = f"Did you mean {meant}?" if alike else did_you_mean(name, known)
        kind = type(estimator).__name__
        raise SpaceError(f"Invalid parameter {name!r} for estimator {kind}. {hint}") from None


def _from_space(given: Any) -> Candidates:
    if isinstance(given, Space):
        return Candidates(given, {}, names={name: name for name in given})
    grids = [given] if isinstance(given, Mapping) else given
    if not isinstance(grids, Sequence) or isinstance(grids, str) or not grids:
        raise SpecError(
            f"space needs 'auto', a Space, a dict or a list of dicts, got {given!r:.80}."
        )
    nodes: dict[str, Parameter | When] = {}
    names: dict[str, str] = {}
    objects: dict[str, Params] = {}
    several = len(grids) > 1
    if several or not grids[0]:
        nodes[_GRID] = Choice(range(len(grids))) if several else Constant(0)
    for place, grid in enumerate(grids):
        if not isinstance(grid, Mapping):
            raise SpecError(f"A space in a list needs to be a dict, got {grid!r:.80}.")
        for name, value in grid.items():
            ours = f"{name}[{place}]" if several else name
            parameter, objects[ours] = _entry(name, value)
            nodes[ours] = When(_GRID, place, parameter) if several else parameter
            names[ours] = name
    if taken := {_OWN, _GRID} & names.keys():
        raise SpecError(f"The name {min(taken)!r} is taken: give an assay.Space instead of a dict.")
    return Candidates(Space(nodes), {}, names=names, objects=objects)


def _entry(name: str, value: Any) -> tuple[Parameter | When, Params]:
    """A parameter for what a user gave, and what its values stand for."""
    try:
        if isinstance(value, When):
            return value, {}
        if is_distribution(value) or isinstance(value, Float | Int | Choice):
            return parameter_from(value), {}
        things = listed(value)
        labels = _labels(things)
        stands = {value_key(label): thing for label, thing in zip(labels, things, strict=True)}
        return of_values(labels), stands
    except SpaceError as error:
        raise SpaceError(f"Parameter {name!r}: {error}") from None


def _labels(things: Sequence[Any]) -> list[Any]:
    """A JSON value for each: itself, or a text that tells it from the others."""
    labels: list[Any] = []
    taken: dict[str, int] = {}
    for thing in things:
        try:
            label = plain(thing)
            value_key(label)
        except SpaceError:
            text = " ".join(_ADDRESS.sub("", repr(thing)).split())[:200]
            taken[text] = taken.get(text, 0) + 1
            label = text if taken[text] == 1 else f"{text} #{taken[text]}"
        labels.append(label)
    return labels


def _with_own(space: Space) -> Space:
    """The same space below a switch that the sampler may not turn."""
    nodes: dict[str, Parameter | When] = {_OWN: Choice([False, True])}
    for name, node in space.nodes.items():
        inner: Parameter | When = node.parameter
        for parent, keys in reversed(node.conditions):
            values = values_for(space, parent, keys)
            inner = When(parent, values, inner)
        nodes[name] = When(_OWN, False, inner)
    return Space(
        nodes,
        forbid=[*space.forbidden, _OWN],
        require=list(space.required),
        fidelity=space.fidelity,
    )
