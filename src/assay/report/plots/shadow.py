"""The incumbents of a search as it saw them, and on rows that it never used."""

from __future__ import annotations

from assay.analysis.overtuning import Overtuning
from assay.core.history import History
from assay.core.spec import StudySpec
from assay.report import words
from assay.report.answer import metric_name
from assay.report.plots.axes import better
from assay.report.plots.form import Axis, Panel, Plot, Table, line, points


def trace(spec: StudySpec, history: History, found: Overtuning) -> Plot:
    """The value of each incumbent by trial: in the search, and on the shadow set."""
    numbers = [one.trial for one in found.incumbents]
    seen = [(float(one.trial), one.search) for one in found.incumbents]
    judged = [(float(one.trial), one.shadow) for one in found.incumbents]
    end = float(max(history.n_trials - 1, numbers[-1], 1))
    marks = (
        line("record", "the best so far, as the search saw it", [*seen, (end, seen[-1][1])], steps=True),
        line("series-1", "the same trial on the shadow set", [*judged, (end, judged[-1][1])], steps=True),
        points("series-1", "", judged, numbers),
    )  # fmt: skip
    rows = tuple(
        (f"trial {one.trial}", words.score(one.search), words.score(one.shadow))
        for one in found.incumbents
    )
    title = "The best so far, on rows that the search never saw"
    metric = metric_name(spec)
    table = Table("Incumbents", ("trial", f"{metric} in the search", "on the shadow set"), rows)
    panel = Panel(Axis("trial"), Axis(f"{metric}; {better(spec)}"), marks)
    how = "worse" if found.optimism < 0 else "better"
    about = (
        f"{words.count(len(rows), 'incumbent')}; the last looks {how} in the search than on the shadow "
        f"set by {words.number(abs(found.optimism))}."
    )
    return Plot("shadow", title, about, (panel,), table)
