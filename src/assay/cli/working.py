"""assay worker: help with a study that another process drives."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import click

from assay.cli.commands import STOPPED, Command, storage_option, study_argument
from assay.cli.tuning import slots_options
from assay.core.errors import SpecError


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "--objective",
    metavar="FILE:FUNCTION",
    help="The objective of a study made in Python; one on a data file or of a program needs none.",
)
@slots_options
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=300.0,
    metavar="SECONDS",
    help="How long to stay while nobody drives the study.  [default: 300]",
)
@click.option("--drive", is_flag=True, help="Drive the study from here whenever nobody does.")
def worker(
    study: str | None,
    storage: str,
    objective: str | None,
    workers: int | str | None,
    cpus_per_trial: int | None,
    gpus_per_trial: float | None,
    wait: float,
    drive: bool,
) -> None:
    r"""Evaluate trials of a study that another process drives.

    Start it on any machine that reaches the storage, as often as you like, before or after the study
    begins. It ends with the study, and any of them may be killed at any time. Several on one machine
    do not know of each other: share out its cores with --cpus-per-trial, or start one for all.

    \b
    assay worker churn --storage lab.db --workers 4
    assay worker study --storage lab.db --objective train.py:objective --drive
    """
    from assay.api.working import work, work_on_file

    given: dict[str, Any] = {
        "workers": workers or 1,
        "cpus_per_trial": cpus_per_trial,
        "gpus_per_trial": gpus_per_trial,
        "wait_s": wait,
        "drive": drive,
        "say": lambda said: click.echo(said, err=True),
    }
    if objective is None:
        reason = work_on_file(storage, study, **given)
    else:
        reason = work(function_in(objective), storage=storage, study=study, **given)
    click.echo(f"The worker ends: {reason}.", err=True)
    if reason == "stopped":
        sys.exit(STOPPED)


def function_in(place: str) -> Callable[..., Any]:
    """The function that FILE:FUNCTION names.

    Raises:
        SpecError: there is no such file, it cannot be run, or it has no such function.
    """
    file, _, name = place.rpartition(":")
    path = Path(file)
    if not file or not path.is_file():
        raise SpecError(
            f"--objective needs FILE:FUNCTION, such as train.py:objective, got {place!r}."
        )
    spec = spec_from_file_location(path.stem, path.resolve())
    if spec is None or spec.loader is None:
        raise SpecError(f"{file} is not a Python file. Name one that defines the objective.")
    module = module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(
            f"{file} cannot be run: {type(error).__name__}: {error}. Run it with python to see where."
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        raise SpecError(f"{file} has no function {name!r}. Name the one that was tuned.")
    function: Callable[..., Any] = found
    return function
