"""Commands that say what a study's results depend on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from assay.cli.commands import Command, storage_option, study_argument, text_or_json
from assay.cli.printing import columns, paragraph, width

if TYPE_CHECKING:
    from assay.analysis.importance import Importances

_BAR, _SHORT_BAR, _NARROW = 20, 10, 72


@click.command(cls=Command)
@study_argument
@storage_option
@click.option(
    "--method",
    type=click.Choice(["ped-anova", "gp"]),
    default="ped-anova",
    show_default=True,
    help="What decides which trials are among the best, or what the value varies with.",
)
@click.option(
    "--top",
    type=float,
    default=0.1,
    show_default=True,
    help="The share of the trials that count as the best.",
)
@click.option("--objective", metavar="NAME", help="For which objective, if there are several.")
@text_or_json
def importance(
    study: str | None, storage: str, method: str, top: float, objective: str | None, form: str
) -> None:
    """Which parameters matter, how much, and how sure that is."""
    from assay.api.opened import open_study

    with open_study(storage, study, readonly=True) as opened:
        found = opened.importance(method, top=top, objective=objective)
    click.echo(_in_json(found) if form == "json" else _in_text(found))


def _in_text(found: Importances) -> str:
    total, heads = width(), ["parameter", "share", f"{100 * found.level:g} % interval"]
    if found.method == "gp":
        heads.append("by itself")
    rows = [[*heads, "█ sure, ░ perhaps"]]
    for name, one in found.items():
        cells = [name, _percent(one.value), f"{_percent(one.low)} to {_percent(one.high)}"]
        if one.alone:
            cells.append(_percent(one.alone.value))
        rows.append([*cells, _bar(one.low, one.high, _BAR if total >= _NARROW else _SHORT_BAR)])
    limits = [max(total // 3, 12), 6, 15, 9][: len(heads)]
    return f"{paragraph(_about(found), total)}\n\n{columns(rows, limits, total)}"


def _bar(low: float, high: float, size: int) -> str:
    sure, most = round(low * size), round(high * size)
    return "█" * sure + "░" * (most - sure)


def _about(found: Importances) -> str:
    if found.method == "gp":
        how = "" if found.scale == "plain" else f", on a {found.scale} scale"
        return (
            f"How much of the variance of the value over the space{how} each parameter explains, with "
            f"its interactions, so that shares can add up to more than 100 %. By a Gaussian process "
            f"that foretells {100 * (found.explained or 0.0):.0f} % of the differences among "
            f"{found.trials} trials, each left out in turn."
        )
    return (
        f"How much of being among the best {found.best} of {found.trials} trials each parameter "
        "explains by itself. An interval from 0 %: it may not matter. What matters only together with "
        "another parameter shows with --method gp."
    )


def _percent(share: float) -> str:
    return f"{100 * share:3.0f} %"


def _in_json(found: Importances) -> str:
    shares = {
        name: {"value": one.value, "low": one.low, "high": one.high}
        | ({"alone": one.alone._asdict()} if one.alone else {})
        for name, one in found.items()
    }
    facts = {
        "method": found.method,
        "level": found.level,
        "trials": found.trials,
        "best": found.best,
        "explained": found.explained,
        "scale": found.scale,
        "parameters": shares,
    }
    return json.dumps({key: value for key, value in facts.items() if value is not None}, indent=2)
