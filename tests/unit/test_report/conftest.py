"""Made-up studies in every state, folded from events, for the tests of the report."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from assay.analysis.selection import select, shortlist
from assay.core import units
from assay.core.events import (
    CONTROL,
    FLOOR,
    Asked,
    Concluded,
    Created,
    Deviated,
    Environment,
    Failed,
    Frozen,
    Measured,
    Noted,
    Opened,
    Opening,
    Sealed,
    Told,
)
from assay.core.history import fold
from assay.core.parameters import Choice, Float, Int, When
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, StudySpec
from assay.report import html
from assay.report.view import view_of

SPACE = Space(
    max_depth=Int(1, 32, default=6),
    min_samples_leaf=Int(1, 64, log=True, default=1),
    learning_rate=Float(1e-4, 1.0, log=True, default=0.1),
    criterion=Choice(["gini", "entropy"], default="gini"),
    subsample=When("criterion", "entropy", Float(0.3, 1.0, default=1.0)),
)
DATA = {
    "folds": 5,
    "ratio": 0.25,
    "rows": 5092,
    "task": "classification",
    "metric": {"name": "roc_auc", "direction": "maximize"},
    "model": {"name": "hist_gradient_boosting"},
    "splits": {"kind": "kfold", "count": 5, "repeats": 1, "stratify": "auto"},
    "seal": {"rows": 1274, "share": 0.2},
    "fingerprint": {"rows": 6366, "content": "ab" * 32},
    "notes": ["38 % of rows have a twin with the same features.", "Column 'id' is constant."],
    "source": {"path": "churn.csv"},
}
FACTS = {
    "python": "3.11.9 (CPython)",
    "cpu": "A CPU of 2026",
    "cores": 2,
    "git": {"commit": "0123abcd", "dirty": False},
    "packages": {"numpy": "2.3.1", "scipy": "1.16.0"},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder for what the studies of this module leave, their memory of spent test sets included."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("ASSAY_HOME", str(place))
        yield place


def plan_on_data(**changes):
    spec = StudySpec(
        space=SPACE,
        directions={"roc_auc": "maximize"},
        seed=7,
        budget=Budget(trials=60),
        control=SPACE.defaults(),
        smallest_gain=0.005,
        evidence=Evidence(),
        data=DATA,
    )
    return replace(spec, **changes)


def plan_of_objective(**changes):
    spec = StudySpec(
        space=SPACE,
        directions={"value": "minimize"},
        budget=Budget(trials=30),
        control=SPACE.defaults(),
        evidence=Evidence(),
    )
    return replace(spec, **changes)


def config(i, rng):
    return SPACE.from_unit(rng.random(5)) if i else SPACE.defaults()


def searched(spec, n, *, failed=(), seed=0, gain=0.06, ended=None):
    """The events up to the end of a search of n trials; `gain` is what the best can reach."""
    rng = np.random.default_rng(seed)
    sign = -spec.signs[0]
    events = [Created(spec.to_json(), spec.plan), Environment(FACTS)]
    if spec.data and spec.data.get("seal"):
        events.append(
            Sealed("s1", 1274, "vault file", "cd" * 32, "", "nobody saw these rows before")
        )
    wanted = units.search(spec)
    folds = {unit: 0.02 * rng.standard_normal() for unit in units.control(spec, fixed=False)}
    if spec.data:
        events += [Measured(FLOOR, "floor", u, 0.5, cpu_s=0.01, wall_s=0.01) for u in wanted]
    for i in range(n):
        origin = "control" if i == 0 and spec.control is not None else "sampler"
        events.append(Asked(i, config(i, rng), len(events), origin))
        true = 0.0 if i == 0 else gain - abs(rng.standard_normal()) * 0.05 - (i % 13 == 5) * 0.4
        noise = [0.006 * rng.standard_normal() for _ in wanted]
        values = [0.65 + sign * (true + folds[u] + e) for u, e in zip(wanted, noise, strict=True)]
        if i in failed:
            events.append(
                Failed(i, "raised", "ValueError: <b>no</b> convergence", "line 1\nline 2", 0.2, 0.3)
            )
        elif ended is None or i < ended:
            if spec.data:
                events += [
                    Measured(i, "search", u, v, cpu_s=0.1, wall_s=0.12)
                    for u, v in zip(wanted, values, strict=True)
                ]
            mean = (float(np.mean(values)),) * len(spec.directions)
            events.append(Told(i, mean, None, 0.1 * len(wanted), 0.12 * len(wanted)))
        if i == 0 and spec.control is not None and 0 not in failed and spec.evidence:
            events += control_repeats(spec, rng, sign, folds)
    return events


def control_repeats(spec, rng, sign, folds):
    def value(unit):
        return 0.65 + sign * (folds.get(unit, 0.0) + 0.006 * rng.standard_normal())

    probes = [
        Measured(CONTROL, "probe", u, value(u), cpu_s=0.1, wall_s=0.12) for u in units.probe()
    ]
    wanted = [u for u in units.control(spec, fixed=False) if u not in units.search(spec)]
    return probes + [
        Measured(CONTROL, "control", u, value(u), cpu_s=0.1, wall_s=0.12) for u in wanted
    ]


def rechecked(spec, events, *, seed=1, lift=0.05):
    """The same with the recheck and the selection."""
    rng = np.random.default_rng(seed)
    sign = -spec.signs[0]
    history = fold(events)
    fresh = units.rechecks(spec)
    common = {u: 0.01 * rng.standard_normal() for u in fresh}
    more = []
    for number in (CONTROL, *shortlist(spec, history)):
        done = history.units(number)
        true = 0.0 if number == CONTROL else lift - 0.002 * len(more) / len(fresh)
        more += [
            Measured(number, "recheck", u, 0.65 + sign * (true + common[u] + 0.005 * rng.standard_normal()),
                     cpu_s=0.1, wall_s=0.12)
            for u in fresh
            if u not in done
        ]  # fmt: skip
    events = [*events, *more]
    return [*events, select(spec, fold(events))]


def opened(spec, events, *, look=1, gain=0.0512, verdict="BETTER"):
    """The same with the test set opened and the verdict."""
    selected = next(e for e in reversed(events) if type(e).__name__ == "Selected")
    arms = (CONTROL, selected.challenger)
    events = list(events)
    if not any(isinstance(e, Frozen) for e in events):
        events.append(Frozen(arms, 5, spec.plan))
    events.append(Opening(look, "f" * 64, arms, "" if look == 1 else "a reviewer asked"))
    events += [
        Measured(
            number, "test", (look - 1, 0, s), 0.66 + (gain if number else 0), cpu_s=0.4, wall_s=0.5
        )
        for number in arms
        for s in range(5)
    ]
    form = {"estimate": gain, "low": gain - 0.02, "high": gain + 0.021, "se": 0.01, "df": None,
            "method": "percentile bootstrap", "n": 1274, "level": 0.95}  # fmt: skip
    contenders = {
        str(n): {"score": 0.66 + x, "low": 0.63 + x, "high": 0.69 + x, "scores": [0.66 + x] * 5}
        for n, x in zip(arms, (0.0, gain), strict=True)
    }
    extra = {"se_rows": 0.009, "se_seeds": 0.004, "challenger": arms[1]}
    results = {"metric": "roc_auc", "rows": 1274, "drawn": "stratified", "contenders": contenders}
    events.append(Opened(look, results | {"gain": form | extra}))
    sentence = (
        "Tuning improved ROC AUC on 1 274 unseen rows from 0.660 to 0.711: +0.051 "
        "(95 % CI +0.031 to +0.072). Your threshold was 0.005. The test set was opened once."
    )
    badge = "CONFIRMATORY" if look == 1 else f"POST-HOC (look {look})"
    action = "USE_TUNED"
    events.append(
        Concluded({"claim": verdict, "action": action, "sentence": sentence, "gain": form,
                   "badge": badge, "look": look, "metric": "roc_auc"})
    )  # fmt: skip
    return events


def whole(n=60, **changes):
    spec = plan_on_data(**changes)
    return spec, opened(spec, rechecked(spec, searched(spec, n, failed={4, 9})))


def view_of_events(spec, events):
    return view_of("churn", spec, fold(events), "9f" * 32)


def two_objectives(n=12):
    spec = plan_of_objective(directions={"loss": "minimize", "size": "minimize"}, evidence=None)
    events = [Created(spec.to_json(), spec.plan)]
    for i in range(n):
        events.append(
            Asked(
                i, config(i, np.random.default_rng(i)), len(events), "sampler" if i else "control"
            )
        )
        events.append(Told(i, (float(i), float((n - i) % 5))))
    return spec, events


def made_study(kind):
    data, objective = plan_on_data(), plan_of_objective()
    lone = plan_of_objective(control=None, evidence=None)
    match kind:
        case "created":
            return data, searched(data, 0)[:1]
        case "one trial":
            return data, searched(data, 1)
        case "running":
            return data, searched(data, 23, ended=21)
        case "rechecked":
            return data, rechecked(data, searched(data, 20))
        case "whole":
            return whole()
        case "post-hoc":
            return data, opened(data, whole()[1], look=2, gain=0.001, verdict="CANNOT_TELL")
        case "objective":
            return objective, confirmed(objective, rechecked(objective, searched(objective, 30)))
        case "no control":
            return lone, searched(lone, 40)
        case "all failed":
            return lone, searched(lone, 12, failed=range(12))
        case "control failed":
            return objective, searched(objective, 1, failed={0})
        case "two objectives":
            return two_objectives()
    raise ValueError(kind)


def confirmed(spec, events):
    challenger = events[-1].challenger
    fresh = units.confirms(spec)
    values = {CONTROL: 0.66, challenger: 0.61}
    more = [Measured(n, "confirm", u, values[n]) for n in values for u in fresh]
    return [*events, *more, Concluded({"claim": "BETTER", "gain": {"estimate": 0.05}})]


KINDS = ["created", "one trial", "running", "rechecked", "whole", "post-hoc", "objective",
         "no control", "all failed", "control failed", "two objectives"]  # fmt: skip


HOSTILE = "<img src=x onerror=alert(1)>\u202e\x00</style><script>'\"&{{ 7*7 }}"


def hostile_study():
    space = Space({HOSTILE: Choice([HOSTILE, "x" * 65536], default=HOSTILE)})
    spec = StudySpec(
        space, {HOSTILE: "minimize"}, control=space.defaults(), budget=Budget(trials=3)
    )
    events = [
        Created(spec.to_json(), "0" * 64),
        Environment({HOSTILE: HOSTILE, "packages": {HOSTILE: HOSTILE}}),
        Asked(0, {HOSTILE: HOSTILE}, 1, "control"),
        Told(0, (1.0,), {HOSTILE: 2.0}),
        Asked(1, {HOSTILE: "x" * 65536}, 2),
        Told(1, (0.5,)),
        Asked(2, {HOSTILE: HOSTILE}, 2),
        Failed(2, "raised", HOSTILE, HOSTILE),
        Noted(HOSTILE),
        Deviated(HOSTILE, HOSTILE, {HOSTILE: HOSTILE}, HOSTILE),
        Concluded({"claim": HOSTILE, "sentence": HOSTILE, "action": HOSTILE, "badge": HOSTILE}),
    ]
    return spec, events


@pytest.fixture(scope="session")
def made():
    """The builders, for tests that need a study of their own."""
    return SimpleNamespace(
        plan_on_data=plan_on_data,
        plan_of_objective=plan_of_objective,
        searched=searched,
        rechecked=rechecked,
        whole=whole,
        DATA=DATA,
        hostile=hostile_study,
        HOSTILE=HOSTILE,
    )


@pytest.fixture(scope="session")
def study():
    """`study(kind)`: the plan and the events of a study of this kind."""
    return {kind: made_study(kind) for kind in KINDS}.__getitem__


@pytest.fixture(scope="session")
def view():
    """`view(spec, events)`: the view of a study called churn."""
    return view_of_events


@pytest.fixture(scope="session", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def pages(study):
    return {kind: html.page(view_of_events(*study(kind))) for kind in KINDS}
