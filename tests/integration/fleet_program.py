"""A driver or a worker of one study as a process of its own: `ROLE STORAGE SECONDS [TRIALS [NAME]]`.

Each evaluation is noted in a file of the working folder when it begins and when it ends.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import assay

TRIALS = 12
HOLD = Path("hold").absolute()  # while it is there, what the driver evaluates itself does not end


def main(
    role: str, storage: str, seconds: float, trials: int = TRIALS, name: str = "study"
) -> None:
    """Drive the study, or work for it."""
    notes = Path("notes.txt").absolute()

    def objective(trial: assay.OpenTrial) -> float:
        _note(notes, f"begin {trial.number} {trial.seed} {os.getpid()} {os.getppid()}")
        while role == "drive" and HOLD.exists():
            time.sleep(0.01)
        time.sleep(seconds)
        _note(notes, f"end {trial.number} {trial.seed} {os.getpid()} {os.getppid()}")
        return (trial.config["x"] - 0.3) ** 2

    if role == "drive":
        space = assay.Space(x=assay.Float(-1, 1, default=0.9))
        study = assay.optimize(
            objective,
            space,
            budget=assay.Budget(trials=trials),
            sampler="random",
            storage=storage,
            name=name,
            evidence=assay.Evidence(repeats=2, top=2, rechecks=2, confirms=2),
            progress=False,
        )
        sys.stdout.write(f"{len(study.trials)}\n")
    else:
        share = role == "share"
        sys.stdout.write(assay.work(objective, storage=storage, study=name, drive=share, wait_s=60))


def _note(notes: Path, text: str) -> None:
    with notes.open("a") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]), *map(int, sys.argv[4:5]), *sys.argv[5:6])
