"""What the report says where no test set was sealed, and something stands in for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assay.analysis.procedure import cross_check, final_of
from assay.core.events import Estimated
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.answer import Gain, gain_of

_METHODS = {
    "bbc": "Each of many draws of the rows chose a trial; it was judged on the rows that were not drawn "
    "(bootstrap bias correction).",
    "nested": "The whole study, its rule of selection too, ran once more on the training rows of each "
    "outer fold; its choice was judged on the rows left out.",
}


@dataclass(frozen=True)
class Procedure:
    """An estimate of the procedure: in words, as facts, and outer fold by outer fold."""

    method: str
    gain: Gain | None
    facts: tuple[tuple[str, str], ...]
    folds: tuple[tuple[str, ...], ...] = ()
    heads: tuple[str, ...] = ("study", "rows left out", "defaults", "its choice", "gain", "chosen")


def procedure(spec: StudySpec, history: History) -> Procedure | None:
    """The estimate that stands in for a test set; None where the plan has none."""
    final = final_of(spec)
    if final is None:
        return None
    estimated: Estimated | None = history.last(Estimated)
    if estimated is None:
        return Procedure(_METHODS[final], None, (("estimate", "not there yet"),))
    found = estimated.results
    score = found["score"]
    check = cross_check(spec, history) if final == "bbc" else None
    facts = [
        ("metric", words.name(str(found["metric"]))),
        ("rows left out", f"{found['rows']:,}, drawn as {words.name(str(found['drawn']))}"),
        ("the defaults", words.score(found["control"])),
        ("the procedure", words.span(score["score"], score["low"], score["high"], sign=False)),
        ("trials it chose from", f"{found['trials']:,}" if found.get("trials") else ""),
        ("cross-check (Tibshirani)", _check(check)),
        ("kept the defaults", _kept(found)),
    ]
    folds = tuple(_fold(fold, spec.signs[0]) for fold in found.get("folds", ()))
    gain = gain_of(found.get("gain"), spec.alpha)
    return Procedure(_METHODS[final], gain, tuple(f for f in facts if f[1]), folds)


def _check(found: float | None) -> str:
    if found is None:
        return ""
    return f"the best value of the search is too good by {words.number(found, 2)}"


def _kept(found: dict[str, Any]) -> str:
    folds = found.get("folds")
    return f"{found['kept_defaults']} of {len(folds)} outer folds" if folds else ""


def _fold(fold: dict[str, Any], sign: float) -> tuple[str, ...]:
    gain = sign * (fold["control"] - fold["selected"])
    chosen = f"trial {fold['trial']}" if fold["trial"] else "the defaults"
    scores = (words.score(fold["control"]), words.score(fold["selected"]), words.signed(gain + 0.0))
    return (words.name(str(fold["study"]), 80), f"{fold['rows']:,}", *scores, chosen)
