"""Studies of any length to look at, made from events at once instead of being run."""

from __future__ import annotations

import math

import numpy as np

from assay.core.events import Asked, Created, Environment, Event, Failed, Reported, Told
from assay.core.parameters import Choice, Float, Int, When
from assay.core.space import Space
from assay.core.spec import Budget, Evidence, StudySpec

SPACE = Space(
    learning_rate=Float(1e-5, 1.0, log=True, default=0.01),
    max_depth=Int(1, 32, default=6),
    min_leaf=Int(1, 64, log=True, default=1),
    l2=Float(1e-6, 10.0, log=True, default=1e-3),
    momentum=Float(0.01, 0.99, logit=True, default=0.9),
    criterion=Choice(["gini", "entropy", "log_loss"], default="gini"),
    booster=Choice(["tree", "linear"], default="tree"),
    subsample=When("booster", "tree", Float(0.3, 1.0, default=1.0)),
)


def spec_of(trials: int, *, objectives: int = 1) -> StudySpec:
    """A plan with this budget over eight parameters."""
    ways = {"loss": "minimize"} if objectives == 1 else {"loss": "minimize", "ms": "minimize"}
    return StudySpec(
        space=SPACE,
        directions=ways,
        budget=Budget(trials=max(trials, 1)),
        control=SPACE.defaults(),
        evidence=Evidence() if objectives == 1 else None,
        sampler={"name": "random"},
    )


def value_of(config: dict, luck: float) -> float:
    """A loss: mostly of the learning rate and the depth."""
    off = (math.log10(config["learning_rate"]) + 2.5) ** 2 / 8
    deep = abs(config["max_depth"] - 12) / 40
    leaf = math.log(config["min_leaf"]) / 30
    return 0.2 + off + deep + leaf + 0.05 * (config["booster"] == "linear") + 0.03 * luck


def events_of(
    spec: StudySpec, trials: int, *, seed: int = 0, curves: int = 0, running: int = 0
) -> list[Event]:
    """The log of a study that has run so many trials; `curves`: reports of each of the first 200."""
    rng = np.random.default_rng(seed)
    events: list[Event] = [Created(spec.to_json(), spec.plan), Environment({"python": "3.11"})]
    for number in range(trials):
        events += trial_events(spec, number, rng, len(events), curves=curves)
    for number in range(trials, trials + running):
        config = SPACE.from_unit(rng.random(len(SPACE)))
        events.append(Asked(number, config, len(events)))
        events += [Reported(number, step, 1.0 / (step + 1)) for step in range(curves)]
    return events


def trial_events(spec, number, rng, seen, *, curves=0) -> list[Event]:
    """One trial from its proposal to its end; every 29th fails."""
    control = number == 0
    config = SPACE.defaults() if control else SPACE.from_unit(rng.random(len(SPACE)))
    events: list[Event] = [Asked(number, config, seen, "control" if control else "sampler")]
    if number % 29 == 28:
        return [*events, Failed(number, "raised", "ValueError: no convergence", "", 0.1, 0.2)]
    value = value_of(config, rng.standard_normal())
    if number < 200:
        events += [
            Reported(number, step, value + 0.8 * math.exp(-step / 4) + 0.01 * rng.standard_normal())
            for step in range(curves)
        ]
    cost = 0.5 + config["max_depth"] / 10 + abs(rng.standard_normal()) / 10
    values = (value,) if spec.single else (value, cost * 10)
    return [*events, Told(number, values, None, cost, 1.2 * cost)]
