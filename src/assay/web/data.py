"""Figures as JSON, thinned here so that a page of 100,000 trials is as quick as one of a hundred."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from assay.core.errors import SpecError, did_you_mean
from assay.core.parameters import Choice
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.evidence import recheck
from assay.report.plots import course, gains, space
from assay.report.plots.form import Plot, Table
from assay.report.plots.outcomes import Outcomes
from assay.web.lab import Lab, Watched, as_json

_MOST_PARAMS = 64
_MOST_STUDIES = 8
_BY_IMPORTANCE = ("param_importances", "contour", "rank")
Asked = Mapping[str, list[str]]


class Data:
    """Answers with figures."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def figure(self, request: Request) -> Response:
        """One figure of a study."""
        found = self._lab.study(request.path_params["key"])
        kind = request.path_params["figure"]
        if kind not in FIGURES:
            raise HTTPException(404)
        asked = {
            name: request.query_params.getlist(name)[:_MOST_PARAMS]
            for name in ("param", "objective", "where")
        }
        what = (kind, *(tuple(asked[name]) for name in sorted(asked)))

        def make() -> bytes:
            return as_json(_lean(FIGURES[kind](found, asked), found.study.spec))

        if kind in _BY_IMPORTANCE:
            found.influence()
        with found.lock:
            length = found.outcomes.history.length
            tag = f'"{length}"'
            if request.headers.get("if-none-match") == tag:
                return Response(status_code=304, headers={"etag": tag})
            body = found.once(what, make)
        return Response(body, media_type="application/json", headers={"etag": tag})

    def compared(self, request: Request) -> Response:
        """The values of several studies."""
        several: dict[str, Outcomes] = {}
        for key in request.query_params.getlist("study")[:_MOST_STUDIES]:
            found = self._lab.study(key)
            several[found.study.name] = found.outcomes
        return Response(as_json(_lean(course.compared(several))), media_type="application/json")


def _lean(plot: Plot, spec: StudySpec | None = None) -> Plot:
    """Without what a browser does not need, and with idents in place of names."""
    panels = tuple(
        replace(panel, marks=tuple(replace(mark, at=()) for mark in panel.marks))
        for panel in plot.panels
    )
    lines = plot.lines
    if lines and spec:
        lines = replace(lines, names=tuple(ident_of(spec, name) for name in lines.names))
    return replace(plot, panels=panels, lines=lines)


def _within(outcomes: Outcomes, asked: Asked) -> NDArray[np.bool_] | None:
    """Which trials pass the filters.

    Each is "share:ID:LOW:HIGH", in shares of the axis from 0 to 1, or "value:ID:LOW:HIGH", in values
    of the parameter or objective, where an end may be left out; see `ident_of`.

    Raises:
        SpecError: not such a filter.
    """
    if not asked["where"]:
        return None
    kept = np.ones(len(outcomes.numbers), dtype=np.bool_)
    names = list(outcomes.spec.space)
    for text in asked["where"]:
        kind, *rest = text.split(":", 2)
        ends = rest[1].rpartition(":")[::2] if len(rest) == 2 else ()
        if kind not in ("share", "value") or len(ends) != 2:
            raise SpecError(f"A filter is value:ID:LOW:HIGH, got {text!r:.80}.")
        name = named(outcomes.spec, rest[0])
        if rest[0].startswith("p"):
            column = outcomes.coordinates[:, names.index(name)]
            place = _placed if kind == "value" else _number
            low, high = (place(end, outcomes.spec.space[name]) for end in ends)
        else:
            column = outcomes.values[:, outcomes.spec.objectives.index(name)]
            low, high = (_number(end) for end in ends)
        kept &= column >= (-np.inf if low is None else low - 1e-9)
        kept &= column <= (np.inf if high is None else high + 1e-9)
    return kept


def _number(text: str, parameter: Any = None) -> float | None:
    try:
        found = float(text) if text else None
    except ValueError:
        found = math.nan
    if found is not None and not math.isfinite(found):
        raise SpecError(f"A filter needs numbers, got {text!r:.80}.")
    return found


