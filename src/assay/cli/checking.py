"""Commands that check a study and hand it on: verify, export, report."""

from __future__ import annotations

import click

from assay.cli.commands import FOUND_WRONG, Command, storage_option, study_argument
from assay.cli.printing import inert, paragraph, width, write_whole
from assay.report.words import count


@click.command(cls=Command)
@click.argument("study", metavar="[STUDY|LOG.JSONL]", required=False)
@storage_option
@click.option(
    "--head", metavar="HASH", help="Hash of the last row as a report printed it: finds a cut tail."
)
@click.option(
    "--name", metavar="STUDY", help="Name of the study of an exported log without its plan.json."
)
def verify(study: str | None, storage: str, head: str | None, name: str | None) -> None:
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
    what = f"{inert(repr(checked.study))}: {checked.rows:,} rows"
    if checked.unchecked:
        click.echo(paragraph(checked.unchecked, width()))
    if checked.findings:
        for finding in checked.findings:
            click.echo(inert(finding))
        click.echo(
            f"Study {what}, {count(len(checked.findings), 'finding')}. This is not the log that was written."
        )
        raise click.exceptions.Exit(FOUND_WRONG)
    click.echo(f"Study {what}, nothing wrong: {checked.what}.")
    click.echo(f"Head {checked.head}")
    if checked.trials:
        click.echo(f"Trials {checked.trials}, the same for any number of workers")


@click.command(cls=Command)
@study_argument
@storage_option
@click.option("--to", "folder", metavar="FOLDER", required=True, help="A new folder.")
def export(study: str | None, storage: str, folder: str) -> None:
    """Write the log, trials, plan and environment as plain files."""
    from assay.api.exporting import export as write
    from assay.api.study import open_study

    for path in write(open_study(storage, study, readonly=True), folder):
        click.echo(inert(str(path)))


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Where to write it; - for standard output.",
)
def report(study: str | None, storage: str, output: str) -> None:
    """Write the report: one HTML page."""
    from assay.api.reporting import page
    from assay.api.study import open_study

    text = page(open_study(storage, study, readonly=True))
    if output == "-":
        click.echo(text)
    else:
        click.echo(inert(str(write_whole(output, text))))
