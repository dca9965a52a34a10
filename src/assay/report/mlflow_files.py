"""A study as the files of an MLflow tracking folder: a parent run, and a child run for each trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assay.analysis.effects import gain_name
from assay.core.history import Trial
from assay.math.intervals import Interval
from assay.report.mlflow_names import mlflow_names

_STATES = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_CODES = {"RUNNING": 1, "FINISHED": 3, "FAILED": 4, "KILLED": 5}
_LONGEST = 6_000  # characters of a parameter
REPORTED = "reported"
"""What the steps of a trial are called."""


def run_files(
    name: str,
    trials: list[tuple[Trial, Mapping[str, Any]]],
    *,
    tags: Mapping[str, str],
    gain: Interval | None = None,
    span: tuple[int, int],
    times: Mapping[int, tuple[int, int | None]],
) -> Iterator[tuple[str, str]]:
    """(path, text) of every file, relative to the folder that MLflow is pointed to.

    A path that ends in "/" is a folder, which may stay empty.

    Args:
        trials: each with its row of `assay.api.exporting.trial_rows`.
        tags: of the parent run.
        gain: of the verdict, for the parent run.
        span: when the study began and ended, in milliseconds since 1970.
        times: when each trial began and ended; None: it has not.

    The layout is that of MLflow's file store: EXPERIMENT/meta.yaml, and RUN/meta.yaml with a file for
    each parameter, metric and tag.
    """
    experiment = str(int(hashlib.sha256(name.encode()).hexdigest()[:15], 16))
    start, end = span
    yield f"{experiment}/meta.yaml", _yaml({
        "artifact_location": f"./{experiment}", "creation_time": start, "experiment_id": experiment,
        "last_update_time": end, "lifecycle_stage": "active", "name": name,
    })  # fmt: skip
    parent = _run_id(name, "parent")
    params = mlflow_names({key for trial, _ in trials for key in trial.config})
    told = (
        (("gain", gain.estimate, 0), ("gain_low", gain.low, 0), ("gain_high", gain.high, 0))
        if gain
        else ()
    )
    yield from _Run(parent, name, (start, end), "FINISHED").files(experiment, {}, told, tags)
    for trial, row in trials:
        found = {key: value for key, value in row["values"].items() if value is not None}
        if row["gain"] is not None:
            found[gain_name(found)] = row["gain"]
        keys = mlflow_names([*found, REPORTED])
        metrics = [(keys[key], value, 0) for key, value in found.items()]
        reported = [(keys[REPORTED], value, step) for step, value in trial.curve]
        own = {
            "mlflow.parentRunId": parent,
            "assay.trial": str(trial.number),
            "assay.origin": trial.origin,
            "assay.state": trial.state,
            **({"assay.standing": row["standing"]} if row["standing"] else {}),
        }
        status = _STATES.get(trial.state, "RUNNING")
        began, ended = times[trial.number]
        if status == "RUNNING":
            ended = None  # paused: it may go on
        elif ended is None:
            ended = end
        run = _Run(
            _run_id(name, str(trial.number)), f"trial {trial.number}", (began, ended), status
        )
        config = {params[key]: value for key, value in trial.config.items()}
        yield from run.files(experiment, config, [*metrics, *reported], own)


@dataclass(frozen=True)
class _Run:
    """One run: `span` is when it began and ended, in milliseconds."""

    id: str
    label: str
    span: tuple[int, int | None]
    status: str

    def files(
        self,
        experiment: str,
        params: Mapping[str, Any],
        metrics: Iterable[tuple[str, float, int]],
        tags: Mapping[str, str],
    ) -> Iterator[tuple[str, str]]:
        """`metrics` are (name, value, step)."""
        where, (start, end) = f"{experiment}/{self.id}", self.span
        for folder in ("params", "metrics", "artifacts"):  # without all three it is no run
            yield f"{where}/{folder}/", ""
        yield f"{where}/meta.yaml", _yaml({
            "artifact_uri": f"./{where}/artifacts", "end_time": end, "entry_point_name": "",
            "experiment_id": experiment, "lifecycle_stage": "active", "run_id": self.id,
            "run_name": self.label, "run_uuid": self.id, "source_name": "", "source_type": 4,
            "source_version": "", "start_time": start, "status": _CODES[self.status],
            "tags": [], "user_id": "assay",
        })  # fmt: skip
        for key, value in params.items():
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{where}/params/{key}", text[:_LONGEST]
        lines: dict[str, str] = {}
        for key, number, step in metrics:
            lines[key] = lines.get(key, "") + f"{end or start} {number!r} {step}\n"
        for key, text in lines.items():
            yield f"{where}/metrics/{key}", text
        for key, text in {"mlflow.runName": self.label, **tags}.items():
            yield f"{where}/tags/{key}", text


def _yaml(form: Mapping[str, Any]) -> str:
    """JSON values are YAML too."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in form.items())


def _run_id(name: str, which: str) -> str:
    return hashlib.sha256(f"{name}\0{which}".encode()).hexdigest()[:32]
