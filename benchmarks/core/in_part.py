"""What a study in part costs besides its trials: CPU milliseconds of proposals and of schedulers' decisions.

    python -m benchmarks.core.in_part              # a minute
    python -m benchmarks.core.in_part 400 4000     # decisions alone, with so many trials

The trials are formulas, so nearly all of the time is Assay's own. Figures: docs/decisions/0028 and 0022.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import assay
from assay import Fidelity, Float, Space
from assay.core.history import History
from assay.engine import grants
from assay.samplers.unique import Unique

D, TRIALS, FOLDS = 6, 60, (0.3, -0.1, 0.05, -0.2, -0.05)
PLANS = {
    "none": (None, None),
    "racing": (Fidelity("fold", 1, 5, "folds"), "racing"),
    "asha": (Fidelity("epochs", 1, 27), "asha"),
    "asha-stopping": (Fidelity("epochs", 1, 27), "asha-stopping"),
}


def level(config):
    return sum((config[f"x{i}"] - 0.2 - 0.1 * i) ** 2 for i in range(D))


def plain(trial):
    return level(trial.config)


def folds(trial):
    """Fold effects that all trials share, and noise of their own."""
    noise = np.random.default_rng(trial.number).normal(0, 0.02, len(FOLDS))
    values = [level(trial.config) + FOLDS[s - 1] + noise[s - 1] for s in trial.steps]
    for step, value in zip(trial.steps, values, strict=True):
        trial.report(step, value)
    return float(np.mean(values))


def epochs(trial):
    for step in trial.steps:
        value = level(trial.config) + 0.5 / step
        trial.report(step, value)
    return value


def timed(owner, name):
    """Count the CPU seconds of a method or function, from now on."""
    took, real = [], getattr(owner, name)

    def wrapped(*given):
        began = time.process_time()
        try:
            return real(*given)
        finally:
            took.append(time.process_time() - began)

    setattr(owner, name, wrapped)
    return took


def study(scheduler, trials, sampler="gp", seed=1):
    fidelity, named = PLANS[scheduler]
    space = Space(**{f"x{i}": Float(0, 1) for i in range(D)}, fidelity=fidelity)
    run = plain if fidelity is None else folds if fidelity.kind == "folds" else epochs
    return assay.optimize(
        run, space, budget=trials, sampler=sampler, scheduler=named, evidence=None,
        isolation="none", progress=False, seed=seed,
    )  # fmt: skip


def proposals():
    took = timed(Unique, "ask")
    for scheduler in PLANS:
        found = []
        for seed in (1, 2, 3):
            took.clear()
            study(scheduler, TRIALS, seed=seed)
            found += took[5:]
        ms = 1000 * np.array(found)
        print(f"proposals, {scheduler}: mean {ms.mean():.1f} ms, median {np.median(ms):.1f} ms")


def decisions(counts):
    """All that a scheduler is asked, by the study and by the hand that drops checkpoints."""
    took = timed(grants, "verdict"), timed(grants, "more"), timed(grants, "without_hope")
    for name in ("verdict", "more", "without_hope"):
        _everywhere(name)
    whole = timed(History, "runs")
    for scheduler in ("asha", "asha-stopping", "racing"):
        for trials in counts:
            for one in (*took, whole):
                one.clear()
            began = time.process_time()
            study(scheduler, trials, sampler="random")
            all_s = time.process_time() - began
            parts = ", ".join(
                f"{name} {sum(one):.2f}"
                for name, one in zip(
                    ("verdicts", "more", "checkpoints", "runs"), (*took, whole), strict=True
                )
            )
            print(
                f"decisions, {scheduler}, {trials} trials: {all_s:.2f} s of CPU; {parts}",
                flush=True,
            )


def _everywhere(name):
    """Let modules that imported the function by name have the timed one."""
    for module in list(sys.modules.values()):
        mine = getattr(module, "__name__", "").startswith("assay.")
        if mine and getattr(getattr(module, name, None), "__module__", "") == grants.__name__:
            setattr(module, name, getattr(grants, name))


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:]]
    if not sizes:
        proposals()
    decisions(sizes or [400])
