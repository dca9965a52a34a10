"""What an earlier study has to say about a new one: its configs in the new space, and their ranks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from assay.core.errors import SpaceError, SpecError
from assay.core.events import Learned
from assay.core.history import History
from assay.core.parameters import UNSET, Choice, Parameter, plain
from assay.core.space import Space
from assay.core.spec import StudySpec
from assay.math.agreement import normal_scores
from assay.math.checks import Array

MOST_CONFIGS = 60
FEWEST_CONFIGS = 3


class _OutOfRangeError(Exception):
    """A config lies outside the new space."""


def learned(spec: StudySpec, name: str, head: str, source: StudySpec, history: History) -> Learned:
    """What the new study of plan `spec` can take over from an earlier one.

    At most 60 configs: the best half of them, and every so-many-th of the others. A config with a
    value that the new space does not have is left out; a parameter that the earlier study did not
    have takes its default, or is left out where it has none.

    Args:
        spec: of the new study; one objective.
        name, head: of the earlier study, and the hash of its last row.
        source, history: the plan of the earlier study and what it found.

    Raises:
        SpecError: it has nothing to say: no common parameter, no common objective, or less than
            three configs with a value in the new space.
    """
    at = _objective(spec, name, source)
    if not shared(spec.space, source.space):
        raise SpecError(f"Study {name!r} has no parameter in common with this one.")
    sign = source.signs[at]
    told = [(number, sign * outcome.values[at]) for number, outcome in history.told()]
    scores = normal_scores(np.array([loss for _, loss in told])) if told else np.empty(0)
    found = []
    for (number, _), score in zip(told, scores, strict=True):
        try:
            found.append((_moved(spec.space, history.config(number)), float(f"{score:.6g}")))
        except _OutOfRangeError:
            continue
    if len(found) < FEWEST_CONFIGS:
        raise SpecError(
            f"Study {name!r} has {len(found)} configs with a value that lie in this space; to learn "
            f"from it takes {FEWEST_CONFIGS}."
        )
    kept = [found[i] for i in _thinned(np.array([score for _, score in found]))]
    return Learned(
        name,
        source.plan,
        head,
        history.n_trials,
        [config for config, _ in kept],
        tuple(score for _, score in kept),
    )


def shared(space: Space, other: Space) -> list[str]:
    """The parameters that are searched in both spaces."""
    return [
        name
        for name in space.names
        if name in other.nodes and min(space[name].size, other[name].size) > 1
    ]


def _objective(spec: StudySpec, name: str, source: StudySpec) -> int:
    """The number of the objective of `source` to learn from: the one of the same name, or the only one."""
    (wanted,) = spec.objectives
    if wanted in source.objectives:
        return source.objectives.index(wanted)
    if source.single:
        return 0
    raise SpecError(
        f"Study {name!r} has the objectives {', '.join(source.objectives)}, and none is {wanted!r}."
    )


def _moved(space: Space, config: Mapping[str, Any]) -> dict[str, Any]:
    """What `config` has in common with the space, and defaults.

    Raises:
        _OutOfRangeError: a value that the space does not have.
    """
    found: dict[str, Any] = {}
    for name, node in space.nodes.items():
        if not node.active(found):
            continue
        if name in config:
            found[name] = _near(node.parameter, config[name])
        elif node.parameter.default is not UNSET:
            found[name] = plain(node.parameter.default)
    return found


def _near(parameter: Parameter, value: Any) -> Any:
    """The value itself, or the nearest on the steps of a number."""
    try:
        return parameter.settle(value)
    except SpaceError:
        if isinstance(parameter, Choice) or not _between(parameter.low, value, parameter.high):
            raise _OutOfRangeError from None
        return parameter.from_unit(parameter.to_unit(value))


def _between(low: float, value: Any, high: float) -> bool:
    return isinstance(value, int | float) and low <= value <= high


def _thinned(scores: Array) -> list[int]:
    """The numbers of at most `MOST_CONFIGS` scores: the best half, and others evenly by rank."""
    order = np.argsort(scores, kind="stable")
    if len(order) > MOST_CONFIGS:
        half = MOST_CONFIGS // 2
        spread = np.linspace(half, len(order) - 1, MOST_CONFIGS - half).astype(np.intp)
        order = np.concatenate([order[:half], order[spread]])
    return sorted(order.tolist())
