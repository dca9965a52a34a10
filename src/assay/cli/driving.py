"""Commands for programs that drive a study themselves: create, ask, tell, result. All speak JSON."""

from __future__ import annotations

import json
from typing import Any

import click

from assay.cli.commands import (
    FILE,
    Command,
    JsonCommand,
    default_storage,
    storage_option,
    study_argument,
)
from assay.cli.forms import space_in
from assay.core.errors import SpecError

_params = click.option(
    "--param",
    metavar="NAME=RANGE",
    multiple=True,
    help="A parameter: 'lr=1e-4..1 log default=0.1', 'depth=1..12', 'kind=tree|linear'; repeatable.",
)
_space = click.option(
    "--space", metavar="FILE", type=FILE, help="The parameters, in a JSON or TOML file instead."
)
_minimize = click.option(
    "--minimize", metavar="NAME", multiple=True, help="A number to make small; repeatable."
)
_maximize = click.option(
    "--maximize", metavar="NAME", multiple=True, help="A number to make large; repeatable."
)


def searched(space: str | None, param: tuple[str, ...]) -> dict[str, Any]:
    """The form of the space that --space and --param describe."""
    form: dict[str, Any] = space_in(space) if space else {}
    parameters = form["parameters"] if isinstance(form.get("parameters"), dict) else form
    named = [(name.strip(), values) for name, _, values in (text.partition("=") for text in param)]
    for name, values in named:
        if sum(name == other for other, _ in named) > 1:
            raise SpecError(f"--param names {name!r} twice. Give one range for each parameter.")
        parameters[name] = values
    return form


@click.command(cls=JsonCommand)
@click.argument("study")
@storage_option
@_params
@_space
@_minimize
@_maximize
@click.option(
    "--constraint", metavar="BOUND", multiple=True, help="'latency_ms <= 10'; repeatable."
)
@click.option("--sampler", metavar="NAME", default="auto", help="As for tune.  [default: auto]")
@click.option("--seed", type=int, default=0, help="Of everything random.  [default: 0]")
def create(
    study: str,
    storage: str,
    param: tuple[str, ...],
    space: str | None,
    minimize: tuple[str, ...],
    maximize: tuple[str, ...],
    constraint: tuple[str, ...],
    sampler: str,
    seed: int,
) -> None:
    """Begin a study that you drive by ask and tell.

    The same call on a study that is there changes nothing.
    """
    from assay.api.agents import create as make

    if not (space or param):
        raise SpecError(
            "A study needs parameters: --param 'lr=1e-4..1 log default=0.1', or --space FILE."
        )
    ways = dict.fromkeys(minimize, "minimize") | dict.fromkeys(maximize, "maximize")
    _say(
        make(
            storage,
            study,
            searched(space, param),
            ways or "minimize",
            constraints=constraint,
            sampler=sampler,
            seed=seed,
        )
    )


@click.command(cls=JsonCommand)
@study_argument
@storage_option
def ask(study: str | None, storage: str) -> None:
    """The next trial of a study that you drive.

    Prints its number, config and seed.
    """
    from assay.api.agents import ask as next_trial

    _say(next_trial(storage, study))


class _WithNumbers(JsonCommand):
    """A command of which -0.25 is an argument and no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.ignore_unknown_options = any(map(_is_negative, args))
        return super().parse_args(ctx, args)


def _is_negative(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return word.startswith("-")


@click.command(cls=_WithNumbers)
@click.argument("study")
@click.argument("trial", type=click.IntRange(min=0))
@click.argument("value", required=False)
@storage_option
@click.option("--failed", metavar="REASON", help="It has no value.")
@click.option("--step", type=click.IntRange(min=0), help="An intermediate value, at this step.")
def tell(
    study: str, trial: int, value: str | None, storage: str, failed: str | None, step: int | None
) -> None:
    r"""End a trial with its VALUE, or as failed.

    VALUE is a number, or a JSON object of numbers by name.

    \b
    assay tell lab 3 -0.25
    assay tell lab 3 '{"loss": 0.25, "latency_ms": 8}'
    assay tell lab 3 --failed "out of memory"
    """
    from assay.api import agents

    number = None if value is None else _number(value)
    if step is not None:
        if not isinstance(number, int | float | dict):
            raise SpecError(f"--step needs a number, or numbers by name, got {value!r}.")
        _say(agents.report(storage, study, trial=trial, step=step, value=number))
        return
    _say(agents.tell(storage, study, trial=trial, value=number, failed=failed))


@click.command(cls=JsonCommand)
@study_argument
@storage_option
def result(study: str | None, storage: str) -> None:
    """A study in one JSON object, with its verdict.

    It says where the study stands, what to use, and what was concluded.
    """
    from assay.api.agents import verdict

    _say(verdict(storage, study))


@click.command(cls=Command)
@click.option(
    "--storage",
    metavar="FILE",
    type=FILE,
    default=default_storage,
    help="Where studies are kept.  [default: $ASSAY_STORAGE or assay.db]",
)
def mcp(storage: str) -> None:
    """Serve a storage by the Model Context Protocol.

    It reads JSON-RPC from standard input and answers on standard output. The tools create studies, ask,
    tell, and read status, trials and verdict. None opens a sealed test set.
    """
    import sys

    from assay.cli.mcp_server import serve

    serve(storage, sys.stdin, sys.stdout)


def _number(text: str) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            raise SpecError(
                f"VALUE is a number or a JSON object of numbers, got {text!r:.80}."
            ) from None
    return found


def _say(form: Any) -> None:
    click.echo(json.dumps(form, indent=2, ensure_ascii=True))
