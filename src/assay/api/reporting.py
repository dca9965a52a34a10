"""A study as people see it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from assay.core.errors import StateError
from assay.stores.chain import head

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from assay.api.study import Study
    from assay.report.influence import Influence
    from assay.report.view import View


def view(study: Study) -> View:
    """Everything that a page or a terminal says of a study."""
    from assay.report.view import view_of

    history = study.history
    last = study.store.rows(study.name, after=max(history.length - 1, 0))

    def rows(sha256: str) -> NDArray[np.float32]:
        return np.frombuffer(study.store.blob(sha256), dtype="<f4")

    return view_of(study.name, study.spec, history, head(study.name, last[:1]), rows=rows)


def page(study: Study) -> str:
    """The report as one HTML page."""
    from assay.report.html import page as page_of

    return page_of(replace(view(study), importance=_influence(study)))


def _influence(study: Study) -> Influence | None:
    """Which parameters mattered; None while there is too little to say."""
    from assay.report.influence import influence

    if not study.spec.single:
        return None
    try:
        return influence(study.importance())
    except StateError:
        return None
