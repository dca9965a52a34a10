"""What can be chosen: the built-in models and the entries of a study file."""

from __future__ import annotations

import json
from textwrap import wrap
from typing import Any

import click

from assay.cli.commands import FILE, Command, JsonCommand, text_or_json
from assay.cli.printing import inert, width, write_whole
from assay.core.errors import SpecError


@click.command(cls=Command)
@click.option("--task", type=click.Choice(["classification", "regression"]))
@text_or_json
def models(task: str | None, form: str) -> None:
    """The built-in models, and what is searched in each.

    Each range comes with the default and the source.
    """
    from assay.learners.models import MODELS
    from assay.learners.spaces import SOURCES

    wanted = [task] if task else ["classification", "regression"]
    tasks = {name: [t for t in wanted if kind.make(t)] for name, kind in MODELS.items()}
    shown = {name: kind for name, kind in MODELS.items() if tasks[name]}
    if form == "json":
        listed = [_model_form(name, kind, tasks[name]) for name, kind in shown.items()]
        click.echo(json.dumps({"models": listed, "sources": SOURCES}, indent=2))
        return
    for name, kind in shown.items():
        click.echo(_model(name, kind, tasks[name]))
    click.echo("Sources")
    for short, long in SOURCES.items():
        click.echo(_indented(f"{short}: {long}.", 2))


@click.command(cls=Command)
@click.argument("model", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def known(model: str | None, as_json: bool) -> None:
    r"""Published configurations, each with its source.

    MODEL is one of the names that it shows, such as xgboost or fine-tuning. `assay tune --known` tries
    those of the model first.
    """
    from assay.learners.known import in_json, in_words, named

    found = named(model)
    if as_json:
        click.echo(json.dumps([in_json(one) for one in found], indent=2))
        return
    for one in found:
        head, *rest = in_words(one)
        click.echo("\n".join([head, *(_indented(line, 2) for line in rest)]) + "\n")


@click.command(cls=JsonCommand)
def schema() -> None:
    """The JSON Schema of a study file."""
    from assay.api.programs import schema as form

    click.echo(json.dumps(form(), indent=2))


@click.command(cls=Command)
@click.argument("action", metavar="convert", type=click.Choice(["convert"]))
@click.argument("file", type=FILE)
@click.option("--from", "theirs", metavar="FORMAT", required=True, help="What the file is in.")
@click.option(
    "--to", "wanted", metavar="FORMAT", default="assay", help="What is wanted.  [default: assay]"
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=FILE,
    default="-",
    help="Where to write it; - for standard output.",
)
@click.option(
    "--allow-lossy", is_flag=True, help="Go on where something cannot be said; it is listed."
)
def space(action: str, file: str, theirs: str, wanted: str, output: str, allow_lossy: bool) -> None:
    r"""Convert a search space from another tool, or to it.

    FORMAT is assay, configspace, dataclass, hydra, keras-tuner, katib, optuna, overrides, scipy or
    wandb. A file is JSON, TOML or YAML; of dataclass and scipy Python source, which is never run; of
    overrides the words of a command line.

    \b
    assay space convert sweep.yaml --from wandb -o space.json
    assay space convert space.json --from assay --to configspace
    """
    from assay.spaces.formats import FORMATS, load, read, text_of, write

    found, lost = read(load(file, theirs), theirs)
    form, more = write(found, wanted)
    if (lost or more) and not allow_lossy:
        raise SpecError(
            f"Not all of {file!r} can be said in the format {wanted}. Lost would be: "
            f"{'; '.join([*lost, *more])}. --allow-lossy goes on without."
        )
    for what in (*lost, *more):
        click.echo(f"Lost: {inert(what)}", err=True)
    as_yaml = FORMATS[wanted].yaml if output == "-" else output.endswith((".yaml", ".yml"))
    text = text_of(form, yaml=as_yaml, kind=wanted)
    if output == "-":
        click.echo(text, nl=False)
    else:
        click.echo(inert(str(write_whole(output, text))), err=True)


def _model(name: str, kind: Any, tasks: list[str]) -> str:
    lines = [f"{name}: {kind.about}; {' and '.join(tasks)}"]
    seen = set()
    for task in tasks:
        for parameter, known, default in kind.searched(task):
            values = _values(known.parameter.to_json())
            line = (parameter, values, _plain(default), known.source)
            if line not in seen:
                seen.add(line)
                lines.append(_indented("{}: {}; default {}; {}".format(*line), 2))
    return "\n".join(lines) + "\n"


def _model_form(name: str, kind: Any, tasks: list[str]) -> dict[str, Any]:
    searched = {
        task: {
            parameter: {
                **known.parameter.to_json(),
                "default": json.loads(json.dumps(default, default=str)),
                "source": known.source,
            }
            for parameter, known, default in kind.searched(task)
        }
        for task in tasks
    }
    return {"name": name, "about": kind.about, "searched": searched}


def _values(form: dict[str, Any]) -> str:
    if "values" in form:
        return ", ".join(map(_plain, form["values"]))
    return f"{form['low']:g} to {form['high']:g}" + (" (log)" if form["scale"] == "log" else "")


def _plain(value: Any) -> str:
    return str(list(value) if isinstance(value, tuple) else value)


def _indented(text: str, by: int) -> str:
    first, later = " " * by, " " * (by + 4)
    return "\n".join(wrap(text, width(), initial_indent=first, subsequent_indent=later))
