"""The whole result of an ablation, as the log keeps it: enough for every table and figure. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assay.analysis.ablation import (
    FEWEST_TRIALS,
    Contribution,
    Search,
    as_json,
    contrasts,
    contributions,
    flag_of,
)
from assay.analysis.ablation_words import crossing_sentence, edge_sentence, sentence
from assay.analysis.factors import factors
from assay.analysis.path import path_taken, race_form
from assay.analysis.responses import Curve, Shift, at_edge, curve, shifts
from assay.core.components import Component, Variant, called
from assay.core.designs import Design
from assay.core.parameters import Parameter
from assay.core.spec import StudySpec
from assay.math.expected_best import crossing

_SHOWN = 3
"""Shifts that are kept of each component."""


@dataclass(frozen=True)
class Measured:
    """A variant: its searches, what it searched, the studies that hold them, why it failed if it did."""

    searches: tuple[Search, ...]
    space: Mapping[str, Parameter]
    studies: tuple[str, ...]
    why: str = ""

    def with_more(self, more: Measured) -> Measured:
        """These searches and more of them."""
        return Measured(
            self.searches + more.searches,
            self.space,
            self.studies + more.studies,
            more.why or self.why,
        )


def attribution(
    spec: StudySpec,
    components: Sequence[Component],
    design: Design,
    measured: Mapping[Variant, Measured],
    *,
    held: Mapping[str, Any] | None = None,
    racing: bool = False,
) -> dict[str, Any]:
    """What the measured variants say, in JSON.

    Args:
        spec: the plan of the reference: metric, smallest gain, level, sampler.
        measured: in the order of the design, the reference first.
        held: parameters that could be tuned and were not, with their values.
        racing: whether the variants of a path raced.
    """
    order = list(measured)
    searches = {v: m.searches for v, m in measured.items()}
    steps = path_taken(spec, components, searches) if design == "path" else order
    pairs = contrasts(components, design, steps)
    found = contributions(spec, components, pairs, searches, reference=order[0])
    metric, delta = spec.objectives[0], spec.smallest_gain
    curves = {v: curve(spec, m.searches, called(components, v)) for v, m in measured.items()}
    names = {v: called(components, v) for v in order}
    divided = _factors(spec, components, design, searches)
    effects = []
    for one, (_, more, less) in zip(found, pairs, strict=True):
        form = _effect(one, measured[less].why) | _step(components, design, one.component)
        form["sentence"] = sentence(form, metric, delta)
        form["crossing"] = _crossing(form, curves[more], curves[less], spec)
        sides = [(measured[v].space, measured[v].searches) for v in (more, less)]
        form["shifts"] = [_shift(s) for s in shifts(spec, one.component, *sides)[:_SHOWN]]
        effects.append(form)
    raced = {"race": race_form(spec, components, searches)} if racing else {}
    return raced | {
        "design": design,
        "metric": metric,
        "maximize": spec.signs[0] < 0,
        "smallest_gain": delta,
        "reference": names[order[0]],
        "effects": effects,
        "variants": [_variant(names[v], v, m) for v, m in measured.items()],
        "curves": {names[v]: _curve(c) for v, c in curves.items() if c is not None},
        "factors": divided,
        "roles": {
            "scientific": [c.name for c in components],
            "nuisance": {names[v]: list(m.space) for v, m in measured.items()},
            "fixed": dict(held or {}),
        },
        "luck": "searches were repeated" if len(searches[order[0]]) > 1 else "one search each",
        "notes": [
            *(form["sentence"] for form in raced.values()),
            *_notes(names, measured, held or {}),
            *_limits_of(spec, design, divided),
        ],
    }


def _effect(one: Contribution, why: str) -> dict[str, Any]:
    return {
        "component": one.component,
        "with": one.with_,
        "without": one.without,
        "untuned": as_json(one.untuned),
        "retuned": as_json(one.retuned),
        "misattribution": as_json(one.misattribution),
        "flag": one.flag,
        "why": why,
    }


def _step(components: Sequence[Component], design: Design, name: str) -> dict[str, Any]:
    """What the sentences need to know of a component: what replaces it, and whether it was added."""
    found = {c.name: c.to_json() for c in components}.get(name, {})
    on, off = (found.get(side) for side in ("on", "off"))
    form: dict[str, Any] = {"added": True} if design == "add-one-in" else {}
    if off in (None, False, "passthrough", "drop"):
        return form
    return form | {"off": off} | ({"on": on} if on not in (None, True) else {})


def _crossing(
    form: Mapping[str, Any], more: Curve | None, less: Curve | None, spec: StudySpec
) -> dict[str, Any] | None:
    if more is None or less is None:
        return None
    n = crossing(more.best, less.best, least=spec.smallest_gain)
    if n is None:
        return None
    sign = -spec.signs[0]
    first_with = sign * (more.best[0] - less.best[0]) > 0
    return {"trials": n, "sentence": crossing_sentence(form, n, first_with=first_with)}


def _variant(name: str, on: Variant, measured: Measured) -> dict[str, Any]:
    fresh = [s.tuned for s in measured.searches if s.tuned]
    means = [sum(values.values()) / len(values) for values in fresh]
    return {
        "name": name,
        "on": sorted(on),
        "score": sum(means) / len(means) if means else None,
        "trials": sum(len(s.values) for s in measured.searches),
        "failed": sum(s.failed for s in measured.searches),
        "fits": sum(s.fits for s in measured.searches),
        "cpu_s": sum(s.cpu_s for s in measured.searches),
        "kwh": sum(s.kwh for s in measured.searches),
        "searches": [
            {
                "study": study,
                "trial": s.best,
                "config": dict(s.configs[s.best]) if s.best is not None else None,
                "value": s.values[s.best] if s.best is not None else None,
                "edge": at_edge(measured.space, s.configs[s.best]) if s.best is not None else [],
            }
            for study, s in zip(measured.studies, measured.searches, strict=True)
        ],
        "why": measured.why,
    }


def _curve(found: Curve) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "best": list(found.best),
        "low": list(found.low),
        "high": list(found.high),
        "honest": _ends(found.honest),
    }


def _ends(honest: tuple[tuple[float, ...], ...] | str) -> dict[str, list[float]] | str:
    if isinstance(honest, str):
        return honest
    return {end: list(values) for end, values in zip(("best", "low", "high"), honest, strict=True)}


def _shift(found: Shift) -> dict[str, Any]:
    return {
        "parameter": found.parameter,
        "with": found.with_best,
        "without": found.without_best,
        "moved": found.moved,
        "low": found.low,
        "high": found.high,
        "shares": list(found.shares),
        "with_curve": [list(point) for point in found.with_curve],
        "without_curve": [list(point) for point in found.without_curve],
    }


def _factors(
    spec: StudySpec,
    components: Sequence[Component],
    design: Design,
    searches: Mapping[Variant, Sequence[Search]],
) -> dict[str, Any] | None:
    if design not in ("factorial", "fraction"):
        return None
    found = factors(spec, components, searches)
    if found is None:
        return None
    return {
        "main": {name: as_json(effect) for name, effect in found.main.items()},
        "flags": {
            name: flag_of(None, effect, None, spec.smallest_gain)
            for name, effect in found.main.items()
        },
        "interactions": [list(row) for row in found.interactions],
        "shapley": found.shapley,
    }


def _notes(
    names: Mapping[Variant, str], measured: Mapping[Variant, Measured], held: Mapping[str, Any]
) -> list[str]:
    notes = []
    for variant, m in measured.items():
        empty = sum(s.best is None for s in m.searches)
        if 0 < empty < len(m.searches):
            notes.append(
                f"{empty} of {len(m.searches)} searches of variant {names[variant]} found no settings "
                f"that can be trained ({m.why}); its effect is that of the others."
            )
        edges = [at_edge(m.space, s.configs[s.best]) for s in m.searches if s.best is not None]
        often = sorted(
            {e for found in edges for e in found if sum(e in f for f in edges) * 2 > len(edges)}
        )
        if often:
            notes.append(edge_sentence(names[variant], often))
    if any(len(s.values) < FEWEST_TRIALS for m in measured.values() for s in m.searches):
        notes.append(
            f"Some searches had fewer than {FEWEST_TRIALS} trials: within so small a budget nothing was tuned."
        )
    most = max(len(m.searches) for m in measured.values())  # what left a race has fewer
    counts = {
        names[v]: sum(len(s.values) for s in m.searches)
        for v, m in measured.items()
        if len(m.searches) == most
    }
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {n}" for name, n in counts.items())
        notes.append(f"The same budget gave different numbers of trials: {listed}.")
    if held:
        listed = ", ".join(f"{name} = {value!r}" for name, value in list(held.items())[:6])
        notes.append(
            f"Held fixed although it could be tuned: {listed}. If one of them depends on a "
            "component, put it into the space; else the conclusions hold for these values."
        )
    return notes


def _limits_of(spec: StudySpec, design: Design, divided: Mapping[str, Any] | None) -> list[str]:
    """What this ablation does not look at, although it could be expected to."""
    notes = []
    if not spec.single:
        others = ", ".join(spec.objectives[1:])
        notes.append(f"Judged by {spec.objectives[0]} alone; not looked at: {others}.")
    if design in ("factorial", "fraction") and divided is None:
        notes.append(
            "No main effects: they need every variant of the design, measured in every search."
        )
    return notes
