"""A study as people see it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from assay.core.errors import SpecError, StateError
from assay.stores.chain import head

if TYPE_CHECKING:
    from assay.analysis.row_losses import Rows
    from assay.api.study import Study
    from assay.report.influence import Influence
    from assay.report.looks import Looks
    from assay.report.plots.outcomes import Outcomes
    from assay.report.view import View


FORMS = ("html", "md", "json", "pdf")


def view(study: Study, outcomes: Outcomes | None = None) -> View:
    """Everything that a page or a terminal says of a study.

    Args:
        outcomes: of its trials, where they are known already; the view is of their length.
    """
    from assay.report.view import view_of

    history = outcomes.history if outcomes else study.history
    last = study.store.rows(study.name, after=max(history.length - 1, 0))
    return view_of(
        study.name,
        study.spec,
        history,
        head(study.name, last[:1]),
        rows=stored_rows(study),
        effects=outcomes.effects if outcomes else None,
        points=outcomes.points if outcomes else (),
    )


def looks_of(study: Study) -> Looks | None:
    """The independent looks of its search; None while it lasts, or where no rows are stored."""
    from assay.report.looks import looks

    return looks(study.spec, study.history, stored_rows(study))


def stored_rows(study: Study) -> Rows:
    """Gives the stored per-row values behind a hash."""
    return lambda sha256: np.frombuffer(study.store.blob(sha256), dtype="<f4")


def whole(study: Study) -> View:
    """The same with what takes longer: what mattered, and whether the search was worth it."""
    from assay.report.corrected import honest_curve
    from assay.report.going_on import going_on
    from assay.report.plots import gains
    from assay.report.plots.outcomes import Outcomes

    history = study.history
    outcomes = Outcomes(study.spec, history)
    seen = view(study, outcomes)
    outcomes.looks = seen.looks
    steps = gains.steps_to_best(outcomes)
    honest = honest_curve(study.spec, history, stored_rows(study))
    worth = tuple(
        plot
        for plot in (gains.best_so_far(outcomes, honest), gains.gain_and_cost(outcomes))
        if not plot.empty
    )
    return replace(
        seen,
        importance=_influence(study),
        singles=_singles(study),
        steps=None if steps.empty else steps,
        worth=worth or None,
        second_half=gains.second_half(outcomes),
        going_on=going_on(study.spec, history),
    )


def _singles(study: Study) -> tuple[str, ...] | None:
    """What single changes among the trials did, in sentences."""
    from assay.analysis.contrasts import contrasts, effects_of

    if not study.spec.single:
        return None
    found = effects_of(study.spec, contrasts(study.spec, study.history))
    return tuple(effect.sentence for effect in found[:20]) or None


def page(study: Study) -> str:
    """The report as one HTML page."""
    from assay.report.html import page as page_of

    return page_of(whole(study))


def written(study: Study, form: str) -> bytes:
    """The report as "html", "md", "json" or "pdf".

    Raises:
        SpecError: another form, or no browser is installed that prints a PDF.
    """
    if form not in FORMS:
        raise SpecError(f"A report is one of {', '.join(FORMS)}, got {form!r:.80}.")
    if form == "md":
        from assay.report.markdown import markdown

        return markdown(whole(study)).encode()
    if form == "json":
        return _json(study)
    text = page(study)
    if form == "pdf":
        from assay.api.paper import printed

        return printed(text)
    return text.encode()


def saved(study: Study, path: str | Path | None) -> str:
    """The report, written to a path if one is given, in the form of its ending; of a PDF no text.

    Raises:
        SpecError: as `written`.
    """
    if path is None:
        return page(study)
    form = Path(path).suffix.lstrip(".").lower()
    body = written(study, form if form in FORMS else "html")
    Path(path).write_bytes(body)
    return body.decode(errors="replace") if form != "pdf" else ""


def snippet(study: Study) -> str:
    """The study as a notebook shows it."""
    from assay.report.snippet import view_snippet

    return view_snippet(view(study))


def _json(study: Study) -> bytes:
    """All that the page says, as plain values; of the trials all."""
    import msgspec

    from assay.api.exporting import trial_rows

    seen = msgspec.to_builtins(replace(whole(study), trials=None))
    form = {"format": "assay report", "version": 1, **seen, "trials": trial_rows(study)}
    return msgspec.json.format(msgspec.json.encode(form), indent=1) + b"\n"


def _influence(study: Study) -> Influence | None:
    """Which parameters mattered; None while there is too little to say."""
    from assay.report.influence import influence

    if not study.spec.single:
        return None
    try:
        return influence(study.importance())
    except StateError:
        return None
