"""A study as the files of an MLflow tracking folder: a parent run, and a child run for each trial."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from assay.core.history import Trial
from assay.math.intervals import Interval

_STATES = {"done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}
_LONGEST = 6_000  # characters of a parameter
_LONGEST_KEY = 200  # bytes: names of files end at 255


def run_files(
    name: str,
    trials: list[tuple[Trial, Mapping[str, Any]]],
    *,
    tags: Mapping[str, str],
    gain: Interval | None = None,
    began: str,
    ended: str,
) -> Iterator[tuple[str, str]]:
    """(path, text) of every file, relative to the folder that MLflow is pointed to.

    Args:
        trials: each with its row of `assay.api.exporting.trial_rows`.
        tags: of the parent run.
        gain: of the verdict, for the parent run.
        began, ended: times in ISO 8601.

    The layout is that of MLflow's file store: EXPERIMENT/meta.yaml, and RUN/meta.yaml with a file for
    each parameter, metric and tag.
    """
    experiment = str(int(hashlib.sha256(name.encode()).hexdigest()[:15], 16))
    start, end = (_milliseconds(time) for time in (began, ended))
    yield f"{experiment}/meta.yaml", _yaml({
        "artifact_location": f"./{experiment}", "creation_time": start, "experiment_id": experiment,
        "last_update_time": end, "lifecycle_stage": "active", "name": name,
    })  # fmt: skip
    parent = _run_id(name, "parent")
    found = {"gain": gain.estimate, "gain_low": gain.low, "gain_high": gain.high} if gain else {}
    yield from _run(experiment, parent, name, {}, found, tags, start, end, "FINISHED")
    for trial, row in trials:
        metrics = {key: value for key, value in row["values"].items() if value is not None}
        if row["gain"] is not None:
            metrics["gain"] = row["gain"]
        own = {
            "mlflow.parentRunId": parent,
            "assay.trial": str(trial.number),
            "assay.origin": trial.origin,
            "assay.state": trial.state,
            **({"assay.standing": row["standing"]} if row["standing"] else {}),
        }
        state = _STATES.get(trial.state, "RUNNING")
        run = _run_id(name, str(trial.number))
        label = f"trial {trial.number}"
        yield from _run(experiment, run, label, trial.config, metrics, own, start, end, state)


def _run(
    experiment: str, run: str, label: str, params: Mapping[str, Any], metrics: Mapping[str, float],
    tags: Mapping[str, str], start: int, end: int, status: str,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    where = f"{experiment}/{run}"
    yield f"{where}/meta.yaml", _yaml({
        "artifact_uri": f"./{where}/artifacts", "end_time": end, "entry_point_name": "",
        "experiment_id": experiment, "lifecycle_stage": "active", "run_id": run, "run_name": label,
        "run_uuid": run, "source_name": "", "source_type": 4, "source_version": "",
        "start_time": start, "status": {"RUNNING": 1, "FINISHED": 3, "FAILED": 4, "KILLED": 5}[status],
        "tags": [], "user_id": "assay",
    })  # fmt: skip
    for key, value in params.items():
        text = value if isinstance(value, str) else json.dumps(value)
        yield f"{where}/params/{_key(key)}", text[:_LONGEST]
    for key, number in metrics.items():
        yield f"{where}/metrics/{_key(key)}", f"{end} {number!r} 0\n"
    for key, text in {"mlflow.runName": label, **tags}.items():
        yield f"{where}/tags/{key}", text


def _key(name: str) -> str:
    """A name that MLflow takes, that is no path, and that a file may have."""
    key = re.sub(r"[^\w.\- ]", "_", name).strip(". ") or "_"
    if len(key.encode()) <= _LONGEST_KEY:
        return key
    short = key.encode()[: _LONGEST_KEY - 9].decode(errors="ignore")
    return f"{short}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _yaml(form: Mapping[str, Any]) -> str:
    """JSON values are YAML too."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in form.items())


def _run_id(name: str, which: str) -> str:
    return hashlib.sha256(f"{name}\0{which}".encode()).hexdigest()[:32]


def _milliseconds(time: str) -> int:
    return int(datetime.fromisoformat(time).timestamp() * 1000)
