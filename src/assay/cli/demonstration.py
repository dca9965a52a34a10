"""assay demo: two studies on real data, one gain that holds and one that is not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli.commands import FILE, Command, command_line
from assay.cli.printing import inert, paragraph, refusal, width, write_whole

if TYPE_CHECKING:
    from assay.api.study import Study

_TRIALS = 40
_SEALED = 0.3
_METRIC = "rmse"

_WELCOME = """\
Assay demo: does tuning help? The same question twice, in about half a minute.

442 diabetes patients, ten measurements each, and how far the disease had progressed a year later \
(Efron et al. 2004). A model predicts the progression; its error is the rmse, so lower is better.

Before any model is fitted, 30 % of the patients are sealed away. They are looked at once, at the \
very end. Each study measures the default settings first, as its control group, then tries 39 other \
settings on the other patients, measures the best again on fresh splits, and only then opens the seal."""

_FIRST = """\
1. A decision tree. Its defaults let it grow until it knows every patient by heart."""

_SECOND = """\
2. Ridge regression: a linear model, whose defaults suit these data already."""

_HONEST = """\
Both studies seal the same patients. A test set serves one study, so Assay would refuse to open these \
rows a second time; here each study has a memory of its own, because both plans were fixed before \
either was opened. The demo's memory is in its folder and not in yours."""

_AGAIN = """\
3. Another look at the sealed patients, in the hope of a better result:"""

_WHY = """\
Whoever looks often enough finds a gain. So a second look needs a reason, and is marked for ever."""


@dataclass(frozen=True)
class _Part:
    """One study of the demonstration."""

    model: str
    name: str
    folder: Path
    data: Path

    @property
    def storage(self) -> str:
        return str(self.folder / f"{self.name}.db")

    @property
    def memory(self) -> Path:
        return self.folder / f"{self.name}-memory"


@click.command(cls=Command)
@click.option(
    "--folder",
    metavar="DIR",
    default="assay-demo",
    show_default=True,
    help="Where it keeps its files; a number is added if there is one already.",
)
@click.option(
    "--report", metavar="FILE", type=FILE, help="Where the report of the first study goes."
)
@click.option("--acts", is_flag=True, help="Six plays on how tuning deceives, some minutes.")
@click.option(
    "--act", "only", type=click.IntRange(0, 5), multiple=True, help="One of the six; repeatable."
)
def demo(folder: str, report: str | None, acts: bool, only: tuple[int, ...]) -> None:
    """See it work on real data, in half a minute."""
    place = _new_folder(folder)
    if acts or only:
        from assay.cli.acts import play

        play(place, only)
    else:
        _two_studies(place, report)


def _two_studies(place: Path, report: str | None) -> None:
    from assay.api.reporting import page
    from assay.learners.diabetes import diabetes_csv

    data = write_whole(place / "diabetes.csv", diabetes_csv())
    tree = _Part("decision_tree", "tree", place, data)
    ridge = _Part("ridge", "ridge", place, data)
    _say(_WELCOME)
    _say(_FIRST)
    tuned_tree = _study(tree)
    _say(_SECOND)
    tuned_ridge = _study(ridge)
    _say(_HONEST)
    _say(_AGAIN)
    _second_look(tree)
    _say(_WHY)
    _say("\n".join(_closing(tuned_tree, tuned_ridge)), wrapped=False)
    first = write_whole(report or place / "tree.html", page(tuned_tree))
    second = write_whole(place / "ridge.html", page(tuned_ridge))
    click.echo(f"The reports: {inert(str(first))} and {inert(str(second))}")
    click.echo("Your own data:  assay tune FILE.csv --target COLUMN")


def _study(part: _Part) -> Study:
    """Tune one model, and print the verdict."""
    from assay.api.files import tune_file
    from assay.api.options import TuneOptions
    from assay.learners.diabetes import TARGET

    options = TuneOptions(
        data=str(part.data),
        target=TARGET,
        model=part.model,
        metric=_METRIC,
        trials=_TRIALS,
        test=_SEALED,
        workers=1,  # then the same results come in the same order, and so the same proposals
        study=part.name,
        storage=part.storage,
    )
    with memory_at(part.memory):
        study = tune_file(options, progress=True)
    assert study.verdict is not None
    click.echo(err=True)
    _say(str(study.verdict))
    return study


def _second_look(part: _Part) -> None:
    """Try to open the test set again, which is refused."""
    from assay.api.files import unseal_file
    from assay.core.errors import SealError

    click.echo(inert(f"$ {command_line('unseal', part.name, part.storage)}"))
    with memory_at(part.memory):
        try:
            unseal_file(part.storage, part.name, reason="")
        except SealError as refused:
            _say(refusal(refused))


def _closing(tree: Study, ridge: Study) -> list[str]:
    """What was learnt, from what was measured."""
    default_tree, tuned_tree = _scores(tree)
    default_ridge, _ = _scores(ridge)
    lines = [f"The tree:   {_lesson(tree)}", f"The ridge:  {_lesson(ridge)}"]
    if default_ridge < min(tuned_tree, default_tree):
        lines.append(
            f"The choice: an untouched ridge ({_METRIC} {default_ridge:.1f}) beats the tuned tree "
            f"({tuned_tree:.1f}):\n            the model mattered more than its settings."
        )
    return lines


def _lesson(study: Study) -> str:
    from assay.core.events import Selected
    from assay.report.words import span

    control, challenger = _scores(study)
    verdict = study.verdict
    assert verdict is not None
    assert verdict.gain is not None
    held = study.history.last(Selected).trial != 0 and verdict.gain.low > 0
    gain = span(verdict.gain.estimate, verdict.gain.low, verdict.gain.high)
    advice = "use the tuned settings." if held else "keep the defaults."
    return f"{advice} {_METRIC} {control:.1f} → {challenger:.1f}, gain {gain}"


def _scores(study: Study) -> tuple[float, float]:
    """What the control and the challenger scored on the sealed patients."""
    from assay.core.events import Opened

    found = study.history.last(Opened).results
    contenders, challenger = found["contenders"], found["gain"]["challenger"]
    return contenders["0"]["score"], contenders[str(challenger)]["score"]


@contextmanager
def memory_at(place: Path) -> Iterator[None]:
    """Remember test sets there, not among the user's own."""
    before = os.environ.get("ASSAY_HOME")
    os.environ["ASSAY_HOME"] = str(place)
    try:
        yield
    finally:
        if before is None:
            del os.environ["ASSAY_HOME"]
        else:
            os.environ["ASSAY_HOME"] = before


def _new_folder(wanted: str) -> Path:
    """The folder, or one with a number, that did not exist."""
    for number in count(1):
        folder = Path(wanted if number == 1 else f"{wanted}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise click.ClickException(
                f"Cannot make the folder {str(folder)!r}: {error}."
            ) from None
        return folder
    raise AssertionError


def _say(text: str, *, wrapped: bool = True) -> None:
    wide = min(width(), 90)
    click.echo(
        ("\n".join(paragraph(line, wide) for line in text.splitlines()) if wrapped else text) + "\n"
    )
