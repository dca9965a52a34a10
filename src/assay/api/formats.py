"""A study in the forms of others: a model card, W3C PROV, an RO-Crate, an MLflow folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from assay.core.errors import SpecError, did_you_mean
from assay.core.events import Created
from assay.stores.chain import head

if TYPE_CHECKING:
    from assay.api.study import Study
    from assay.report.credit import Credit


def export_as(
    study: Study, form: str, target: str | Path, *, credit: Credit | None = None
) -> list[Path]:
    """Write a study in another form.

    Args:
        form: "model-card" (Markdown) and "prov" (PROV-JSON) are one file, "ro-crate" and "mlflow" a
            folder. MLflow reads the last with MLFLOW_TRACKING_URI=file:FOLDER.
        target: the file, or the folder; it must not exist.
        credit: license, publisher, author and affiliation of an "ro-crate"; without them it says that
            no license is stated, and names who began the study as its author.

    Returns:
        The files.

    Raises:
        SpecError: no such form, a credit for another, or the place cannot be written.
    """
    if form not in FORMS:
        raise SpecError(f"No form {form!r}. {did_you_mean(form, FORMS)}")
    if credit and credit.stated and form != "ro-crate":
        raise SpecError(
            f"{' and '.join(credit.stated)} can be stated in an ro-crate alone, not in {form!r}. Leave "
            "that out, or use the form 'ro-crate'."
        )
    place = Path(target)
    if place.exists():
        raise SpecError(f"{str(place)!r} exists already. Name a new one.")
    try:
        return FORMS[form](study, place, *([credit] if credit and credit.stated else []))
    except OSError as error:
        raise SpecError(f"Cannot write to {str(place)!r}: {error.strerror or error}.") from None


def _model_card(study: Study, place: Path) -> list[Path]:
    from assay.api.reporting import view
    from assay.report.model_card import model_card

    return [_written(place, model_card(view(study)))]


def _prov(study: Study, place: Path) -> list[Path]:
    return [_written(place, _prov_text(study))]


def _prov_text(study: Study) -> str:
    from assay.report.provenance import prov_json

    history = study.history
    rows = study.store.rows(study.name)[: history.length]
    form = prov_json(study.name, study.spec, history, head(study.name, rows))
    return json.dumps(form, indent=2, ensure_ascii=False) + "\n"


def _crate(study: Study, place: Path, credit: Credit | None = None) -> list[Path]:
    from assay import __version__
    from assay.api.exporting import export
    from assay.api.reporting import page, view
    from assay.report.crate import crate
    from assay.report.credit import Credit
    from assay.report.model_card import model_card

    files = export(study, place)
    files.append(_written(place / "report.html", page(study)))
    files.append(_written(place / "model-card.md", model_card(view(study))))
    files.append(_written(place / "prov.json", _prov_text(study)))
    began, ended = _times(study)
    verdict = study.verdict
    form = crate(
        study.name,
        {file.name: file.stat().st_size for file in files},
        sentence=verdict.sentence if verdict else "",
        began=began,
        ended=ended,
        user=study.store.rows(study.name)[0].actor.partition("@")[0],
        version=__version__,
        credit=credit or Credit(),
    )
    text = json.dumps(form, indent=2, ensure_ascii=False) + "\n"
    return [*files, _written(place / "ro-crate-metadata.json", text)]


def _mlflow(study: Study, place: Path) -> list[Path]:
    written = []
    for path, text in _mlflow_files(study):
        if path.endswith("/"):
            (place / path).mkdir(parents=True, exist_ok=True)
        else:
            written.append(_written(place / path, text))
    return written


def _mlflow_files(study: Study) -> Iterator[tuple[str, str]]:
    from assay.api.exporting import trial_rows
    from assay.api.times import Times, milliseconds
    from assay.report.mlflow_files import run_files

    created: Created = study.history.last(Created)
    verdict = study.verdict
    tags = {"assay.plan": created.plan, "assay.study": study.name}
    if verdict:
        tags |= {
            "assay.claim": str(verdict.claim or "NO CLAIM"),
            "mlflow.note.content": str(verdict),
        }
    began, ended = map(milliseconds, _times(study))
    clock = Times()
    clock.follow(study.store, study.name)
    yield from run_files(
        study.name,
        list(zip(study.trials, trial_rows(study), strict=True)),
        tags=tags,
        gain=verdict.gain if verdict else None,
        span=(began, ended),
        times={number: clock.milliseconds(number) for number in clock.by_trial},
    )


def _times(study: Study) -> tuple[str, str]:
    rows = study.store.rows(study.name)
    return rows[0].time, rows[-1].time


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


FORMS: dict[str, Callable[..., list[Path]]] = {
    "model-card": _model_card,
    "prov": _prov,
    "ro-crate": _crate,
    "mlflow": _mlflow,
}
