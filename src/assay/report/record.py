"""What it cost, what was planned, and what the study ran on. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from assay.analysis.spending import Spending as Spent
from assay.analysis.spending import entries
from assay.core.events import Created, Deviated, Environment, Noted, Opening, Voided
from assay.core.history import History
from assay.core.rates import LEAST_G, MOST_G
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.answer import Gain, metric_name
from assay.report.plots.form import Plot
from assay.report.plots.splits import splits

_STAGES = ("control", "search", "shadow", "recheck", "confirm", "ablation", "test")
_SAY_IT_ALL = ("name", "kind", "path", "class")


@dataclass(frozen=True)
class Spending:
    """What one stage cost: evaluations, CPU and wall-clock seconds, the failed ones included."""

    stage: str
    evaluations: int
    cpu_s: float
    wall_s: float


@dataclass(frozen=True)
class Cost:
    """The account of a study."""

    stages: tuple[Spending, ...]
    total: Spending
    trials: int
    gain: Gain | None
    spending: Spent | None = None

    @property
    def carbon(self) -> str:
        """What was emitted, as far as that can be said without a region; empty with one."""
        return carbon(self.spending) if self.spending else ""

    def __str__(self) -> str:
        spent = f"{words.count(self.trials, 'trial')}, {words.count(self.total.evaluations, 'evaluation')}"
        if self.total.cpu_s or self.total.wall_s:
            spent += f", {words.seconds(self.total.cpu_s)} of CPU time"
            spent += f", {energy(self.spending)}" if self.spending else ""
        return spent


@dataclass(frozen=True)
class Note:
    """A finding about the data."""

    level: str
    text: str


@dataclass(frozen=True)
class Parameter:
    """A parameter of the space."""

    name: str
    kind: str
    values: str
    default: str
    when: str


@dataclass(frozen=True)
class Deviation:
    """Something done off plan."""

    what: str
    before: str
    after: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """What was fixed before the first trial, and what was done off plan."""

    facts: tuple[tuple[str, str], ...]
    space: tuple[Parameter, ...]
    clauses: tuple[str, ...]
    deviations: tuple[Deviation, ...]
    remarks: tuple[str, ...]
    splits: Plot | None = None
    """Which rows train, validate and are sealed; None without data."""


@dataclass(frozen=True)
class Machine:
    """Where it ran; `recorded` counts how often that was noted, a change each time."""

    facts: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    recorded: int


def energy(spent: Spent) -> str:
    """Energy with its error, and what it emits and costs where that is known.

    An estimate is no better than two digits.
    """
    error = spent.error
    how = (
        "measured"
        if error is None
        else f"±{100 * error:.0f} %, " + ("model" if not spent.measured_kwh else "partly measured")
    )
    said = f"{words.energy(spent.kwh)} ({how})"
    if spent.kgco2e is not None:
        said += f", {words.number(1000 * spent.kgco2e, 2)} g CO2e"
    if spent.money is not None:
        said += f", {words.number(spent.money, 3)} {words.name(spent.currency, 12)}"
    return said


def carbon(spent: Spent) -> str:
    """What the energy emits between the cleanest and the dirtiest grids, where no region is given."""
    if spent.kgco2e is not None or not spent.kwh:
        return ""
    low, high = (words.number(spent.kwh * g, 2) for g in (LEAST_G, MOST_G))
    return (
        f"{low} g CO2e where electricity is as in Norway ({LEAST_G:g} g/kWh), {high} g where it is "
        f"mostly from coal ({MOST_G:g}); no region was given."
    )


def cost(history: History, gain: Gain | None, spent: Spent | None = None) -> Cost:
    """The account, stage by stage; stages that did not happen are left out."""
    by_stage: dict[str, list[float]] = {stage: [0, 0.0, 0.0] for stage in _STAGES}
    for stage, evaluations, cpu_s, wall_s in entries(history):
        row = by_stage[stage]
        row[0] += evaluations
        row[1] += cpu_s
        row[2] += wall_s
    stages = tuple(
        Spending(stage, int(row[0]), row[1], row[2]) for stage, row in by_stage.items() if row[0]
    )
    total = Spending(
        "total",
        sum(s.evaluations for s in stages),
        sum(s.cpu_s for s in stages),
        sum(s.wall_s for s in stages),
    )
    return Cost(stages, total, history.n_trials, gain, spent)


def data_notes(spec: StudySpec) -> tuple[Note, ...] | None:
    """What was found out about the data when it was read; None without data or findings."""
    return tuple(map(_note, (spec.data or {}).get("notes") or ())) or None


def plan(spec: StudySpec, history: History) -> Plan:
    """The plan, as it was born, and every deviation from it."""
    created: Created | None = history.last(Created)
    form = dict(created.spec) if created else spec.to_json()
    return Plan(
        facts=tuple(_facts(spec, form, plan_hash(spec, history))),
        space=tuple(_parameter(n, f) for n, f in form["space"]["parameters"].items()),
        clauses=tuple(_clauses(form["space"])),
        deviations=tuple(_deviations(history)),
        splits=splits(spec),
        remarks=tuple(
            words.name(e.text if e.trial is None else f"trial {e.trial}: {e.text}", 1000)
            for e in history.milestones()
            if isinstance(e, Noted)
        ),
    )


def plan_hash(spec: StudySpec, history: History) -> str:
    """The hash of the plan as it was born, whatever the budget became since."""
    created: Created | None = history.last(Created)
    return words.name(created.plan) if created else spec.plan


def machine(history: History) -> Machine | None:
    """Where it ran last; None when nothing was recorded."""
    found: Environment | None = history.last(Environment)
    if not found or not found.facts:
        return None
    packages = found.facts.get("packages")
    listed = packages if isinstance(packages, Mapping) else {}
    rest = {key: fact for key, fact in found.facts.items() if key != "packages" or not listed}
    times = sum(isinstance(event, Environment) for event in history.milestones())
    return Machine(tuple(_flat(rest)), tuple(_flat(listed)), times)


def _note(form: Any) -> Note:
    if isinstance(form, Mapping):
        text = form.get("text") or form.get("message") or words.exact(dict(form), 500)
        return Note(words.name(str(form.get("level", "note")), 30), words.name(str(text), 1000))
    return Note("note", words.name(str(form), 1000))


def _facts(spec: StudySpec, form: Mapping[str, Any], plan: str) -> Iterator[tuple[str, str]]:
    goals = (f"{way} {words.name(n, 60)}" for n, way in spec.directions.items())
    yield "goal", ", ".join(goals)
    if spec.constraints:
        yield "constraints", words.name(", ".join(spec.constraints), 500)
    if spec.single:
        unset = "not stated: any gain counts"
        least = (
            f"{words.number(spec.smallest_gain)} {metric_name(spec)}"
            if spec.smallest_gain
            else unset
        )
        yield "smallest gain worth having", least
        control = (
            "the defaults, trial 0"
            if spec.control is not None
            else "none: a parameter has no default"
        )
        yield "control", control
    yield from _data_facts(spec)
    sampler = dict(spec.sampler)
    yield (
        "sampler",
        words.name(str(sampler.pop("name", "auto")))
        + (f" {words.exact(sampler)}" if sampler else ""),
    )
    yield "budget", _set(form["budget"]) if form.get("budget") else "none: driven by ask and tell"
    yield (
        "evidence",
        _set(asdict(spec.evidence)) if spec.evidence else "none: no repeats, no recheck",
    )
    if limits := _set({k: v for k, v in asdict(spec.limits).items() if v}):
        yield "limits of one evaluation", limits
    yield "level of the intervals", f"{100 * (1 - spec.alpha):g} %"
    yield "seed", str(spec.seed)
    yield "hash of the plan", plan


def _data_facts(spec: StudySpec) -> Iterator[tuple[str, str]]:
    data = spec.data or {}
    for key in ("task", "rows", "model", "splits", "seal", "source", "fingerprint"):
        if data.get(key) is not None:
            yield key if key != "rows" else "rows for the search", _plainly(data[key])


def _plainly(form: Any) -> str:
    if isinstance(form, Mapping):
        return _set(form)
    return words.value(form) if not isinstance(form, int) else f"{form:,}"


def _set(form: Mapping[str, Any]) -> str:
    """The entries that have a value, on one line."""
    shown = (
        (key, f"{len(v)}" if isinstance(v, list) and len(v) > 8 else words.value(v))
        for key, v in form.items()
        if v is not None and v not in ("", {}, [])
    )
    return ", ".join(
        v if key in _SAY_IT_ALL else f"{words.name(str(key), 60).replace('_', ' ')} {v}"
        for key, v in shown
    )


def _parameter(name: str, form: Mapping[str, Any]) -> Parameter:
    if "values" in form:
        listed = [words.exact(v, 40) for v in form["values"]]
        values = ", ".join(listed[:12]) + (f", … {len(listed)} in all" if len(listed) > 12 else "")
    else:
        scale = "" if form.get("scale") in (None, "linear") else f", {form['scale']} scale"
        step = f", step {words.value(form['step'])}" if form.get("step") is not None else ""
        values = f"{words.value(form['low'])} to {words.value(form['high'])}{scale}{step}"
    conditions = (
        f"{words.name(parent, 60)} is {' or '.join(words.exact(v, 40) for v in wanted)}"
        for parent, wanted in form.get("when", ())
    )
    default = words.exact(form["default"], 60) if "default" in form else "none"
    return Parameter(words.name(name), str(form["type"]), values, default, " and ".join(conditions))


def _clauses(form: Mapping[str, Any]) -> Iterator[str]:
    for word in ("forbid", "require"):
        for clause in form.get(word, ()):
            text = clause if isinstance(clause, str) else f"the predicate {clause.get('predicate')}"
            yield f"{word}: {words.name(text)}"


def _deviations(history: History) -> Iterator[Deviation]:
    for event in history.milestones():
        if isinstance(event, Deviated):
            texts = (event.what, words.exact(event.before), words.exact(event.after), event.reason)
            yield Deviation(*(words.name(text, 500) for text in texts))
        elif isinstance(event, Opening) and event.look > 1:
            reason = words.name(event.reason, 500)
            yield Deviation("looks at the test set", str(event.look - 1), str(event.look), reason)
        elif isinstance(event, Voided):
            yield Deviation("seal", "sealed", "given up", words.name(event.reason, 500))


def _flat(facts: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, fact in facts.items():
        label = f"{path} {words.name(str(key), 60)}".strip()
        if isinstance(fact, Mapping):
            yield from _flat(fact, label)
        elif fact is not None:
            yield label, words.name(fact, 300) if isinstance(fact, str) else words.exact(fact, 300)
