"""assay demo."""
from __future__ import annotations
import click
from assay.cli.commands import Command

@click.command(cls=Command)
def demo() -> None:
    """See it work in two minutes."""
