"""assay changes: what the trials changed, what that did, and which of the winner's changes are needed."""

from __future__ import annotations

import json
import sys
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from assay.cli.commands import (
    STOPPED,
    Command,
    command_line,
    storage_option,
    study_argument,
    text_or_json,
)
from assay.cli.forms import workers_of
from assay.cli.printing import inert, width

if TYPE_CHECKING:
    from assay.api.audit import Audit
    from assay.api.study import Study


@click.command(cls=Command)
@study_argument
@storage_option
@click.option("--trials", is_flag=True, help="What each trial changed, and what that did.")
@click.option(
    "--outside-noise", is_flag=True, help="With --trials: those that differ beyond noise."
)
@click.option("--look-only", is_flag=True, help="Measure nothing; show what the log has.")
@click.option(
    "--fresh",
    type=click.IntRange(min=2),
    default=10,
    show_default=True,
    help="Evaluations behind each number of the audit, at least.",
)
@click.option("--workers", metavar="N", type=workers_of, default="1", help="Trials at once.")
@text_or_json
def changes(
    study: str | None,
    storage: str,
    trials: bool,
    outside_noise: bool,
    look_only: bool,
    fresh: int,
    workers: int | str,
    form: str,
) -> None:
    """Which changes of the winner are needed.

    The path from the control to the winner and back is measured on splits that no choice was made
    on, once; stopped, the same command goes on. Single changes among the trials come with it.
    """
    from assay.api.opened import open_study
    from assay.report.contrasts import changes_of, changes_text

    opened = open_study(storage, study, readonly=True)
    if trials:
        seen = changes_of(opened.spec, opened.history)
        click.echo(
            inert(changes_text(seen, outside=outside_noise, width=min(width(), 100))), nl=False
        )
        return
    found = _audit(opened, storage, fresh, workers, look_only=look_only)
    sentences = changes_of(opened.spec, opened.history).sentences
    if form == "json":
        result = found.result if found else None
        click.echo(json.dumps({"audit": result, "single_changes": list(sentences)}, indent=2))
        return
    click.echo(inert(_text(opened, found, sentences, look_only=look_only)))


def _audit(
    opened: Study, storage: str, fresh: int, workers: int | str, *, look_only: bool
) -> Audit | None:
    """The audit: the stored one, or measured now; None where there is nothing to measure."""
    from assay.api.audit import Audit, stored_audit, why_no_audit

    if (known := stored_audit(opened)) is not None:
        return Audit(opened, known)
    if look_only or why_no_audit(opened):
        return None
    from assay.api.files import audit_file

    try:
        return audit_file(storage, opened.name, fresh=fresh, workers=workers)
    except KeyboardInterrupt:
        again = inert(command_line("changes", opened.name, storage))
        click.echo(f"Stopped; nothing is lost. To go on:\n  {again}", err=True)
        sys.exit(STOPPED)


def _text(opened: Study, found: Audit | None, sentences: Any, *, look_only: bool) -> str:
    from assay.api.audit import why_no_audit

    lines = []
    if found is not None:
        lines.append(str(found))
    else:
        why = why_no_audit(opened)
        lines.append(why or ("It was not audited yet." if look_only else ""))
    if sentences:
        lines += ["Single changes among the trials of the search:"]
        for sentence in sentences:
            lines += wrap(
                sentence, min(width(), 100), initial_indent="  ", subsequent_indent="    "
            )
    return "\n".join(lines)
