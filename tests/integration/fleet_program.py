"""A driver or a worker of one study as a process of its own: `fleet_program.py ROLE STORAGE SECONDS`.

Each evaluation is noted in a file beside the storage when it begins and when it ends.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import assay

TRIALS = 12


def main(role: str, storage: str, seconds: float) -> None:
    notes = Path(storage).with_name("notes.txt")

    def objective(trial: assay.OpenTrial) -> float:
        _note(notes, f"begin {trial.number} {trial.seed} {os.getpid()} {os.getppid()}")
        time.sleep(seconds)
        _note(notes, f"end {trial.number} {trial.seed} {os.getpid()} {os.getppid()}")
        return (trial.config["x"] - 0.3) ** 2

    if role == "drive":
        space = assay.Space(x=assay.Float(-1, 1, default=0.9))
        study = assay.optimize(
            objective,
            space,
            budget=assay.Budget(trials=TRIALS),
            sampler="random",
            storage=storage,
            evidence=assay.Evidence(repeats=2, top=2, rechecks=2, confirms=2),
            progress=False,
        )
        sys.stdout.write(f"{len(study.trials)}\n")
    else:
        sys.stdout.write(assay.work(objective, storage=storage, drive=role == "share", wait_s=60))


def _note(notes: Path, text: str) -> None:
    with notes.open("a") as file:
        file.write(text + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
