"""A study as plain files that other tools read, and that `assay verify` can check."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.core.errors import SpecError
from assay.core.events import Created, Environment
from assay.stores.chain import head, to_lines

if TYPE_CHECKING:
    from collections.abc import Iterable

    from assay.api.study import Study
    from assay.core.history import Trial

LOG, TRIALS, PLAN, MACHINE = "log.jsonl", "trials.csv", "plan.json", "environment.json"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%")


def export(study: Study, folder: str | Path) -> list[Path]:
    """Write a study into a folder: log.jsonl, trials.csv, plan.json and environment.json.

    Args:
        folder: made if it is missing.

    Returns:
        The files.

    Raises:
        SpecError: a file of an export is there already, or the folder cannot be written.
    """
    into = Path(folder)
    history = study.history
    rows = study.store.rows(study.name)[: history.length]
    created: Created = history.last(Created)
    machine = history.last(Environment)
    plan = {
        "study": study.name,
        "plan": created.plan,
        "head": head(study.name, rows),
        "rows": len(rows),
        "spec": created.spec,
    }
    texts = {
        LOG: b"".join(to_lines(study.name, rows)),
        TRIALS: trials_csv(study).encode(),
        PLAN: _json(plan),
        MACHINE: _json(machine.facts if machine else {}),
    }
    try:
        into.mkdir(parents=True, exist_ok=True)
        return [_new_file(into / name, text) for name, text in texts.items()]
    except OSError as error:
        raise SpecError(
            f"Cannot export to {str(into)!r}: {error.strerror or error}. Name a new folder where you "
            "may write."
        ) from None


def trial_rows(study: Study, numbers: Iterable[int] | None = None) -> list[dict[str, Any]]:
    """Trials as plain JSON values: number, state, values, gain over the control, cost, config.

    Args:
        numbers: of the trials; None: all.
    """
    from assay.report.trials import gains

    history, found = study.history, list[dict[str, Any]]()
    effects = gains(study.spec, history)
    for number in range(history.n_trials) if numbers is None else numbers:
        trial, effect = history.trial(number), effects.get(number)
        interval = effect.interval if effect else None
        values = trial.values or (None,) * len(study.spec.objectives)
        found.append(
            {
                "number": trial.number,
                "state": trial.state,
                **({"feasible": trial.feasible} if study.spec.bounds else {}),
                "origin": trial.origin,
                "values": dict(zip(study.spec.objectives, values, strict=True)),
                "gain": effect.gain if effect else None,
                "gain_low": interval.low if interval else None,
                "gain_high": interval.high if interval else None,
                "standing": effect.standing if effect else None,
                "cpu_s": trial.cpu_s,
                "wall_s": trial.wall_s,
                "failure": f"{trial.failure.kind}: {trial.failure.reason}"
                if trial.failure
                else None,
                **(_course(study, trial) if study.spec.scheduler else {}),
                "config": dict(trial.config),
            }
        )
    return found


def trial_form(study: Study, number: int) -> dict[str, Any]:
    """One trial as plain JSON values, with all that was reported and measured of it.

    Raises:
        StateError: there is no such trial.
    """
    from assay.report.trials import evaluations

    trial = study.history.trial(number)
    (row,) = trial_rows(study, [number])
    return {
        "study": study.name,
        **row,
        "extra": dict(trial.extra),
        "curve": [[step, value] for step, value in trial.curve],
        "evaluations": [
            {
                "stage": one.stage,
                **dict(zip(("repeat", "fold", "seed"), one.unit, strict=True)),
                "value": one.value,
                "cpu_s": one.cpu_s,
                "wall_s": one.wall_s,
            }
            for one in evaluations(study.history, number)
        ],
    }


def _course(study: Study, trial: Trial) -> dict[str, Any]:
    """How far a trial got under a scheduler, and what that said last."""
    run = study.history.runs()[trial.number]
    return {"step": run.step, "scheduler": trial.moves[-1].reason if trial.moves else None}


def table(study: Study, rows: list[dict[str, Any]] | None = None) -> dict[str, list[Any]]:
    """Trials as columns, one for each objective and parameter; None where a trial has none."""
    rows = trial_rows(study) if rows is None else rows
    values = {f"value {name}": ("values", name) for name in study.spec.objectives}
    config = {f"config {name}": ("config", name) for name in study.spec.space.names}
    plain = [name for name in (rows[0] if rows else {}) if name not in ("values", "config")]
    return {name: [row[name] for row in rows] for name in plain} | {
        column: [row[part].get(name) for row in rows]
        for column, (part, name) in (values | config).items()
    }


def trials_csv(study: Study, rows: list[dict[str, Any]] | None = None) -> str:
    """The trials as CSV, one column for each objective and parameter.

    Texts that a spreadsheet would take for a formula begin with an apostrophe (OWASP, CSV injection).
    """
    columns = table(study, rows)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(_cell, columns))
    writer.writerows(map(_cell, row) for row in zip(*columns.values(), strict=True))
    return text.getvalue()


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def _new_file(path: Path, text: bytes) -> Path:
    with open(path, "xb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path


def _json(form: Any) -> bytes:
    return (json.dumps(form, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode()
