"""The parts of a system that an ablation asks about, and which of their combinations are legal. Pure.

A variant is the set of the names of the components that are on. Components are what the study asks
about (scientific hyperparameters); everything in a variant's search space is tuned anew for it
(nuisance hyperparameters); whatever is left is held fixed, and limits what may be concluded. The
three words are those of Godbole et al. 2023, Deep Learning Tuning Playbook.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from assay.core.errors import SpaceError, SpecError, did_you_mean
from assay.core.parameters import Parameter, plain

Variant: TypeAlias = frozenset[str]

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_SIGNS = set("+-#/ ")


@dataclass(frozen=True)
class Component:
    """One thing to ask about: what would the system lose without it?

    Args:
        name: what it is called, without any of `+ - # /` and spaces.
        step: for an estimator: the parameter that holds it, such as a step of a pipeline.
        features: for data: columns that are left out when it is off.
        on, off: what stands in either case. For a step: an estimator, or "passthrough", the default
            of `off`; the default of `on` is what the pipeline holds. For an objective: what
            `trial.config[name]` is; True and False unless you say otherwise, so that
            Component("optimiser", on="adam", off="sgd") replaces one by the other.
        space_on, space_off: parameters that there are only when it is on, or only when it is off; they
            may replace parameters of the same name by others, such as a wider range.
        requires: components without which it cannot be on; it goes off with them.
        excludes: components that cannot be on with it.

    Raises:
        SpecError: a name that cannot be used, a step and features in one, or no difference.

    >>> Component("optimiser", on="adam", off="sgd").values()
    ('adam', 'sgd')
    """

    name: str
    step: str | None = None
    features: tuple[str, ...] = ()
    on: Any = None
    off: Any = None
    space_on: Mapping[str, Parameter] = field(default_factory=dict)
    space_off: Mapping[str, Parameter] = field(default_factory=dict)
    requires: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name or _SIGNS & set(self.name):
            raise SpecError(
                f"A component needs a name without spaces and + - # /, got {self.name!r:.80}."
            )
        for word in ("features", "requires", "excludes"):
            given = getattr(self, word)
            listed = (given,) if isinstance(given, str) else tuple(map(str, given))
            object.__setattr__(self, word, listed)
        for word in ("space_on", "space_off"):
            _check_space(f"Component {self.name!r}: {word}", getattr(self, word))
        if self.step is not None and self.features:
            raise SpecError(
                f"Component {self.name!r} has a step and features: make two components of it."
            )

    def values(self) -> tuple[Any, Any]:
        """What an objective finds in its config under this name: when on, and when off.

        Raises:
            SpecError: they are equal, or no JSON values.
        """
        if self.on is None and self.off is None:
            return True, False
        try:
            on, off = plain(self.on), plain(self.off)
        except SpaceError as error:
            raise SpecError(f"Component {self.name!r}: {error}") from None
        if on == off:
            raise SpecError(f"Component {self.name!r} is {on!r} both when on and when off.")
        return on, off

    def extra(self, *, on: bool) -> Mapping[str, Parameter]:
        """The parameters that it brings in this state."""
        return self.space_on if on else self.space_off

    def to_json(self) -> dict[str, Any]:
        """What it is, for the log; an estimator by how it prints."""
        form = {
            "name": self.name,
            "step": self.step,
            "features": list(self.features),
            "on": _shown(self.on),
            "off": _shown(self.off),
            "space_on": {name: p.to_json() for name, p in self.space_on.items()},
            "space_off": {name: p.to_json() for name, p in self.space_off.items()},
            "requires": list(self.requires),
            "excludes": list(self.excludes),
        }
        return {name: value for name, value in form.items() if value not in (None, [], {})}


def _check_space(where: str, given: Any) -> None:
    if not isinstance(given, Mapping):
        raise SpecError(f"{where} needs parameters by name, got {given!r:.80}.")
    for name, parameter in given.items():
        if not isinstance(parameter, Parameter):
            raise SpecError(
                f"{where} has {name!r} as {parameter!r:.60}; it needs a parameter such as "
                "assay.Float(0.1, 1)."
            )


def checked(components: Sequence[Component]) -> tuple[Component, ...]:
    """Components that go together: different names, and no unknown ones in what they require.

    Raises:
        SpecError: none, a name twice, an unknown name, or one that can never be on.
    """
    found = tuple(components)
    if not found or not all(isinstance(c, Component) for c in found):
        raise SpecError(
            "An ablation needs a list of components, such as [assay.Component('scaler', "
            f"step='scaler')], got {components!r:.80}."
        )
    names = [c.name for c in found]
    for name in names:
        if names.count(name) > 1:
            raise SpecError(f"Two components are called {name!r}. Give them different names.")
    for component in found:
        for other in (*component.requires, *component.excludes):
            if other not in names or other == component.name:
                raise SpecError(
                    f"Component {component.name!r} speaks of {other!r}. {did_you_mean(other, names)}"
                )
    return found


def legal(components: Sequence[Component], variant: Iterable[str]) -> bool:
    """Whether these may be on together, and everything that they require is on."""
    on = set(variant)
    return all(
        on.issuperset(c.requires) and on.isdisjoint(c.excludes) for c in components if c.name in on
    )


def without(components: Sequence[Component], variant: Variant, name: str) -> Variant:
    """The variant without a component and without those that require it.

    >>> parts = [Component("augment"), Component("mixup", requires=["augment"])]
    >>> sorted(without(parts, frozenset({"augment", "mixup"}), "augment"))
    []
    """
    off = {name}
    while more := {c.name for c in components if off.intersection(c.requires)} - off:
        off |= more
    return variant - off


def with_needed(components: Sequence[Component], variant: Variant, name: str) -> Variant:
    """The variant with a component and with those that it requires."""
    by_name = {c.name: c for c in components}
    on = {name}
    while more := {need for one in on for need in by_name[one].requires} - on:
        on |= more
    return variant | on


def called(components: Sequence[Component], variant: Variant) -> str:
    """What a variant is called: "full", "none", "-scaler", "-scaler-poly", or "+scaler".

    Whichever is shorter of what it lacks and what it has; equal variants have equal names.

    >>> parts = [Component("scaler"), Component("poly"), Component("pca")]
    >>> called(parts, frozenset({"poly", "pca"})), called(parts, frozenset({"pca"}))
    ('-scaler', '+pca')
    """
    names = [c.name for c in components]
    off = [name for name in names if name not in variant]
    on = [name for name in names if name in variant]
    if not off:
        return "full"
    if not on and len(off) > 1:
        return "none"
    return (
        "".join(f"-{n}" for n in off)
        if len(off) <= max(len(on), 1)
        else "".join(f"+{n}" for n in on)
    )


def _shown(value: Any) -> Any:
    try:
        return plain(value)
    except SpaceError:
        return _ADDRESS.sub("", " ".join(repr(value).split()))
