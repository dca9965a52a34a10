"""assay ablate: what each component contributes when every variant gets its own tuning."""

from __future__ import annotations

import json
import sys

import click

from assay.cli.commands import FILE, STOPPED, Command, default_storage, text_or_json
from assay.cli.forms import workers_of
from assay.cli.printing import check_writable, inert, width, write_whole


@click.command(cls=Command)
@click.argument("file", type=FILE)
@click.option("--storage", metavar="FILE", type=FILE, help="Another storage than the file's.")
@click.option("--workers", metavar="N", type=workers_of, help="Trials at once.  [default: 1]")
@click.option("--report", metavar="FILE", type=FILE, help="Write the report there at the end.")
@text_or_json
@click.option("--quiet", is_flag=True, help="Print the result only.")
def ablate(
    file: str,
    storage: str | None,
    workers: int | str | None,
    report: str | None,
    form: str,
    quiet: bool,
) -> None:
    r"""What each part contributes if all variants are tuned.

    FILE is a study file (TOML or JSON) with a table of components: steps of the model, or groups of
    features. Every variant is tuned anew with the same budget, splits and draws.

    \b
    data = "diabetes.csv"
    target = "progression"
    model = "ridge"
    [[ablation.components]]
    name = "scaler"
    step = "standardscaler"

    Stopped, the same command goes on.
    """
    from assay.api.ablation_files import ablate_file, read_ablation
    from assay.api.options import TuneOptions
    from assay.api.reporting import page
    from assay.report.ablation import ablation_text, ablation_view

    if report:
        check_writable(report)
    options, _ = read_ablation(file)
    if storage is None and options.storage == TuneOptions.storage:
        storage = default_storage()

    def say(name: str) -> None:
        if not quiet:
            click.echo(inert(name), err=True)

    try:
        found = ablate_file(file, storage=storage, workers=workers, progress=not quiet, say=say)
    except KeyboardInterrupt:
        click.echo(f"Stopped; nothing is lost. To go on:\n  assay ablate {inert(file)}", err=True)
        sys.exit(STOPPED)
    if form == "json":
        click.echo(json.dumps(found.result, indent=2))
    else:
        click.echo(inert(ablation_text(ablation_view(found.result), width=min(width(), 100))))
    if report:
        written = write_whole(report, page(found.study))
        click.echo(f"The report is in {inert(str(written))}.", err=form == "json")
