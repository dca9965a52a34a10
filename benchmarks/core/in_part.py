"""What a study in part costs besides its trials: CPU milliseconds of proposals and of schedulers' decisions.

    python -m benchmarks.core.in_part              # a minute
    python -m benchmarks.core.in_part 400 4000     # studies of so many random trials, and what is decided
    python -m benchmarks.core.in_part calls        # single reports, 400 and 4,000 trials being known

The trials are formulas, so nearly all of the time is Assay's own. Figures: docs/decisions/0028 and 0022.
"""

from __future__ import annotations

import sys
import time

import numpy as np

import assay
from assay import Fidelity, Float, Space
from assay.core.history import History
from assay.core.runs import Run
from assay.engine import grants
from assay.samplers.unique import Unique
from assay.schedulers.asha import Asha, AshaStopping
from assay.schedulers.halving import Halving
from assay.schedulers.racing import Racing

CALLS, D, TRIALS, FOLDS = 60, 6, 60, (0.3, -0.1, 0.05, -0.2, -0.05)
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


def calls():
    """A report and what is asked after it, on made-up runs of which one changes each time."""
    fidelity, rng = Fidelity("epochs", 1, 27), np.random.default_rng(0)
    folds = Fidelity("fold", 1, 5, "folds")
    for kind in (Asha(fidelity), AshaStopping(fidelity), Halving(fidelity), Racing(folds)):
        for count in (400, 4000):
            runs = [_run(kind, trial, rng) for trial in range(count)]
            for trial in range(50):  # imports, and what is kept from call to call
                kind.judge(tuple(runs), trial)
            began = time.process_time()
            going = [trial for trial in range(count) if runs[trial].state != "done"]
            for trial in rng.permutation(going)[:CALLS].tolist():
                runs[trial] = _run(kind, trial, rng, "running")
                now = tuple(runs)
                kind.judge(now, trial)
                kind.resume(now)
                kind.start(now)
            ms = 1000 * (time.process_time() - began) / CALLS
            print(f"calls, {type(kind).__name__}, {count} trials: {ms:.2f} ms a report", flush=True)


def _run(kind, trial, rng, state=None):
    """Somewhere on its way: most were cut at the first rung."""
    most = kind.fidelity.most
    step = int(rng.choice([1, 3, 9, 27], p=[0.67, 0.22, 0.08, 0.03])) if most == 27 else 2
    if most == 5 and state is None and rng.random() < 0.4:
        step = 5
    curve = tuple((at, float(rng.random())) for at in range(1, step + 1))
    cut = "paused" if isinstance(kind, Asha | Halving) else "stopped"
    state = "done" if step == most else state or cut
    return Run(trial, state, step if cut == "paused" else most, step, curve)


def _everywhere(name):
    """Let modules that imported the function by name have the timed one."""
    for module in list(sys.modules.values()):
        mine = getattr(module, "__name__", "").startswith("assay.")
        if mine and getattr(getattr(module, name, None), "__module__", "") == grants.__name__:
            setattr(module, name, getattr(grants, name))


if __name__ == "__main__":
    given = sys.argv[1:]
    if given == ["calls"]:
        calls()
    else:
        if not given:
            proposals()
        decisions([int(word) for word in given] or [400])
