"""An ablation in sentences, the same wherever it is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any

Form = Mapping[str, Any]


def sentence(form: Form, metric: str, smallest_gain: float) -> str:
    """Two or three sentences on one contribution, in the form in which the log has it.

    >>> u = {"estimate": 0.193, "low": 0.152, "high": 0.233}
    >>> r = {"estimate": -0.0001, "low": -0.0011, "high": 0.0009}
    >>> form = {"component": "scaler", "untuned": u, "retuned": r, "flag": "not needed",
    ...     "misattribution": u}
    >>> print(sentence(form, "r2", 0.005))
    Without re-tuning, removing the scaler seems to cost 0.193 r2. Given its own tuning the model \
loses nothing that matters (−0.0001, 95 % CI −0.0011 to +0.0009). The scaler was a tuning effect, \
not a contribution.
    """
    name = str(form["component"])
    if form["retuned"] is None:
        why = f" ({form['why']})" if form.get("why") else ""
        return f"Without the {name} nothing could be trained{why}, so its effect has no number."
    return " ".join(
        part
        for part in (_first(name, form, metric), _second(name, form, metric, smallest_gain))
        if part
    )


def _first(name: str, form: Form, metric: str) -> str:
    u = form["untuned"]
    if u is None:
        return f"Without the {name} the other system's settings cannot be used at all."
    if u["low"] <= 0 <= u["high"] and u["high"] > u["low"]:
        return f"Without re-tuning, removing the {name} shows no clear effect ({_ci(u)} {metric})."
    verb = "cost" if u["estimate"] > 0 else "gain"
    return f"Without re-tuning, removing the {name} seems to {verb} {_size(u)} {metric}."


def _second(name: str, form: Form, metric: str, smallest_gain: float) -> str:
    r, m, flag = form["retuned"], form["misattribution"], form["flag"]
    own = "Given its own tuning"
    size, ci = _size(r), _ends(r)
    match flag:
        case "not needed":
            said = f"{own} the model loses nothing that matters ({_ci(r)})."
            if m and m["low"] > 0 and m["estimate"] > smallest_gain:
                return f"{said} The {name} was a tuning effect, not a contribution."
            return f"{said} The {name} is not needed."
        case "sign flip":
            way = "costs" if r["estimate"] > 0 else "gains"
            return f"{own} it {way} {size} ({ci}): the effect turns around."
        case "harmful":
            return f"{own} the model is better without it, by {size} ({ci})."
        case "overstated":
            return f"{own} the loss is {size} ({ci}); the rest, {_size(m)}, was tuning."
        case "understated":
            return f"{own} the loss is {size} ({ci}): more than it seemed."
        case "contributes":
            return f"{own} it still costs {size} ({ci}): the {name} contributes."
    return f"{own} the effect is not clear ({ci} {metric})."


def _places(form: Form) -> int:
    half = (form["high"] - form["low"]) / 2
    if half <= 0:
        half = abs(form["estimate"]) / 100
    return min(max(1 - floor(log10(half)), 0), 8) if half > 0 else 4


def _size(form: Form) -> str:
    return f"{abs(form['estimate']):.{_places(form)}f}"


def _ends(form: Form) -> str:
    """The interval of the size of an effect, whichever way it goes."""
    places = _places(form)
    if form["low"] == form["high"]:
        return "no spread"
    low, high = form["low"], form["high"]
    if form["estimate"] < 0:
        low, high = -high, -low
    level = 100 * float(form.get("level", 0.95))
    return f"{level:g} % CI {low:.{places}f} to {high:.{places}f}".replace("-", "−")


def _ci(form: Form) -> str:
    places = _places(form)
    shown = [f"{form[k]:+.{places}f}".replace("-", "−") for k in ("estimate", "low", "high")]
    if form["low"] == form["high"]:
        return f"{shown[0]}, no spread"
    return f"{shown[0]}, {100 * float(form.get('level', 0.95)):g} % CI {shown[1]} to {shown[2]}"


def edge_sentence(variant: str, names: list[str]) -> str:
    """A warning that the best settings of a variant lie at the end of a range."""
    listed = ", ".join(names)
    return (
        f"The best {listed} of variant {variant} lies at the end of its range: a wider range "
        "(space_on, space_off) may give it more."
    )


def crossing_sentence(name: str, n: int, *, first_with: bool) -> str:
    """That one variant leads for small budgets, and the other for large ones."""
    ahead, later = ("with", "without") if first_with else ("without", "with")
    return (
        f"Below {n} trials the system {ahead} the {name} is ahead, from {n} on the one {later} it."
    )
