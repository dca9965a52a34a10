"""Commands that run studies: tune, run, resume."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from assay.cli.commands import (
    FILE,
    STOPPED,
    Command,
    command_line,
    commands_of,
    default_storage,
    options,
    storage_option,
    study_argument,
)
from assay.cli.forms import evidence_of, given_in, rates_of, space_in, workers_of
from assay.core.errors import SpecError, StoreError

if TYPE_CHECKING:
    from assay.api.choices import Chosen
    from assay.api.options import TuneOptions
    from assay.api.programs import ProgramOptions
    from assay.api.study import Study

    Say = Callable[[tuple[Chosen, ...], Study], None]

_quiet = click.option("--quiet", is_flag=True, help="Print the result only.")
_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object, as `assay result` does."
)
_report = click.option(
    "--report", metavar="FILE", type=FILE, help="Write the report there at the end."
)
slots_options = options(
    click.option(
        "--workers",
        metavar="N",
        type=workers_of,
        help="Trials at once, each in a process; 'auto' for as many as fit.  [default: 1]",
    ),
    click.option("--cpus-per-trial", type=click.IntRange(min=1), help="Cores of each."),
    click.option("--gpus-per-trial", type=float, help="GPUs of each; 0.5 for two trials on one."),
)
_workers = options(
    slots_options,
    click.option(
        "--executor",
        metavar="URL",
        help="Where trials run: local, or a cluster such as dask://host:8786, ray://auto or"
        " slurm://partition.  [default: local]",
    ),
)

_order = options(
    click.option(
        "--order",
        type=click.Choice(["asynchronous", "strict"]),
        help="strict: the same trials for any number of workers; needs --lag.",
    ),
    click.option(
        "--lag",
        metavar="N",
        type=click.IntRange(min=0),
        help="In strict order each proposal does without the last N results; N + 1 trials run at once.",
    ),
)

data_options = options(
    click.option("--target", metavar="COL", help="Column to predict."),
    click.option("--task", type=click.Choice(["classification", "regression"])),
    click.option("--drop", metavar="COL", multiple=True, help="Column to leave out; repeatable."),
    click.option("--groups", metavar="COL", help="Column whose groups must not be split."),
    click.option(
        "--time", metavar="COL", help="Column that orders the rows: train on the past only."
    ),
    click.option("--encoding", metavar="NAME", help="Encoding of the file.  [default: utf-8]"),
)
question_options = options(
    click.option("--model", metavar="NAME", help="Built-in model; `assay models` lists them."),
    click.option("--metric", metavar="NAME", help="A scikit-learn scorer, such as roc_auc."),
    click.option(
        "--smallest-gain", type=float, help="Smallest gain worth having, in units of the metric."
    ),
    click.option(
        "--space",
        metavar="FILE",
        type=FILE,
        help="What to search (JSON or TOML) instead of the model's own.",
    ),
    click.option(
        "--given",
        metavar="FILE",
        type=FILE,
        help="Configs to try first (a list in JSON or YAML, or TOML [[given]]).",
    ),
    click.option(
        "--known",
        is_flag=True,
        default=None,
        help="Try published configurations first; `assay known` lists them.",
    ),
    click.option(
        "--portfolio",
        is_flag=True,
        default=None,
        help="Try configs first that did well on many public data sets.",
    ),
    click.option("--sampler", metavar="NAME", help="auto, random, sobol, halton or grid."),
    click.option(
        "--scheduler", metavar="NAME", help="racing: end bad trials before their last fold."
    ),
    click.option("--seed", type=int, help="Every random stream derives from it.  [default: 0]"),
    _order,
)
_budget = options(
    click.option("--trials", type=int, help="Configs to try.  [default: 60]"),
    click.option("--looks", type=int, help="Fits of the search, all folds counted."),
    click.option("--seconds", type=float, help="Wall-clock time of the search."),
    click.option("--cpu-seconds", type=float, help="CPU time of the search, all workers together."),
    click.option("--cpu-hours", type=float, help="CPU time of the whole study, its evidence too."),
    click.option("--gpu-hours", type=float, help="GPU time of the whole study; see --rate gpus."),
    click.option("--kwh", type=float, help="Energy of the whole study."),
    click.option("--kgco2e", type=float, help="CO2 of the whole study; see --rate region."),
    click.option("--money", type=float, help="Cost of the whole study; see --rate price_per_kwh."),
    click.option("--rate", "rates", metavar="KEY=VALUE", multiple=True,
                 help="watts, region, price_per_kwh, meter and others; repeatable."),
)  # fmt: skip
_trust = options(
    click.option("--test", type=float, metavar="SHARE", help="Share of rows to seal; 0 for none."),
    click.option("--shadow", type=float, metavar="SHARE", help="Share of the other rows that the search never uses, to show overtuning."),
    click.option("--final", type=click.Choice(["test", "bbc", "nested"]),
                 help="What the verdict rests on where no test set can be spared: bbc or nested."),
    click.option("--splits", metavar="KIND", help="kfold:5, repeated:5x3, holdout:0.25, grouped:5, forward:5."),
    click.option("--gap", type=int, help="Rows between training and validation of forward splits."),
    click.option("--evidence", metavar="KEY=VALUE", multiple=True,
                 help="repeats, seeds, top, rechecks, guard or refits; repeatable; none: a search and no verdict."),
    click.option("--select", metavar="RULE",
                 help="How the winner is chosen, such as one_se; docs/choosing.md has the rules."),
    click.option("--keep-sealed", is_flag=True, help="Leave the test set closed; see `assay unseal`."),
    click.option("--override", metavar="CODE", multiple=True,
                 help="Tune in spite of a check, such as PF03; needs --reason; repeatable."),
    click.option("--no-checks", is_flag=True, help="Do not look at the data first; see `assay check`."),
    click.option("--all-checks", is_flag=True,
                 help="Look at the data first as `assay check` does, with fits of your model."),
    click.option("--reason", metavar="TEXT", help="Why rows may be used again, or a check overridden."),
)  # fmt: skip
_limits = options(
    click.option("--timeout", type=float, metavar="SECONDS", help="Most time of one trial."),
    click.option("--memory-mb", type=float, help="Most memory of one trial."),
    click.option("--retries", type=int, help="How often a trial that broke is started again."),
    _workers,
)


@click.command(cls=Command)
@click.argument("file", type=FILE)
@data_options
@question_options
@_budget
@_trust
@_limits
@click.option("--study", metavar="NAME", help="Name of the study.  [default: the file's name]")
@storage_option
@_report
@_json
@_quiet
def tune(file: str, report: str | None, as_json: bool, quiet: bool, **given: Any) -> None:
    r"""Tune a model on a data file and print an honest verdict.

    FILE is CSV, Parquet, NPY or NPZ. Part of the rows is sealed before anything is fitted, and opened once, at the end. What you do
    not say is chosen, and the choice is printed with the option that changes it.

    \b
    assay tune churn.csv --target churned
    assay tune churn.csv --target churned --model random_forest --metric roc_auc --trials 40
    """
    from assay.api.options import options_from

    form = {name: value for name, value in given.items() if value is not None}
    form["open_test"] = not form.pop("keep_sealed")
    none, every = form.pop("no_checks"), form.pop("all_checks")
    if none and every:
        raise click.UsageError("--no-checks and --all-checks exclude each other.")
    form["checks"] = "full" if every else not none
    form |= _evidence(form.pop("evidence"))
    if "select" in form:
        if form.get("evidence") is False:
            raise click.UsageError(
                "--select chooses by evidence, which --evidence none does without."
            )
        form.setdefault("evidence", {})["select"] = form.pop("select")
    form["rates"] = rates_of(form["rates"])
    for name, read in (("space", space_in), ("given", given_in)):
        if name in form:
            form[name] = read(form[name])
    carry_out(
        options_from({**form, "data": file}, where="assay tune"),
        report=report,
        quiet=quiet,
        as_json=as_json,
    )


_program = options(
    click.option(
        "--command",
        metavar="TEXT",
        help="A program to tune instead of a file, with {name} where a parameter goes.",
    ),
    click.option(
        "--param",
        metavar="NAME=RANGE",
        multiple=True,
        help="A parameter: 'lr=1e-4..1 log default=0.1', 'depth=1..12', 'kind=tree|linear'; repeatable.",
    ),
    click.option("--space", metavar="FILE", type=FILE, help="The parameters, in a JSON or TOML file instead."),
    click.option("--minimize", metavar="NAME", multiple=True, help="A number to make small."),
    click.option("--maximize", metavar="NAME", multiple=True, help="A number to make large."),
    click.option("--constraint", "constraints", metavar="BOUND", multiple=True, help="'ms <= 10'."),
    click.option("--pattern", metavar="REGEX", help="Finds the numbers in what it prints."),
    click.option("--output", metavar="FILE", type=FILE, help="A file that it writes the numbers to."),
    click.option("--shell", is_flag=True, help="Run the command by sh; values are quoted."),
    click.option("--trials", type=int, help="Configs to try.  [default: 60]"),
    click.option("--seconds", type=float, help="Wall-clock time of the search."),
    click.option("--cpu-seconds", type=float, help="CPU time of the search."),
    click.option("--smallest-gain", type=float, help="Smallest gain worth having."),
    click.option("--sampler", metavar="NAME", help="As for tune."),
    click.option("--seed", type=int, help="Every random stream derives from it."),
    click.option("--evidence", metavar="KEY=VALUE", multiple=True,
                 help="repeats, top, rechecks, confirms or guard; 'none' for no verdict."),
    click.option("--timeout", type=float, metavar="SECONDS", help="Most time of one trial."),
    click.option("--memory-mb", type=float, help="Most memory of one trial."),
    click.option("--retries", type=int, help="How often a trial that broke is started again."),
)  # fmt: skip


@click.command(cls=Command)
@click.argument("file", required=False, type=FILE)
@_program
@_workers
@click.option("--study", metavar="NAME", help="Another name for the study than the file's.")
@click.option("--storage", metavar="FILE", type=FILE, help="Another storage than the file's.")
@_report
@_json
@_quiet
def run(file: str | None, report: str | None, as_json: bool, quiet: bool, **wishes: Any) -> None:
    r"""Run the study that a file describes, or tune any program.

    The file is TOML or JSON; `assay schema` prints what may be in it. A study that was begun goes on.

    \b
    assay run study.toml
    assay run --command "python train.py --lr {lr}" --param "lr=1e-4..1 log default=0.1" --minimize loss
    """
    from assay.api.options import TuneOptions, options_from, read_form, read_options
    from assay.api.programs import file_options, program_options
    from assay.cli.driving import searched

    own = {name: value for name, value in wishes.items() if name in _OF_PROGRAMS}
    # a limit of 0 was told, and equals False
    told = {k: v for k, v in own.items() if v is not None and v is not False and v != ()}
    changed = {k: v for k, v in wishes.items() if k not in own and v is not None}
    if file is None or "command" in told:
        if file is not None or "command" not in told:
            raise SpecError("run needs a study file, or --command with a program; not both.")
        told["space"] = searched(told.pop("space", None), told.pop("param", ()))
        told |= _evidence(told.pop("evidence", ()))
        given = program_options({**told, **changed, "storage": _place(changed)}, "assay run")
        _carry_out_program(given, report=report, quiet=quiet, as_json=as_json)
        return
    if told:
        option = min(told).removesuffix("s") if "constraints" in told else min(told)
        raise SpecError(
            f"--{option.replace('_', '-')} is for --command; the study file says it for itself."
        )
    form = read_form(file)
    if isinstance(form, dict) and "command" in form:
        stated = file_options(form, file)
        changed["storage"] = changed.get("storage") or str(form.get("storage") or default_storage())
        named = {"study": form.get("study", Path(file).stem)}
        given = program_options({**stated.to_json(), **named, **changed}, file)
        _carry_out_program(given, report=report, quiet=quiet, as_json=as_json)
        return
    options_from(form, where=file)
    study_file = read_options(file)
    if study_file.storage == TuneOptions.storage:
        study_file = replace(study_file, storage=default_storage())
    carry_out(replace(study_file, **changed), report=report, quiet=quiet, as_json=as_json)


_OF_PROGRAMS = frozenset(
    (
        "command", "param", "space", "minimize", "maximize", "constraints", "pattern", "output", "shell",
        "trials", "seconds", "cpu_seconds", "smallest_gain", "sampler", "seed", "evidence", "timeout",
        "memory_mb", "retries",
    )
)  # fmt: skip


def _place(changed: dict[str, Any]) -> str:
    return str(changed.get("storage") or default_storage())


def _evidence(words: tuple[str, ...]) -> dict[str, Any]:
    if not words:
        return {}
    return {"evidence": False if words == ("none",) else evidence_of(words)}


def _carry_out_program(
    given: ProgramOptions, *, report: str | None, quiet: bool, as_json: bool
) -> None:
    """Run the study of a program in this terminal."""
    from assay.api.programs import run_program
    from assay.cli.printing import check_writable

    if report:
        check_writable(report)

    def begin(say: Say) -> Study:
        return run_program(
            given, say=lambda study: say((), study), progress=not quiet and not as_json
        )

    _finish(sit(begin, given.storage, given.study), given.storage, report, as_json=as_json)


@click.command(cls=Command)
@study_argument
@storage_option
@_workers
@_report
@_json
@_quiet
def resume(
    study: str | None,
    storage: str,
    report: str | None,
    as_json: bool,
    quiet: bool,
    **wishes: Any,
) -> None:
    """Go on with a study of a data file or a program."""
    from assay.api.files import resume_file
    from assay.api.opened import open_study
    from assay.api.programs import stored_program
    from assay.cli.printing import check_writable

    if report:
        check_writable(report)
    name = open_study(storage, study, readonly=True).name
    if (program := stored_program(storage, name)) is not None:
        here = {"workers": wishes["workers"]} if wishes["workers"] is not None else {}
        again = replace(program, **here)
        _carry_out_program(again, report=report, quiet=quiet, as_json=as_json)
        return

    def go_on(say: Say) -> Study:
        return resume_file(storage, name, **wishes, progress=not quiet and not as_json)

    _finish(sit(go_on, storage, name), storage, report, as_json=as_json)


def carry_out(
    given: TuneOptions, *, report: str | None, quiet: bool, as_json: bool = False
) -> Study:
    """Run the study of these options in this terminal, from the plan to the summary."""
    from assay.api.files import tune_file
    from assay.cli.plan import plan_text
    from assay.cli.printing import check_writable

    if report:
        check_writable(report)

    def begin(say: Say) -> Study:
        return tune_file(given, say=say, progress=not quiet and not as_json)

    def show(chosen: tuple[Chosen, ...], study: Study) -> None:
        if not quiet and not as_json:
            click.echo(plan_text(chosen, study, given.storage) + "\n")

    done = sit(begin, given.storage, say=show)
    _finish(done, given.storage, report, as_json=as_json)
    return done


def sit(
    run: Callable[[Say], Study],
    storage: str,
    name: str | None = None,
    *,
    say: Say | None = None,
) -> Study:
    """Run a study to the end of its plan; after Ctrl-C print how to go on, and exit.

    Raises:
        StoreError: the storage fails; the message says how to go on when that is mended.
    """
    known = [name] if name else []

    def begun(chosen: tuple[Chosen, ...], study: Study) -> None:
        known.append(study.name)
        if say:
            say(chosen, study)

    try:
        return run(begun)
    except KeyboardInterrupt:
        _stopped(known, storage)
    except StoreError as error:
        if not known:
            raise
        again = command_line("resume", known[-1], storage)
        raise StoreError(f"{error}\nWhen that is mended, go on with:\n  {again}") from error


def _stopped(known: list[str], storage: str) -> NoReturn:
    if known:
        again = command_line("resume", known[-1], storage)
        click.echo(f"Stopped; nothing is lost. To go on:\n  {again}", err=True)
    else:
        click.echo("Stopped before the study began.", err=True)
    sys.exit(STOPPED)


def _finish(study: Study, storage: str, report: str | None, *, as_json: bool = False) -> None:
    from assay.api.agents import result
    from assay.api.reporting import page, view
    from assay.cli.printing import inert, width, write_whole
    from assay.report.text import summary

    command = commands_of(study.name, storage)
    if as_json:
        click.echo(json.dumps(result(study), indent=2))
    else:
        click.echo(summary(view(study), width=min(width(), 100), command=command))
    if report:
        click.echo(f"The report is in {inert(str(write_whole(report, page(study))))}.", err=as_json)
