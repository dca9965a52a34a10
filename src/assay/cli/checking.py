"""Commands that check a study and hand it on: verify, export, report."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from assay.cli.commands import (
    FILE,
    FOUND_WRONG,
    Command,
    no_storage,
    storage_option,
    study_argument,
    text_or_json,
)
from assay.cli.forms import space_in
from assay.cli.printing import inert, paragraph, width, write_whole
from assay.core.errors import SpecError
from assay.report.words import count

if TYPE_CHECKING:
    from assay.api.study import Study
    from assay.api.verifying import Checked

_MLFLOW = "To look: MLFLOW_ALLOW_FILE_STORE=true mlflow server --backend-store-uri {}"

_lossy = click.option(
    "--allow-lossy", is_flag=True, help="Go on where something cannot be kept; it is listed."
)


@click.command(cls=Command)
@click.argument("study", metavar="[STUDY|LOG.JSONL]", required=False, callback=no_storage)
@storage_option
@click.option(
    "--head", metavar="HASH", help="Hash of the last row as a report printed it: finds a cut tail."
)
@click.option(
    "--name", metavar="STUDY", help="Name of the study of an exported log without its plan.json."
)
@text_or_json
def verify(study: str | None, storage: str, head: str | None, name: str | None, form: str) -> None:
    """Recompute all that a log claims, and say what is wrong.

    Its hash chain, its stored rows, the legality of every step, and every proposal.

    Exit code 1 if anything is wrong, with one line for each finding. What could not be checked is
    said, and is not a finding.
    """
    from assay.api.verifying import verify_export, verify_stored

    if study and study.endswith(".jsonl"):
        checked = verify_export(study, name=name, head=head)
    else:
        checked = verify_stored(storage, study, head=head)
    if form == "json":
        click.echo(json.dumps({"ok": not checked.findings, **asdict(checked)}, indent=2))
    else:
        _say_checked(checked)
    if checked.findings:
        raise click.exceptions.Exit(FOUND_WRONG)


def _say_checked(checked: Checked) -> None:
    what = f"{inert(repr(checked.study))}: {checked.rows:,} rows"
    if checked.unchecked:
        click.echo(paragraph(checked.unchecked, width()))
    if checked.findings:
        for finding in checked.findings:
            click.echo(inert(finding))
        click.echo(
            f"Study {what}, {count(len(checked.findings), 'finding')}. This is not the log that was written."
        )
        return
    click.echo(f"Study {what}, nothing wrong: {checked.what}.")
    click.echo(f"Head {checked.head}")
    if checked.trials:
        click.echo(f"Trials {checked.trials}, the same for any number of workers")


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "--to",
    "place",
    metavar="PLACE",
    required=True,
    help="A new folder or file, or where Optuna keeps it.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["files", "model-card", "prov", "ro-crate", "mlflow", "optuna"]),
    default="files",
    show_default=True,
    help="Plain files, or a form that others read.",
)
@click.option("--license", metavar="ID", help="Of an ro-crate: an SPDX identifier or a URL.")
@click.option("--publisher", metavar="NAME", help="Its publisher, 'Name <https://ror.org/…>'.")
@click.option("--author", metavar="NAME", help="Its author, 'Name <https://orcid.org/…>'.")
@click.option("--affiliation", metavar="NAME", help="The author's, 'Name <https://ror.org/…>'.")
@_lossy
def export(
    study: str | None,
    storage: str,
    place: str,
    form: str,
    license: str | None,  # noqa: A002 - the name of the option
    publisher: str | None,
    author: str | None,
    affiliation: str | None,
    allow_lossy: bool,
) -> None:
    """Write a study as plain files, or in a form others read.

    Plain files: the log, trials, plan and environment. model-card (Markdown) and prov (W3C
    PROV-JSON) are one file, ro-crate and mlflow a folder. With --format optuna write an Optuna study to sqlite:///FILE.db or journal:///FILE.log.
    """
    from assay.api.exporting import export as write
    from assay.api.formats import export_as
    from assay.api.opened import open_study
    from assay.report.credit import Credit

    credit = Credit(license, publisher, author, affiliation)
    if credit.stated and form != "ro-crate":
        raise SpecError(
            f"{', '.join(f'--{word}' for word in credit.stated)} can be stated in an RO-Crate alone: use "
            "--format ro-crate."
        )
    found = open_study(storage, study, readonly=True)
    if form == "optuna":
        from assay.optuna import export_study

        _say_lost(export_study(found, place, allow_lossy=allow_lossy))
        click.echo(f"Study {inert(repr(found.name))} is at {inert(place)}.")
        return
    paths = write(found, place) if form == "files" else export_as(found, form, place, credit=credit)
    if form == "mlflow":
        of = f"a run for the study and {count(found.history.n_trials, 'nested run')}"
        click.echo(f"Wrote {of} to {inert(place)}. {_MLFLOW.format(inert(place))}")
        return
    for path in paths:
        click.echo(inert(str(path)))


@click.command("import", cls=Command)
@click.argument("form", metavar="optuna|mlflow", type=click.Choice(["optuna", "mlflow"]))
@click.argument("url")
@storage_option
@click.option("--from", "theirs", metavar="NAME", help="Its name there, if there are several.")
@click.option("--study", metavar="NAME", help="Its name here.  [default: the same]")
@click.option(
    "--space", metavar="FILE", type=FILE, help="The parameters of MLflow's runs, in JSON or TOML."
)
@click.option("--minimize", metavar="NAME", help="The metric of MLflow's runs to make small.")
@click.option("--maximize", metavar="NAME", help="The metric of MLflow's runs to make large.")
@_lossy
def import_(
    form: str,
    url: str,
    storage: str,
    theirs: str | None,
    study: str | None,
    space: str | None,
    minimize: str | None,
    maximize: str | None,
    allow_lossy: bool,
) -> None:
    r"""Bring a study of another tuner, or MLflow runs, into a storage.

    Values are read, and nothing is unpickled. What cannot be kept is listed, and needs --allow-lossy.
    A later study learns from it: learn_from=["NAME"].

    \b
    assay import optuna sqlite:///optuna.db --storage lab.db
    assay import optuna journal:///optuna.log --from lab --study lab-2
    assay import mlflow http://localhost:5000 --from lab --space space.json --minimize loss
    """
    if form == "mlflow":
        made, lost = _from_mlflow(
            url, theirs, storage, study, space, minimize, maximize, allow_lossy
        )
    else:
        from assay.optuna import import_study

        made, lost = import_study(
            url, theirs, storage=storage, study=study, allow_lossy=allow_lossy
        )
    _say_lost(lost)
    click.echo(f"Study {inert(repr(made.name))}: {count(made.history.n_trials, 'trial')}.")


def _from_mlflow(
    url: str,
    experiment: str | None,
    storage: str,
    study: str | None,
    space: str | None,
    minimize: str | None,
    maximize: str | None,
    allow_lossy: bool,
) -> tuple[Study, list[str]]:
    from assay.api.programs import space_of
    from assay.tracking.carried import import_runs

    if space is None or (minimize is None) == (maximize is None):
        raise SpecError(
            "Runs of MLflow need --space FILE (their parameters are texts) and one of --minimize NAME "
            "and --maximize NAME."
        )
    return import_runs(
        url,
        space_of(space_in(space)),
        metric=minimize or maximize or "",
        direction="minimize" if minimize else "maximize",
        experiment=experiment,
        storage=storage,
        study=study,
        allow_lossy=allow_lossy,
    )


def _say_lost(lost: list[str]) -> None:
    for what in lost:
        click.echo(f"Lost: {inert(what)}", err=True)


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    help="Where to write it; - for standard output.  [default: report.html]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["html", "md", "json", "pdf"]),
    help="Else as the file's name ends; a PDF needs an installed Chromium.  [default: html]",
)
def report(study: str | None, storage: str, output: str | None, form: str | None) -> None:
    """Write the report: one HTML page, Markdown, JSON or PDF."""
    from pathlib import Path

    from assay.api.opened import open_study
    from assay.api.reporting import FORMS, written

    suffix = Path(output or "").suffix.lstrip(".").lower()
    form = form or (suffix if suffix in FORMS else "html")
    body = written(open_study(storage, study, readonly=True), form)
    output = output or f"report.{form}"
    if output == "-":
        click.echo(body, nl=not body.endswith(b"\n"))
    else:
        click.echo(inert(str(write_whole(output, body))))


@click.command(cls=Command)
@storage_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def doctor(storage: str, as_json: bool) -> None:
    """Look for what may go wrong on this machine.

    Exit code 1 if there is a problem, with what to do about it.
    """
    from assay.api.doctor import examine

    found = examine(storage)
    if as_json:
        click.echo(json.dumps([one.to_json() for one in found], indent=2))
    else:
        for one in found:
            mark = "" if one.mark == "ok" else f"{one.mark.upper()}: "
            click.echo(paragraph(f"{one.what}: {mark}{inert(one.said)}", width()))
            if one.advice:
                click.echo(paragraph(f"  {inert(one.advice)}", width()))
    if any(one.mark == "problem" for one in found):
        raise click.exceptions.Exit(FOUND_WRONG)
