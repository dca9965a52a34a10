"""A study in strict order as a user's script: `strict_program.py STORAGE WORKERS`. Its trials take any time."""

from __future__ import annotations

import random
import sys
import time

import assay

SPACE = assay.Space(
    x=assay.Float(-1, 1, default=0.9), y=assay.Float(-1, 1, default=0.9), depth=assay.Int(1, 8, default=4)
)  # fmt: skip


def objective(trial: assay.OpenTrial) -> float:
    """Its value is the config's, how long it takes is not; some configs fail."""
    time.sleep(random.SystemRandom().expovariate(100))
    trial.report(1, trial.config["x"])
    if trial.config["x"] * trial.config["y"] > 0.5 and trial.number:
        raise ValueError("x and y are both large")
    noise = random.Random(trial.seed).gauss(0, 0.01)
    return (
        (trial.config["x"] - 0.3) ** 2
        + trial.config["y"] ** 2
        + 0.01 * trial.config["depth"]
        + noise
    )


def study(storage: str | None, workers: int, lag: int | None = 4, **changes) -> assay.Study:
    """The study, run to its end."""
    plain = {"objective": objective, "sampler": {"name": "tpe", "start": 5}, "order": "strict"}
    return assay.optimize(
        space=SPACE,
        budget=assay.Budget(trials=22),
        seed=5,
        storage=storage,
        name="killed",
        limits=assay.Limits(retries=1000),
        evidence=assay.Evidence(repeats=2, top=2, rechecks=2, confirms=2),
        workers=workers,
        progress=False,
        **{**plain, "lag": lag, **changes},
    )


if __name__ == "__main__":
    study(f"sqlite:///{sys.argv[1]}", int(sys.argv[2]))
    sys.stdout.write("done\n")
