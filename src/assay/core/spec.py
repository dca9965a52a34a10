"""The plan of a study: all that is fixed before the first trial. Its hash is the hash of the plan."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, TypeAlias, TypeVar, cast

from assay.core.beliefs import Belief, settled
from assay.core.constraints import Constraint, parsed
from assay.core.errors import SpecError, did_you_mean
from assay.core.familiar import BUDGET, LIMITS, familiar_to_make
from assay.core.jobs import RETRIED
from assay.core.jsonform import digest
from assay.core.rates import Rates
from assay.core.runs import Sign
from assay.core.space import Space

Direction: TypeAlias = Literal["minimize", "maximize"]
RULES = (
    "recheck+guard", "argbest", "recheck", "strict", "posterior_mean", "one_se", "shrink", "ensemble_topk"
)  # fmt: skip
"""The rules of selection, the default first."""
TOTALS = ("cpu_hours", "gpu_hours", "kwh", "kgco2e", "money")
"""Limits of the whole study."""
T = TypeVar("T")


@familiar_to_make(**BUDGET)
@dataclass(frozen=True)
class Budget:
    """How much a study may spend; the search ends at whichever limit comes first.

    Args:
        trials: configs to try, the defaults and given configs included. Repeats of the control and
            the recheck are evidence, not trials: they come on top, and are printed with the plan.
        looks: evaluations (fits) of the search, all folds counted.
        seconds: wall-clock time of the search, restarts included.
        cpu_seconds: CPU time of the search, all workers together.
        steps: steps of the space's fidelity that the search takes, all trials together: with
            Fidelity("epochs", 1, 81) as many as 30 full trainings are steps=30 * 81. What it takes
            to bring the best to the full fidelity at the end is set aside from it.
        cpu_hours, gpu_hours, kwh, kgco2e, money: of the whole study, its evidence too, over all workers
            and sittings, by the study's `rates`. The search ends before the trial that would cross one.
        reserve: share of these that the search leaves for the evidence, at least; more where the
            recheck and the test are expected to take more.

    Raises:
        SpecError: nothing given, or a limit that is not positive.

    >>> Budget(trials=60).trials
    60
    """

    trials: int | None = None
    looks: int | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    steps: int | None = None
    cpu_hours: float | None = None
    gpu_hours: float | None = None
    kwh: float | None = None
    kgco2e: float | None = None
    money: float | None = None
    reserve: float = 0.25

    def __post_init__(self) -> None:
        limits = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "reserve"}
        if all(limit is None for limit in limits.values()):
            raise SpecError("A budget needs at least one limit, for example Budget(trials=60).")
        for name, limit in limits.items():
            _positive(f"Budget({name}=…)", limit, whole=name in ("trials", "looks", "steps"))
        if not (_is_number(self.reserve) and 0 <= self.reserve < 1):
            raise SpecError(
                f"Budget(reserve=…) needs a share from 0 to below 1, got {self.reserve!r}."
            )

    @property
    def totals(self) -> dict[str, float]:
        """The limits of the whole study that are set."""
        found = {name: getattr(self, name) for name in TOTALS}
        return {name: limit for name, limit in found.items() if limit is not None}

    def to_json(self) -> dict[str, Any]:
        """Its limits; those that came later only if given, so that older plans keep their hashes."""
        form = asdict(self)
        if not self.totals:
            del form["reserve"]
        later = ("steps", *TOTALS)
        return {name: x for name, x in form.items() if x is not None or name not in later}


@familiar_to_make()
@dataclass(frozen=True)
class Evidence:
    """How the control is measured and how a winner has to prove itself.

    Args:
        repeats: fresh splits (or seeds) on which the control is measured, the first included.
        seeds: seeds per split for a model that is not deterministic.
        top: how many of the best trials are rechecked; None: max(5, 10 % of the trials).
        rechecks: fresh evaluations of each rechecked trial, folds counted; None: 10 on data, and
            3 seeds for a study without data, whose winner is confirmed on further seeds anyway.
        confirms: fresh seeds for the last comparison of a study without data.
        guard: the control is kept unless the fresh paired difference exceeds this many
            corrected standard errors.
        refits: fits of each contender for the sealed test (1 for a deterministic model).
        select: the rule by which the winner is chosen. "recheck+guard": the best on fresh units, if it
            exceeds the guard; "strict": if it exceeds the smallest gain, too; "recheck": if it is
            better at all; "shrink": the best once noisy gains are drawn to the mean;
            "ensemble_topk": the mean prediction of all that were rechecked. By the search alone:
            "argbest", "posterior_mean" (of a Gaussian process), "one_se" (the fewest changes within
            one standard error of the best). docs/choosing.md says which is for what.

    Source of the defaults: Bouthillier et al. 2021, arXiv:2103.03098 (several sources of variance
    at once); the guard from our own measurements, see the decisions in the documentation.
    """

    repeats: int = 3
    seeds: int = 3
    top: int | None = None
    rechecks: int | None = None
    confirms: int = 10
    guard: float = 1.0
    refits: int = 5
    select: str = RULES[0]

    def __post_init__(self) -> None:
        if self.select not in RULES:
            raise SpecError(
                f"No rule of selection {self.select!r}. {did_you_mean(str(self.select), RULES)}"
            )
        for f in fields(self):
            limit = getattr(self, f.name)
            if f.name == "select":
                continue
            if f.name == "guard":
                if not (isinstance(limit, int | float) and math.isfinite(limit) and limit >= 0):
                    raise SpecError(f"Evidence(guard=…) needs a number >= 0, got {limit!r}.")
            else:
                _positive(f"Evidence({f.name}=…)", limit, whole=True)

    def to_json(self) -> dict[str, Any]:
        """Its entries; the rule only when it differs, so that older plans keep their hashes."""
        form = asdict(self)
        if self.select == RULES[0]:
            del form["select"]
        return form

    def top_of(self, trials: int) -> int:
        """How many of `trials` are rechecked."""
        return self.top or max(5, math.ceil(0.1 * trials))


@familiar_to_make(**LIMITS)
@dataclass(frozen=True)
class Limits:
    """What one evaluation may take before it is stopped by force.

    Args:
        seconds: wall-clock time of one job (a trial with all its folds); None: no limit.
        memory_mb: resident memory of its processes; None: no limit.
        retries: how often a trial, or an evaluation after the search, that broke (crash, timeout,
            memory) is started again.
        lost: how often one whose worker was lost (its machine died, it was stopped or cut off) is
            started again; counted apart from `retries`, because it is no fault of the trial.
    """

    seconds: float | None = None
    memory_mb: float | None = None
    retries: int = 0
    lost: int = 5

    def __post_init__(self) -> None:
        _positive("Limits(seconds=…)", self.seconds)
        _positive("Limits(memory_mb=…)", self.memory_mb)
        for name, times in (("retries", self.retries), ("lost", self.lost)):
            if isinstance(times, bool) or not isinstance(times, int) or times < 0:
                raise SpecError(f"Limits({name}=…) needs a whole number >= 0, got {times!r}.")

    def again(self, kind: str) -> int:
        """How often what ended with this kind of failure is started again."""
        if kind == "lost":
            return self.lost
        return self.retries if kind in RETRIED else 0

    def to_json(self) -> dict[str, Any]:
        """Its entries; `lost` only when it differs, so that older plans keep their hashes."""
        form = asdict(self)
        if self.lost == Limits.lost:
            del form["lost"]
        return form


@dataclass(frozen=True)
class StudySpec:
    """All that is fixed at the birth of a study.

    Args:
        space: what is searched.
        directions: "minimize" or "maximize" for each objective, by name.
        seed: every random stream of the study derives from it.
        sampler: name and settings, {"name": "auto"}.
        budget: None for a study that its user drives by ask and tell.
        control: the config of the control group; None when not every parameter has a default.
        smallest_gain: the smallest gain worth having, in units of the objective.
        alpha: 1 - level of every interval.
        evidence: None: nothing is repeated or rechecked, and no verdict is given.
        limits: what one evaluation may take.
        data: fingerprint, task, model, splits and seal of a study on data, in JSON form.
        beliefs: values that the user thinks good, by parameter.
        constraints: bounds on numbers that the objective returns by name, "latency_ms <= 10". A
            trial that breaks one is infeasible: it informs the search, and is never selected.
        scheduler: name and settings, {"name": "asha"}, of what stops trials early; None: nothing does.
        order: {"name": "strict", "lag": 4}: proposal n sees the results of the trials before n - 4 and
            of no others, whoever was faster, so that any number of workers gives the same trials; up
            to 5 run at once. No budget of time and no scheduler. None: a proposal sees every result
            that is there.
        rates: how CPU time becomes energy, CO2 and money; None: energy by the usual model.
    """

    space: Space
    directions: Mapping[str, Direction]
    seed: int = 0
    sampler: Mapping[str, Any] = field(default_factory=lambda: {"name": "auto"})
    budget: Budget | None = None
    control: Mapping[str, Any] | None = None
    smallest_gain: float = 0.0
    alpha: float = 0.05
    evidence: Evidence | None = None
    limits: Limits = field(default_factory=Limits)
    data: Mapping[str, Any] | None = None
    beliefs: Mapping[str, Belief] = field(default_factory=dict)
    constraints: Sequence[str] = ()
    scheduler: Mapping[str, Any] | None = None
    order: Mapping[str, Any] | None = None
    rates: Rates | None = None

    def __post_init__(self) -> None:
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise SpecError(f"seed needs a whole number >= 0, got {self.seed!r}.")
        if not (_is_number(self.smallest_gain) and 0 <= self.smallest_gain < math.inf):
            raise SpecError(f"smallest_gain needs a number >= 0, got {self.smallest_gain!r}.")
        directions_of(self.directions)
        if not (_is_number(self.alpha) and 0 < self.alpha < 1):
            raise SpecError(f"alpha needs a number between 0 and 1, got {self.alpha!r}.")
        object.__setattr__(self, "beliefs", settled(self.space, self.beliefs))
        object.__setattr__(self, "constraints", tuple(map(str, parsed(self.constraints))))
        if self.data and self.constraints:
            raise SpecError(
                "constraints are for an objective that returns several numbers by name; a study on "
                "data has one. Use assay.optimize."
            )
        if self.budget and self.budget.steps is not None and self.space.fidelity is None:
            raise SpecError(
                "Budget(steps=…) counts steps of a fidelity, and the space declares none. Write "
                "Space(…, fidelity=Fidelity('epochs', 1, 81))."
            )
        if self.evidence and self.evidence.select == "ensemble_topk" and not self.data:
            raise SpecError(
                "select='ensemble_topk' averages predictions, and an objective has none to average. It is "
                "for studies on data, assay.tune."
            )
        if self.scheduler is not None:
            self._check_scheduler()
        if self.order is not None:
            self._check_order(self.order)
        self._check_rates()

    def _check_rates(self) -> None:
        """A limit whose unit nothing is counted in would never be reached."""
        rates, limits = self.rates or Rates(), self.budget.totals if self.budget else {}
        needed = {
            "kgco2e": (rates.g_per_kwh is not None, "a region", "region='DEU'"),
            "money": (rates.priced, "a price", "price_per_kwh=0.3"),
            "gpu_hours": (rates.gpus > 0, "the GPUs that a trial holds", "gpus=1"),
        }
        for name in limits.keys() & needed.keys():
            known, what, such_as = needed[name]
            if not known:
                word = such_as.replace("'", "")
                raise SpecError(
                    f"A budget of {name} cannot be counted without {what}: give rates=Rates({such_as}), "
                    f"on the command line --rate {word}."
                )

    def _check_order(self, order: Mapping[str, Any]) -> None:
        lag = order.get("lag")
        if order.keys() != {"name", "lag"} or order["name"] != "strict":
            raise SpecError(
                f"order needs {{'name': 'strict', 'lag': 4}} or None, got {dict(order)}."
            )
        if isinstance(lag, bool) or not isinstance(lag, int) or lag < 0:
            raise SpecError(
                f"order='strict' needs lag, a whole number >= 0, got {lag!r}. With lag=N each proposal "
                "does without the last N results, so that N + 1 trials can run at once."
            )
        limits = ("seconds", "cpu_seconds", *TOTALS)
        timed = [n for n in limits if self.budget and getattr(self.budget, n)]
        if timed:
            raise SpecError(
                f"A budget of {timed[0]} ends the search sooner on a slower machine, and strict order "
                "promises the same trials on every one. Use a budget of trials or looks."
            )
        if self.scheduler is not None:
            raise SpecError(
                "A scheduler decides by what was faster, and order='strict' promises the same trials "
                "whoever is faster. Leave one of the two out."
            )

    def _check_scheduler(self) -> None:
        if self.space.fidelity is None:
            raise SpecError(
                "A scheduler needs to know what it may save: give the space a fidelity, such as "
                "Space(…, fidelity=Fidelity('epochs', 1, 81))."
            )

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives, in order."""
        return tuple(self.directions)

    @property
    def signs(self) -> tuple[float, ...]:
        """+1 where the objective is minimised, -1 where it is maximised: sign * value is a loss."""
        return tuple(1.0 if way == "minimize" else -1.0 for way in self.directions.values())

    @property
    def sign(self) -> Sign:
        """The one sign, or with several objectives all of them: what a scheduler turns values with."""
        return self.signs[0] if self.single else self.signs

    @property
    def limits_on_the_way(self) -> tuple[tuple[int, float, float], ...]:
        """The constraints on objectives, where there are several: a report has what they need.

        Each is the place of its objective, the sign of the bound, and sign * bound.
        """
        place = {} if self.single else {name: i for i, name in enumerate(self.directions)}
        return tuple(
            (place[b.name], b.sign, b.sign * b.bound) for b in self.bounds if b.name in place
        )

    @property
    def single(self) -> bool:
        """Whether there is one objective."""
        return len(self.directions) == 1

    @property
    def lag(self) -> int | None:
        """In strict order, how many of the last results a proposal does without; None: another order."""
        return None if self.order is None else int(self.order["lag"])

    @cached_property
    def bounds(self) -> tuple[Constraint, ...]:
        """The constraints, ready to be used."""
        return parsed(self.constraints)

    @property
    def plan(self) -> str:
        """The hash of the plan: equal for two studies with the same plan."""
        return plan_hash(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """A form that `from_json` reads back."""
        return {
            "space": self.space.to_json(),
            "directions": dict(self.directions),
            "seed": self.seed,
            "sampler": dict(self.sampler),
            "budget": self.budget.to_json() if self.budget else None,
            "control": dict(self.control) if self.control is not None else None,
            "smallest_gain": self.smallest_gain,
            "alpha": self.alpha,
            "evidence": self.evidence.to_json() if self.evidence else None,
            "limits": self.limits.to_json(),
            "data": dict(self.data) if self.data is not None else None,
            **_beliefs_json(self.beliefs),
            # plans from before there were any keep their hashes
            **({"constraints": list(self.constraints)} if self.constraints else {}),
            **({"scheduler": dict(self.scheduler)} if self.scheduler is not None else {}),
            **({"order": dict(self.order)} if self.order is not None else {}),
            **({"rates": self.rates.to_json()} if self.rates is not None else {}),
        }

    @staticmethod
    def from_json(form: Mapping[str, Any]) -> StudySpec:
        """The plan that `to_json` wrote.

        Raises:
            SpecError: an unknown or missing entry.
        """
        known = {f.name for f in fields(StudySpec)}
        for name in form:
            if name not in known:
                raise SpecError(f"A plan has no entry {name!r}. {did_you_mean(name, known)}")
        if missing := {"space", "directions"} - form.keys():
            raise SpecError(f"The plan lacks {sorted(missing)[0]!r}.")
        read = dict(form)
        read["space"] = Space.from_json(form["space"])
        for name, kind in (("budget", Budget), ("evidence", Evidence), ("limits", Limits)):
            read[name] = _part(kind, form.get(name), name)
        if read["limits"] is None:
            read["limits"] = Limits()
        if form.get("rates") is not None:
            read["rates"] = Rates.from_json(form["rates"])
        return StudySpec(**read)


def _beliefs_json(beliefs: Mapping[str, Belief]) -> dict[str, Any]:
    """Nothing for none, so that plans from before there were beliefs keep their hashes."""
    if not beliefs:
        return {}
    return {"beliefs": {name: belief.to_json() for name, belief in beliefs.items()}}


def plan_hash(form: Mapping[str, Any]) -> str:
    """The hash of a plan in JSON form.

    The order of objectives counts, because stored values follow it. That of parameters does not.
    """
    return digest({**form, "objectives": list(form["directions"])})


def directions_of(
    given: str | Sequence[str] | Mapping[str, str], name: str = "value"
) -> dict[str, Direction]:
    """Objective names and directions from what a user gives.

    >>> directions_of("minimize")
    {'value': 'minimize'}
    >>> directions_of(["minimize", "maximize"])
    {'value_0': 'minimize', 'value_1': 'maximize'}

    Raises:
        SpecError: no objective, or a word that is no direction.
    """
    if isinstance(given, str):
        listed = {name: given}
    elif isinstance(given, Mapping):
        listed = dict(given)
    else:
        listed = {f"{name}_{i}" if len(given) > 1 else name: way for i, way in enumerate(given)}
    if not listed:
        raise SpecError("A study needs at least one direction, got none.")
    found: dict[str, Direction] = {}
    for objective, way in listed.items():
        if way not in ("minimize", "maximize"):
            raise SpecError(f"direction needs 'minimize' or 'maximize', got {way!r}.")
        found[objective] = cast(Direction, way)
    return found


def _part(kind: type[T], form: Any, name: str) -> T | None:
    if form is None or isinstance(form, kind):
        return form
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if not isinstance(form, Mapping):
        raise SpecError(
            f"{name} needs an object with {', '.join(sorted(known))}, got {form!r:.80}."
        )
    for entry in form:
        if entry not in known:
            raise SpecError(f"{name} has no entry {entry!r}. {did_you_mean(entry, known)}")
    return kind(**form)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _positive(what: str, limit: Any, *, whole: bool = False) -> None:
    if limit is None:
        return
    kind = int if whole else (int, float)
    if isinstance(limit, bool) or not isinstance(limit, kind) or not 0 < limit < math.inf:
        number = "a whole number" if whole else "a number"
        raise SpecError(f"{what} needs {number} > 0, got {limit!r}.")
