"""An ablation in sentences, the same wherever it is shown. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, log10
from typing import Any

from assay.core.decimals import fixed

Form = Mapping[str, Any]

_ORDER = ("contributes", "understated", "overstated", "sign flip", "harmful", "not needed",
          "cannot tell", "not measured")  # fmt: skip


def sentence(form: Form, metric: str, smallest_gain: float) -> str:
    """Two or three sentences on one contribution, in the form in which the log has it.

    `form` may say what stands in the component's place when it is off (`off`, and `on` for what that
    replaces), and whether the design adds components to nothing (`added`).

    >>> u = {"estimate": 0.193, "low": 0.152, "high": 0.233}
    >>> r = {"estimate": -0.0001, "low": -0.0011, "high": 0.0009}
    >>> form = {"component": "scaler", "untuned": u, "retuned": r, "flag": "not needed",
    ...     "misattribution": u}
    >>> print(sentence(form, "r2", 0.005))
    Without re-tuning, removing the scaler seems to cost 0.193 r2. Given its own tuning the model \
loses nothing that matters (−0.0001, 95 % CI −0.0011 to +0.0009). The scaler was a tuning effect, \
not a contribution.
    """
    step = _Step.of(form)
    if form["retuned"] is None:
        why = f" ({form['why']})" if form.get("why") else ""
        return (
            f"{step.other.capitalize()} nothing could be trained{why}, so its effect has no number."
        )
    return f"{_first(step, form, metric)} {_second(step, form, metric, smallest_gain)}"


@dataclass(frozen=True)
class _Step:
    """The step that an effect is of, in words: what is done, and what the system has after it."""

    name: str
    act: str
    other: str
    loses: str
    costs: str
    seems: tuple[str, str]
    replaced: bool

    @staticmethod
    def of(form: Form) -> _Step:
        name = f"the {form['component']}"
        off = form.get("off")
        if form.get("added") and not off:
            return _Step(name, f"adding {name}", f"with {name}", "gains", "it still gains",
                         ("gain", "cost"), False)  # fmt: skip
        if off:
            on = form.get("on") or name
            act, other = f"putting {off} in place of {on}", f"with {off}"
            return _Step(str(on), act, other, "loses", "it still costs", ("cost", "gain"), True)
        return _Step(name, f"removing {name}", f"without {name}", "loses", "it still costs",
                     ("cost", "gain"), False)  # fmt: skip


def _first(step: _Step, form: Form, metric: str) -> str:
    u = form["untuned"]
    if u is None:
        return f"{step.other.capitalize()} the other system's settings could not be measured."
    if u["low"] == u["high"] == 0:
        return f"Without re-tuning, {step.act} changes nothing."
    if u["low"] <= 0 <= u["high"]:
        return f"Without re-tuning, {step.act} shows no clear effect ({_ci(u)} {metric})."
    verb = step.seems[u["estimate"] < 0]
    return f"Without re-tuning, {step.act} seems to {verb} {_size(u)} {metric}."


def _second(step: _Step, form: Form, metric: str, smallest_gain: float) -> str:
    r, m, flag = form["retuned"], form["misattribution"], form["flag"]
    own = "Given its own tuning"
    size, ci = _size(r), _ends(r)
    if flag == "not needed":
        return f"{own} the model {step.loses} nothing that matters ({_ci(r)}). " + _needless(
            step, bool(m and m["low"] > 0 and m["estimate"] > smallest_gain)
        )
    rest = f"the {step.seems[0] if step.loses == 'gains' else 'loss'} is {size} ({ci})"
    match flag:
        case "sign flip":
            way = "costs" if (r["estimate"] > 0) == (step.loses == "loses") else "gains"
            return f"{own} it {way} {size} ({ci}): the effect turns around."
        case "harmful":
            better = step.other if step.replaced else "without it"
            return f"{own} the model is better {better}, by {size} ({ci})."
        case "overstated":
            return f"{own} {rest}; the rest, {_size(m)}, was tuning."
        case "understated":
            return f"{own} {rest}: more than it seemed."
        case "contributes":
            good = "is better" if step.replaced else "contributes"
            return f"{own} {step.costs} {size} ({ci}): {step.name} {good}."
    return f"{own} the effect is not clear ({_ci(r)} {metric})."


def _needless(step: _Step, tuned: bool) -> str:
    if step.replaced:
        return "The difference was a tuning effect." if tuned else "Either will do."
    name = f"T{step.name[1:]}"
    if tuned:
        return f"{name} was a tuning effect, not a contribution."
    return f"{name} is not needed."


def main_sentence(name: str, effect: Form, flag: str, metric: str) -> str:
    """What turning a component on does over all combinations of the others.

    >>> e = {"estimate": 0.34, "low": 0.3, "high": 0.38}
    >>> main_sentence("scaler", e, "contributes", "r2")
    'Over all combinations of the others the scaler gains 0.340 r2 (95 % CI 0.300 to 0.380): it contributes.'
    """
    start = f"Over all combinations of the others the {name}"
    match flag:
        case "contributes":
            return f"{start} gains {_size(effect)} {metric} ({_ends(effect)}): it contributes."
        case "harmful":
            return f"{start} costs {_size(effect)} {metric} ({_ends(effect)}): better without it."
        case "not needed":
            return (
                f"{start} changes nothing that matters ({_ci(effect)} {metric}): it is not needed."
            )
    return f"{start} has no clear effect ({_ci(effect)} {metric})."


def findings(result: Form) -> list[Form]:
    """A component, its flag and its sentence, for each that an ablation says something of.

    A fraction compares no two variants that differ in one component: it has main effects only.
    """
    if result.get("effects"):
        return list(result["effects"])
    parts = result.get("factors") or {}
    flags = parts.get("flags", {})
    return [
        {
            "component": name,
            "flag": (flag := flags.get(name, "cannot tell")),
            "sentence": main_sentence(name, effect, flag, str(result["metric"])),
        }
        for name, effect in parts.get("main", {}).items()
    ]


def summary(forms: Sequence[Form]) -> str:
    """Several components in a line: which contribute, and which do not.

    >>> summary([{"component": "a", "flag": "not needed"}, {"component": "b", "flag": "contributes"},
    ...     {"component": "c", "flag": "not needed"}])
    'Contributes: b. Not needed: a, c.'
    """
    by_flag: dict[str, list[str]] = {}
    for form in forms:
        by_flag.setdefault(str(form["flag"]), []).append(str(form["component"]))
    ordered = sorted(by_flag, key=lambda flag: _ORDER.index(flag) if flag in _ORDER else 0)
    return " ".join(f"{flag.capitalize()}: {', '.join(by_flag[flag])}." for flag in ordered)


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
    return f"{level:g} % CI {fixed(low, places)} to {fixed(high, places)}"


def _ci(form: Form) -> str:
    places = _places(form)
    shown = [fixed(form[k], places, sign=True) for k in ("estimate", "low", "high")]
    if form["low"] == form["high"]:
        return "no difference at all" if form["estimate"] == 0 else f"{shown[0]}, no spread"
    return f"{shown[0]}, {100 * float(form.get('level', 0.95)):g} % CI {shown[1]} to {shown[2]}"


def edge_sentence(variant: str, names: list[str]) -> str:
    """A warning that the best settings of a variant lie at the end of a range."""
    listed = ", ".join(names)
    return (
        f"The best {listed} of variant {variant} lies at the end of its range: a wider range "
        "(space_on, space_off) may give it more."
    )


def crossing_sentence(form: Form, n: int, *, first_with: bool) -> str:
    """That one variant leads for small budgets, and the other for large ones."""
    step = _Step.of(form)
    with_ = f"with {step.name}"
    without = step.other if step.replaced else f"without {step.name}"
    ahead, later = (with_, without) if first_with else (without, with_)
    return f"Below {n} trials the system {ahead} is ahead, from {n} on the one {later}."
