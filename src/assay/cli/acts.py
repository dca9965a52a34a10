"""assay demo --acts: six short plays on real data, each about one way in which tuning deceives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assay.cli.commands import command_line
from assay.cli.demonstration import memory_at
from assay.cli.printing import columns, inert, paragraph, refusal, width, write_whole

if TYPE_CHECKING:
    from assay.analysis.verdict import Verdict
    from assay.api.options import TuneOptions
    from assay.api.study import Study

_SAMPLES = 3
_FAIR = {"target": "affair", "metric": "roc_auc", "trials": 40, "test": 0.2, "smallest_gain": 0.005}


@dataclass(frozen=True)
class Act:
    """A play: its title, what it is about, what it needs beside scikit-learn, and how it goes."""

    title: str
    about: str
    needs: str
    play: Callable[[Path], None]


def play(folder: Path, only: tuple[int, ...] = ()) -> None:
    """Play the acts in a folder of their own, or some of them by number."""
    for number, act in enumerate(ACTS):
        if only and number not in only:
            continue
        _say(f"Act {number}. {act.title}\n{act.about}")
        place = folder / f"act{number}"
        place.mkdir(parents=True, exist_ok=True)
        try:
            with memory_at(place / "memory"):
                act.play(place)
        except ModuleNotFoundError as missing:
            if not act.needs or missing.name not in act.needs.split():
                raise
            _say(f"(This act needs {missing.name}: pip install 'assay[proofs]'.)")


def _fools_itself(folder: Path) -> None:
    """What validation promises against what other digits say, for the best of the search and for us."""
    from assay.core.events import CONTROL, Selected
    from assay.learners.exhibits import accuracy, digits_csv

    rows = [["digits", "validation promises", "the best of the search", "what Assay keeps"]]
    totals: list[tuple[float, ...]] = []
    for sample in range(_SAMPLES):
        few, rest = digits_csv(sample)
        data = write_whole(folder / f"digits{sample}.csv", few)
        study = _tuned(folder, data, f"digits{sample}", target="odd", model="decision_tree",
                       metric="accuracy", trials=100, sampler="random", test=0.0, splits="holdout:0.25", checks=False)  # fmt: skip
        train, test = _rows(data), _rows(write_whole(folder / f"others{sample}.csv", rest))
        values = {n: told.values[0] for n, told in study.history.told()}
        best = max(values, key=lambda n: values[n])
        kept = study.history.last(Selected).trial
        scores = {
            n: accuracy("decision_tree", study.history.config(n), train, test)
            for n in {CONTROL, best, kept}
        }
        gains = (
            values[best] - values[CONTROL],
            *(scores[n] - scores[CONTROL] for n in (best, kept)),
        )
        totals.append(gains)
        rows.append([f"sample {sample + 1}", *map(_points, gains)])
    means = [sum(column) / len(totals) for column in zip(*totals, strict=True)]
    rows.append(["mean", *map(_points, means)])
    click.echo(columns(rows, [12, 20, 24], min(width(), 90)) + "\n")
    _say(
        "Gains over the default tree in points of accuracy: what the held-out digits promised, and what "
        "1,647 digits say that neither the search nor the choice has seen. The best of a hundred looks "
        "best by luck. Assay measures it again on fresh splits, beside the defaults, and keeps the "
        "defaults where the gain does not exceed the noise."
    )


def _fix_first(folder: Path) -> None:
    """The refusal, and the same with the groups declared."""
    from assay.core.errors import DataError
    from assay.learners.exhibits import chicks_csv

    data = write_whole(folder / "chicks.csv", chicks_csv())
    _shell("assay tune chicks.csv --target weight --model random_forest --metric r2")
    try:
        _tuned(
            folder, data, "chicks", target="weight", model="random_forest", metric="r2", trials=2
        )
    except DataError as refused:
        _say(refusal(refused))
    _say(
        "Each chick was weighed up to twelve times. Rows drawn one by one put some weighings of a chick into "
        "training and others into validation, and a model that knows the chick looks good. New chicks "
        "are what it will meet."
    )


def _earns_its_keep(folder: Path) -> None:
    _on_affairs(folder, "decision_tree", "tree")


def _keep_the_defaults(folder: Path) -> None:
    from assay.api.opened import open_study

    linear = _on_affairs(folder, "logistic_regression", "logistic")
    before = folder.parent / "act2" / "tree.db"  # the act before, if it was played
    tree = open_study(str(before), "tree", readonly=True).verdict if before.exists() else None
    if tree and tree.selected is not None and linear.control is not None:
        _say(
            f"And the untouched linear model ({linear.control:.3f}) is "
            f"{_beside(linear.control, tree.selected)} the tuned tree ({tree.selected:.3f}): which model "
            "it is mattered as much as its settings."
        )


def _beside(one: float, other: float) -> str:
    if abs(one - other) <= 0.01:
        return f"within {abs(one - other):.3f} of"
    return "above" if one > other else "below"


def _on_affairs(folder: Path, model: str, name: str) -> Verdict:
    from assay.learners.exhibits import affairs_csv

    data = write_whole(folder / "affairs.csv", affairs_csv())
    options = " ".join(f"--{k.replace('_', '-')} {v}" for k, v in _FAIR.items())
    _shell(f"assay tune affairs.csv --model {model} {options}")
    study = _tuned(folder, data, name, model=model, **_FAIR)
    assert study.verdict is not None
    _say(str(study.verdict))
    return study.verdict


def _fools_people(folder: Path) -> None:
    """The ablation of a scaler that can do nothing."""
    from assay.api.ablation import ablate
    from assay.core.components import Component
    from assay.learners.exhibits import scaled_ridge

    model, *data = scaled_ridge()
    found = ablate(
        model, *data, components=[Component("scaler", step="scaler")], metric="r2", isolation="none",
        progress=False, storage=str(folder / "ablation.db"),
    )  # fmt: skip
    effect = found.effect("scaler")
    rows = [["the scaler is worth", "R2", "95 % interval"]]
    for what, key in (("untuned", "untuned"), ("each side tuned", "retuned")):
        one = effect[key]
        rows.append([what, f"{one['estimate']:+.4f}", f"{one['low']:+.4f} to {one['high']:+.4f}"])
    click.echo(columns(rows, [22, 10], min(width(), 90)) + "\n")
    _say(effect["sentence"])
    _say(
        "Nobody can argue with this one: the columns of these data have equal norms as they come, so a "
        "scaler before a ridge does nothing that another alpha would not do."
    )


def _second_look(folder: Path) -> None:
    """A refusal, a reason, a badge for ever, and rows that are known again."""
    from assay.api.files import unseal_file
    from assay.core.errors import SealError
    from assay.learners.diabetes import TARGET, diabetes_csv

    text = diabetes_csv()
    data = write_whole(folder / "diabetes.csv", text)
    asked = {"target": TARGET, "model": "ridge", "metric": "rmse", "trials": 8, "test": 0.3}
    study = _tuned(folder, data, "first", **asked)
    assert study.verdict is not None
    _say(str(study.verdict))
    storage = str(folder / "first.db")
    _shell(command_line("unseal", "first", "first.db"))
    try:
        unseal_file(storage, "first", reason="")
    except SealError as refused:
        _say(refusal(refused))
    _shell(command_line("unseal", "first", "first.db", "--reason", "a new idea"))
    again = unseal_file(storage, "first", reason="a new idea", progress=False)
    assert again.verdict is not None
    _say(str(again.verdict))
    lines = text.splitlines()
    fewer = write_whole(folder / "fewer.csv", "\n".join([lines[0], *lines[2:]]) + "\n")
    _say("So, one row less, and a new study with a new test set:")
    try:
        _tuned(folder, fewer, "second", **asked)
    except SealError as refused:
        _say(refusal(refused))


ACTS = (
    Act(
        "The tuner that fools itself",
        "Odd or even? A decision tree on 150 handwritten digits, a hundred random settings, compared on "
        "a quarter of the digits that is held out.",
        "",
        _fools_itself,
    ),
    Act(
        "Fix first",
        "How heavy is a chick? A random forest on 578 weighings.",
        "river",
        _fix_first,
    ),
    Act(
        "Tuning earns its keep",
        "6,366 answers to a magazine of 1974; a decision tree, 40 settings.",
        "statsmodels",
        _earns_its_keep,
    ),
    Act(
        "The same data, the same budget: keep the defaults",
        "Logistic regression instead of the tree, and nothing else changed.",
        "statsmodels",
        _keep_the_defaults,
    ),
    Act(
        "The ablation that fools people",
        "What is a scaler worth before a ridge regression? 442 diabetes patients.",
        "",
        _fools_people,
    ),
    Act(
        "The second look",
        "A test set is opened once. What if somebody wants to see it again?",
        "",
        _second_look,
    ),
)


def _tuned(folder: Path, data: Path, name: str, **wishes: Any) -> Study:
    """A study in a file of its own, in this process, without a word."""
    from assay.api.files import tune_file

    return tune_file(_options(folder, data, name, **wishes), progress=False)


def _options(folder: Path, data: Path, name: str, **wishes: Any) -> TuneOptions:
    from assay.api.options import TuneOptions

    return TuneOptions(str(data), study=name, storage=str(folder / f"{name}.db"), **wishes)


def _rows(path: Path) -> tuple[Any, Any]:
    from assay.inputs import load

    table = load(str(path), "odd")
    return table.X, table.y


def _points(gain: float) -> str:
    return f"{100 * gain:+.1f}"


def _shell(text: str) -> None:
    click.echo(inert(f"$ {text}"))


def _say(text: str) -> None:
    wide = min(width(), 90)
    click.echo("\n".join(paragraph(inert(line), wide) for line in text.splitlines()) + "\n")
