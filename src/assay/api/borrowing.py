"""Configs that are tried first: a user's own, and published ones with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpecError
from assay.core.events import Enqueued
from assay.core.space import Space

if TYPE_CHECKING:
    from assay.api.choices import Chosen
    from assay.api.prepare import Prepared


def known(model: str, space: Space) -> list[dict[str, Any]]:
    """Published configurations for a model, as configs to try first.

    Each is taken as far as the space has its parameters, under their own or a usual other name; the
    rest is as in the defaults. They run as trials, labelled with their source, and the verdict says
    if they were enough.

    Args:
        model: such as "xgboost", "network" or "fine-tuning"; `assay known` lists them.
        space: what is searched; it needs defaults.

    Returns:
        For `given` of `optimize` and `tune`: config, source and note of each that fits.

    Raises:
        SpecError: nothing is published for this model.

    >>> from assay import Float, Int
    >>> space = Space(lr=Float(1e-6, 1e-2, log=True, default=1e-3), epochs=Int(1, 9, default=2))
    >>> [given["config"] for given in known("fine-tuning", space)][:2]
    [{'lr': 3e-05, 'epochs': 3}, {'lr': 2e-05, 'epochs': 4}]
    """
    from assay.learners.known import arms, named

    return [arm.given() for arm in arms(named(model), space)]


def lent_for(prepared: Prepared, *, known: bool, portfolio: bool) -> list[dict[str, Any]]:
    """Published configurations of the model of a study on data, and those of its portfolio."""
    if not known and not portfolio:
        return []
    from assay.learners import known as library

    wanted = [*(library.published() if known else ()), *(library.portfolio() if portfolio else ())]
    recipe, spec = prepared.recipe, prepared.spec
    found = library.arms_for(
        wanted, recipe.estimator, spec.space, spec.control, prefix=recipe.prefix
    )
    return [arm.given() for arm in found]


def borrowed_line(found: list[dict[str, Any]]) -> Chosen:
    """The line of the plan that says how many there are."""
    from assay.api.choices import Chosen

    what = f"{len(found)} tried first" if found else "none fits this model and space"
    why = "as trials, each with its source" if found else ""
    return Chosen("borrowed", what, why, "--known, --portfolio")


def enqueued(space: Space, given: Any) -> Enqueued:
    """The event for a given config, for {"config": …, "source": …, "note": …}, or for an estimator.

    Raises:
        SpecError, SpaceError: it is no config of this space.
    """
    if hasattr(given, "get_params"):
        values = given.get_params(deep=True)
        config = {name: values[name] for name in space if name in values}
        return Enqueued(space.settle(config), f"get_params of {type(given).__name__}")
    config = given.get("config", given) if "config" not in space.names else given
    if not isinstance(config, Mapping):
        raise SpecError(f"A given config is a table of parameters, got config = {config!r:.80}.")
    source, note = (
        str(given.get(word, "")) if config is not given else "" for word in ("source", "note")
    )
    return Enqueued(space.settle(config), source, note)
