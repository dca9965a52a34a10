"""The study that `kill_campaign` runs and kills: `kill_program.py STORAGE EXECUTOR [WORKERS]`.

Each evaluation has a number that no other has; what counts is seen by it.
"""

from __future__ import annotations

import os
import random
import sys
import time
from typing import Any

import assay

TRIALS = 300
GIVEN = tuple({"x": -0.9 + i / 10, "depth": 1 + i % 8} for i in range(10))
NAME = "killed"
NOTES = os.environ.get("ASSAY_KILL_NOTES")  # goes with the objective to where an engine runs it


def objective(trial: assay.OpenTrial) -> dict[str, float]:
    """Noisy, a few milliseconds long, with reports; writes down when it has come to its end."""
    noise = random.Random(trial.seed)
    x, depth = trial.config["x"], trial.config["depth"]
    value = (x - 0.3) ** 2 + 0.01 * depth
    for step in range(3):
        time.sleep(0.004)
        trial.report(step, value + 1 / (step + 1))
    mark = int.from_bytes(os.urandom(6), "big")
    if NOTES:
        with open(NOTES, "a") as file:
            file.write(f"{trial.number} {mark}\n")
    return {"value": value + 0.01 * noise.gauss(0, 1), "mark": float(mark)}


def run(storage: str | None, executor: str = "local", **options: Any) -> assay.Study:
    """The study, or what is left of it."""
    return assay.optimize(
        objective,
        assay.Space(x=assay.Float(-1, 1, default=0.9), depth=assay.Int(1, 8, default=4)),
        budget=assay.Budget(trials=TRIALS),
        sampler="random",
        seed=11,
        given=GIVEN,
        storage=storage,
        name=NAME,
        limits=assay.Limits(retries=1000, lost=1000, seconds=60),
        evidence=assay.Evidence(repeats=3, top=2, rechecks=3, confirms=3),
        executor=executor,
        progress=False,
        **options,
    )


if __name__ == "__main__":
    more = {"workers": int(sys.argv[3])} if len(sys.argv) > 3 else {}
    run(f"sqlite:///{sys.argv[1]}", sys.argv[2], **more)
