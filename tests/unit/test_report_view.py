"""The report of made-up studies: what the view says, and what pages and terminals show of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from assay.analysis.selection import select
from assay.core import units
from assay.core.events import (
    CONTROL,
    FLOOR,
    Asked,
    Broke,
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
from assay.report import figures, html
from assay.report.view import view_of

SPACE = Space(
    max_depth=Int(1, 32, default=None or 6),
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
        events.append(Sealed("s1", 1274, "vault file", "cd" * 32, "", "nobody saw these rows before"))
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
            events.append(Failed(i, "raised", "ValueError: <b>no</b> convergence", "line 1\nline 2", 0.2, 0.3))
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

    probes = [Measured(CONTROL, "probe", u, value(u), cpu_s=0.1, wall_s=0.12) for u in units.probe()]
    wanted = [u for u in units.control(spec, fixed=False) if u not in units.search(spec)]
    return probes + [Measured(CONTROL, "control", u, value(u), cpu_s=0.1, wall_s=0.12) for u in wanted]


def rechecked(spec, events, *, seed=1, lift=0.05):
    """The same with the recheck and the selection."""
    from assay.analysis.selection import shortlist

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
    history = fold(events)
    selected = next(e for e in reversed(events) if type(e).__name__ == "Selected")
    arms = (CONTROL, selected.challenger)
    events = list(events)
    if not any(isinstance(e, Frozen) for e in events):
        events.append(Frozen(arms, 5, spec.plan))
    events.append(Opening(look, "f" * 64, arms, "" if look == 1 else "a reviewer asked"))
    events += [
        Measured(number, "test", (look - 1, 0, s), 0.66 + (gain if number else 0), cpu_s=0.4, wall_s=0.5)
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
    action = "use the tuned settings"
    events.append(
        Concluded({"claim": verdict, "action": action, "sentence": sentence, "gain": form,
                   "badge": badge, "look": look, "metric": "roc_auc"})
    )  # fmt: skip
    del history
    return events


def whole(n=60, **changes):
    spec = plan_on_data(**changes)
    return spec, opened(spec, rechecked(spec, searched(spec, n, failed={4, 9})))


def view(spec, events, name="churn"):
    return view_of(name, spec, fold(events), "9f" * 32)
