"""The command line: `assay tune churn.csv --target churned`.

Commands import what they need when they run, so that help and typing mistakes are answered at once.
"""

from __future__ import annotations

import sys

import click

from assay import __version__
from assay.cli import (
    ablating,
    catalogue,
    changes,
    changing,
    checking,
    demonstration,
    driving,
    explaining,
    granting,
    looking,
    preflight,
    tuning,
    watching,
    working,
)
from assay.cli.commands import Commands
from assay.cli.letters import PLAINLY

_ORDER = (
    *(preflight.check, tuning.tune, tuning.run, tuning.resume, working.worker, ablating.ablate),
    *(watching.dashboard, watching.watch),
    *(looking.status, looking.trials, looking.best, looking.show, looking.log, looking.diff),
    explaining.importance,
    changes.changes,
    *(changing.pause, changing.go_on, changing.stop),
    *(changing.note, changing.unseal),
    *(checking.verify, checking.export, checking.import_, checking.report),
    *(driving.create, driving.ask, driving.tell, driving.result, driving.mcp),
    granting.grant,
    *(
        catalogue.models,
        catalogue.known,
        catalogue.space,
        catalogue.schema,
        checking.doctor,
        demonstration.demo,
    ),
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="assay %(version)s")
def assay() -> None:
    r"""Tune a model as a controlled experiment, and get an honest verdict.

    \b
    assay demo                                  see it work in two minutes
    assay tune churn.csv --target churned       tune a model on your data
    """


for _command in _ORDER:
    assay.add_command(_command)


def main() -> None:
    """Run the command line of this process."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAINLY)
    assay(prog_name="assay")
