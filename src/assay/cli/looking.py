"""Commands that look at studies and change nothing."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from assay.cli.commands import Command, storage_option, study_argument, text_or_json
from assay.cli.printing import width

if TYPE_CHECKING:
    from assay.api.study import Study
    from assay.core.events import Event
    from assay.core.history import Trial
    from assay.math.intervals import Interval

_KINDS = (
    "created", "environment", "sealed", "enqueued", "asked", "paused", "stopped", "resumed", "reported", "measured", "told", "failed",
    "broke", "retried", "exhausted", "selected", "frozen", "opening", "opened", "voided", "metered", "ablated",
    "varied", "attributed", "audited", "deviated", "noted", "steered", "concluded",
)  # fmt: skip


@click.command(cls=Command)
@study_argument
@storage_option
@text_or_json
def status(study: str | None, storage: str, form: str) -> None:
    """Where all studies of a storage stand, or one, also as they run."""
    if form == "json":
        from assay.api.agents import status as standing

        _say(json.dumps(standing(storage, study), indent=2))
        return
    from assay.cli.status import status_text

    click.echo(status_text(storage, study))


@click.command(cls=Command)
@study_argument
@storage_option
@click.option("--sort", type=click.Choice(["number", "gain"]), default="number", show_default=True)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Show N trials only.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
)
def trials(study: str | None, storage: str, sort: str, limit: int | None, form: str) -> None:
    """All trials, with their gain over the control and its interval.

    With --limit the best N by gain, or the newest N by number.
    """
    from assay.api.exporting import trial_rows, trials_csv
    from assay.report.phase import searches_of
    from assay.report.text import trials_table
    from assay.report.trials import trial_table

    found = _open(storage, study)
    table = trial_table(found.spec, found.history)
    by_number = sort == "number"
    searches = searches_of(found.history)
    if table is None and form == "table" and searches is not None:
        such = next(iter(searches), f"{found.name}/full")
        _say(f"An ablation: its trials are those of its searches, such as {such}.")
        return
    if form == "table":
        _say(trials_table(table, most=limit, by_number=by_number, width=width()))
        return
    rows = trial_rows(found, table.numbers(limit, by_number=by_number) if table else ())
    _say(json.dumps(rows, indent=2) if form == "json" else trials_csv(found, rows))


@click.command(cls=Command)
@study_argument
@storage_option
@text_or_json
def best(study: str | None, storage: str, form: str) -> None:
    """The settings to use: the selected trial, or the best so far."""
    from assay.api.exporting import trial_rows
    from assay.report.phase import searches_of
    from assay.report.text import show as shown
    from assay.report.trials import evaluations, trial_table

    found = _open(storage, study)
    if searches_of(found.history) is not None:
        _say(_ablation(found, form))
        return
    numbers = [found.best.number] if found.spec.single else [trial.number for trial in found.front]
    if form == "json":
        chosen = trial_rows(found, numbers)
        _say(json.dumps(chosen[0] if found.spec.single else chosen, indent=2))
        return
    table = trial_table(found.spec, found.history)
    assert table, "one of its trials is the best"
    history, wide = found.history, width()
    _say(
        "\n".join(
            shown(table, history.trial(n), evaluations(history, n), width=wide) for n in numbers
        )
    )


def _ablation(found: Study, form: str) -> str:
    """What the ablations of a log without trials found, or how far they are."""
    from assay.core.events import Attributed
    from assay.report.ablation import ablation_standing, ablation_text, ablation_view

    done = [e.result for e in found.history.milestones() if isinstance(e, Attributed)]
    if form == "json":
        return json.dumps(done, indent=2)
    if not done:
        return " ".join(ablation_standing(found.history) or ())
    wide = min(width(), 100)
    return "\n".join(ablation_text(ablation_view(result), width=wide) for result in done)


@click.command(cls=Command)
@click.argument("trial", type=click.IntRange(min=0))
@study_argument
@storage_option
@text_or_json
def show(trial: int, study: str | None, storage: str, form: str) -> None:
    """All that is known of one trial."""
    from assay.api.exporting import trial_form
    from assay.report.text import show as shown
    from assay.report.trials import evaluations, trial_table

    found = _open(storage, study)
    one = found.history.trial(trial)
    if form == "json":
        _say(json.dumps(trial_form(found, trial), indent=2))
        return
    table = trial_table(found.spec, found.history)
    assert table, "it has this trial"
    _say(shown(table, one, evaluations(found.history, trial), width=width()))


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "--kind", type=click.Choice(_KINDS), multiple=True, help="Events of this kind only; repeatable."
)
@click.option("--off-plan", is_flag=True, help="Only what was done off plan.")
@text_or_json
def log(study: str | None, storage: str, kind: tuple[str, ...], off_plan: bool, form: str) -> None:
    """What happened, an event a line."""
    from assay.core.events import decode
    from assay.report.log import in_words
    from assay.stores.chain import genesis, to_line

    found = _open(storage, study)
    before, silent = genesis(found.name), form == "text"
    for row in found.store.rows(found.name):
        event = decode(row.body)
        tag = event.__struct_config__.tag
        if (not kind or tag in kind) and (not off_plan or _is_off_plan(event)):
            text = f"{row.seq:>6}  {row.time[:19]}  {in_words(event)}"
            click.echo(to_line(before, row).decode() if form == "json" else text)
            silent = False
        before = row.hash
    if silent:
        click.echo("Nothing was done off plan." if off_plan else "No event of this kind.")


@click.command(cls=Command)
@click.argument("a", type=click.IntRange(min=0))
@click.argument("b", type=click.IntRange(min=0))
@study_argument
@storage_option
@text_or_json
def diff(a: int, b: int, study: str | None, storage: str, form: str) -> None:
    """What differs between two trials, and what that did.

    The interval is that of the difference on the evaluations that both trials have.
    """
    from assay.report.evidence import known_noise
    from assay.report.text import diff as shown
    from assay.report.trials import trial_table
    from assay.report.words import count, span

    found = _open(storage, study)
    first, second = found.history.trial(a), found.history.trial(b)
    gain = _difference(found, a, b)
    if form == "json":
        _say(json.dumps(_diff_form(found, first, second, gain), indent=2))
        return
    table, noise = trial_table(found.spec, found.history), known_noise(found.spec, found.history)
    assert table, "it has these trials"
    _say(shown(table, first, second, floor=noise.floor if noise else None))
    if gain:
        click.echo(
            f"Trial {b} gains {span(gain.estimate, gain.low, gain.high)} over trial {a} on "
            f"{count(gain.n, 'common evaluation')} ({100 * (1 - found.spec.alpha):g} % interval)."
        )


def _open(storage: str, study: str | None) -> Study:
    from assay.api.opened import open_study

    return open_study(storage, study, readonly=True)


def _say(text: str) -> None:
    click.echo(text.rstrip("\n"))


def _is_off_plan(event: Event) -> bool:
    from assay.core.events import Deviated, Opening, Voided

    again = isinstance(event, Opening) and (event.look > 1 or bool(event.reason))
    return again or isinstance(event, Deviated | Voided)


def _difference(study: Study, a: int, b: int) -> Interval | None:
    """By how much B is better than A on the units that both were measured on."""
    from assay.analysis.effects import fresh_interval
    from assay.core import units

    spec, history = study.spec, study.history
    if not spec.single:
        return None
    one, other = (units.search_values(spec, history, number) for number in (a, b))
    gains = [
        spec.signs[0] * (one[unit] - other[unit]) for unit in sorted(one.keys() & other.keys())
    ]
    return fresh_interval(spec, gains) if len(gains) >= 2 else None


def _diff_form(study: Study, a: Trial, b: Trial, gain: Interval | None) -> dict[str, Any]:
    one, other = dict(a.config), dict(b.config)
    names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
    return {
        "study": study.name,
        "trials": [a.number, b.number],
        "differs": {name: [one.get(name), other.get(name)] for name in names},
        "gain": asdict(gain) if gain else None,
    }
