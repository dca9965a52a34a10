"""Ablations of built-in models on data files, as `assay ablate` runs them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from assay.api.ablation import Ablation, run_ablation, wanted_of
from assay.api.ablation_searches import Say
from assay.api.files import slots_in, wishes_from
from assay.api.options import TuneOptions, options_from
from assay.api.parts import store_at
from assay.api.systems import Trained
from assay.core.components import Component
from assay.core.errors import SpecError, did_you_mean
from assay.core.parameters import Parameter
from assay.core.space import Space
from assay.core.spec import Budget
from assay.inputs import load

_KNOWN = ("components", "design", "searches", "fresh", "racing")
_TRIALS = 40


def ablate_file(
    path: str | Path,
    *,
    storage: str | None = None,
    workers: int | str | None = None,
    progress: bool | None = None,
    say: Say | None = None,
) -> Ablation:
    """Run the ablation that a study file with a table [ablation] describes, or go on with it.

    Args:
        say: is given the name of each search before it runs.

    Raises:
        SpecError, DataError: something in the file or the data does not fit.
        KeyboardInterrupt: it was stopped; the same call goes on.
    """
    options, form = read_ablation(path)
    table = load(
        options.data,
        options.target,
        groups=options.groups,
        time=options.time,
        drop=options.drop,
        encoding=options.encoding or "utf-8",
    )
    wishes = wishes_from(options)
    parts = [component_from(entry) for entry in form.get("components", ())]
    wanted = wanted_of(
        parts,
        form.get("design", "leave-one-out"),
        wishes.budget or Budget(trials=_TRIALS),
        form.get("searches", 3),
        form.get("fresh", 20),
        "random" if options.sampler in ("auto", "random") else options.sampler,
        racing=form.get("racing", False),
    )
    return run_ablation(
        Trained(table, options.model, wishes),
        wanted,
        store_at(storage or options.storage),
        options.study or f"{Path(path).stem}",
        slots=slots_in(options) if workers is None else slots_in(_with(options, workers)),
        progress=progress,
        say=say,
    )


def _with(options: TuneOptions, workers: int | str) -> TuneOptions:
    return replace(options, workers=workers)


def read_ablation(path: str | Path) -> tuple[TuneOptions, Mapping[str, Any]]:
    """The options of a study file, and its table [ablation].

    Raises:
        SpecError: no such file, no such table, or an unknown entry.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
        form = json.loads(text) if file.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise SpecError(f"Cannot read the study file {str(file)!r}: {error}.") from None
    ablation = form.pop("ablation", None) if isinstance(form, dict) else None
    if not isinstance(ablation, dict):
        raise SpecError(
            f"{file}: an ablation needs a table [ablation] with components, such as\n"
            '  [[ablation.components]]\n  name = "scaler"\n  step = "standardscaler"'
        )
    for word in ablation:
        if word not in _KNOWN:
            raise SpecError(f"{file}: [ablation] has no {word!r}. {did_you_mean(word, _KNOWN)}")
    options = options_from(form, where=str(file))
    beside = file.parent / options.data
    return options_from(
        {**form, "data": str(beside) if beside.exists() else options.data}
    ), ablation


def component_from(form: Any) -> Component:
    """A component from its table in a study file; spaces in the JSON form of a space.

    Raises:
        SpecError: an unknown entry, or no name.

    >>> component_from({"name": "scaler", "step": "standardscaler"}).step
    'standardscaler'
    """
    known = {f.name for f in fields(Component)}
    if not isinstance(form, Mapping) or "name" not in form:
        raise SpecError(f"A component is a table with a name, got {form!r:.80}.")
    for word in form:
        if word not in known:
            raise SpecError(f"A component has no {word!r}. {did_you_mean(word, known)}")
    spaces = {word: _parameters(form[word]) for word in ("space_on", "space_off") if word in form}
    return Component(**{**form, **spaces})


def _parameters(form: Any) -> dict[str, Parameter]:
    entries = form.get("parameters", form) if isinstance(form, Mapping) else form
    space = Space.from_json({"parameters": entries})
    return {name: node.parameter for name, node in space.nodes.items()}
