"""assay check: what is wrong with the data, and whether tuning is worth it, before anything is spent."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import click

from assay.cli.commands import FILE, FOUND_WRONG, Command
from assay.cli.forms import space_in
from assay.cli.printing import inert, paragraph, width
from assay.cli.tuning import data_options, question_options

_PATIENCE_S = 2.0


@click.command(cls=Command)
@click.argument("file", type=FILE)
@data_options
@question_options
@click.option("--trials", type=int, help="Configs of the search that is considered.  [default: 60]")
@click.option("--test", type=float, metavar="SHARE", help="Share of rows to seal; 0 for none.")
@click.option("--splits", metavar="KIND", help="As for `assay tune`.")
@click.option("--quick", is_flag=True, help="Only what needs no fit of your model.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: str, quick: bool, as_json: bool, **given: Any) -> None:
    r"""Look for what should be mended before you tune.

    18 checks of the data, the metric and the model, and what more rows, another model and tuning are each expected to bring.
    Nothing is sealed and nothing is stored.

    Exit code 0 for TUNE and TUNE WITH CARE, 1 for FIX FIRST.

    \b
    assay check churn.csv --target churned --smallest-gain 0.01
    """
    import json

    from assay.api.files import prepared_from
    from assay.api.options import options_from
    from assay.api.preflight import preflight_of, quick_preflight

    form = {name: value for name, value in given.items() if value is not None}
    form.pop("given", None)
    form.pop("known", None)
    form.pop("portfolio", None)
    if "space" in form:
        form["space"] = space_in(form["space"])
    options = options_from({**form, "data": file}, where="assay check")
    prepared = prepared_from(options)
    found = quick_preflight(prepared) if quick else preflight_of(prepared, _teller(as_json))
    if as_json:
        click.echo(json.dumps(found.to_json(), indent=2))
    else:
        wide = min(width(), 100)
        lines = str(found).splitlines()
        click.echo("\n".join(_wrapped(line, wide) for line in lines))
        click.echo("\nWhat each check means: docs/checks/CODE.md")
    if found.verdict == "FIX FIRST":
        raise click.exceptions.Exit(FOUND_WRONG)


def _teller(silent: bool) -> Callable[[str], None]:
    """Says on standard error what is done, once it has taken longer than one likes to wait."""
    began = monotonic()

    def tell(doing: str) -> None:
        took = monotonic() - began
        if not silent and took > _PATIENCE_S:
            click.echo(f"{took:.0f} s: {doing} …", err=True)

    return tell


def _wrapped(line: str, wide: int) -> str:
    """A line broken between words, its indentation kept."""
    start = line[: len(line) - len(line.lstrip())]
    parts = paragraph(line.strip(), wide - len(start)).splitlines()
    return "\n".join(start + inert(part) for part in parts)