def _placed(text: str, parameter: Any) -> float | None:
    """Where a value that was typed lies on the axis of a parameter."""
    if not text:
        return None
    if isinstance(parameter, Choice):
        known = {words.value(value): value for value in parameter.values}
        if text not in known:
            raise SpecError(
                f"{text!r:.80} is no value of this parameter. {did_you_mean(text, known)}"
            )
        return parameter.to_unit(known[text])
    number = _number(text)
    assert number is not None
    try:
        place: float = parameter.to_unit(type(parameter.low)(number))
    except (ValueError, ArithmeticError):
        place = 0.0 if number <= parameter.low else 1.0
    return place


def ident_of(spec: StudySpec, name: str) -> str:
    """What stands for a parameter ("p3") or an objective ("o0") in an address."""
    listed = list(spec.space)
    return f"p{listed.index(name)}" if name in listed else f"o{spec.objectives.index(name)}"


def named(spec: StudySpec, ident: str) -> str:
    """The parameter or objective that an ident stands for.

    Raises:
        SpecError: none.
    """
    listed = {"p": list(spec.space), "o": list(spec.objectives)}.get(ident[:1], [])
    place = ident[1:]
    if not (place.isascii() and place.isdigit() and len(place) < 6 and int(place) < len(listed)):
        raise SpecError(f"There is no parameter or objective {ident!r:.80}.")
    return listed[int(place)]


def _params(found: Watched, asked: Asked) -> list[str] | None:
    """The parameters that were asked for; None: the figure's own choice."""
    return [named(found.study.spec, ident) for ident in asked["param"]] or None


def telling_pair(found: Watched) -> list[str]:
    """The two parameters that matter most, as far as that is known."""
    names = [name for name in found.study.spec.space if found.study.spec.space[name].size > 1]
    influence = found.influence(wait=False)
    telling = [name for name, *_ in influence.rows if name in names] if influence else []
    return [*telling, *(name for name in names if name not in telling)][:2]


def _importance(found: Watched, asked: Asked) -> Plot:
    influence = found.influence(wait=False)
    if influence is None:
        why = "Too few trials with a value to say what matters."
        title = "Importance of the parameters"
        return Plot("param_importances", title, why, (), Table(title, ("parameter",), ()))
    return space.param_importances(influence)


def _overtuning(found: Watched, asked: Asked) -> Plot:
    seen = recheck(found.outcomes.history)
    if seen is None:
        title = "What the search saw, and what fresh data show"
        return Plot(
            "overtuning", title, "Nothing was measured again yet.", (), Table(title, ("trial",), ())
        )
    return gains.overtuning(seen)


FIGURES: dict[str, Callable[[Watched, Asked], Plot]] = {
    "history": lambda w, _: w.history,
    "edf": lambda w, _: course.edf({w.study.name: w.outcomes}),
    "intermediate_values": lambda w, _: course.intermediate_values(w.outcomes),
    "timeline": lambda w, _: course.timeline(w.outcomes, w.times()),
    "parallel_coordinate": lambda w, a: space.parallel_coordinate(
        w.outcomes, _params(w, a), within=_within(w.outcomes, a)
    ),
    "slice": lambda w, a: space.slice_(w.outcomes, _params(w, a), within=_within(w.outcomes, a)),
    "contour": lambda w, a: space.contour(w.outcomes, _params(w, a) or telling_pair(w)),
    "rank": lambda w, a: space.rank(w.outcomes, _params(w, a) or telling_pair(w)),
    "param_importances": _importance,
    "pareto_front": lambda w, a: gains.pareto_front(
        w.outcomes, [named(w.study.spec, i) for i in a["objective"]] or None
    ),
    "gain_and_cost": lambda w, _: gains.gain_and_cost(w.outcomes),
    "expected_best": lambda w, _: gains.best_so_far(w.outcomes),
    "steps_to_best": lambda w, _: gains.steps_to_best(w.outcomes),
    "overtuning": _overtuning,
}
"""Every figure by its name in the address."""
