"""assay grant: what a role may do in a shared database."""

from __future__ import annotations

import click

from assay.cli.commands import Command, storage_option
from assay.cli.printing import inert
from assay.core.errors import SpecError


@click.command(cls=Command)
@click.argument("role")
@storage_option
@click.option(
    "--as",
    "kind",
    type=click.Choice(["reader", "worker", "driver"]),
    default="worker",
    help="What the role may do.  [default: worker]",
)
@click.option("--print", "show", is_flag=True, help="Print the SQL, and change nothing.")
def grant(role: str, storage: str, kind: str, show: bool) -> None:
    r"""Let a role of a PostgreSQL database work for studies there.

    Run by the owner of the database. A reader sees the logs, a worker may also take jobs, a driver may
    also append. None of them can change or delete an event.

    \b
    assay grant node --as worker --storage postgresql://owner@db.lab/tuning
    """
    from assay.stores.postgres import grants
    from assay.stores.postgres.address import is_postgres, parse

    if not is_postgres(storage):
        raise SpecError(
            f"grant needs a PostgreSQL database, got {storage!r}. A file belongs to whoever may write "
            "it: use chmod."
        )
    if show:
        click.echo(inert(";\n".join(grants.statements(parse(storage), role, kind)) + ";"))
        return
    grants.grant(storage, role, kind)
    click.echo(f"Role {inert(repr(role))} is a {kind} now.")
