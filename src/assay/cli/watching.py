"""Commands that follow studies as they run: dashboard, watch."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from assay.cli.commands import Command, default_storage, storage_option, study_argument
from assay.cli.printing import inert, paragraph, width

if TYPE_CHECKING:
    from assay.tracking import Tracker
    from assay.web.server import Served

_LOOK_S = 0.5


@click.command(cls=Command)
@click.argument("storage", required=False)
@click.option("--port", type=click.IntRange(1, 65535), help="[default: 8765, or the next free one]")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen at; the default is this machine alone.",
)
@click.option("--readonly", is_flag=True, help="For looking only: to share it.")
@click.option(
    "--name", multiple=True, metavar="HOST", help="Another name that it is reached by; repeatable."
)
@click.option("--open/--no-open", "opens", default=False, help="Open it in a browser.")
def dashboard(
    storage: str | None,
    port: int | None,
    host: str,
    readonly: bool,
    name: tuple[str, ...],
    opens: bool,
) -> None:
    r"""Look at the studies of a storage in a browser, as they run.

    It needs no network but this machine's own, and a link or a token to get in.

    \b
    assay dashboard lab.db
    assay dashboard lab.db --readonly --port 9000
    """
    from assay.web.server import serve

    def said(served: Served) -> None:
        click.echo(f"Dashboard of {inert(storage or default_storage())}: {served.link}")
        click.echo(f"The link works once. Token for other browsers: {served.token}")
        if not served.loopback:
            warning = (
                "It can be reached from other machines, without encryption: whoever listens on the way "
                "sees all of it. Prefer an SSH tunnel, or put a proxy with TLS before it (--name)."
            )
            click.echo(paragraph(warning, width()), err=True)
        click.echo("Ctrl-C ends it; studies go on.", err=True)
        sys.stdout.flush()
        if opens:
            click.launch(served.link)

    serve(
        storage or default_storage(), host=host, port=port, readonly=readonly, names=name, said=said
    )


@click.command(cls=Command)
@study_argument
@storage_option
@click.option("--mlflow", metavar="URI", help="Show it as runs of MLflow, too.")
@click.option("--tensorboard", metavar="FOLDER", help="Show it in TensorBoard, too.")
@click.option("--wandb", metavar="FOLDER", help="Keep it as offline runs of W&B, too.")
def watch(
    study: str | None,
    storage: str,
    mlflow: str | None,
    tensorboard: str | None,
    wandb: str | None,
) -> None:
    r"""Follow a study that another process drives, until it ends.

    A terminal gets a live line, a file or a CI log plain lines. Ctrl-C stops looking; the study goes on.

    \b
    assay watch lab --mlflow http://localhost:5000
    assay watch lab --tensorboard runs/lab
    """
    from assay.api.opened import open_study
    from assay.cli.status import driver
    from assay.progress import Progress
    from assay.report.phase import phase
    from assay.tracking import Follower

    found = open_study(storage, study, readonly=True)
    trackers = _trackers(mlflow, tensorboard, wandb)
    with Progress(found.spec, stream=sys.stdout) as progress, Follower(found, *trackers) as told:
        try:
            while True:
                history = found.history
                progress(history)
                told.look()
                if phase(found.spec, history) in ("finished", "stopped"):
                    break
                if driver(found.store, found.name) == "nobody":
                    break
                time.sleep(_LOOK_S)
        except KeyboardInterrupt:
            return
    from assay.cli.status import status_text

    click.echo(status_text(storage, found.name))


def _trackers(mlflow: str | None, tensorboard: str | None, wandb: str | None) -> list[Tracker]:
    """The other tools that a study is shown in."""
    found: list[Tracker] = []
    if mlflow:
        from assay.tracking.mlflow import Mlflow

        found.append(Mlflow(mlflow))
    if tensorboard:
        from assay.tracking.tensorboard import TensorBoard

        found.append(TensorBoard(tensorboard))
    if wandb:
        from assay.tracking.wandb import Wandb

        found.append(Wandb(folder=wandb))
    return found
