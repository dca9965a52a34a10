"""A study as a user's script: run with a storage file; killed and run again it goes on."""

from __future__ import annotations

import random
import sys
import time

import assay


def objective(trial: assay.OpenTrial) -> float:
    """Noisy and a little slow, with reports: something to be interrupted in."""
    noise = random.Random(trial.seed)
    x, depth = trial.config["x"], trial.config["depth"]
    value = (x - 0.3) ** 2 + 0.01 * depth
    for step in range(3):
        time.sleep(0.002)
        trial.report(step, value + 1 / (step + 1))
    return value + 0.01 * noise.gauss(0, 1)


def main() -> None:
    """Run the study in the file named first; print what was found."""
    study = assay.optimize(
        objective,
        assay.Space(x=assay.Float(-1, 1, default=0.9), depth=assay.Int(1, 8, default=4)),
        budget=assay.Budget(trials=25),
        seed=11,
        storage=f"sqlite:///{sys.argv[1]}",
        name="killed",
        limits=assay.Limits(retries=1000),
        workers=int(sys.argv[2]) if len(sys.argv) > 2 else 1,
        progress=False,
    )
    sys.stdout.write(f"{study.best.number} {study.verdict}\n")


if __name__ == "__main__":
    main()
