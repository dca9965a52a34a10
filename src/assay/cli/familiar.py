"""What commands and options of other tuners are called here, said to who types one."""

from __future__ import annotations

COMMANDS = {
    "agent": "assay worker",
    "best-trial": "assay best",
    "best-trials": "assay best",
    "compare": "assay diff A B",
    "create-study": "assay create STUDY --param NAME=RANGE",
    "delete": "no study is deleted; remove its storage",
    "delete-study": "no study is deleted; remove its storage",
    "gate": "assay check FILE --target COL",
    "hunt": "assay run --command TEXT --param NAME=RANGE",
    "info": "assay status STUDY",
    "init": "assay create STUDY, or assay run",
    "list": "assay status",
    "ls": "assay status",
    "optimize": "assay run, or assay tune for data",
    "plot": "assay report, or assay dashboard",
    "search": "assay tune, or assay run",
    "serve": "assay dashboard",
    "studies": "assay status",
    "study-names": "assay status",
    "suggest": "assay ask",
    "sweep": "assay space convert FILE --from wandb -o space.json, then assay run --space space.json",
    "ui": "assay dashboard",
}
"""Of Optuna, Orion, W&B and omega-lock."""

CALLED_HERE = {
    "--name": "--study", "--study-name": "--study", "--n-trials": "--trials", "--max-trials": "--trials",
    "--num-samples": "--trials", "--time-budget": "--seconds", "--n-jobs": "--workers", "--jobs": "--workers",
    "--direction": "--minimize", "--cv": "--splits", "--scoring": "--metric", "--random-state": "--seed",
    "--holdout": "--test", "--output": "--report",
}  # fmt: skip
"""Options of other tuners, where the command has the option that they are called here."""

OPTIONS = {
    "--config": "the file without an option",
    "--direction": "--minimize NAME or --maximize NAME",
    "--directions": "--minimize NAME and --maximize NAME, each repeatable",
    "--search-space": "--param NAME=RANGE, or --space FILE",
    "--study": "the name of the study without an option",
    "--study-name": "the name of the study without an option",
    "--trial-number": "the number of the trial without an option",
    "--values": "the value without an option; several as a JSON object",
}
"""Where nothing else helps; `--study` and others are options of some commands."""
