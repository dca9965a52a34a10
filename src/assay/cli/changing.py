"""Commands that add to a study's log: note, unseal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from assay.cli.commands import (
    STOPPED,
    Command,
    command_line,
    commands_of,
    storage_option,
    study_argument,
)
from assay.cli.printing import inert, paragraph, width

if TYPE_CHECKING:
    from assay.core.events import Sealed, Wish
    from assay.core.history import History


@click.command(cls=Command)
@click.argument("text")
@study_argument
@storage_option
@click.option(
    "--trial", type=click.IntRange(min=0), metavar="N", help="The trial that it is about."
)
def note(text: str, study: str | None, storage: str, trial: int | None) -> None:
    """Keep a remark in the log of a study."""
    from assay.api.opened import open_study

    with open_study(storage, study) as found:
        if trial is not None:
            found.history.trial(trial)
        found.note(text, trial=trial)
        click.echo(f"Noted in study {inert(repr(found.name))}.")


def _steering(name: str, wish: Wish, about: str) -> click.Command:
    """A command that asks the driver of a study for something."""

    @click.command(name, cls=Command, help=about)
    @study_argument
    @storage_option
    @click.option("--reason", metavar="TEXT", default="", help="Kept in the log.")
    def command(study: str | None, storage: str, reason: str) -> None:
        from assay.api.opened import open_study
        from assay.cli.status import driver
        from assay.core.errors import StateError

        with open_study(storage, study) as found:
            now = driver(found.store, found.name)
            if now == "nobody":
                raise StateError(f"Nobody drives study {found.name!r}, so nobody would hear it.")
            found.steer(wish, reason)
            click.echo(f"Asked {now}, which drives study {inert(repr(found.name))}, to {wish}.")

    return command


pause = _steering(
    "pause",
    "pause",
    "Ask whoever drives a study to start nothing new.\n\nWhat runs goes on, until `assay continue`.",
)
go_on = _steering("continue", "go on", "Ask whoever drives a paused study to go on.")
stop = _steering(
    "stop",
    "stop",
    "Ask whoever drives a study to end with its running trials.\n\n`assay resume` goes on later.",
)


@click.command(cls=Command)
@study_argument
@storage_option
@click.option("--reason", metavar="TEXT", default="", help="Needed for every look after the first.")
@click.option(
    "--trial", type=click.IntRange(min=1), metavar="N", help="Compare this trial with the control."
)
@click.option(
    "--workers", type=click.IntRange(min=1), default=1, help="Fits at once.  [default: 1]"
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--quiet", is_flag=True, help="Print the result only.")
def unseal(
    study: str | None,
    storage: str,
    reason: str,
    trial: int | None,
    workers: int,
    yes: bool,
    quiet: bool,
) -> None:
    """Open the sealed test set: once, or again for a reason.

    The first time it is for a study that was run with --keep-sealed.

    A test set can be used once. Every later look needs a reason, and its result is marked post-hoc
    for ever.
    """
    from assay.api.files import unseal_file
    from assay.api.opened import open_study
    from assay.api.opening import check_may_open
    from assay.api.reporting import view
    from assay.report.text import summary

    found = open_study(storage, study, readonly=True)
    history = found.history
    sealed = check_may_open(history, reason)
    if trial is not None:
        history.trial(trial)
    if not quiet:
        for line in _price(history, sealed).splitlines():
            click.echo(paragraph(line, width()))
    if not yes and sys.stdin.isatty():
        click.confirm("Open it?", abort=True)
    try:
        done = unseal_file(
            storage,
            found.name,
            reason=reason,
            trial=trial,
            workers=workers,
            progress=not quiet,
        )
    except KeyboardInterrupt:
        again = command_line("unseal", found.name, storage)
        click.echo(f"Stopped; nothing is lost. To go on:\n  {again}", err=True)
        sys.exit(STOPPED)
    command = commands_of(done.name, storage)
    click.echo(summary(view(done), width=min(width(), 100), command=command))


def _price(history: History, sealed: Sealed) -> str:
    """What opening the test set costs."""
    rows = f"{sealed.rows:,} sealed rows"
    if history.looks == 0 and not sealed.note:
        return (
            f"This opens the {rows} once, for the control and the best challenger. After it they "
            "are spent: nothing that is tuned later can be tested on them."
        )
    said = [event for event in _verdicts(history) if event]
    earlier = f" It said: {said[-1]}" if said else ""
    if history.half_open:
        return f"An opening of the {rows} was interrupted; this finishes it."
    return (
        f"The {rows} were looked at before.{earlier}\nThis look is not a test any more: its result "
        "is marked post-hoc for ever, and its interval is wider."
    )


def _verdicts(history: History) -> list[str]:
    from assay.core.events import Concluded

    found = [event for event in history.milestones() if isinstance(event, Concluded)]
    return [str(event.verdict.get("sentence") or "") for event in found]
