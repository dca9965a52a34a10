"""What an ablation takes apart: an estimator with its data, or an objective with flags in its config."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from assay.api.parts import allowed_defaults
from assay.core.components import Component, Variant, called
from assay.core.errors import DataError, SpaceError, SpecError
from assay.core.jobs import Evaluate
from assay.core.parameters import Constant, Parameter
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.engine.trial import Objective, OpenTrial
from assay.inputs import Table

if TYPE_CHECKING:
    from assay.api.prepare import Wishes


@dataclass(frozen=True)
class Arm:
    """A variant ready to be searched: its plan, its default config if it has one, what evaluates it."""

    spec: StudySpec
    defaults: Mapping[str, Any] | None
    evaluate: Callable[[], Evaluate]
    held: Mapping[str, Any]

    @property
    def space(self) -> dict[str, Parameter]:
        """What is searched, by name."""
        nodes = self.spec.space.nodes.items()
        return {name: node.parameter for name, node in nodes if node.parameter.size > 1}


class System(Protocol):
    """What can be had with some of its components on."""

    def seeded(self, seed: int) -> System:
        """The same with other splits."""
        ...

    def arm(self, components: Sequence[Component], on: Variant) -> Arm:
        """The variant with these on.

        Raises:
            SpecError, SpaceError: a component does not fit; says which and why.
        """
        ...


@dataclass(frozen=True)
class Trained:
    """An estimator, or the name of a built-in model, on a table of development rows."""

    table: Table
    model: Any
    wishes: Wishes

    def seeded(self, seed: int) -> Trained:
        """The same on the splits of another seed."""
        return replace(self, wishes=replace(self.wishes, seed=seed))

    def arm(self, components: Sequence[Component], on: Variant) -> Arm:
        """The estimator with the steps that are off replaced, on the columns that are left."""
        from assay.learners.spaces import defaults_of

        off = [c for c in components if c.name not in on]
        table = without_columns(self.table, [f for c in off for f in c.features])
        estimator, prefix = self._estimator(components, on, table)
        from assay.api.prepare import prepare  # needs scikit-learn, and objectives do not

        if not hasattr(estimator, "predict"):
            raise SpecError(
                f"Variant {called(components, on)!r} has no model left, for its last step is off. Give "
                "that component off= another estimator."
            )
        try:
            space = self._space(components, on, estimator, prefix, table)
            wishes = replace(
                self.wishes, space=space, test=0.0, shadow=None, smallest_gain=self._gain
            )
            prepared = prepare(table, estimator, wishes, prefix=prefix)
            defaults = defaults_of(estimator, space, prefix=prefix)
        except (SpecError, SpaceError) as error:
            raise type(error)(f"Variant {called(components, on)!r}: {error}") from None
        held = _held(estimator, space, prefix)
        return Arm(prepared.spec, defaults, prepared.evaluator, held)

    def _estimator(
        self, components: Sequence[Component], on: Variant, table: Table
    ) -> tuple[Any, str]:
        from assay.inputs import task
        from assay.learners import models, variants

        whole, prefix = self.model, ""
        if isinstance(self.model, str):
            kind, _ = task(table.y, self.wishes.task)
            built = models.model(self.model, kind, table.X)
            whole, prefix = built.estimator, built.prefix
        parts = {}
        for c in components:
            if c.step is None:
                if not c.features:
                    raise SpecError(
                        f"Component {c.name!r} needs step= (a step of the estimator) or features= "
                        "(columns of the data)."
                    )
                continue
            step = variants.step_of(whole, c.step)
            if c.name not in on:
                parts[step] = variants.off_part(step, c.off)
            elif c.on is not None:
                parts[step] = variants.named(c.on) if isinstance(c.on, str) else c.on
        return variants.with_parts(whole, parts), prefix

    def _space(
        self,
        components: Sequence[Component],
        on: Variant,
        estimator: Any,
        prefix: str,
        table: Table,
    ) -> Space:
        from assay.learners.spaces import space_for

        given = self.wishes.space
        space = given or space_for(estimator, prefix=prefix, rows=len(table))
        known = estimator.get_params(deep=True)
        gone = [name for name in space if prefix + name not in known]
        return space.changed(gone, _extra(components, on))

    @cached_property
    def _gain(self) -> float:
        """The same smallest gain for all variants: that of the whole system."""
        if self.wishes.smallest_gain is not None:
            return self.wishes.smallest_gain
        from assay.api.prepare import prepare

        whole = prepare(self.table, self.model, replace(self.wishes, test=0.0, shadow=None))
        return whole.spec.smallest_gain


@dataclass(frozen=True)
class Function:
    """An objective that finds each component in its config under its name."""

    objective: Callable[[OpenTrial], Any]
    spec: StudySpec
    seeding: bool

    def seeded(self, seed: int) -> Function:
        """The same: the seeds of its evaluations come with its jobs."""
        return self

    def arm(self, components: Sequence[Component], on: Variant) -> Arm:
        """The same objective with the values of the flags held."""
        flags = {}
        for c in components:
            if c.step or c.features:
                raise SpecError(
                    f"Component {c.name!r} has a step or features, which an objective has not: it finds "
                    f"trial.config[{c.name!r}], with on= and off= as its values."
                )
            flags[c.name] = Constant(c.values()[c.name not in on])
            _check_values(c, self.spec.space)
        space = self.spec.space.changed([], {**_extra(components, on), **flags})
        spec = replace(self.spec, space=space)
        return Arm(spec, allowed_defaults(space), self._evaluator, {})

    def _evaluator(self) -> Evaluate:
        return Objective(self.objective, seeding=self.seeding)


def _check_values(component: Component, space: Space) -> None:
    """A component may hold a parameter of the space at one of two values, if it can have them."""
    if component.name not in space:
        return
    for value in component.values():
        try:
            space[component.name].settle(value)
        except SpaceError as error:
            raise SpecError(
                f"Component {component.name!r} has the name of a parameter, which cannot be {value!r}: "
                f"{error} Give on= and off=, or another name."
            ) from None


def _extra(components: Sequence[Component], on: Variant) -> dict[str, Parameter]:
    return {n: p for c in components for n, p in c.extra(on=c.name in on).items()}


def _held(estimator: Any, space: Space, prefix: str) -> dict[str, Any]:
    """Parameters with a known range that are not searched, with their values."""
    from assay.learners.spaces import ranges_of

    values = estimator.get_params(deep=True)
    searched = {prefix + name for name in space}
    return {
        name: values[name]
        for name in ranges_of(estimator)
        if name not in searched and isinstance(values[name], int | float | str | bool | None)
    }


def without_columns(table: Table, names: Sequence[str]) -> Table:
    """The table without some of its features.

    Raises:
        DataError: there is no such feature, or none is left.
    """
    if not names:
        return table
    for name in names:
        if name not in table.names:
            raise DataError(f"There is no feature {name!r}. Features: {', '.join(table.names)}.")
    left = [i for i, name in enumerate(table.names) if name not in names]
    if not left:
        raise DataError("No feature is left when all components with features are off.")
    X = table.X.iloc[:, left] if hasattr(table.X, "iloc") else table.X[:, left]
    return replace(table, X=X, names=tuple(table.names[i] for i in left))
